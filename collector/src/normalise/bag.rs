//! Content inside a bag: the parameters of a request, which libraries hang on a span as one JSON
//! text, with instructions, messages and tools among temperature and model. Takes the text, gives
//! it without its content, and each piece of content by the key it stood under. It owns which keys
//! are content there; which attributes are bags is said by their dialect or by their name.
//!
//! Everything but the pieces stays byte for byte. A text that is cut in the middle, as exporters
//! do with long ones, is read to its end; what it holds of a piece until there is that piece.

use std::ops::Range;

use super::content::ContentKind::{self, Input, Output, System, ToolArguments, ToolDefinitions};
use super::cursor::Cursor;
use crate::limits::INSIDE_DEPTH_MAX;

/// Keys of request parameters that are content when a text, a list or an object stands under them
/// (`"input": 5` is a count). Source: the references of the OpenAI, Anthropic, Gemini, Bedrock and
/// Cohere APIs.
const KEYS: &[(&str, ContentKind)] = &[
    ("instructions", System),
    ("system", System),
    ("system_prompt", System),
    ("systemPrompt", System),
    ("system_instruction", System),
    ("systemInstruction", System),
    ("preamble", System),
    ("messages", Input),
    ("message", Input),
    ("chat_history", Input),
    ("input", Input),
    ("inputs", Input),
    ("inputText", Input),
    ("prompt", Input),
    ("prompts", Input),
    ("contents", Input),
    ("content", Input),
    ("documents", Input),
    ("texts", Input),
    ("query", Input),
    ("suffix", Input),
    ("prediction", Input),
    ("output", Output),
    ("outputs", Output),
    ("output_text", Output),
    ("choices", Output),
    ("candidates", Output),
    ("tools", ToolDefinitions),
    ("functions", ToolDefinitions),
    ("toolConfig", ToolDefinitions),
    ("tool_config", ToolDefinitions),
    ("response_format", ToolDefinitions),
    ("response_schema", ToolDefinitions),
    ("responseSchema", ToolDefinitions),
    ("json_schema", ToolDefinitions),
    ("schema", ToolDefinitions),
    ("arguments", ToolArguments),
];

/// How the names end under which libraries hang such bags.
const ENDINGS: [&str; 6] = [
    "invocation_parameters",
    "invocation_params",
    "model_parameters",
    "model.parameters",
    "request_params",
    "model_kwargs",
];

/// Whether an attribute is a bag by its name.
pub(super) fn is_bag(key: &str) -> bool {
    // All of them end alike, which almost no other name does.
    let alike = key.as_bytes().last_chunk().is_some_and(|end| [b"rs", b"ms", b"gs"].contains(&end));
    alike && ENDINGS.iter().any(|ending| key.ends_with(ending))
}

