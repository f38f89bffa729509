//! From what a client calls a provider and a model to what the price book calls them. Every name
//! that is tried is written down here, in the order in which it is tried. It knows no prices.

/// OpenTelemetry's `gen_ai.provider.name` and `gen_ai.system` values (semantic conventions 1.27
/// to 1.40), and the spellings of well-known libraries, against the book's provider ids. A name
/// that is a book id itself needs no line; what is missing here is looked up in the book's own
/// `provider_match` clauses.
const SPELLINGS: &[(&str, &str)] = &[
    ("aws.bedrock", "aws"),
    ("aws_bedrock", "aws"),
    ("amazon_bedrock", "aws"),
    ("bedrock", "aws"),
    ("bedrock_converse", "aws"),
    ("azure.ai.inference", "azure"),
    ("azure.ai.openai", "azure"),
    ("az.ai.inference", "azure"),
    ("az.ai.openai", "azure"),
    ("azure_openai", "azure"),
    ("azure-openai", "azure"),
    ("azure_ai", "azure"),
    ("azure_ai_foundry", "azure"),
    ("gcp.gemini", "google"),
    ("gcp.gen_ai", "google"),
    ("gcp.vertex_ai", "google"),
    ("gemini", "google"),
    ("vertex_ai", "google"),
    ("vertexai", "google"),
    ("google_genai", "google"),
    ("google-gla", "google"),
    ("google-vertex", "google"),
    ("google_vertexai", "google"),
    ("google_anthropic_vertex", "google"),
    ("mistral_ai", "mistral"),
    ("mistralai", "mistral"),
    ("x_ai", "x-ai"),
    ("xai", "x-ai"),
    ("grok", "x-ai"),
    ("fireworks_ai", "fireworks"),
    ("fireworks-ai", "fireworks"),
    ("together_ai", "together"),
    ("togetherai", "together"),
    ("together-ai", "together"),
    ("moonshot_ai", "moonshotai"),
    ("moonshot", "moonshotai"),
    ("zhipu_ai", "zhipuai"),
    ("zai_org", "zai"),
    ("claude", "anthropic"),
    ("cohere_chat", "cohere"),
    ("deep_seek", "deepseek"),
    ("openai.chat", "openai"),
    ("openai.responses", "openai"),
    ("chatgpt", "openai"),
];

/// The book's id for a client's spelling of a provider in lower case, when it is a known one.
pub(super) fn book_id(spelling: &str) -> Option<&'static str> {
    SPELLINGS.iter().find(|(from, _)| *from == spelling).map(|(_, to)| *to)
}

/// Engines that serve models on one's own machines: nobody publishes a price for those calls,
/// whatever the model is called.
const SELF_HOSTED: &[&str] = &[
    "vllm",
    "ollama",
    "llama.cpp",
    "llamacpp",
    "llama_cpp",
    "llamafile",
    "sglang",
    "tgi",
    "lmstudio",
    "lm_studio",
    "triton",
    "tensorrt-llm",
    "localai",
    "local",
];

/// Whether a provider's name in lower case is that of an engine on one's own machines.
pub(super) fn self_hosted(spelling: &str) -> bool {
    SELF_HOSTED.contains(&spelling)
}

/// Prefixes of the model ids of cross-region inference on Bedrock.
const BEDROCK_REGIONS: &[&str] =
    &["us.", "eu.", "apac.", "ap.", "us-gov.", "jp.", "au.", "ca.", "sa.", "me.", "af.", "global."];

/// Names under which a model may stand in the book, in the order in which they are tried:
/// 1. as it was sent, in lower case;
/// 2. what follows the last `/`: `azure/gpt-4o`, `models/gemini-3-pro`, the ARN of a profile;
/// 3. what follows the region of a Bedrock profile: `us.anthropic.claude-…`.
///
/// Dates and other endings are not cut off: whether a dated model costs what its family costs
/// is for the book to say.
pub(super) fn model_names(model: &str) -> Vec<String> {
    let whole = model.trim().to_lowercase();
    let mut names = vec![whole];
    let mut push = |name: &str| {
        if !name.is_empty() && !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    };
    let whole = model.trim().to_lowercase();
    let last = whole.rsplit('/').next().unwrap_or_default();
    push(last);
    for prefix in BEDROCK_REGIONS {
        if let Some(rest) = last.strip_prefix(prefix) {
            push(rest);
        }
    }
    names
}

/// Whether a tier is the one that standard prices are for, in the words of the providers.
pub(super) fn standard_tier(tier: &str) -> bool {
    const STANDARD: &[&str] =
        &["", "standard", "default", "auto", "standard_only", "on_demand", "on-demand"];
    STANDARD.iter().any(|s| tier.eq_ignore_ascii_case(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tried_from_the_whole_to_its_parts() {
        let check = |model: &str, expected: &[&str]| assert_eq!(model_names(model), expected);
        check("gpt-4o", &["gpt-4o"]);
        check("azure/GPT-4o", &["azure/gpt-4o", "gpt-4o"]);
        check("models/gemini-3-pro", &["models/gemini-3-pro", "gemini-3-pro"]);
        check(
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            &[
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "anthropic.claude-sonnet-4-5-20250929-v1:0",
            ],
        );
        check(
            "arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-pro-v1:0",
            &[
                "arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-pro-v1:0",
                "eu.amazon.nova-pro-v1:0",
                "amazon.nova-pro-v1:0",
            ],
        );
    }

    #[test]
    fn spellings_are_in_lower_case_and_there_once() {
        let mut names: Vec<_> = SPELLINGS.iter().map(|(from, _)| *from).collect();
        assert!(names.iter().all(|n| *n == n.to_lowercase()));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
