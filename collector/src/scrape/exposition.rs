//! Text that exporters expose: Prometheus text format 0.0.4 and OpenMetrics 1.0. Takes the body of
//! a scrape, gives metric families with their samples, or the line that is wrong. It does not
//! know what a metric means.
//!
//! Our own parser, since the crates looked at (prometheus-parse, openmetrics-parser) read one
//! format well or drop lines they do not understand; we need both, with exemplars, and the number
//! of the line that is wrong.
//!
//! As in Prometheus a malformed line fails the whole scrape: half a scrape would look like series
//! that ended. Only grammar is strict. Metadata is lenient, since real pages are: a TYPE may be
//! missing or stand far from its samples. OpenMetrics without its last line `# EOF` was cut off.

use std::collections::HashMap;

use spanledger_schemas::Money;

use super::limits::{LABELS_MAX, QUOTED_CHARS_MAX, SAMPLES_MAX};

/// Which grammar a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// Prometheus text format 0.0.4: timestamps in milliseconds.
    Text,
    /// OpenMetrics 1.0: timestamps in seconds, exemplars, units, `# EOF`.
    OpenMetrics,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Summary,
    Info,
    StateSet,
    Unknown,
}

impl Kind {
    fn parse(word: &str) -> Option<Kind> {
        Some(match word {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            "gaugehistogram" => Kind::GaugeHistogram,
            "summary" => Kind::Summary,
            "info" => Kind::Info,
            "stateset" => Kind::StateSet,
            "unknown" | "untyped" => Kind::Unknown,
            _ => return None,
        })
    }

    /// What sample names add to the name of their family.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Kind::Counter => &["_total", "_created"],
            Kind::Histogram => &["_bucket", "_sum", "_count", "_created"],
            Kind::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
            Kind::Summary => &["_sum", "_count", "_created"],
            Kind::Info => &["_info"],
            Kind::Gauge | Kind::StateSet | Kind::Unknown => &[],
        }
    }
}

/// Labels in the order of the line.
pub(super) type Labels = Vec<(String, String)>;

/// A metric with its samples.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) help: String,
    pub(super) unit: String,
    pub(super) samples: Vec<Sample>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Labels,
    pub(super) value: Value,
    pub(super) at_unix_ns: Option<i64>,
    pub(super) exemplar: Option<Exemplar>,
}

/// An example of what was counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exemplar {
    pub(super) labels: Labels,
    pub(super) value: Value,
    pub(super) at_unix_ns: Option<i64>,
}

/// A number; whole ones are kept exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Float(f64),
}

impl Value {
    pub(super) fn float(self) -> f64 {
        match self {
            Value::Int(value) => value as f64,
            Value::Float(value) => value,
        }
    }
}

/// A line that is not of the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} `{text}`: expected {expected}")]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) expected: &'static str,
}

type Parsed<T> = Result<T, &'static str>;

/// Reads a whole body.
///
/// # Errors
/// The first line that is not of the grammar, or that passes a bound.
pub(super) fn parse(body: &str, grammar: Grammar) -> Result<Vec<Family>, Malformed> {
    let mut page = Page { families: Vec::new(), by_name: HashMap::new(), samples: 0 };
    let mut ended = false;
    let mut last = 0;
    for (i, line) in body.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let malformed = |expected| Malformed { line: i + 1, text: cut(line), expected };
        last = i + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        if ended {
            return Err(malformed("nothing after `# EOF`"));
        }
        match line.trim_ascii_start().strip_prefix('#') {
            Some(comment) => {
                ended = grammar == Grammar::OpenMetrics && comment.trim_ascii() == "EOF";
                page.metadata(comment).map_err(malformed)?;
            }
            None => page.sample(line, grammar).map_err(malformed)?,
        }
    }
    if grammar == Grammar::OpenMetrics && !ended {
        let expected = "`# EOF` at the end; the answer was cut off";
        return Err(Malformed { line: last, text: String::new(), expected });
    }
    Ok(page.families)
}

