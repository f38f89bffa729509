//! What an item says, fact by fact: for each fact the attribute (or the value inside one) that
//! says it best, and the readings of it as text, number, amount or truth. Notes which attributes a
//! column says verbatim, and which facts filled one.

use std::borrow::Cow;

use spanledger_schemas::money::Money;

use super::inside::{self, Found};
use super::loose::{self, Scalar};
use super::names::{FACTS, Fact, Meaning};
use super::{Fate, sources};
use crate::decode::{Attribute, Value};
use crate::limits::INSIDE_ATTRIBUTES_MAX;

/// For each fact where it is said best.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    slots: [Slot; FACTS],
    found: Vec<Found<'a>>,
    read_inside: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The attribute, or with [`FOUND`] the value found inside one.
    at: u32,
    /// Number of the name and, above, of the path inside it: what tells shapes apart.
    number: u32,
    rank: u8,
}

const FOUND: u32 = 1 << 31;
const UNSAID: Slot = Slot { at: 0, number: 0, rank: u8::MAX };

impl Default for Facts<'_> {
    fn default() -> Self {
        Self { slots: [UNSAID; FACTS], found: Vec::new(), read_inside: 0 }
    }
}

impl<'a> Facts<'a> {
    /// Notes what an attribute may say.
    #[inline]
    pub(super) fn note(&mut self, meaning: Meaning, attribute: usize, value: Value<'a>) {
        match meaning {
            // Nothing is said by what is empty: a name of a lower rank may say it.
            Meaning::Fact(fact, ..) if matches!(value, Value::Text(t) if is_nothing(fact, t)) => {}
            Meaning::Fact(fact, rank, number) => {
                let number = u32::from(number);
                self.offer(fact, Slot { at: attribute as u32, number, rank });
            }
            Meaning::Inside(inside, number) => {
                self.read_inside(inside, number, attribute, value);
            }
            Meaning::Content(_) => {}
        }
    }

    fn read_inside(
        &mut self,
        inside: &'static inside::Inside,
        number: u16,
        attribute: usize,
        value: Value<'a>,
    ) {
        let Value::Text(text) = value else { return };
        if self.read_inside == INSIDE_ATTRIBUTES_MAX || text.is_empty() {
            return;
        }
        self.read_inside += 1;
        inside::read(inside, attribute, text, |fact, rank, found| {
            let slot = Slot {
                at: FOUND | self.found.len() as u32,
                number: u32::from(number) | (u32::from(found.number) + 1) << 16,
                rank,
            };
            let nothing = matches!(&found.value, Scalar::Text(text) if is_nothing(fact, text));
            if !nothing && rank < self.slots[fact as usize].rank {
                self.slots[fact as usize] = slot;
                self.found.push(found);
            }
        });
    }

    #[inline]
    fn offer(&mut self, fact: Fact, slot: Slot) {
        let best = &mut self.slots[fact as usize];
        if slot.rank < best.rank {
            *best = slot;
        }
    }

    fn said(&self, fact: Fact) -> Option<Slot> {
        Some(self.slots[fact as usize]).filter(|slot| slot.rank != u8::MAX)
    }
}

/// Whether a text says nothing of a fact: what is empty; of owners and models also blanks, and the
/// words for nothing that languages print (Spring AI's model of a failed call is `none`).
pub(super) fn is_nothing(fact: Fact, text: &str) -> bool {
    const NOTHING: [&str; 4] = ["none", "null", "undefined", "nil"];
    // What Python prints of an object without a text, such as the mark of an argument left out.
    if text.is_empty() || (text.starts_with('<') && text.contains(" object at 0x")) {
        return true;
    }
    // What Gemini's chunks before the last say, of each of which LangChain adds one.
    const NOT_YET: &str = "FINISH_REASON_UNSPECIFIED";
    if fact == Fact::FinishReason && text.starts_with(NOT_YET) {
        return text.split(NOT_YET).all(str::is_empty);
    }
    // Spring AI's word for what asks no model: its kind says what it is.
    if fact == Fact::Operation && text == "framework" {
        return true;
    }
    let named = matches!(
        fact,
        Fact::RequestModel
            | Fact::ResponseModel
            | Fact::Model
            | Fact::Agent
            | Fact::Workflow
            | Fact::Team
            | Fact::User
            | Fact::Session
            | Fact::Feature
    );
    if !named {
        return false;
    }
    let word = text.trim();
    // What Logfire writes in place of what it took for a secret.
    let scrubbed = word.starts_with('[') && word.starts_with("[Scrubbed due to ");
    let nothing = || NOTHING.iter().any(|nothing| nothing.eq_ignore_ascii_case(word));
    // OpenLLMetry's word for a model that LangChain does not name.
    let model = matches!(fact, Fact::RequestModel | Fact::ResponseModel | Fact::Model);
    word.is_empty() || scrubbed || nothing() || (model && word == "unknown")
}

