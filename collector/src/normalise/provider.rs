//! One spelling per provider: OpenTelemetry's. Takes what a library wrote, and the host it spoke
//! to; gives the name that prices and questions use. A name that is not listed passes in lower
//! case; the name of a framework, which serves no model, gives none.

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
    ("azure.openai", "azure.ai.openai"),
    ("azure.ai.inference", "azure.ai.inference"),
    ("az.ai.inference", "azure.ai.inference"),
    ("azure_ai", "azure.ai.inference"),
    ("anthropic", "anthropic"),
    ("anthropic.messages", "anthropic"),
    ("claude", "anthropic"),
    // Claude Code's words for where it calls.
    ("firstparty", "anthropic"),
    ("foundry", "azure.ai.inference"),
    // Azure AI Projects.
    ("microsoft.foundry", "azure.ai.inference"),
    ("vertex", "gcp.vertex_ai"),
    ("aws.bedrock", "aws.bedrock"),
    ("aws_bedrock", "aws.bedrock"),
    ("awsbedrock", "aws.bedrock"),
    ("googlevertex.anthropic", "gcp.vertex_ai"),
    ("bedrock", "aws.bedrock"),
    ("bedrock_converse", "aws.bedrock"),
    ("bedrock-runtime", "aws.bedrock"),
    ("aws", "aws.bedrock"),
    ("amazon", "aws.bedrock"),
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
    ("bedrock_converse_llm", "aws.bedrock"),
    ("google-vertex", "gcp.vertex_ai"),
    ("google.vertex.chat", "gcp.vertex_ai"),
    ("google.vertex", "gcp.vertex_ai"),
    ("google_vertexai", "gcp.vertex_ai"),
    ("google_anthropic_vertex", "gcp.vertex_ai"),
    ("vertex_ai_beta", "gcp.vertex_ai"),
    ("gcp.gen_ai", "gcp.gen_ai"),
    ("google", "gcp.gen_ai"),
    ("google_generativeai", "gcp.gen_ai"),
    ("googleai", "gcp.gemini"),
    ("azure_openai_responses", "azure.ai.openai"),
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
    ("together", "together_ai"),
    ("mistral-ai", "mistral_ai"),
    ("cohere_chat", "cohere"),
    ("lm_studio", "lm_studio"),
];

/// Endings by which the Vercel AI SDK and others tell the API of a provider apart:
/// `openai.responses`, `anthropic.messages`, `google.vertex.chat`.
const APIS: &[&str] = &[
    ".chat",
    ".chat_completions",
    ".completion",
    ".completions",
    ".responses",
    ".messages",
    ".embedding",
    ".embeddings",
    ".textEmbedding",
    ".image",
    ".speech",
    ".transcription",
    ".generative-ai",
    ".anthropic",
];

/// Frameworks whose own name some libraries give as the provider; they serve no model.
const FRAMEWORKS: &[&str] = &[
    "_OTHER",
    "agno",
    "ag2",
    "autogen",
    "beeai",
    "claude-agent-sdk",
    "crewai",
    "custom",
    "dspy",
    "gateway",
    "gcp.vertex.agent",
    "haystack",
    "langchain",
    "langgraph",
    "litellm",
    "llama_index",
    "llamaindex",
    "mcp",
    "microsoft.agent_framework",
    "openai-agents",
    "pydantic-ai",
    "semantic_kernel",
    "smolagents",
    "strands",
    "strands-agents",
    "traceloop",
    "unknown",
];

/// Haystack's classes of generators and embedders, by the beginnings of their names.
const HAYSTACK_CLASSES: &[(&str, &str)] = &[
    ("AmazonBedrock", "aws.bedrock"),
    ("AnthropicVertex", "gcp.vertex_ai"),
    ("Anthropic", "anthropic"),
    ("AzureOpenAI", "azure.ai.openai"),
    ("Cohere", "cohere"),
    ("GoogleAIGemini", "gcp.gemini"),
    ("GoogleGenAI", "gcp.gemini"),
    ("Mistral", "mistral_ai"),
    ("Ollama", "ollama"),
    ("OpenAI", "openai"),
    ("OpenRouter", "openrouter"),
    ("Perplexity", "perplexity"),
    ("TogetherAI", "together_ai"),
    ("VertexAI", "gcp.vertex_ai"),
];

/// Classes by all of their names: LlamaIndex's models, and clients of smolagents and AWS.
const WHOLE_CLASSES: &[(&str, &str)] = &[
    ("AmazonBedrockModel", "aws.bedrock"),
    ("AmazonBedrockServerModel", "aws.bedrock"),
    ("BedrockRuntime", "aws.bedrock"),
    ("AzureOpenAIModel", "azure.ai.openai"),
    ("AzureOpenAIServerModel", "azure.ai.openai"),
    ("Anthropic", "anthropic"),
    ("AzureOpenAI", "azure.ai.openai"),
    ("AzureOpenAIEmbedding", "azure.ai.openai"),
    ("Bedrock", "aws.bedrock"),
    ("BedrockConverse", "aws.bedrock"),
    ("BedrockEmbedding", "aws.bedrock"),
    ("Cerebras", "cerebras"),
    ("Cohere", "cohere"),
    ("CohereEmbedding", "cohere"),
    ("DeepSeek", "deepseek"),
    ("Fireworks", "fireworks_ai"),
    ("FireworksEmbedding", "fireworks_ai"),
    ("Gemini", "gcp.gemini"),
    ("GeminiEmbedding", "gcp.gemini"),
    ("Groq", "groq"),
    ("MistralAI", "mistral_ai"),
    ("MistralAIEmbedding", "mistral_ai"),
    ("Ollama", "ollama"),
    ("OllamaEmbedding", "ollama"),
    ("OpenAI", "openai"),
    ("OpenAIEmbedding", "openai"),
    ("OpenAIResponses", "openai"),
    ("OpenRouter", "openrouter"),
    ("Perplexity", "perplexity"),
    ("TogetherLLM", "together_ai"),
    ("TogetherEmbedding", "together_ai"),
    ("Vertex", "gcp.vertex_ai"),
    ("VoyageEmbedding", "voyageai"),
];

