//! Which names a price holds for. Reads the match clauses of genai-prices (`equals`,
//! `starts_with`, `ends_with`, `contains`, `regex`, `and`, `or`) from JSON, writes them back, and
//! matches names without regard to case. It does not know models or providers.

use regex::Regex;
use serde_json::{Value, json};

/// Why a clause cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClauseError {
    /// Not one of the seven clauses.
    #[error(
        "match clause `{found}` is none of equals, starts_with, ends_with, contains, regex, and, or"
    )]
    Unknown {
        /// The JSON found.
        found: String,
    },
    /// The pattern is no regular expression we can run.
    #[error("match pattern `{pattern}`: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What the engine says.
        reason: String,
    },
}

/// A condition on a name.
#[derive(Debug, Clone)]
pub enum Clause {
    /// The whole name.
    Equals(String),
    /// Its beginning.
    StartsWith(String),
    /// Its end.
    EndsWith(String),
    /// Any part of it.
    Contains(String),
    /// A pattern found in it.
    Pattern(Pattern),
    /// Every one of these.
    And(Vec<Clause>),
    /// Any of these.
    Or(Vec<Clause>),
}

/// A regular expression. The engine knows no look-ahead, and the book uses one form of it: at the
/// very start, to exclude names (`^(?!.*-tts)`). That form is taken apart into `unless`.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    found: Regex,
    unless: Option<Regex>,
}

impl Clause {
    /// Reads a clause from the JSON of the book. `and_` and `or_` are other spellings of `and`
    /// and `or`; keys that start with `__` are ignored.
    ///
    /// # Errors
    /// When it is no such clause or its pattern does not compile.
    pub fn from_json(json: &Value) -> Result<Clause, ClauseError> {
        let unknown = || ClauseError::Unknown { found: json.to_string() };
        let entries = json.as_object().ok_or_else(unknown)?;
        let mut entries = entries.iter().filter(|(key, _)| !key.starts_with("__"));
        let (Some((key, value)), None) = (entries.next(), entries.next()) else {
            return Err(unknown());
        };
        let text = || value.as_str().map(str::to_lowercase).ok_or_else(unknown);
        let list = || -> Result<Vec<Clause>, ClauseError> {
            value.as_array().ok_or_else(unknown)?.iter().map(Clause::from_json).collect()
        };
        Ok(match key.as_str() {
            "equals" => Clause::Equals(text()?),
            "starts_with" => Clause::StartsWith(text()?),
            "ends_with" => Clause::EndsWith(text()?),
            "contains" => Clause::Contains(text()?),
            // Patterns keep their case: `\S` is not `\s`.
            "regex" => Clause::Pattern(Pattern::new(value.as_str().ok_or_else(unknown)?)?),
            "and" | "and_" => Clause::And(list()?),
            "or" | "or_" => Clause::Or(list()?),
            _ => return Err(unknown()),
        })
    }

    /// The clause as JSON; reading it back gives the same clause.
    pub fn to_json(&self) -> Value {
        let list = |clauses: &[Clause]| clauses.iter().map(Clause::to_json).collect::<Vec<_>>();
        match self {
            Clause::Equals(text) => json!({ "equals": text }),
            Clause::StartsWith(text) => json!({ "starts_with": text }),
            Clause::EndsWith(text) => json!({ "ends_with": text }),
            Clause::Contains(text) => json!({ "contains": text }),
            Clause::Pattern(pattern) => json!({ "regex": pattern.text }),
            Clause::And(clauses) => json!({ "and": list(clauses) }),
            Clause::Or(clauses) => json!({ "or": list(clauses) }),
        }
    }