/// A fact as it stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'a, 's> {
    /// The value of this attribute.
    Attribute(usize, Value<'a>),
    /// A value inside one.
    Inside(&'s Scalar<'a>),
}

/// Reads facts into columns.
pub(super) struct Reading<'a, 's> {
    pub(super) facts: &'s Facts<'a>,
    pub(super) attributes: &'s [Attribute<'a>],
    pub(super) fates: &'s mut [Fate],
    /// Whether a text may be a JSON string.
    pub(super) json_values: bool,
    /// Facts that filled a column, one bit each.
    pub(super) told: u128,
}

const _: () = assert!(FACTS <= 128, "`told` has one bit per fact");

impl<'a, 's> Reading<'a, 's> {
    /// The fact, if said.
    pub(super) fn said(&self, fact: Fact) -> Option<Said<'a, 's>> {
        let slot = self.facts.said(fact)?;
        Some(match slot.at & FOUND {
            0 => Said::Attribute(slot.at as usize, self.attributes[slot.at as usize].value),
            _ => Said::Inside(&self.facts.found[(slot.at & !FOUND) as usize].value),
        })
    }

    /// Name of the attribute, or the path inside it, that says the fact.
    pub(super) fn name(&self, fact: Fact) -> &'a str {
        match self.facts.said(fact) {
            None => "",
            Some(slot) if slot.at & FOUND == 0 => self.attributes[slot.at as usize].key,
            Some(slot) => self.facts.found[(slot.at & !FOUND) as usize].path,
        }
    }

    /// Whether an attribute that names no fact is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.attributes.iter().any(|a| a.key == key)
    }

    /// Whether an attribute that names no fact says that.
    pub(super) fn is(&self, key: &str, text: &str) -> bool {
        let said = self.attributes.iter().find(|a| a.key == key);
        said.is_some_and(|a| matches!(a.value, Value::Text(said) if said == text))
    }

    /// Whether the library says that the counts are its own guess, as Traccia does.
    pub(super) fn says_guessed(&self) -> bool {
        const SOURCES: [&str; 3] = ["source", "prompt_source", "completion_source"];
        self.attributes.iter().any(|a| {
            let source = a.key.strip_prefix("llm.usage.").is_some_and(|k| SOURCES.contains(&k));
            source && matches!(a.value, Value::Text(text) if text.starts_with("estimated"))
        })
    }

    /// Notes that the fact filled a column.
    pub(super) fn tell(&mut self, fact: Fact) {
        self.told |= 1 << fact as u32;
    }

    /// Whether it did.
    pub(super) fn is_told(&self, fact: Fact) -> bool {
        self.told & (1 << fact as u32) != 0
    }

    fn in_column(&mut self, attribute: usize) {
        self.fates[attribute] = Fate::InColumn;
    }

    /// Text of a column; none for what is no single value, or empty. `verbatim` says whether the
    /// column will hold it as it is.
    pub(super) fn text(&mut self, fact: Fact, verbatim: bool) -> Option<Cow<'a, str>> {
        let text = match self.said(fact)? {
            Said::Inside(scalar) => scalar.text()?,
            Said::Attribute(i, value) => {
                let said = text_of(value)?;
                match &said {
                    Cow::Borrowed(quoted) if self.json_values && quoted.starts_with('"') => {
                        let inner = loose::unquoted(quoted);
                        if inner.is_empty() {
                            return None;
                        }
                        inner
                    }
                    _ => {
                        if verbatim {
                            self.in_column(i);
                        }
                        said
                    }
                }
            }
        };
        self.tell(fact);
        Some(text)
    }

    /// Text of a column that holds it as it is.
    pub(super) fn column(&mut self, fact: Fact) -> Option<Cow<'a, str>> {
        self.text(fact, true)
    }

    /// A text alone, without other values written as one.
    pub(super) fn only_text(&self, fact: Fact) -> Option<(Option<usize>, Cow<'a, str>)> {
        match self.said(fact)? {
            Said::Attribute(i, Value::Text(text)) if !text.is_empty() => {
                let text = match self.json_values {
                    true => loose::unquoted(text),
                    false => Cow::Borrowed(text),
                };
                Some((Some(i), text)).filter(|(_, t)| !t.is_empty())
            }
            Said::Inside(Scalar::Text(text)) if !text.is_empty() => Some((None, text.clone())),
            _ => None,
        }
    }

    /// As [`Reading::number`], for a column that it fills whatever it is.
    pub(super) fn filling(&mut self, fact: Fact) -> Option<f64> {
        let number = self.number(fact)?;
        self.tell(fact);
        Some(number)
    }

    /// True or false.
    pub(super) fn truth(&mut self, fact: Fact) -> Option<bool> {
        let of_text = |text: &str| match text {
            "true" | "True" => Some(true),
            "false" | "False" => Some(false),
            _ => None,
        };
        let (at, truth) = match self.said(fact)? {
            Said::Attribute(i, Value::Bool(truth)) => (Some(i), truth),
            Said::Attribute(i, Value::Text(text)) => (Some(i), of_text(text)?),
            // A parameter that is repeated with its default says nothing; one that is set does.
            Said::Inside(Scalar::Bool(true)) => (None, true),
            Said::Inside(Scalar::Text(text)) => (None, of_text(text).filter(|truth| *truth)?),
            _ => return None,
        };
        if let Some(i) = at {
            self.in_column(i);
        }
        self.tell(fact);
        Some(truth)
    }

    /// A number that is no count; the attribute is kept, since the column changes it. The caller
    /// tells whether it filled one.
    pub(super) fn number(&self, fact: Fact) -> Option<f64> {
        let number = match self.said(fact)? {
            Said::Attribute(_, Value::Double(number)) => number,
            Said::Attribute(_, Value::Int(number)) => number as f64,
            Said::Attribute(_, Value::Text(text)) => text.parse().ok()?,
            Said::Inside(Scalar::Number(text)) => text.parse().ok()?,
            Said::Inside(Scalar::Text(text)) => text.parse().ok()?,
            _ => return None,
        };
        Some(number).filter(|n| n.is_finite() && *n >= 0.0)
    }

    /// A count that came as integer, double or text. None when it is not said; `Err` when what is
    /// said is not whole, negative or too large. The caller tells whether it filled a column.
    pub(super) fn count(&self, fact: Fact) -> Option<Result<i64, Unreadable>> {
        let whole = match self.said(fact)? {
            // What JavaScript makes of a sum of what is not there.
            Said::Attribute(_, Value::Double(number)) if number.is_nan() => return None,
            // What is not told, as JSON and Python write it.
            Said::Attribute(_, Value::Text("null" | "None")) => return None,
            Said::Attribute(_, value) => whole(value),
            Said::Inside(Scalar::Number(text)) => whole_text(text),
            Said::Inside(Scalar::Text(text)) => whole_text(text),
            Said::Inside(Scalar::Bool(_)) => None,
        };
        let whole = whole.filter(|n| (0..=TOKENS_MAX).contains(n));
        Some(whole.ok_or(Unreadable))
    }

    /// Notes that a column says the fact, and says it verbatim.
    pub(super) fn in_full(&mut self, fact: Fact) {
        self.tell(fact);
        if let Some(Said::Attribute(i, _)) = self.said(fact) {
            self.in_column(i);
        }
    }

    /// An amount of money, from the digits as they were written. Digits past the eighteenth are
    /// the noise of a float.
    pub(super) fn amount(&mut self, fact: Fact) -> Option<Money> {
        let text = match self.said(fact)? {
            Said::Attribute(_, value @ (Value::Double(_) | Value::Int(_) | Value::Text(_))) => {
                value.text()?
            }
            Said::Inside(Scalar::Number(text)) => Cow::Borrowed(*text),
            Said::Inside(Scalar::Text(text)) => text.clone(),
            _ => return None,
        };
        let (amount, _) = Money::parse_rounded(text.trim()).ok()?;
        if amount < Money::ZERO {
            return None;
        }
        self.tell(fact);
        Some(amount)
    }

    /// What filled the columns, as one number.
    pub(super) fn shape(&self, shape: &mut sources::Shape) {
        let mut told = self.told;
        while told != 0 {
            let fact = told.trailing_zeros() as usize;
            told &= told - 1;
            shape.add((fact as u64 + 1) << 32 | u64::from(self.facts.slots[fact].number));
        }
    }

    /// Where a fact stood that filled a column.
    pub(super) fn source(&self, fact: Fact) -> Option<sources::Source<'a>> {
        if !self.is_told(fact) {
            return None;
        }
        let slot = self.facts.said(fact)?;
        Some(match slot.at & FOUND {
            0 => sources::Source::Attribute(self.attributes[slot.at as usize].key),
            _ => {
                let found = &self.facts.found[(slot.at & !FOUND) as usize];
                sources::Source::Inside(self.attributes[found.attribute].key, found.path)
            }
        })
    }
}

/// A usage attribute that is no count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Text of a column from an attribute; none for what is no single value, or empty.
pub(super) fn text_of(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Array(_) | Value::Map(_) | Value::Bytes(_) => None,
        single => single.text().filter(|t| !t.is_empty()),
    }
}

/// The most tokens one span may report; more than a quadrillion is no count of tokens, and sums
/// of a few such numbers must fit 64 bits.
const TOKENS_MAX: i64 = 1_000_000_000_000_000;

fn whole(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        Value::Double(number) => whole_double(number),
        Value::Text(text) => whole_text(text),
        _ => None,
    }
}

fn whole_double(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= TOKENS_MAX as f64).then_some(number as i64)
}

fn whole_text(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}
