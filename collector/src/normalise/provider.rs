//! One spelling per provider: OpenTelemetry's. Takes what a library wrote, and the host it spoke
//! to; gives the name that prices and questions use. A name that is not listed passes in lower case.

use std::borrow::Cow;

/// Other spellings met in the wild, in lower case. Source of the right-hand side: the well-known
/// values of `gen_ai.provider.name`.
const SPELLINGS: &[(&str, &str)] = &[
    ("openai", "openai"),
    ("openai.chat", "openai"),
    ("openai.responses", "openai"),
    ("openai.completion", "openai"),
    ("openai.embedding", "openai"),
    ("openai-chat", "openai"),
    ("openai-responses", "openai"),
    ("azure.ai.openai", "azure.ai.openai"),
    ("az.ai.openai", "azure.ai.openai"),
    ("azure", "azure.ai.openai"),
    ("azure_openai", "azure.ai.openai"),
    ("azure-openai", "azure.ai.openai"),
    ("azure-openai.chat", "azure.ai.openai"),
    ("azure.ai.inference", "azure.ai.inference"),
    ("az.ai.inference", "azure.ai.inference"),
    ("azure_ai", "azure.ai.inference"),
    ("anthropic", "anthropic"),
    ("anthropic.messages", "anthropic"),
    ("claude", "anthropic"),
    ("aws.bedrock", "aws.bedrock"),
    ("aws_bedrock", "aws.bedrock"),
    ("bedrock", "aws.bedrock"),
    ("bedrock_converse", "aws.bedrock"),
    ("amazon-bedrock", "aws.bedrock"),
    ("amazon_bedrock", "aws.bedrock"),
    ("gcp.gemini", "gcp.gemini"),
    ("gemini", "gcp.gemini"),
    ("google_genai", "gcp.gemini"),
    ("google-gla", "gcp.gemini"),
    ("google.generative-ai", "gcp.gemini"),
    ("gcp.vertex_ai", "gcp.vertex_ai"),
    ("vertex_ai", "gcp.vertex_ai"),
    ("vertexai", "gcp.vertex_ai"),
    ("google-vertex", "gcp.vertex_ai"),
    ("google.vertex.chat", "gcp.vertex_ai"),
    ("gcp.gen_ai", "gcp.gen_ai"),
    ("cohere", "cohere"),
    ("deepseek", "deepseek"),
    ("groq", "groq"),
    ("ibm.watsonx.ai", "ibm.watsonx.ai"),
    ("watsonx", "ibm.watsonx.ai"),
    ("mistral_ai", "mistral_ai"),
    ("mistral", "mistral_ai"),
    ("mistralai", "mistral_ai"),
    ("perplexity", "perplexity"),
    ("x_ai", "x_ai"),
    ("xai", "x_ai"),
    ("vllm", "vllm"),
    ("hosted_vllm", "vllm"),
    ("together_ai", "together_ai"),
    ("togetherai", "together_ai"),
    ("fireworks_ai", "fireworks_ai"),
    ("fireworks", "fireworks_ai"),
];

/// Hosts that tell apart what the OpenAI client calls `openai` for all of them.
const HOSTS_BEHIND_OPENAI: &[(&str, &str)] = &[
    (".openai.azure.com", "azure.ai.openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai"),
    (".services.ai.azure.com", "azure.ai.inference"),
    ("openrouter.ai", "openrouter"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
    ("api.x.ai", "x_ai"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.together.xyz", "together_ai"),
    ("api.fireworks.ai", "fireworks_ai"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
];

/// The provider in OpenTelemetry's spelling.
pub(super) fn spelled<'a>(name: &'a str, server_address: Option<&str>) -> Cow<'a, str> {
    let known = SPELLINGS.iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(name));
    let provider = match known {
        Some((_, provider)) => Cow::Borrowed(*provider),
        None if name.chars().any(char::is_uppercase) => Cow::Owned(name.to_lowercase()),
        None => Cow::Borrowed(name),
    };
    match server_address {
        Some(host) if provider == "openai" => {
            let behind = HOSTS_BEHIND_OPENAI.iter().find(|(suffix, _)| host.ends_with(suffix));
            behind.map_or(provider, |(_, real)| Cow::Borrowed(*real))
        }
        _ => provider,
    }
}
