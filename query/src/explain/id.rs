//! The ids that can be asked about: of spans and calls as hex, of billing lines as import and line
//! number. Reads them from text, so that what goes into SQL is digits or quoted.

use crate::error::QueryError;

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A row of `spans`.
    Span,
    /// A row of `calls`.
    Call,
    /// A row of `billing_lines`.
    Line,
}

impl Subject {
    /// All of them.
    pub const ALL: [Subject; 3] = [Subject::Span, Subject::Call, Subject::Line];

    /// Its one spelling.
    pub fn word(self) -> &'static str {
        match self {
            Subject::Span => "span",
            Subject::Call => "call",
            Subject::Line => "line",
        }
    }

    /// The subject of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.word() == word)
    }
}

/// An id that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Id {
    /// At least one of the two.
    Span { trace: Option<String>, span: Option<String> },
    /// A line of an import, or all of them.
    Line { import: String, number: Option<i64> },
}

impl Id {
    pub(super) fn parse(subject: Subject, text: &str) -> Result<Self, QueryError> {
        let text = text.trim();
        let wrong = |expected: &str| QueryError::Parameter {
            what: format!("id of the {}", subject.word()),
            found: text.to_owned(),
            expected: expected.to_owned(),
        };
        if subject == Subject::Line {
            let (import, number) = match text.rsplit_once('/') {
                None => (text, None),
                Some((import, number)) => (import, Some(number)),
            };
            let number = number.map(str::parse).transpose();
            return match number {
                Ok(number) if !import.is_empty() => {
                    Ok(Id::Line { import: import.to_owned(), number })
                }
                _ => Err(wrong("import_id/line_number, as in table billing_lines")),
            };
        }
        let hex = |text: &str, digits: usize| {
            let fits = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
            fits.then(|| text.to_ascii_lowercase())
        };
        let id = match text.split_once(['/', ':', '-']) {
            Some((trace, span)) => {
                hex(trace, 32).zip(hex(span, 16)).map(|(trace, span)| (Some(trace), Some(span)))
            }
            None => match (hex(text, 16), hex(text, 32)) {
                (None, None) => None,
                (span, trace) => Some((trace, span)),
            },
        };
        let (trace, span) = id.ok_or_else(|| {
            wrong("a span id (16 hex digits), trace_id/span_id, or a trace id (32 hex digits)")
        })?;
        Ok(Id::Span { trace, span })
    }

    /// The rows of `spans` or `calls` it means, for WHERE.
    pub(super) fn condition(&self) -> String {
        let Id::Span { trace, span } = self else { return "false".to_owned() };
        // Read as hex, so there is nothing to quote.
        let trace = trace.iter().map(|id| format!("trace_id = '{id}'"));
        let span = span.iter().map(|id| format!("span_id = '{id}'"));
        trace.chain(span).collect::<Vec<_>>().join(" AND ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "5b8efff798038103d269b633813fc60c";

    #[test]
    fn spans_are_named_by_span_trace_or_both() {
        let check = |text: &str, trace: Option<&str>, span: Option<&str>| {
            let expect = Id::Span { trace: trace.map(Into::into), span: span.map(Into::into) };
            assert_eq!(Id::parse(Subject::Span, text).unwrap(), expect, "{text}");
        };
        check("EEE19B7EC3C1B174", None, Some("eee19b7ec3c1b174"));
        check(TRACE, Some(TRACE), None);
        check(&format!("{TRACE}/eee19b7ec3c1b174"), Some(TRACE), Some("eee19b7ec3c1b174"));
        for text in ["", "eee19b7ec3c1b17", "eee19b7ec3c1b17'", "x/y", "eee19b7ec3c1b174/5b"] {
            assert!(Id::parse(Subject::Call, text).is_err(), "{text}");
        }
    }

    #[test]
    fn billing_lines_are_named_by_import_and_number() {
        let line = Id::parse(Subject::Line, "2026-10/acme/12").unwrap();
        assert_eq!(line, Id::Line { import: "2026-10/acme".into(), number: Some(12) });
        assert!(Id::parse(Subject::Line, "/12").is_err());
        assert!(Id::parse(Subject::Line, "a/b").is_err());
    }
}