/// Calls `take` with key, kind and text of each piece of content in a bag. Gives the bag without
/// them; none when it holds none.
pub(crate) fn without_content(
    bag: &str,
    take: &mut dyn FnMut(&'static str, ContentKind, &str),
) -> Option<String> {
    // Libraries that make JSON of every value have made JSON of JSON.
    let unquoted = super::loose::unquoted(bag);
    let text = if unquoted.trim_start().starts_with('{') { &unquoted } else { bag };
    let mut reader = Reader { cursor: Cursor::new(text), taken: Vec::new(), take };
    let _ = reader.value(0);
    let taken = std::mem::take(&mut reader.taken);
    if taken.is_empty() {
        return None;
    }
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for piece in taken {
        kept.push_str(text.get(from..piece.start).unwrap_or_default());
        from = piece.end;
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    Some(kept)
}

struct Reader<'t, 'f> {
    cursor: Cursor<'t>,
    /// In order, none within another: the last member of an object takes along the comma before
    /// it, and what was taken in between.
    taken: Vec<Range<usize>>,
    take: &'f mut dyn FnMut(&'static str, ContentKind, &str),
}

impl Reader<'_, '_> {
    /// Reads a value; none ends the reading.
    fn value(&mut self, depth: usize) -> Option<()> {
        self.cursor.spaces();
        match self.cursor.peek()? {
            b'{' if depth < INSIDE_DEPTH_MAX => {
                self.cursor.at += 1;
                self.members(depth)
            }
            b'[' if depth < INSIDE_DEPTH_MAX => {
                self.cursor.at += 1;
                while !self.cursor.eat(b']') {
                    self.value(depth + 1)?;
                    self.cursor.eat(b',');
                }
                Some(())
            }
            _ => self.skip(),
        }
    }

    fn members(&mut self, depth: usize) -> Option<()> {
        // Where the comma after the last member that is kept stands.
        let mut comma = None;
        while !self.cursor.eat(b'}') {
            let start = self.cursor.at;
            let key = self.key()?;
            if !self.cursor.eat(b':') {
                return None;
            }
            self.cursor.spaces();
            let holds =
                matches!(self.cursor.peek()?, b'"' | b'\'' | b'{' | b'[' | b'(' | b'A'..=b'Z');
            let content = KEYS.iter().find(|(known, _)| holds && *known == key);
            let value = self.cursor.at;
            let Some((key, kind)) = content else {
                self.value(depth + 1)?;
                let end = self.cursor.at;
                self.cursor.spaces();
                comma = (self.cursor.peek() == Some(b',')).then_some(self.cursor.at);
                if !self.cursor.eat(b',') {
                    self.cursor.at = end;
                }
                continue;
            };
            let whole = self.skip();
            let text = self.cursor.text.get(value..self.cursor.at).unwrap_or_default();
            // `None`, or an empty list, is no content.
            if matches!(text, "None" | "True" | "False" | "\"\"" | "''" | "[]" | "{}") {
                comma = self.cursor.eat(b',').then_some(self.cursor.at - 1);
                continue;
            }
            (self.take)(key, *kind, &super::loose::unquoted(text));
            let last = !self.cursor.eat(b',');
            if !last {
                self.cursor.spaces();
            }
            let from = if last { comma.unwrap_or(start) } else { start };
            while self.taken.last().is_some_and(|before| before.start >= from) {
                self.taken.pop();
            }
            self.taken.push(from..self.cursor.at);
            whole?;
        }
        Some(())
    }

    fn key(&mut self) -> Option<String> {
        let start = self.cursor.at;
        let quote = self.cursor.peek().filter(|b| matches!(b, b'"' | b'\''))?;
        self.quoted(quote)?;
        Some(self.cursor.text.get(start + 1..self.cursor.at - 1)?.to_owned())
    }

    /// Past a quoted text; none at the end.
    fn quoted(&mut self, quote: u8) -> Option<()> {
        self.cursor.at += 1;
        loop {
            match self.cursor.peek() {
                None => return None,
                Some(b'\\') => self.cursor.at = (self.cursor.at + 2).min(self.cursor.text.len()),
                Some(b) => {
                    self.cursor.at += 1;
                    if b == quote {
                        return Some(());
                    }
                }
            }
        }
    }

    /// Past a value, whatever it holds, by counting brackets; none at the end of a text that is cut.
    fn skip(&mut self) -> Option<()> {
        let mut open = 0_usize;
        let start = self.cursor.at;
        loop {
            match self.cursor.peek() {
                None => return (open == 0 && self.cursor.at > start).then_some(()),
                Some(quote @ (b'"' | b'\'')) => self.quoted(quote)?,
                Some(b'{' | b'[' | b'(') => {
                    open += 1;
                    self.cursor.at += 1;
                }
                Some(b',' | b'}' | b']' | b')') if open == 0 => {
                    return (self.cursor.at > start).then_some(());
                }
                Some(b'}' | b']' | b')') => {
                    open -= 1;
                    self.cursor.at += 1;
                }
                Some(_) => self.cursor.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bag: &str, kept: &str, pieces: &[(&str, &str)]) {
        let mut got = Vec::new();
        let rest = without_content(bag, &mut |key, _, text| got.push((key, text.to_owned())));
        assert_eq!(rest.as_deref().unwrap_or(bag), kept, "{bag}");
        let got: Vec<_> = got.iter().map(|(key, text)| (*key, text.as_str())).collect();
        assert_eq!(got, pieces, "{bag}");
    }

    #[test]
    fn content_is_taken_and_the_rest_stays_as_it_was() {
        check(
            r#"{"model": "gpt-4o", "instructions": "Be \"brief\", {ok}", "temperature": 0.2}"#,
            r#"{"model": "gpt-4o", "temperature": 0.2}"#,
            &[("instructions", "Be \"brief\", {ok}")],
        );
        check(
            r#"{"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"f"}],"n":1}"#,
            r#"{"n":1}"#,
            &[("messages", r#"[{"role":"user","content":"hi"}]"#), ("tools", r#"[{"name":"f"}]"#)],
        );
        // The last ones, after one that stays, and alone.
        check(
            r#"{"n": 1, "prompt": "a", "suffix": "b"}"#,
            r#"{"n": 1}"#,
            &[("prompt", "a"), ("suffix", "b")],
        );
        check(r#"{"input": ["a", "b"]}"#, "{}", &[("input", r#"["a", "b"]"#)]);
        // As Python prints it.
        check("{'system': 'it\\'s', 'n': None}", "{'n': None}", &[("system", "'it\\'s'")]);
    }

    #[test]
    fn content_deeper_down_is_found() {
        check(
            r#"{"text":{"format":{"type":"json_schema","schema":{"a":1}}},"extra":[{"prompt":"x"}]}"#,
            r#"{"text":{"format":{"type":"json_schema"}},"extra":[{}]}"#,
            &[("schema", r#"{"a":1}"#), ("prompt", "x")],
        );
        // JSON as a JSON string.
        check(r#""{\"prompt\":\"x\",\"n\":1}""#, r#"{"n":1}"#, &[("prompt", "x")]);
    }

    #[test]
    fn counts_and_empty_places_are_no_content() {
        for bag in [
            r#"{"usage":{"input":5,"output":7},"prompt":null,"tools":[],"instructions":""}"#,
            "{'tools': None, 'tool_choice': 'auto'}",
            "instructions",
            "",
        ] {
            check(bag, bag, &[]);
        }
    }

    #[test]
    fn what_is_cut_in_the_middle_of_content_ends_before_it() {
        check(r#"{"n":1,"instructions":"Be br"#, r#"{"n":1"#, &[("instructions", "\"Be br")]);
        check(r#"{"tools":[{"name":"f"#, "{", &[("tools", r#"[{"name":"f"#)]);
        check(r#"{"n":1,"temper"#, r#"{"n":1,"temper"#, &[]);
    }

    #[test]
    fn bags_are_known_by_the_end_of_their_name() {
        for key in ["llm.invocation_parameters", "langsmith.metadata.ls_invocation_params"] {
            assert!(is_bag(key), "{key}");
        }
        for key in ["gen_ai.request.temperature", "http.request.params", "tool.parameters", ""] {
            assert!(!is_bag(key), "{key}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends_and_what_is_kept_has_no_more_content(
            text in "(\\{|\\[|\"input\"|'n'|:|,|\\}|\\]|\"|'|\\\\|1|é| |\\(){0,24}",
        ) {
            if let Some(kept) = without_content(&text, &mut |_, _, _| {}) {
                proptest::prop_assert!(kept.len() < text.len());
            }
        }
    }
}
