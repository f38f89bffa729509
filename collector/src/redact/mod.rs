//! Redaction: rules that take secrets out of prompts, completions and tool payloads before any of
//! it is written to a table. Takes settings, gives compiled [`Redaction`]; applied to a piece of
//! content, it gives the text that may be kept. It owns no text and knows no table; what content
//! is, is `normalise`'s matter.
//!
//! Rules are applied in their order, each to what the ones before it left. Work is linear in the
//! bytes of a piece: the expressions run without backtracking, text inside text is followed to
//! a fixed depth, and their number is capped.

mod rule;
mod scan;

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

pub use rule::{Action, RedactionRule};

use crate::limits;

/// What stands where something was dropped.
const DROPPED: &str = "[dropped]";
/// What stands where an expression matched and the rule names nothing else.
pub(crate) const REDACTED: &str = "[redacted]";

/// Compiled rules.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// Rules on whole pieces, by the field they came in.
    fields: Vec<(Names, Effect)>,
    /// Rules on members of JSON, by their key.
    keys: Vec<(Names, Effect)>,
    /// Rules on text.
    patterns: Vec<(Regex, Effect)>,
}

/// Names, each with at most one `*` that stands for any text.
#[derive(Debug, Clone)]
struct Names(Vec<String>);

/// What becomes of what a rule finds.
#[derive(Debug, Clone)]
enum Effect {
    Replace(String),
    Drop,
    Hash(Box<blake3::Hasher>),
}

impl Redaction {
    /// Compiles rules; `hash_key` is the secret of those that hash.
    ///
    /// # Errors
    /// Says which rule cannot work, and why.
    pub fn compile(rules: &[RedactionRule], hash_key: Option<&str>) -> Result<Self, String> {
        if rules.len() > limits::REDACTION_RULES_MAX {
            return Err(format!(
                "`contents.redact` has {} rules, expected at most {}",
                rules.len(),
                limits::REDACTION_RULES_MAX
            ));
        }
        let mut all = Redaction::default();
        for (number, rule) in rules.iter().enumerate() {
            let wrong = |why: String| format!("`contents.redact`, rule {}: {why}", number + 1);
            let effect = || rule.effect(hash_key).map_err(wrong);
            match (&rule.pattern, rule.fields.is_empty(), rule.keys.is_empty()) {
                (Some(pattern), true, true) => {
                    let (expression, effect) = (expression(pattern).map_err(wrong)?, effect()?);
                    if let Effect::Replace(with) = &effect {
                        has_groups(&expression, with).map_err(wrong)?;
                    }
                    all.patterns.push((expression, effect));
                }
                (None, false, true) => {
                    all.fields.push((names(&rule.fields).map_err(wrong)?, effect()?))
                }
                (None, true, false) => {
                    all.keys.push((names(&rule.keys).map_err(wrong)?, effect()?));
                }
                _ => {
                    let why = "expected exactly one of `pattern`, `fields` and `keys`";
                    return Err(wrong(why.to_owned()));
                }
            }
        }
        Ok(all)
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.keys.is_empty() && self.patterns.is_empty()
    }

