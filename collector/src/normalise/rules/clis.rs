//! Counting of coding agents, which tell of themselves.

use super::Basis::{Estimated, Exclusive, Unknown};
use super::Cached::Unsent;
use super::Reasoning::{BesideUnsent, Guessed, InsideUnsent};
use super::{RULE, Rule};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
    // Its function that merges the usage of a stream's events adds until 1.0.85, and replaces in 1.0.90.
    // The scope of its events has the version of the program, that of its spans one of its own.
    Rule {
        scope: "com.anthropic.claude_code.events",
        before: Some([1, 0, 90]),
        input: Estimated,
        reasoning: InsideUnsent,
        name: "library: claude code before 1.0.90 adds up what the events of a stream tell, which \
               repeat input and cached tokens: its counts are not the provider's",
        ..RULE
    },
    Rule {
        scope: "com.anthropic.claude_code*",
        input: Exclusive,
        name: "library: claude code tells four disjoint counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Its reasoning of Claude is its own count of the thoughts that are shown.
    Rule {
        scope: "github.copilot",
        only: |who| who.model.contains("claude"),
        reasoning: Guessed,
        name: "library: copilot adds cached tokens, and guesses the reasoning of Claude",
        ..RULE
    },
    Rule { scope: "codex*", name: "library: codex passes on OpenAI's inclusive counts", ..RULE },
    // By Anthropic's protocol it adds the cached tokens where they are more than the input, and tells the
    // input alone where they are not.
    Rule {
        scope: "qwen-code*",
        only: |who| who.model.starts_with("claude-"),
        input: Unknown,
        reasoning: InsideUnsent,
        name: "library: qwen-code adds cached tokens of Claude to input where they are more than it",
        ..RULE
    },
    Rule {
        scope: "qwen-code*",
        only: |who| !who.model.starts_with("gemini-"),
        name: "library: qwen-code passes on OpenAI's inclusive counts",
        ..RULE
    },
    Rule {
        scope: "gemini-cli*",
        cached: Unsent(
            "library: gemini-cli tells neither cached tokens nor thoughts here: uncached is an \
             upper bound [cached-untold], output unknown",
        ),
        reasoning: BesideUnsent,
        name: "library: gemini-cli passes on Gemini's counts, thoughts beside output",
        ..RULE
    },
];