    /// Whether a name in lower case fulfils it.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Clause::Equals(text) => name == text,
            Clause::StartsWith(text) => name.starts_with(text.as_str()),
            Clause::EndsWith(text) => name.ends_with(text.as_str()),
            Clause::Contains(text) => name.contains(text.as_str()),
            Clause::Pattern(p) => {
                p.found.is_match(name) && !p.unless.as_ref().is_some_and(|u| u.is_match(name))
            }
            Clause::And(clauses) => clauses.iter().all(|c| c.matches(name)),
            Clause::Or(clauses) => clauses.iter().any(|c| c.matches(name)),
        }
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Pattern, ClauseError> {
        let compile = |pattern: &str| {
            regex::RegexBuilder::new(pattern).case_insensitive(true).build().map_err(|error| {
                ClauseError::Pattern { pattern: text.to_owned(), reason: error.to_string() }
            })
        };
        let split = text.strip_prefix("^(?!").and_then(|rest| {
            let end = closing_parenthesis(rest)?;
            Some((&rest[..end], &rest[end + 1..]))
        });
        let (found, unless) = match split {
            Some((excluded, rest)) => {
                (compile(&format!("^{rest}"))?, Some(compile(&format!("^(?:{excluded})"))?))
            }
            None => (compile(text)?, None),
        };
        Ok(Pattern { text: text.to_owned(), found, unless })
    }
}

/// Where the parenthesis that was opened before `text` closes.
fn closing_parenthesis(text: &str) -> Option<usize> {
    let (mut depth, mut in_class, mut escaped) = (1, false, false);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(clause: &str, matching: &[&str], others: &[&str]) {
        let clause = Clause::from_json(&serde_json::from_str(clause).unwrap()).unwrap();
        let again = Clause::from_json(&clause.to_json()).unwrap();
        for clause in [clause, again] {
            for name in matching {
                assert!(clause.matches(name), "{clause:?} should match {name}");
            }
            for name in others {
                assert!(!clause.matches(name), "{clause:?} should not match {name}");
            }
        }
    }

    #[test]
    fn every_clause_matches_what_it_says() {
        check(r#"{"equals":"MiniMax-M2"}"#, &["minimax-m2"], &["minimax-m2.1"]);
        check(r#"{"starts_with":"gpt-4o"}"#, &["gpt-4o", "gpt-4o-mini"], &["azure/gpt-4o"]);
        check(r#"{"ends_with":":free"}"#, &["qwen3:free"], &["qwen3:freed"]);
        check(r#"{"contains":"claude"}"#, &["us.anthropic.claude-3"], &["clause"]);
        check(r#"{"regex":"^claude-5-\\d{8}$"}"#, &["claude-5-20260101"], &["claude-5-2026"]);
        check(
            r#"{"and":[{"contains":"a"},{"or_":[{"equals":"ab"},{"equals":"ac"}]}],"__type__":"x"}"#,
            &["ab", "ac"],
            &["ad", "b"],
        );
    }

    #[test]
    fn leading_negative_look_ahead_excludes() {
        check(
            r#"{"regex":"^(?!.*-[tT][tT][sS](?:$|-))"}"#,
            &["gemini-2.5-flash", "gemini-ttsx"],
            &["gemini-2.5-flash-tts", "gemini-TTS-preview"],
        );
        check(
            r#"{"regex":"^(?![^/]+/)(?:labs-)?(?:mistral|open-mixtral)"}"#,
            &["mistral-large", "labs-mistral-x"],
            &["azure/mistral-large", "codestral"],
        );
    }

    #[test]
    fn what_is_no_clause_is_refused() {
        for json in [r#"{"like":"x"}"#, r#"{}"#, r#""gpt""#, r#"{"equals":"a","contains":"b"}"#] {
            let clause = Clause::from_json(&serde_json::from_str(json).unwrap());
            assert!(matches!(clause, Err(ClauseError::Unknown { .. })), "{json}");
        }
        let look_behind = serde_json::json!({ "regex": "(?<=x)y" });
        assert!(matches!(Clause::from_json(&look_behind), Err(ClauseError::Pattern { .. })));
    }
}
