//! Values inside a text: JSON, or what Python prints of a dict, a list or an object
//! (`Usage(prompt_tokens=9, details=Details(cached=None))`). Takes the text, calls back with the
//! dotted path and the scalar of each leaf, in order. It copies nothing but texts with escapes, and
//! it stops without a word where the text is neither: what was read until then stands, because
//! libraries cut long values in the middle.

use std::borrow::Cow;

use super::cursor::Cursor;
use crate::limits::INSIDE_DEPTH_MAX;

/// A leaf.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    /// A quoted text.
    Text(Cow<'a, str>),
    /// A number as it is written, so that an amount of money stays exact.
    Number(&'a str),
    /// True or false.
    Bool(bool),
}

/// Calls `visit` with path and scalar of every leaf; nulls are left out, and an item of a list has
/// the path of its list. What stands after `bytes_max` is not read.
pub(super) fn leaves<'a>(text: &'a str, bytes_max: usize, mut visit: impl FnMut(&str, Scalar<'a>)) {
    let text = &text[..text.floor_char_boundary(bytes_max)];
    let mut reader = Reader { cursor: Cursor::new(text), path: String::new() };
    let _ = reader.value(0, &mut visit);
}

/// The text of a JSON string that stands alone, as libraries write that turn every attribute into
/// JSON; what is no such string is returned as it is.
pub(super) fn unquoted(text: &str) -> Cow<'_, str> {
    if text.len() < 2 || !text.starts_with('"') || !text.ends_with('"') {
        return Cow::Borrowed(text);
    }
    let mut reader = Reader { cursor: Cursor::new(text), path: String::new() };
    match reader.quoted() {
        Some(inner) if reader.cursor.at == text.len() => inner,
        _ => Cow::Borrowed(text),
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    path: String,
}

impl<'a> Reader<'a> {
    /// Bytes up to the next one that ends a bare word.
    fn word(&mut self) -> &'a str {
        let rest = &self.cursor.text.as_bytes()[self.cursor.at..];
        let ends = |b: &u8| b",:()[]{}='\"".contains(b) || b.is_ascii_whitespace();
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let start = self.cursor.at;
        self.cursor.at += length;
        // Cut at ASCII bytes only, so between characters.
        self.cursor.text.get(start..self.cursor.at).unwrap_or_default()
    }

    /// None ends the reading.
    fn value(&mut self, depth: usize, visit: &mut impl FnMut(&str, Scalar<'a>)) -> Option<()> {
        if depth > INSIDE_DEPTH_MAX {
            return None;
        }
        self.cursor.spaces();
        match self.cursor.peek()? {
            b'{' => {
                self.cursor.at += 1;
                self.entries(b'}', b':', depth, visit)
            }
            open @ (b'[' | b'(') => {
                self.cursor.at += 1;
                let close = if open == b'[' { b']' } else { b')' };
                while !self.cursor.eat(close) {
                    self.value(depth + 1, visit)?;
                    self.cursor.eat(b',');
                }
                Some(())
            }
            b'"' | b'\'' => {
                let text = self.quoted()?;
                visit(&self.path, Scalar::Text(text));
                Some(())
            }
            _ => {
                let word = self.word();
                match word {
                    "" => return None,
                    "true" | "True" => visit(&self.path, Scalar::Bool(true)),
                    "false" | "False" => visit(&self.path, Scalar::Bool(false)),
                    "null" | "None" => {}
                    _ if self.cursor.eat(b'(') => return self.entries(b')', b'=', depth, visit),
                    number if number.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                        visit(&self.path, Scalar::Number(number));
                    }
                    // NaN, or a word no format knows.
                    _ => {}
                }
                Some(())
            }
        }
    }

    fn entries(
        &mut self,
        close: u8,
        between: u8,
        depth: usize,
        visit: &mut impl FnMut(&str, Scalar<'a>),
    ) -> Option<()> {
        let length = self.path.len();
        while !self.cursor.eat(close) {
            self.cursor.spaces();
            let key = match self.cursor.peek()? {
                b'"' | b'\'' => self.quoted()?,
                _ => Cow::Borrowed(self.word()),
            };
            if !self.cursor.eat(between) {
                return None;
            }
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            self.value(depth + 1, visit)?;
            self.path.truncate(length);
            self.cursor.eat(b',');
        }
        Some(())
    }

    fn quoted(&mut self) -> Option<Cow<'a, str>> {
        let quote = self.cursor.peek()?;
        self.cursor.at += 1;
        let start = self.cursor.at;
        let mut owned: Option<String> = None;
        loop {
            let rest = &self.cursor.text.as_bytes()[self.cursor.at..];
            let plain = rest.iter().position(|b| *b == quote || *b == b'\\')?;
            let piece = self.cursor.text.get(self.cursor.at..self.cursor.at + plain)?;
            self.cursor.at += plain;
            if rest[plain] == quote {
                self.cursor.at += 1;
                return Some(match owned {
                    None => Cow::Borrowed(self.cursor.text.get(start..self.cursor.at - 1)?),
                    Some(text) => Cow::Owned(text + piece),
                });
            }
            let out = owned.get_or_insert_default();
            out.push_str(piece);
            self.cursor.at += 1;
            let escaped = self.cursor.text.get(self.cursor.at..)?.chars().next()?;
            self.cursor.at += escaped.len_utf8();
            match escaped {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'u' => {
                    let code = u32::from_str_radix(
                        self.cursor.text.get(self.cursor.at..self.cursor.at + 4)?,
                        16,
                    );
                    self.cursor.at += 4;
                    out.push(char::from_u32(code.ok()?).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => out.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let mut got = Vec::new();
        leaves(text, usize::MAX, |path, scalar| {
            let shown = match scalar {
                Scalar::Text(text) => format!("'{text}'"),
                Scalar::Number(number) => number.to_owned(),
                Scalar::Bool(truth) => truth.to_string(),
            };
            got.push((path.to_owned(), shown));
        });
        let got: Vec<_> = got.iter().map(|(p, s)| (p.as_str(), s.as_str())).collect();
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn json_and_python_say_the_same() {
        let expect = [("a", "1"), ("b.c", "2.50"), ("b.d", "true"), ("e", "'x'"), ("f", "3")];
        check(r#"{"a":1,"b":{"c":2.50,"d":true,"n":null},"e":"x","f":[3]}"#, &expect);
        check("{'a': 1, 'b': {'c': 2.50, 'd': True, 'n': None}, 'e': 'x', 'f': [3]}", &expect);
        check("Usage(a=1, b=Details(c=2.50, d=True, n=None), e='x', f=(3,))", &expect);
    }

    #[test]
    fn escapes_are_read_and_quotes_inside_quotes_kept() {
        check(r#"{"a":"q\"\u00e9\n"}"#, &[("a", "'q\"é\n'")]);
        check(r#"{'a': "it's"}"#, &[("a", "'it's'")]);
        assert_eq!(unquoted(r#""gpt-4o""#), "gpt-4o");
        assert_eq!(unquoted("gpt-4o"), "gpt-4o");
        assert_eq!(unquoted(r#""a" or "b""#), r#""a" or "b""#);
    }

    #[test]
    fn what_is_cut_or_no_value_at_all_gives_what_could_be_read() {
        check(r#"{"a":1,"b":{"c":2,"d"#, &[("a", "1"), ("b.c", "2")]);
        check("<object at 0x7f>", &[]);
        check("", &[]);
        check("{]", &[]);
        check(&"[".repeat(100_000), &[]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends(text in "[{}\\[\\]()=:,'\"\\\\a1 é]{0,64}") {
            leaves(&text, usize::MAX, |_, _| {});
            unquoted(&text);
        }
    }
}
