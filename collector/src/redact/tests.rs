//! What rules take out, and what they leave as it was.

use proptest::prelude::*;

use super::{Redaction, RedactionRule};

const KEY: &str = "a key of the tests";

fn rules(toml: &str) -> Redaction {
    compile(toml, Some(KEY)).unwrap()
}

/// The settings file is TOML; the tests say the same as JSON.
fn compile(json: &str, key: Option<&str>) -> Result<Redaction, String> {
    let rules: Vec<RedactionRule> = serde_json::from_str(json).map_err(|e| e.to_string())?;
    Redaction::compile(&rules, key)
}

fn check(rules: &Redaction, text: &str, expect: &str) {
    let (kept, _) = rules.apply("gen_ai.input.messages", text);
    assert_eq!(kept, expect, "{text}");
}

#[test]
fn a_replacement_names_groups_that_are_there() {
    let compiled = |with: &str| {
        let rule = format!(r#"[{{"pattern": "(?<who>\\w+)@(\\w+)", "replacement": "{with}"}}]"#);
        compile(&rule, None).map(|_| ())
    };
    for fine in ["$1", "${2}x", "$who", "$$9", "a price of 5$", "$0"] {
        assert_eq!(compiled(fine), Ok(()), "{fine}");
    }
    for (wrong, group) in [("$9", "`9`"), ("$1x", "`1x`"), ("${nobody}", "`nobody`")] {
        let error = compiled(wrong).unwrap_err();
        assert!(error.contains("rule 1") && error.contains(group), "{error}");
    }
}

#[test]
fn a_rule_without_an_aim_is_told_so_before_its_key_is_missed() {
    let error = compile(r#"[{"action": "hash"}]"#, None).unwrap_err();
    assert!(error.contains("exactly one of `pattern`, `fields` and `keys`"), "{error}");
}

#[test]
fn a_pattern_finds_what_json_and_python_escape() {
    let mail = rules(r#"[{"pattern": "[\\w.]+@[\\w.]+", "replacement": "[mail]"}]"#);
    check(&mail, "write to jo@x.org now", "write to [mail] now");
    check(&mail, r#"{"content": "jo@x.org"}"#, r#"{"content": "[mail]"}"#);
    // `@` as an escape, and text inside a string inside JSON.
    check(&mail, r#"[{"content":"jo\u0040x.org é"}]"#, r#"[{"content":"[mail] é"}]"#);
    check(
        &mail,
        r#"{"arguments":"{\"to\":\"jo\\u0040x.org\"}"}"#,
        r#"{"arguments":"{\"to\":\"[mail]\"}"}"#,
    );
    check(
        &mail,
        r"[{'role': 'user', 'content': 'jo\x40x.org'}]",
        "[{'role': 'user', 'content': '[mail]'}]",
    );
    // Cut by the library in the middle of a string.
    check(&mail, r#"{"content":"hi","to":"jo@x.or"#, r#"{"content":"hi","to":"[mail]"#);
}

#[test]
fn a_number_that_matches_becomes_text() {
    let card = rules(r#"[{"pattern": "\\b\\d{12}(\\d{4})\\b", "replacement": "…$1"}]"#);
    check(&card, r#"{"card":4111111111111111,"n":1.5e3}"#, r#"{"card":"…1111","n":1.5e3}"#);
    check(&card, "card 4111111111111111.", "card …1111.");
}

#[test]
fn keys_are_taken_out_at_any_depth_with_all_they_hold() {
    let keys = rules(r#"[{"keys": ["password", "*_token"]}]"#);
    check(
        &keys,
        r#"{"a":[{"Password" : {"x":["}"]}, "b":1}],"api_token":12,"token":3}"#,
        r#"{"a":[{"Password" : "[dropped]", "b":1}],"api_token":"[dropped]","token":3}"#,
    );
    check(&keys, r#""{\"password\":\"s3cret\"}""#, r#""{\"password\":\"[dropped]\"}""#);
    check(&keys, r#"{"password":"s3cr"#, r#"{"password":"[dropped]""#);
    check(&keys, r#"{"password":}"#, r#"{"password":"[dropped]"}"#);
    check(&keys, r#"{'password': None, 'n': 1}"#, r#"{'password': '[dropped]', 'n': 1}"#);
    check(
        &keys,
        r#"{"password":"a","password":"b"}"#,
        r#"{"password":"[dropped]","password":"[dropped]"}"#,
    );
}

#[test]
fn a_pattern_over_the_structure_of_json_matches_too() {
    let pair = rules(r#"[{"pattern": "\"pin\":\\s*\\d+", "replacement": "\"pin\":0"}]"#);
    check(&pair, r#"{"pin": 1234}"#, r#"{"pin":0}"#);
}

#[test]
fn what_no_rule_finds_stays_byte_for_byte() {
    let some = rules(r#"[{"pattern": "hunter2"}, {"keys": ["password"]}]"#);
    for text in [
        "",
        "plain",
        r#"{"b" : 1, "a":[ ],"b":"\u00e9\/" }"#,
        "[not json",
        r#"["open"#,
        "\"",
        r#"{"a\"#,
        "{'it''s'",
        r#""\ud83d""#,
    ] {
        let (kept, found) = some.apply("f", text);
        assert_eq!((&*kept, found), (text, 0));
    }
}

#[test]
fn a_field_is_dropped_whole_or_hashed_whole() {
    let fields = rules(
        r#"[{"fields": ["gen_ai.system_instructions", "llm.*.content"]},
            {"fields": ["user_prompt"], "action": "hash"}]"#,
    );
    assert_eq!(fields.apply("gen_ai.system_instructions", "x"), ("".into(), 1));
    assert_eq!(fields.apply("llm.input_messages.0.message.content", "x"), ("".into(), 1));
    assert_eq!(fields.apply("llm.input_messages", "x"), ("x".into(), 0));
    // Out of a bag of parameters: by the bag's name.
    assert_eq!(fields.apply("gen_ai.system_instructions→input", "x"), ("".into(), 1));
    let (hashed, _) = fields.apply("user_prompt", "x");
    assert!(hashed.starts_with("[hash:") && hashed.len() == 39, "{hashed}");
}

#[test]
fn equal_values_hash_equal_wherever_they_stand_and_only_under_one_key() {
    let text =
        r#"[{"pattern": "ssn-\\d+", "action": "hash"}, {"keys": ["ssn"], "action": "hash"}]"#;
    let ours = rules(text);
    let token = ours.apply("f", "ssn-12").0.into_owned();
    check(
        &ours,
        r#"{"a":"my ssn-12","ssn":"ssn-12"}"#,
        &format!(r#"{{"a":"my {token}","ssn":"{token}"}}"#),
    );
    assert_ne!(ours.apply("f", "ssn-13").0, token);
    let other = compile(text, Some("another key, as long")).unwrap();
    assert_ne!(other.apply("f", "ssn-12").0, token);
    // The value of BLAKE3 keyed by `derive_key(context, key)`, by the crate's own one-call API.
    let key = blake3::derive_key("spanledger contents redaction 1", KEY.as_bytes());
    let digest = blake3::keyed_hash(&key, b"ssn-12");
    let letters: String = digest.as_bytes()[..16]
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|n| char::from(b'a' + n))
        .collect();
    assert_eq!(token, format!("[hash:{letters}]"));
}

#[test]
fn rules_that_cannot_work_are_refused_with_their_number() {
    let refused = |json: &str, part: &str| {
        let error = compile(json, None).unwrap_err();
        assert!(error.contains(part), "{json}: {error}");
    };
    refused(
        r#"[{"pattern": "a"}, {"pattern": "("}]"#,
        "rule 2: `pattern` is no regular expression",
    );
    refused(r#"[{"pattern": "x*"}]"#, "matches the empty text");
    refused(r#"[{"pattern": "a{1000}{1000}{1000}"}]"#, "rule 1: `pattern` is no regular");
    refused(r#"[{"pattern": "a", "keys": ["b"]}]"#, "exactly one of");
    refused(r#"[{}]"#, "exactly one of");
    refused(r#"[{"keys": ["b"], "action": "hash"}]"#, "needs `contents.hash_key`");
    refused(r#"[{"keys": ["b*c*"]}]"#, "at most one `*`");
    refused(
        r#"[{"keys": ["b"], "action": "drop", "replacement": "x"}]"#,
        "`replacement` goes with",
    );
    refused(r#"[{"patern": "a"}]"#, "patern");
    let short = compile(r#"[{"keys": ["b"], "action": "hash"}]"#, Some("short")).unwrap_err();
    assert!(short.ends_with("has 5 bytes, expected at least 16"), "{short}");
}

proptest! {
    /// JSON of any shape stays JSON, and the secret is gone from every text in it. (A text that
    /// itself begins like JSON is read as such: its escapes may come out spelled otherwise.)
    #[test]
    fn no_value_of_json_keeps_the_secret(
        before in "(x[\\PC\"\\\\\n]{0,20})?", after in "[\\PC\"\\\\\n]{0,20}", key in "[\\PC\"\\\\]{0,8}",
    ) {
        let rules = rules(r#"[{"pattern": "hunter2"}]"#);
        let text = format!("{before}hunter2{after}");
        let inner = serde_json::json!({ &key: [&text, 7] }).to_string();
        let whole = serde_json::json!([{ "arguments": inner }]).to_string();
        let (kept, found) = rules.apply("f", &whole);
        prop_assert_eq!(found, 1);
        prop_assert!(!kept.contains("hunter2"));
        let outer: serde_json::Value = serde_json::from_str(&kept).unwrap();
        let inner: serde_json::Value =
            serde_json::from_str(outer[0]["arguments"].as_str().unwrap()).unwrap();
        let expect = format!("{before}[redacted]{after}");
        prop_assert_eq!(inner[&key][0].as_str().unwrap(), expect);
    }

    #[test]
    fn any_text_is_read_to_its_end(text in "[\\PC{}\\[\\]:,\"'\\\\0-9 -]{0,60}") {
        let rules = rules(r#"[{"pattern": "zz"}, {"keys": ["k"]}]"#);
        for text in [format!("{{{text}"), format!("['{text}"), format!("\"{text}")] {
            rules.apply("f", &text);
        }
    }
}
