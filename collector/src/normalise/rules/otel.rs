//! Counting of OpenTelemetry's own instrumentations, and of clients and servers that make their
//! spans themselves.

use super::super::usage::{BEDROCK_STREAM, Reporter};
use super::Basis::{Estimated, Exclusive};
use super::Cached::{self, Unsent};
use super::Reasoning::InsideUnsent;
use super::{RULE, Rule, Streams};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
    Rule {
        scope: "opentelemetry.instrumentation.openai_v2",
        cached: Unsent(
            "library: opentelemetry openai-v2 tells no cached tokens and no reasoning: uncached \
             is an upper bound [cached-untold]",
        ),
        name: "library: opentelemetry openai-v2 passes on OpenAI's inclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "@opentelemetry/instrumentation-openai",
        cached: Unsent(
            "library: opentelemetry-js openai tells no cached tokens and no reasoning: uncached \
             is an upper bound [cached-untold]",
        ),
        name: "library: opentelemetry-js openai passes on OpenAI's inclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Until 1.2 all of its GenAI family had one scope. Of Bedrock the client's and LangChain's pass on what
    // it counts.
    Rule {
        scope: "opentelemetry.util.genai*",
        provider: "aws.bedrock",
        input: Exclusive,
        cached: Cached::WriteUnsent(GENAI_BEDROCK_WRITES),
        reasoning: InsideUnsent,
        name: GENAI_BEDROCK,
        ..RULE
    },
    // That of Anthropic's client adds up what Claude counts apart, and tells both cached counts always;
    // LangChain's tells no writes.
    Rule {
        scope: "opentelemetry.util.genai*",
        only: |who| is_claude(who) && who.write_name.is_empty(),
        cached: Cached::WriteUnsent(LANGCHAIN_WRITES),
        reasoning: InsideUnsent,
        name: LANGCHAIN,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.util.genai*",
        only: is_claude,
        reasoning: InsideUnsent,
        name: "library: opentelemetry anthropic adds cached tokens",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.genai.anthropic",
        reasoning: InsideUnsent,
        streams: Streams::FirstWhenUnfinished(
            "library: opentelemetry anthropic tells, of a stream that was left, the first count: output \
             is unknown",
        ),
        name: "library: opentelemetry anthropic adds cached tokens",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.genai.bedrock",
        only: |who| who.cache_name.is_empty() && who.model.contains("nova"),
        input: Exclusive,
        cached: Unsent(
            "library: opentelemetry bedrock does not always tell the cached tokens of Nova, which \
             stand beside input: only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: GENAI_BEDROCK,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.genai.bedrock",
        input: Exclusive,
        reasoning: InsideUnsent,
        name: GENAI_BEDROCK,
        ..RULE
    },
    // Through LiteLLM, which adds what was written.
    Rule {
        scope: "opentelemetry.instrumentation.genai.dspy",
        only: is_claude,
        cached: Cached::WriteUnsent(
            "library: LiteLLM adds cached tokens; opentelemetry dspy does not tell what was written \
             to a cache: uncached is an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: opentelemetry dspy passes on LiteLLM's counts",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.genai.dspy",
        reasoning: InsideUnsent,
        name: "library: opentelemetry dspy passes on LiteLLM's counts",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.genai.langchain",
        provider: "aws.bedrock",
        input: Exclusive,
        cached: Cached::WriteUnsent(GENAI_BEDROCK_WRITES),
        reasoning: InsideUnsent,
        name: GENAI_BEDROCK,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.genai.langchain",
        only: is_claude,
        cached: Cached::WriteUnsent(LANGCHAIN_WRITES),
        reasoning: InsideUnsent,
        name: LANGCHAIN,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.genai.langchain",
        reasoning: InsideUnsent,
        name: LANGCHAIN,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.google_genai",
        since: Some([0, 7, 0]),
        before: Some([1, 0, 0]),
        cached: Unsent(OLD_GEMINI),
        output_wrong: Some(OLD_GEMINI),
        name: "library: opentelemetry google-genai before 1 passes on Gemini's counts",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.google_genai",
        before: Some([0, 7, 0]),
        cached: Unsent(OLD_GEMINI),
        streams: Streams::Guessed {
            streamed: "library: opentelemetry google-genai before 0.7 adds up the counts of every \
                       chunk of a stream, each of which tells all so far",
            unsaid: None,
        },
        output_wrong: Some(OLD_GEMINI),
        name: "library: opentelemetry google-genai before 1 passes on Gemini's counts",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.google_genai",
        name: "library: opentelemetry google-genai 1 adds thoughts to output",
        ..RULE
    },
    // Of what says no counts in its answer it takes one for every six characters.
    Rule {
        scope: "opentelemetry.instrumentation.botocore*",
        only: |who| who.method.starts_with("InvokeModel") && is_cohere_or_mistral(who),
        input: Estimated,
        name: "library: opentelemetry botocore guesses the counts of Cohere's and Mistral's models \
               through InvokeModel from their characters",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.botocore*",
        before: Some([0, 66, 0]),
        input: Exclusive,
        cached: Unsent(
            "library: opentelemetry botocore before 0.66 tells no cached tokens, which stand \
             beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: opentelemetry botocore passes on Bedrock's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    // It tells them of Converse alone.
    Rule {
        scope: "opentelemetry.instrumentation.botocore*",
        only: |who| who.method.starts_with("InvokeModel"),
        input: Exclusive,
        cached: Unsent(
            "library: opentelemetry botocore tells no cached tokens of InvokeModel, which stand beside input: \
             only uncached input is known [cached-untold]",
        ),
        name: "library: opentelemetry botocore passes on Bedrock's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.botocore*",
        input: Exclusive,
        name: "library: opentelemetry botocore passes on Bedrock's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Those of AWS's SDKs for node and Java. Of models that tell no counts in the body of their answer
    // Java's counts the characters.
    Rule {
        scope: "@opentelemetry/instrumentation-aws-sdk",
        only: |who| who.method == BEDROCK_STREAM && who.model.contains("claude"),
        input: Exclusive,
        cached: Unsent(AWS_SDK_STREAMS),
        output_wrong: Some(AWS_SDK_STREAMS),
        name: AWS_SDK,
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "io.opentelemetry.aws-sdk*",
        only: |who| who.method == "InvokeModel" && is_cohere_or_mistral(who),
        input: Estimated,
        name: "library: opentelemetry's java agent counts the characters of what Cohere's and \
               Mistral's models say through InvokeModel",
        ..RULE
    },
    Rule {
        scope: "@opentelemetry/instrumentation-aws-sdk",
        only: |who| who.method.starts_with("InvokeModel") && is_cohere_or_mistral(who),
        input: Estimated,
        name: "library: opentelemetry's aws-sdk guesses the counts of Cohere's and Mistral's models through \
               InvokeModel from their characters",
        ..RULE
    },
    Rule {
        only: |who| who.scope.contains("aws-sdk"),
        input: Exclusive,
        cached: Unsent(AWS_SDK_CACHED),
        name: AWS_SDK,
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "com.anthropic.sdk*",
        name: "library: anthropic's own spans add cached tokens to input",
        ..RULE
    },
    Rule { scope: "vllm*", name: "library: vLLM counts cached tokens inside input", ..RULE },
];

fn is_claude(who: &Reporter<'_>) -> bool {
    who.provider == Some("anthropic") || who.model.contains("claude")
}

fn is_cohere_or_mistral(who: &Reporter<'_>) -> bool {
    ["cohere.", "mistral."].iter().any(|maker| who.model.contains(maker))
}

const LANGCHAIN: &str = "library: LangChain adds cached tokens";

const LANGCHAIN_WRITES: &str = "library: LangChain adds cached tokens; opentelemetry does not always tell \
     what was written to a cache: uncached is an upper bound [cached-untold]";

const GENAI_BEDROCK_WRITES: &str = "library: opentelemetry does not always tell what was written to a cache of Bedrock's, which stands \
     beside input: only uncached input is known [cached-untold]";

const GENAI_BEDROCK: &str = "library: opentelemetry bedrock passes on Bedrock's exclusive counts";

const AWS_SDK: &str =
    "library: opentelemetry's aws-sdk passes on Bedrock's exclusive counts, without reasoning";

const AWS_SDK_CACHED: &str = "library: opentelemetry's aws-sdk tells no cached tokens, which stand beside \
     input: only uncached input is known [cached-untold]";

const AWS_SDK_STREAMS: &str = "library: opentelemetry-js aws-sdk tells the first output count of a stream of \
     InvokeModel: output is unknown; nor cached tokens, which stand beside input [cached-untold]";

const OLD_GEMINI: &str = "library: opentelemetry google-genai before 1 tells no cached tokens: uncached is an upper bound \
     [cached-untold]; nor thoughts, which stand beside output: output is unknown";