fn cut(line: &str) -> String {
    line.chars().take(QUOTED_CHARS_MAX).collect()
}

struct Page {
    families: Vec<Family>,
    by_name: HashMap<String, usize>,
    samples: usize,
}

impl Page {
    /// `HELP`, `TYPE` and `UNIT`; any other comment is one.
    fn metadata(&mut self, comment: &str) -> Parsed<()> {
        let mut words = comment.trim_ascii_start().splitn(2, [' ', '\t']);
        let (word, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if !matches!(word, "HELP" | "TYPE" | "UNIT") {
            return Ok(());
        }
        let rest = rest.trim_ascii_start();
        let (name, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (name, rest) = rest.split_at(rest.find([' ', '\t']).unwrap_or(rest.len()));
                (checked_name(name)?.to_owned(), rest)
            }
        };
        let text = rest.trim_ascii();
        let family = self.family(name);
        match word {
            "HELP" => family.help = unescape(text),
            "UNIT" => text.clone_into(&mut family.unit),
            _ => {
                let kind = Kind::parse(text).ok_or("a metric type such as `gauge`")?;
                if family.kind != Kind::Unknown && family.kind != kind {
                    return Err("one type per metric");
                }
                family.kind = kind;
            }
        }
        Ok(())
    }

    fn sample(&mut self, line: &str, grammar: Grammar) -> Parsed<()> {
        self.samples += 1;
        if self.samples > SAMPLES_MAX {
            return Err("fewer samples: the page passes the bound of a scrape");
        }
        let sample = sample(line, grammar)?;
        let family = self.family_of(&sample.name);
        family.samples.push(sample);
        Ok(())
    }

    /// The family a sample belongs to: its name, or its name without what its kind adds.
    fn family_of(&mut self, sample: &str) -> &mut Family {
        let mut name = sample;
        if !self.by_name.contains_key(sample) {
            let fits = |(base, suffix): &(&str, &str)| {
                let family = self.by_name.get(*base).map(|at| &self.families[*at]);
                family.is_some_and(|family| family.kind.suffixes().contains(suffix))
            };
            let split = sample.rfind('_').map(|at| sample.split_at(at));
            name = split.filter(fits).map_or(sample, |(base, _)| base);
        }
        self.family(name.to_owned())
    }

    fn family(&mut self, name: String) -> &mut Family {
        let next = self.families.len();
        let at = *self.by_name.entry(name.clone()).or_insert(next);
        if at == next {
            let (help, unit, samples) = (String::new(), String::new(), Vec::new());
            self.families.push(Family { name, kind: Kind::Unknown, help, unit, samples });
        }
        &mut self.families[at]
    }
}

fn sample(line: &str, grammar: Grammar) -> Parsed<Sample> {
    let line = line.trim_ascii();
    let name_end = line.find(['{', ' ', '\t']).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = Vec::new();
    let mut quoted_name = None;
    if let Some(inside) = rest.trim_ascii_start().strip_prefix('{') {
        rest = read_labels(inside, &mut labels, &mut quoted_name)?;
    }
    let name = match quoted_name {
        Some(quoted) if name.is_empty() => quoted,
        Some(_) => return Err("one metric name"),
        None => checked_name(name)?.to_owned(),
    };
    let (numbers, exemplar) = match (grammar, rest.split_once(" # ")) {
        (Grammar::OpenMetrics, Some((numbers, exemplar))) => (numbers, Some(exemplar)),
        _ => (rest, None),
    };
    let (value, at_unix_ns) = value_and_time(numbers, grammar)?;
    let exemplar = exemplar.map(|text| read_exemplar(text, grammar)).transpose()?;
    Ok(Sample { name, labels, value, at_unix_ns, exemplar })
}

