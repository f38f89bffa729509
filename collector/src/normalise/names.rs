//! From attribute names to meanings: what a typed column can come from, and which of several
//! names wins. Takes the lists of names of `owner`, `content` and the dialects; gives one index
//! that a key is looked up in. It reads no values.

use super::content::{self, ContentKind};

/// What an attribute can say about a call. Where two names say the same, the one with the lower
/// rank wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Fact {
    /// What is done: chat, embeddings, invoke_agent …
    Operation,
    /// Who serves the model.
    Provider,
    /// Model asked for.
    RequestModel,
    /// Model that served.
    ResponseModel,
    /// The provider's id of the answer.
    ResponseId,
    /// Service tier, served before requested.
    ServiceTier,
    /// Whether the answer is streamed.
    Streaming,
    /// Why the answer ended.
    FinishReason,
    /// Class of an error.
    ErrorType,
    /// Time to first token in seconds.
    TtftSeconds,
    /// Time to first token in milliseconds.
    TtftMillis,
    /// Host that answered.
    ServerAddress,
    /// Region of the call.
    Region,
    /// Agent.
    Agent,
    /// Tool.
    Tool,
    /// Owner: team.
    Team,
    /// Owner: end user.
    User,
    /// Owner: session or conversation.
    Session,
    /// Owner: product feature.
    Feature,
    /// Reported input tokens.
    Input,
    /// Reported output tokens.
    Output,
    /// Reported sum of both.
    Total,
    /// Input tokens read from a cache.
    CacheRead,
    /// Input tokens written to a cache.
    CacheWrite,
    /// Those with a lifetime of five minutes.
    CacheWrite5m,
    /// Those with a lifetime of an hour.
    CacheWrite1h,
    /// Reasoning tokens.
    Reasoning,
    /// Audio input tokens.
    AudioIn,
    /// Audio output tokens.
    AudioOut,
    /// Image input tokens.
    ImageIn,
}

/// Number of [`Fact`]s.
pub(super) const FACTS: usize = Fact::ImageIn as usize + 1;

/// One name of one fact, with its rank.
pub(super) type Name = (&'static str, Fact, u8);

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It may fill a column.
    Fact(Fact, u8),
    /// It carries content.
    Content(ContentKind),
}

/// Names of every dialect, the general conventions. Source: OpenTelemetry registry 1.40.
pub(super) const GENERAL: &[Name] = &[
    ("error.type", Fact::ErrorType, 0),
    ("server.address", Fact::ServerAddress, 0),
    // Before 1.21.
    ("net.peer.name", Fact::ServerAddress, 1),
    ("cloud.region", Fact::Region, 0),
];

/// Keys by length, then by comparison: real keys of one length are few, and a length costs
/// nothing to compute.
#[derive(Debug)]
pub(super) struct Index {
    by_length: Vec<Vec<(&'static str, Meaning)>>,
}

impl Index {
    /// The index over these lists and all content names. A content name never hides a fact: the
    /// facts are found first.
    pub(super) fn over(lists: &[&'static [Name]]) -> Self {
        let mut index = Self { by_length: Vec::new() };
        for (key, fact, rank) in lists.iter().copied().flatten() {
            index.add(key, Meaning::Fact(*fact, *rank));
        }
        for (key, kind) in content::KEYS {
            index.add(key, Meaning::Content(*kind));
        }
        index
    }

    fn add(&mut self, key: &'static str, meaning: Meaning) {
        if self.by_length.len() <= key.len() {
            self.by_length.resize_with(key.len() + 1, Vec::new);
        }
        if self.find(key).is_none() {
            self.by_length[key.len()].push((key, meaning));
        }
    }

    /// What the key means, if anything.
    pub(super) fn meaning(&self, key: &str) -> Option<Meaning> {
        self.find(key).or_else(|| content::by_prefix(key).map(Meaning::Content))
    }

    fn find(&self, key: &str) -> Option<Meaning> {
        let same_length = self.by_length.get(key.len())?;
        same_length.iter().find(|(k, _)| *k == key).map(|(_, meaning)| *meaning)
    }
}
