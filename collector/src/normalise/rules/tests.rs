//! What holds of all rules: that reasons carry their marks, and that none is hidden by another.

use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

use super::super::usage::BEDROCK_STREAM;
use super::*;

/// Draws that come the same every time: Knuth's constants of a linear congruence.
struct Lot(u64);

impl Lot {
    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from[(self.0 >> 33) as usize % from.len()]
    }
}

/// Reporters drawn so that they have what a rule asks for by name; the rest is by lot.
fn drawn<'t>(rule: &'t Rule, scope: &'t str, version: &'t str, lot: &mut Lot) -> Reporter<'t> {
    const MODELS: &[&str] = &[
        "gpt-4o",
        "openai/gpt-4o",
        "claude-sonnet-4-5",
        "anthropic/claude-sonnet-4-5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "gemini-2.5-flash",
        "models/gemini-2.5-flash",
        "gemini-2.0-flash",
        "cohere.command-r-v1:0",
        "amazon.nova-pro-v1:0",
        "llama3.1:8b",
        "grok-4",
    ];
    const PROVIDERS: &[Option<&str>] = &[
        None,
        Some("openai"),
        Some("anthropic"),
        Some("aws.bedrock"),
        Some("cohere"),
        Some("groq"),
    ];
    let truth = |lot: &mut Lot| lot.of(&[true, false]);
    let provider = match rule.provider {
        "" => lot.of(PROVIDERS),
        "gcp*" => Some("gcp.gemini"),
        named => Some(named),
    };
    let input = [rule.input_name.trim_end_matches('*'), "input"];
    let cache = [rule.cache_name, "cache_read", ""];
    let known = usize::from(rule.cache_name.is_empty());
    Reporter {
        scope,
        version,
        provider,
        dialect: rule.dialect,
        input_name: input[usize::from(rule.input_name.is_empty())],
        cache_name: if known == 0 { cache[0] } else { lot.of(&cache[1..]) },
        write_name: lot.of(&["", "cache_creation_input_tokens", "cache_write"]),
        model: lot.of(MODELS),
        streaming: lot.of(&[None, Some(true), Some(false)]),
        finished: truth(lot),
        failed: truth(lot),
        answer_named: truth(lot),
        total_told: truth(lot),
        traced_function: truth(lot),
        client_named: truth(lot),
        langchain_for_node: truth(lot),
        litellm_of_old: truth(lot),
        packages: lot.of(&["", r#"{"langchain-aws": "1.9.1"}"#]),
        provider_name: lot.of(&["gen_ai.system", "gen_ai.provider.name"]),
        name: lot.of(&[
            "chat",
            "invoke_model_with_response_stream",
            "generate_content_stream",
            "BedrockRuntime.converse",
            "ChatAnthropic",
        ]),
        kind: lot.of(&["", "model_generation"]),
        operation: lot.of(&["chat", "call_llm", "embeddings"]),
        embeds: truth(lot),
        method: lot.of(&["", "InvokeModel", BEDROCK_STREAM]),
        ..Reporter::default()
    }
}

/// One that stands behind another which takes all of its own would never count.
#[test]
fn no_rule_is_hidden_by_those_before_it() {
    const DRAWS: usize = 5_000;
    for rule in rules() {
        let text = |[major, minor, patch]: [u32; 3]| format!("{major}.{minor}.{patch}");
        // Just before the first version that no longer counts so, else the first, else a late one.
        let last = rule.before.map(|[major, minor, patch]| match (minor, patch) {
            (0, 0) => text([major - 1, 999, 0]),
            (_, 0) => text([major, minor - 1, 999]),
            _ => text([major, minor, patch - 1]),
        });
        let late = rule.since.map_or_else(|| "99.0.0".to_owned(), text);
        let versions = [last.unwrap_or(late), String::new()];
        let scope = match rule.scope {
            "" => ["aws-sdk", "any"],
            named => [named.trim_end_matches('*'), named.trim_end_matches('*')],
        };
        let mut lot = Lot(1);
        let found = (0..DRAWS).any(|_| {
            let version =
                versions[usize::from(rule.since.is_none() && lot.of(&[true, false]))].as_str();
            let who = drawn(rule, lot.of(&scope), version, &mut lot);
            super::rule(&who).is_some_and(|counts| std::ptr::eq(counts, rule))
        });
        assert!(found, "`{}` of `{}{}` counts for nobody", rule.name, rule.scope, rule.dialect);
    }
}

/// What reads a call acts upon the marks, so that they must stand wherever they hold.
#[test]
fn reasons_carry_the_mark_of_what_is_missing() {
    for rule in rules() {
        let untold = match rule.cached {
            Sent => false,
            Cached::Unsent(reason)
            | Cached::ReadUnsent(reason)
            | Cached::WriteUnsent(reason)
            | Cached::InsideZeroUnsent(reason)
            | Cached::Mistaken(reason)
            | Cached::ZeroUnsent(reason) => {
                assert!(reason.contains(CACHED_UNTOLD), "{reason}");
                true
            }
        };
        assert!(!rule.name.contains('['), "{}", rule.name);
        let of_streams = match rule.streams {
            Streams::OutputWrong { streamed, .. } => Some(streamed),
            _ => None,
        };
        if let Streams::PerhapsWrong(why) = rule.streams {
            assert!(why.contains(PERHAPS_ESTIMATED), "{why}");
            assert_eq!(why.contains(CACHED_UNTOLD), untold, "{why}");
        }
        // The reason why output is wrong stands in place of the one that has the mark.
        for why in [rule.output_wrong, of_streams].into_iter().flatten() {
            assert_eq!(why.contains(CACHED_UNTOLD), untold, "{why}");
        }
        if let Some(unsaid) = rule.unsaid() {
            assert!(unsaid.contains(PERHAPS_ESTIMATED), "{unsaid}");
            assert_eq!(unsaid.contains(CACHED_UNTOLD), untold, "{unsaid}");
        }
    }
    for api in APIS {
        let name = api.name.unwrap_or_default();
        if api.input == Basis::Estimated {
            continue;
        }
        assert!(api.untold.contains(CACHED_UNTOLD) && !name.contains('['), "{name}");
    }
}