fn read_exemplar(text: &str, grammar: Grammar) -> Parsed<Exemplar> {
    let inside = text.trim_ascii_start().strip_prefix('{').ok_or("an exemplar `{…} value`")?;
    let mut labels = Vec::new();
    let mut name = None;
    let rest = read_labels(inside, &mut labels, &mut name)?;
    if name.is_some() {
        return Err("an exemplar without a name");
    }
    let (value, at_unix_ns) = value_and_time(rest, grammar)?;
    Ok(Exemplar { labels, value, at_unix_ns })
}

/// Labels up to the closing brace; gives what follows it. A quoted text that is not followed by
/// `=` is the metric's name (Prometheus 3, names outside ASCII).
fn read_labels<'a>(
    mut rest: &'a str,
    labels: &mut Labels,
    quoted_name: &mut Option<String>,
) -> Parsed<&'a str> {
    const EXPECTED: &str = "labels `{name=\"value\",…}`";
    loop {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            (name, rest) = unquote(quoted)?;
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            if word.is_empty() || word.as_bytes()[0].is_ascii_digit() {
                return Err("a label name of letters, digits and `_`");
            }
            (name, rest) = (word.to_owned(), after);
        }
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix('=') {
            let quoted = after.trim_ascii_start().strip_prefix('"').ok_or(EXPECTED)?;
            let (value, after) = unquote(quoted)?;
            if labels.iter().any(|(known, _)| *known == name) {
                return Err("each label once");
            }
            if labels.len() == LABELS_MAX {
                return Err("fewer labels: the sample passes the bound");
            }
            labels.push((name, value));
            rest = after.trim_ascii_start();
        } else if quoted_name.is_none() && labels.is_empty() {
            *quoted_name = Some(name);
        } else {
            return Err(EXPECTED);
        }
        match rest.as_bytes().first() {
            Some(b',') => rest = &rest[1..],
            Some(b'}') => {}
            _ => return Err(EXPECTED),
        }
    }
}

/// A text up to its closing quote, unescaped, and what follows.
fn unquote(text: &str) -> Parsed<(String, &str)> {
    let mut escaped = false;
    let end = text.find(|c: char| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    });
    let end = end.ok_or("a closing quote")?;
    Ok((unescape(&text[..end]), &text[end + 1..]))
}

/// `\\`, `\"` and `\n`; any other backslash stands for itself.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let stands_for = match (c, chars.peek()) {
            ('\\', Some('\\')) => Some('\\'),
            ('\\', Some('"')) => Some('"'),
            ('\\', Some('n')) => Some('\n'),
            _ => None,
        };
        if stands_for.is_some() {
            chars.next();
        }
        out.push(stands_for.unwrap_or(c));
    }
    out
}

fn checked_name(name: &str) -> Parsed<&str> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    let valid = name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit());
    if valid { Ok(name) } else { Err("a metric name of letters, digits, `_` and `:`") }
}

fn value_and_time(text: &str, grammar: Grammar) -> Parsed<(Value, Option<i64>)> {
    let mut words = text.split_ascii_whitespace();
    let value = value(words.next().ok_or("a value")?)?;
    let at = words.next().map(|word| instant(word, grammar)).transpose()?;
    if words.next().is_some() {
        return Err("a value and at most a timestamp");
    }
    Ok((value, at))
}

fn value(text: &str) -> Parsed<Value> {
    if let Ok(whole) = text.parse() {
        return Ok(Value::Int(whole));
    }
    // Rust reads `inf`, `Infinity` and `NaN` in any case, as Go does.
    text.parse().map(Value::Float).map_err(|_| "a number")
}

/// Nanoseconds since the epoch, exactly: a float would lose the last digits.
pub(super) fn instant(text: &str, grammar: Grammar) -> Parsed<i64> {
    const EXPECTED: &str = "a timestamp";
    let (amount, _) = Money::parse_rounded(text).map_err(|_| EXPECTED)?;
    // An amount counts units of 10^-18.
    let ns = match grammar {
        Grammar::Text => amount.0 / 1_000_000_000_000,
        Grammar::OpenMetrics => amount.0 / 1_000_000_000,
    };
    i64::try_from(ns).map_err(|_| EXPECTED)
}
