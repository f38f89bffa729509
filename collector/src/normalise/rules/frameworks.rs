//! Counting of frameworks that call models, which tell of themselves.

use super::Basis::{Estimated, Exclusive, Unknown};
use super::Cached::{self, Unsent};
use super::Reasoning::{BesideUnsent, InsideOrMissing, InsideUnsent};
use super::{MODELS_TOKENS, RULE, Reporter, Rule, Streams, is_text_of_cohere};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
    // LiveKit's agents add cached tokens, and to the output of Claude the first count of each stream.
    Rule {
        scope: "livekit-agents",
        // Older versions name no provider.
        only: |who| match who.provider {
            Some(provider) => provider == "anthropic",
            None => who.model.contains("claude"),
        },
        cached: Cached::WriteUnsent(LIVEKIT_CLAUDE),
        output_wrong: Some(LIVEKIT_CLAUDE),
        name: "library: livekit-agents adds cached tokens",
        ..RULE
    },
    Rule {
        scope: "livekit-agents",
        only: |who| super::thinks(who.model),
        cached: Unsent(LIVEKIT_UNSENT),
        reasoning: InsideOrMissing,
        name: "library: livekit-agents adds cached tokens",
        ..RULE
    },
    Rule {
        scope: "livekit-agents",
        cached: Unsent(LIVEKIT_UNSENT),
        reasoning: InsideUnsent,
        name: "library: livekit-agents adds cached tokens",
        ..RULE
    },
    // Pipecat, whose every call is a stream, adds up what two events of Claude tell (until 1.13), and what
    // each chunk of Gemini tells (until 0.93, whose spans say `gen_ai.system`). It tells no version.
    Rule {
        scope: "pipecat",
        provider: "anthropic",
        input: Estimated,
        name: "library: pipecat adds up what the events of a stream of Claude tell",
        ..RULE
    },
    Rule {
        scope: "pipecat",
        provider: "gcp*",
        only: |who| who.provider_name == "gen_ai.system",
        input: Estimated,
        name: "library: pipecat before 1 adds up what each chunk of Gemini tells",
        ..RULE
    },
    // Mirascope tells its details in one object. Streams, which it does not tell from other calls, lack
    // the thoughts of Gemini until 2.6 and the cached tokens of Claude until 2.8.
    Rule {
        scope: "mirascope*",
        only: |who| super::thinks(who.model.rsplit('/').next().unwrap_or_default()),
        streams: Streams::PerhapsWrong(
            "library: mirascope before 2.6 leaves the thoughts out of a stream's output, and does not tell what \
             was a stream [perhaps-estimated]",
        ),
        name: "library: mirascope adds thoughts",
        ..RULE
    },
    Rule {
        scope: "mirascope*",
        only: |who| who.provider == Some("anthropic") && !who.cache_name.is_empty(),
        input: Unknown,
        reasoning: InsideUnsent,
        name: "library: mirascope before 2.8 adds the cached tokens of Claude but for streams, and does not \
               tell what was one",
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        only: is_text_of_cohere,
        input: Estimated,
        name: MODELS_TOKENS,
        ..RULE
    },
    Rule {
        dialect: "haystack",
        only: is_text_of_cohere,
        cached: Unsent(
            "library: haystack tells what Cohere bills, and no cached tokens: uncached is an upper bound \
             [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: haystack tells what Cohere bills",
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        provider: "anthropic",
        before: Some([1, 0, 0]),
        streams: Streams::Guessed {
            streamed: PYDANTIC_SUMS,
            unsaid: Some(
                "library: pydantic-ai adds cached tokens; before 1 it adds up what the events of a \
                 stream of Claude tell, and does not say what was a stream [perhaps-estimated]",
            ),
        },
        name: "library: pydantic-ai adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Of Bedrock it passes on input as it came, without cached tokens: 0.4 to 1.30 do, 1.33 adds and
    // tells them.
    Rule {
        scope: "pydantic-ai*",
        provider: "aws.bedrock",
        before: Some([1, 33, 0]),
        only: |who| who.cache_name.is_empty(),
        input: Exclusive,
        cached: Unsent(
            "library: pydantic-ai before 1.33 tells no cached tokens of Bedrock, which stand \
             beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: pydantic-ai before 1.33 passes on Bedrock's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        provider: "gcp*",
        before: Some([0, 7, 6]),
        cached: Unsent(OLD_PYDANTIC_CACHED),
        name: "library: pydantic-ai before 0.7.6 passes on Gemini's counts, thoughts beside output",
        reasoning: BesideUnsent,
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        before: Some([0, 8, 0]),
        only: |who| !matches!(who.provider, Some("openai" | "azure.ai.openai" | "anthropic")),
        cached: Unsent(OLD_PYDANTIC_CACHED),
        name: "library: pydantic-ai adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        since: Some([0, 8, 0]),
        before: Some([1, 5, 0]),
        cached: Unsent(
            "library: pydantic-ai 0.8 to 1.4 tells no cached tokens but Claude's: uncached is an \
             upper bound [cached-untold]",
        ),
        name: "library: pydantic-ai adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // genai-prices reads them off an answer: 0.0.70, which 2.6 asks for, those of Groq and Mistral, 0.0.62
    // those of OpenRouter.
    Rule {
        scope: "pydantic-ai*",
        before: Some([2, 6, 0]),
        only: |who| matches!(who.provider, Some("groq" | "mistral_ai")),
        cached: Unsent(
            "library: pydantic-ai before 2.6 tells no cached tokens of Groq and Mistral: uncached is an \
             upper bound [cached-untold]",
        ),
        name: "library: pydantic-ai adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        provider: "openrouter",
        before: Some([2, 0, 0]),
        cached: Unsent(
            "library: pydantic-ai before 2 tells no cached tokens of OpenRouter: uncached is an upper bound \
             [cached-untold]",
        ),
        name: "library: pydantic-ai adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        name: "library: pydantic-ai adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // It names no version. The newer ones add cached tokens wherever there are some; the older ones
    // pass on what each provider counts, tell no cached tokens but Bedrock's, beside a total that
    // proves where they are, and name no provider.
    // Until some version after 1.20 it takes Ollama's counts one for the other, whose models alone
    // have a tag of letters.
    Rule {
        scope: "strands*",
        only: |who| is_of_ollama(who),
        input: Estimated,
        name: "library: strands takes Ollama's input for output and output for input, in versions \
               that do not say so",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Of Anthropic's own API it passes on input without cached tokens, or with a zero for them, until
    // some version after 1.20; 1.62 adds them wherever there are some.
    Rule {
        scope: "strands*",
        only: |who| who.model.starts_with("claude-"),
        cached: Cached::ZeroUnsent(
            "library: strands does not always tell the cached tokens of Claude, which then stand \
             beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: strands adds cached tokens; it tells no reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "strands*",
        cached: Unsent(
            "library: strands adds cached tokens, which older versions do not tell: uncached may \
             be an upper bound [cached-untold], and of Claude all input a lower one",
        ),
        name: "library: strands adds cached tokens; it tells no reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Its client of Anthropic adds up what two events of a stream tell, until the summer of 2026, and its
    // core then names no version.
    Rule {
        scope: "agent_framework",
        provider: "anthropic",
        before: Some([1, 11, 0]),
        input: Exclusive,
        cached: Unsent(
            "library: agent-framework before 1.11 does not tell cached tokens, which stand beside \
             input: only uncached input is known [cached-untold]",
        ),
        streams: Streams::Guessed {
            streamed: "library: agent-framework before 1.11 adds up what the events of a stream of \
                       Claude tell",
            unsaid: Some(
                "library: agent-framework before 1.11 adds up what the events of a stream of Claude \
                 tell, and does not say what was one [perhaps-estimated]; nor cached tokens, which stand \
                 beside input [cached-untold]",
            ),
        },
        name: "library: agent-framework passes on Anthropic's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "agent_framework",
        provider: "anthropic",
        input: Exclusive,
        name: "library: agent-framework passes on Anthropic's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        dialect: "genkit",
        provider: "gcp*",
        cached: Unsent(
            "library: genkit passes on Gemini's counts, thoughts beside output; no cached tokens are told, so \
             uncached may be an upper bound [cached-untold]",
        ),
        name: "library: genkit passes on Gemini's counts, thoughts beside output",
        reasoning: BesideUnsent,
        ..RULE
    },
    Rule {
        dialect: "genkit",
        provider: "anthropic",
        input: Exclusive,
        cached: Unsent(
            "library: genkit passes on Anthropic's exclusive counts, mostly without cached tokens: only \
             uncached input is known [cached-untold]",
        ),
        name: "library: genkit passes on Anthropic's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        dialect: "genkit",
        provider: "openai",
        cached: Unsent(
            "library: genkit passes on OpenAI's inclusive counts; no cached tokens are told, so \
             uncached may be an upper bound [cached-untold]",
        ),
        name: "library: genkit passes on OpenAI's inclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
];

/// Whether a model may be Ollama's, which no provider is named of: by its tag, as of `llama3.1:8b`, not of
/// `anthropic.claude-v2:1`, or by a bare name of a family that it serves.
fn is_of_ollama(who: &Reporter<'_>) -> bool {
    let tag = who.model.rsplit_once(':').map(|(_, tag)| tag);
    let other = ["arn:", "ft:"].iter().any(|beginning| who.model.starts_with(beginning));
    let tagged = tag.is_some_and(|tag| !other && tag.contains(|c: char| c.is_ascii_alphabetic()));
    let bare = !who.model.contains(['/', '-']);
    let family =
        ["llama", "gemma", "qwen", "mistral", "phi"].iter().any(|f| who.model.starts_with(f));
    tagged || (bare && family && who.provider.is_none())
}

const LIVEKIT_CLAUDE: &str = "library: livekit-agents adds the first count of a stream of Claude to the last: output is unknown; nor \
     is always told what was written to a cache: uncached is an upper bound [cached-untold]";

const LIVEKIT_UNSENT: &str = "library: livekit-agents adds cached tokens, which older versions do not tell: uncached may be an upper \
     bound [cached-untold]";

const OLD_PYDANTIC_CACHED: &str = "library: pydantic-ai before 0.8 tells cached tokens of some providers alone: \
     uncached may be an upper bound [cached-untold]";

const PYDANTIC_SUMS: &str =
    "library: pydantic-ai before 1 adds up what the events of a stream of Claude tell";