    /// The text of a piece of content that may be kept, and how many times something was taken
    /// out of it.
    pub fn apply<'t>(&self, field: &str, text: &'t str) -> (Cow<'t, str>, i64) {
        let mut found = 0;
        // A piece out of a bag of parameters comes under `attribute→key`.
        let attribute = field.split_once('→').map_or(field, |(attribute, _)| attribute);
        let named = |names: &Names| names.have(field) || names.have(attribute);
        if let Some((_, effect)) = self.fields.iter().find(|(names, _)| named(names)) {
            let kept = match effect {
                // The row still says what was there, and how long it was.
                Effect::Drop => String::new(),
                effect => effect.of_value(text),
            };
            return (Cow::Owned(kept), 1);
        }
        let kept = self.text(text, 0, &mut found);
        (kept, found)
    }

    /// Keys and expressions over a text; where it is JSON, or text inside JSON, over each string
    /// of it as it reads, so that an escape hides nothing, and then over the whole.
    fn text<'t>(&self, text: &'t str, depth: usize, found: &mut i64) -> Cow<'t, str> {
        let structured = depth < limits::REDACTION_DEPTH_MAX && scan::looks_structured(text);
        if !structured {
            return self.patterns(text, found);
        }
        match scan::rewrite(text, self, depth, found) {
            None => self.patterns(text, found),
            Some(rewritten) => {
                let whole = self.patterns(&rewritten, found).into_owned();
                Cow::Owned(whole)
            }
        }
    }

    /// The expressions over one text.
    fn patterns<'t>(&self, text: &'t str, found: &mut i64) -> Cow<'t, str> {
        let mut kept = Cow::Borrowed(text);
        for (pattern, effect) in &self.patterns {
            if !pattern.is_match(&kept) {
                continue;
            }
            let replaced = pattern.replace_all(&kept, |captures: &regex::Captures<'_>| {
                let matched = &captures[0];
                // Nothing between two letters is no secret.
                if matched.is_empty() {
                    return String::new();
                }
                *found += 1;
                match effect {
                    Effect::Replace(with) => {
                        let mut out = String::new();
                        captures.expand(with, &mut out);
                        out
                    }
                    effect => effect.of_value(matched),
                }
            });
            kept = Cow::Owned(replaced.into_owned());
        }
        kept
    }

    /// What becomes of the value under a key; none when no rule names the key.
    fn effect_on_key(&self, key: &str) -> Option<&Effect> {
        self.keys.iter().find(|(names, _)| names.have(key)).map(|(_, effect)| effect)
    }
}

impl Effect {
    /// What stands in place of a value.
    fn of_value(&self, value: &str) -> String {
        match self {
            Effect::Replace(with) => with.clone(),
            Effect::Drop => DROPPED.to_owned(),
            Effect::Hash(keyed) => {
                let mut hasher = keyed.clone();
                hasher.update(value.as_bytes());
                let digest = hasher.finalize();
                let mut token = String::from("[hash:");
                // 128 bits in letters, so that no expression for numbers finds them again.
                for byte in &digest.as_bytes()[..16] {
                    token.push(char::from(b'a' + (byte >> 4)));
                    token.push(char::from(b'a' + (byte & 15)));
                }
                token.push(']');
                token
            }
        }
    }
}

impl Names {
    fn have(&self, name: &str) -> bool {
        self.0.iter().any(|listed| match listed.split_once('*') {
            None => listed.eq_ignore_ascii_case(name),
            Some((head, tail)) => {
                let middle = name.len().checked_sub(tail.len()).filter(|m| *m >= head.len());
                let starts = name.get(..head.len()).is_some_and(|n| n.eq_ignore_ascii_case(head));
                starts
                    && middle
                        .and_then(|middle| name.get(middle..))
                        .is_some_and(|n| n.eq_ignore_ascii_case(tail))
            }
        })
    }
}

fn names(listed: &[String]) -> Result<Names, String> {
    for name in listed {
        if name.is_empty() || name.matches('*').count() > 1 {
            return Err(format!("name `{name}`: expected a name with at most one `*`"));
        }
    }
    Ok(Names(listed.to_vec()))
}

fn expression(pattern: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(pattern)
        .size_limit(limits::REDACTION_PATTERN_BYTES_MAX)
        .dfa_size_limit(limits::REDACTION_PATTERN_BYTES_MAX)
        .build()
        .map_err(|error| format!("`pattern` is no regular expression: {error}"))?;
    if regex.is_match("") {
        return Err(format!(
            "`pattern` `{pattern}` matches the empty text, expected one that needs a letter"
        ));
    }
    Ok(regex)
}

/// Whether every group that a replacement names is there: one that is not would silently be empty.
fn has_groups(expression: &Regex, replacement: &str) -> Result<(), String> {
    let mut rest = replacement;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after.strip_prefix('$').unwrap_or(after);
        if rest.len() < after.len() {
            continue;
        }
        let name = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}').map_or("", |(name, _)| name),
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                &after[..end.unwrap_or(after.len())]
            }
        };
        let known = match name.parse::<usize>() {
            Ok(number) => number < expression.captures_len(),
            Err(_) => expression.capture_names().flatten().any(|group| group == name),
        };
        if !name.is_empty() && !known {
            return Err(format!(
                "`replacement` names group `{name}`, which `pattern` does not have; write `$$` for a \
                 dollar sign and `${{1}}` before letters"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