/// LangChain's classes of models, by the beginnings of their names.
const CLASSES: &[(&str, &str)] = &[
    ("ChatAnthropicVertex", "gcp.vertex_ai"),
    ("ChatAnthropic", "anthropic"),
    ("ChatOpenAI", "openai"),
    ("AzureChatOpenAI", "azure.ai.openai"),
    ("AzureAIChat", "azure.ai.inference"),
    ("ChatBedrock", "aws.bedrock"),
    ("ChatGoogleGenerativeAI", "gcp.gemini"),
    ("ChatVertexAI", "gcp.vertex_ai"),
    ("ChatMistralAI", "mistral_ai"),
    ("ChatCohere", "cohere"),
    ("ChatGroq", "groq"),
    ("ChatOllama", "ollama"),
    ("ChatXAI", "x_ai"),
    ("ChatDeepSeek", "deepseek"),
    ("ChatPerplexity", "perplexity"),
    ("ChatTogether", "together_ai"),
    ("ChatFireworks", "fireworks_ai"),
];

/// The provider that a class of a library asks: `ChatCohere.chat`, `Ollama.task`,
/// `OpenAIChatGenerator`, `BedrockRuntime.converse`.
pub(super) fn of_class(name: &str) -> Option<&'static str> {
    let class = name.split_once('.').map_or(name, |(class, _)| class);
    let begins = |(beginning, _): &&(&str, &str)| class.starts_with(beginning);
    let of_haystack = class.ends_with("Generator") || class.ends_with("Embedder");
    let known = match of_haystack {
        true => HAYSTACK_CLASSES.iter().find(begins),
        false => CLASSES
            .iter()
            .find(begins)
            .or_else(|| WHOLE_CLASSES.iter().find(|(whole, _)| class == *whole)),
    };
    known.map(|(_, provider)| *provider)
}

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

/// Whether a name is a provider's, in any spelling.
pub(super) fn is_known(name: &str) -> bool {
    SPELLINGS.iter().any(|(spelling, _)| spelling.eq_ignore_ascii_case(name))
}

/// The provider in OpenTelemetry's spelling; none when the name is that of a framework.
pub(super) fn spelled<'a>(name: &'a str, server_address: Option<&str>) -> Option<Cow<'a, str>> {
    // LiveKit names the address that it asks.
    let port = name.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if port || FRAMEWORKS.iter().any(|f| f.eq_ignore_ascii_case(name)) {
        return None;
    }
    let listed = |name: &str| SPELLINGS.iter().find(|(s, _)| s.eq_ignore_ascii_case(name));
    let shorter = || {
        APIS.iter().find_map(|api| name.strip_suffix(api)).and_then(|head| {
            listed(head)
                .or_else(|| APIS.iter().find_map(|api| head.strip_suffix(api)).and_then(listed))
        })
    };
    let known = listed(name).or_else(shorter);
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

/// Whose API counts: clouds of others serve Claude by Anthropic's own.
pub(super) fn whose_api<'p>(provider: Option<&'p str>, model: &str) -> Option<&'p str> {
    match provider {
        Some("azure.ai.inference" | "gcp.vertex_ai" | "gcp.gen_ai") if model.contains("claude") => {
            Some("anthropic")
        }
        provider => provider,
    }
}

/// The provider before a model's name: `anthropic/claude-sonnet-4-5`.
pub(super) fn before_model(model: &str) -> Option<&'static str> {
    let (head, _) = model.split_once('/')?;
    let listed = SPELLINGS.iter().find(|(s, _)| s.eq_ignore_ascii_case(head));
    listed.map(|(_, provider)| *provider)
}

/// The host of a URL, without user, port and path.
pub(super) fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    // An IPv6 address stands in brackets.
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
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
    fn the_api_of_a_provider_is_not_part_of_its_name() {
        check("anthropic.messages", None, Some("anthropic"));
        check("google.vertex.anthropic.messages", None, Some("gcp.vertex_ai"));
        check("azure.responses", None, Some("azure.ai.openai"));
        check("some.chat", None, Some("some.chat"));
    }

    #[test]
    fn the_host_of_a_url_is_found() {
        assert_eq!(host("http://127.0.0.1:9100/v1/"), Some("127.0.0.1"));
        assert_eq!(host("https://u:p@acme.openai.azure.com"), Some("acme.openai.azure.com"));
        assert_eq!(host("api.groq.com/openai/v1?x=1"), Some("api.groq.com"));
        assert_eq!(host("http://[::1]:80/"), Some("::1"));
        assert_eq!(host("http:///x"), None);
    }

    // LiteLLM's documentation, “Providers”: the model is `<provider>/<model>`.
    #[test]
    fn the_provider_before_a_model_is_one_that_is_known() {
        for (model, expect) in [
            ("anthropic/claude-sonnet-4-5", Some("anthropic")),
            ("bedrock/converse/anthropic.claude-3-5-sonnet-20240620-v1:0", Some("aws.bedrock")),
            ("openrouter/openai/gpt-4o", Some("openrouter")),
            ("meta-llama/Llama-3.3-70B-Instruct", None),
            ("gpt-4o", None),
        ] {
            assert_eq!(before_model(model), expect, "{model}");
        }
    }

    #[test]
    fn a_framework_is_no_provider() {
        check("langchain", None, None);
        check("strands-agents", Some("api.openai.com"), None);
    }
}
