//! Walks JSON, or the Python spelling of it, as text: finds its strings, numbers and members, has
//! them redacted, and copies everything else byte by byte. It builds no tree, so that a text cut
//! in the middle, a key that comes twice and the order of keys survive; what it cannot read it
//! leaves to the expressions over the whole text.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Redaction;

/// Whether a text begins like an object or a list, or is a string of JSON.
pub(super) fn looks_structured(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with(['{', '['])
        || (text.starts_with('"') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// The text with its strings, numbers and named members redacted; none when nothing was found.
pub(super) fn rewrite(
    text: &str,
    rules: &Redaction,
    depth: usize,
    found: &mut i64,
) -> Option<String> {
    let scan = Scan { text, bytes: text.as_bytes(), python: is_python(text) };
    let mut out = String::new();
    // Up to where the text is in `out`.
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = scan.bytes.get(at) {
        if scan.is_quote(byte) {
            let inside = at + 1;
            let end = scan.end_of_string(inside, byte);
            let said = unescape(&text[inside..end]);
            let after = scan.skip_space(end + 1);
            let effect = match scan.bytes.get(after) {
                Some(b':') => rules.effect_on_key(&said),
                _ => None,
            };
            if let Some(effect) = effect {
                let from = scan.skip_space(after + 1);
                let to = scan.end_of_value(from);
                let value = scan.value(from, to);
                out.push_str(&text[copied..from]);
                out.push_str(&quoted(&effect.of_value(&value), byte));
                *found += 1;
                (copied, at) = (to, to);
                continue;
            }
            if let Cow::Owned(new) = changed(&said, rules.text(&said, depth + 1, found)) {
                out.push_str(&text[copied..inside]);
                escape(&new, byte, &mut out);
                copied = end;
            }
            at = end + 1;
        } else if byte.is_ascii_digit() || byte == b'-' {
            let end = scan.end_of_word(at);
            let number = &text[at..end];
            if let Cow::Owned(new) = changed(number, rules.patterns(number, found)) {
                out.push_str(&text[copied..at]);
                out.push_str(&quoted(&new, if scan.python { b'\'' } else { b'"' }));
                copied = end;
            }
            at = end.max(at + 1);
        } else {
            at += 1;
        }
    }
    if copied == 0 {
        return None;
    }
    out.push_str(&text[copied.min(text.len())..]);
    Some(out)
}

/// `new`, borrowed when it says the same.
fn changed<'t>(old: &str, new: Cow<'t, str>) -> Cow<'t, str> {
    match new {
        Cow::Owned(new) if new != old => Cow::Owned(new),
        _ => Cow::Borrowed(""),
    }
}

/// Whether the first quote is a single one right after a bracket: `{'role': …`, `['a', …`.
fn is_python(text: &str) -> bool {
    let Some(quote) = text.find(['"', '\'']) else { return false };
    text[quote..].starts_with('\'') && text[..quote].trim_end().ends_with(['{', '[', '('])
}

struct Scan<'t> {
    text: &'t str,
    bytes: &'t [u8],
    python: bool,
}

impl Scan<'_> {
    fn is_quote(&self, byte: u8) -> bool {
        byte == b'"' || (self.python && byte == b'\'')
    }

    /// The closing quote of the string that begins here, or the end of the text.
    fn end_of_string(&self, from: usize, quote: u8) -> usize {
        let mut at = from;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b'\\' => at += 2,
                byte if byte == quote => return at,
                _ => at += 1,
            }
        }
        self.bytes.len()
    }

    fn skip_space(&self, from: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        from.min(self.bytes.len()) + rest.iter().take_while(|b| b.is_ascii_whitespace()).count()
    }

    /// After the number or word that begins here.
    fn end_of_word(&self, from: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b')' | b':' | b'"' | b'\'');
        from + rest.iter().take_while(|b| !ends(b) && !b.is_ascii_whitespace()).count()
    }

    /// After the value that begins here: a string, a word, or all that its brackets hold.
    fn end_of_value(&self, from: usize) -> usize {
        let mut open = 0usize;
        let mut at = from;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                byte if self.is_quote(byte) => {
                    at = (self.end_of_string(at + 1, byte) + 1).min(self.bytes.len());
                }
                b'{' | b'[' | b'(' => {
                    open += 1;
                    at += 1;
                }
                b'}' | b']' | b')' => {
                    // A member without a value: the bracket closes what is around it.
                    if open == 0 {
                        return at;
                    }
                    open -= 1;
                    at += 1;
                }
                _ if open == 0 => return self.end_of_word(at),
                _ => at += 1,
            }
            if open == 0 {
                return at;
            }
        }
        self.bytes.len()
    }

    /// What a value says: a string without its quotes and escapes, anything else as it stands.
    fn value(&self, from: usize, to: usize) -> Cow<'_, str> {
        let value = &self.text[from..to];
        match self.bytes.get(from) {
            Some(&quote) if self.is_quote(quote) => {
                let inside = &value[1..];
                unescape(inside.strip_suffix(char::from(quote)).unwrap_or(inside))
            }
            _ => Cow::Borrowed(value),
        }
    }
}

/// The text that escapes of JSON and Python stand for; what is no escape stays.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(slash) = rest.find('\\') {
        out.push_str(&rest[..slash]);
        let escape = &rest[slash + 1..];
        let (letter, used) = match escape.chars().next() {
            None => (Some('\\'), 0),
            Some('n') => (Some('\n'), 1),
            Some('t') => (Some('\t'), 1),
            Some('r') => (Some('\r'), 1),
            Some('b') => (Some('\u{8}'), 1),
            Some('f') => (Some('\u{c}'), 1),
            Some('u') => wide(escape),
            Some('x') => (digits(escape, 1, 2).and_then(char::from_u32), 3),
            Some(sign @ ('"' | '\'' | '\\' | '/')) => (Some(sign), 1),
            Some(_) => (None, 0),
        };
        match letter {
            Some(letter) => {
                out.push(letter);
                rest = &escape[used..];
            }
            None => {
                out.push('\\');
                rest = escape;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// `uXXXX`, or two of them for a letter beyond the first 65,536; with the bytes it takes.
fn wide(escape: &str) -> (Option<char>, usize) {
    let Some(first) = digits(escape, 1, 4) else { return (None, 0) };
    let low = escape.get(5..7).filter(|next| *next == "\\u").and_then(|_| digits(escape, 7, 4));
    match low {
        Some(low @ 0xDC00..=0xDFFF) if (0xD800..0xDC00).contains(&first) => {
            (char::from_u32(0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00)), 11)
        }
        // Half of a pair stands for no letter.
        _ => (Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)), 5),
    }
}

fn digits(escape: &str, from: usize, count: usize) -> Option<u32> {
    let digits = escape.get(from..from + count)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

fn quoted(text: &str, quote: u8) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(char::from(quote));
    escape(text, quote, &mut out);
    out.push(char::from(quote));
    out
}

/// Writes a text as the inside of a string.
fn escape(text: &str, quote: u8, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter == char::from(quote) => {
                out.push('\\');
                out.push(letter);
            }
            letter if letter.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
}
