//! Counting of coding agents, which tell of themselves.

use super::Basis::{Estimated, Exclusive};
use super::Cached::{self, Unsent};
use super::Reasoning::{BesideUnsent, InsideUnsent};
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
    Rule { scope: "codex*", name: "library: codex passes on OpenAI's inclusive counts", ..RULE },
    // By Anthropic's protocol it passes on what stands beside the cached tokens, which it then tells to be
    // none.
    Rule {
        scope: "qwen-code*",
        only: |who| who.model.starts_with("claude-"),
        cached: Cached::ZeroUnsent(
            "library: qwen-code tells no cached tokens of Claude, which stand beside input: only \
             uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: qwen-code passes on Anthropic's exclusive counts",
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
