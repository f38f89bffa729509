//! One spelling per provider: OpenTelemetry's. Takes what a library wrote, and the host it spoke
//! to; gives the name that prices and questions use. A name that is not listed passes in lower
//! case.

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
    ("ollama", "ollama"),
    ("ollama_chat", "ollama"),
    ("openrouter", "openrouter"),
    ("vllm", "vllm"),
    ("hosted_vllm", "vllm"),
    ("together_ai", "together_ai"),
    ("togetherai", "together_ai"),
    ("fireworks_ai", "fireworks_ai"),
    ("fireworks", "fireworks_ai"),
];

/// Frameworks whose own name some libraries give as the provider; they serve no model.
const FRAMEWORKS: &[&str] = &["crewai", "haystack", "langchain", "llama_index", "strands-agents"];

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

/// The provider in OpenTelemetry's spelling; none when the name is that of a framework.
pub(super) fn spelled<'a>(name: &'a str, server_address: Option<&str>) -> Option<Cow<'a, str>> {
    if FRAMEWORKS.contains(&name) {
        return None;
    }
    let known = SPELLINGS.iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(name));
    let provider = match known {
        Some((_, provider)) => Cow::Borrowed(*provider),
        None if name.chars().any(char::is_uppercase) => Cow::Owned(name.to_lowercase()),
        None => Cow::Borrowed(name),
    };
    let behind = server_address
        .filter(|_| provider == "openai")
        .and_then(|host| HOSTS_BEHIND_OPENAI.iter().find(|(suffix, _)| host.ends_with(suffix)));
    Some(behind.map_or(provider, |(_, real)| Cow::Borrowed(*real)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, host: Option<&str>, expect: Option<&str>) {
        assert_eq!(spelled(name, host).as_deref(), expect, "{name} at {host:?}");
    }

    // The right-hand side: well-known values of `gen_ai.provider.name`, registry 1.40.
    #[test]
    fn spellings_met_in_the_wild_are_one_provider() {
        for name in ["openai", "OpenAI", "openai.chat", "openai.responses"] {
            check(name, Some("api.openai.com"), Some("openai"));
        }
        check("az.ai.openai", None, Some("azure.ai.openai"));
        check("AWS_Bedrock", None, Some("aws.bedrock"));
        check("gemini", None, Some("gcp.gemini"));
        check("Some New One", None, Some("some new one"));
    }

    #[test]
    fn the_host_tells_who_is_behind_the_openai_client() {
        check("openai", Some("acme.openai.azure.com"), Some("azure.ai.openai"));
        check("openai", Some("openrouter.ai"), Some("openrouter"));
        check("openai", Some("127.0.0.1"), Some("openai"));
        check("anthropic", Some("openrouter.ai"), Some("anthropic"));
    }

    #[test]
    fn a_framework_is_no_provider() {
        check("langchain", None, None);
        check("strands-agents", Some("api.openai.com"), None);
    }
}
