//! From attribute names to meanings: what a typed column can come from, and which of several
//! names wins. Takes the lists of names of `owner`, `content` and the dialects; gives one index
//! that a key is looked up in. It reads no values.

use super::content::{self, ContentKind};
use super::inside::Inside;

/// What an attribute can say about a call. Where two names say the same, the one with the lower
/// rank wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fact {
    /// What is done: chat, embeddings, invoke_agent …
    Operation,
    /// The dialect's own kind of span: LLM, CHAIN, generation …
    Kind,
    /// Who serves the model.
    Provider,
    /// Model asked for.
    RequestModel,
    /// Model that served.
    ResponseModel,
    /// A model of which the library does not say whether it was asked for or served.
    Model,
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
    /// A level that is `ERROR` when the call failed.
    Level,
    /// Time to first token in seconds.
    TtftSeconds,
    /// Time to first token in milliseconds.
    TtftMillis,
    /// Instant of the first token, as a date.
    FirstTokenAt,
    /// Time in a queue in seconds.
    QueueSeconds,
    /// Requests sent again.
    Resends,
    /// Number of the attempt, the first being 1.
    Attempt,
    /// How long the call took in milliseconds; only log records say it so.
    DurationMillis,
    /// How long a stream took in seconds, told at its end.
    StreamSeconds,
    /// Host that answered.
    ServerAddress,
    /// URL of it.
    ServerUrl,
    /// Region of the call.
    Region,
    /// Service, where the resource does not say.
    Service,
    /// Its version.
    ServiceVersion,
    /// Deployment environment, where the resource does not say.
    Environment,
    /// Agent.
    Agent,
    /// Workflow.
    Workflow,
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
    /// Input tokens outside any cache, under a name of their own.
    Uncached,
    /// Input tokens read from a cache.
    CacheRead,
    /// Input tokens written to a cache.
    CacheWrite,
    /// Those with a lifetime of five minutes.
    CacheWrite5m,
    /// Those with a lifetime of an hour.
    CacheWrite1h,
    /// Output tokens without reasoning, under a name of their own.
    OutputText,
    /// Reasoning tokens.
    Reasoning,
    /// Output tokens of predictions that were accepted, where they stand beside output.
    Predicted,
    /// Those that were not.
    Mispredicted,
    /// Audio input tokens.
    AudioIn,
    /// Audio output tokens.
    AudioOut,
    /// Image input tokens.
    ImageIn,
    /// Image output tokens.
    ImageOut,
    /// Web searches the provider made.
    WebSearches,
    /// Tool calls the provider made.
    ToolCalls,
    /// Searches that a reranking is billed as.
    RerankSearches,
    /// Images read.
    InputImages,
    /// Images made.
    Images,
    /// Images made, where images are what the operation makes.
    ImageCount,
    /// Seconds of audio, of which the operation says whether it was heard or spoken.
    AudioSeconds,
    /// Seconds of audio heard.
    InputAudioSeconds,
    /// Characters read.
    Characters,
    /// Pages of documents read.
    Pages,
    /// Reported cost.
    Cost,
    /// Its part for input, where no sum is said.
    CostInput,
    /// Its part for output.
    CostOutput,
    /// Cost as the provider said it.
    ProviderCost,
    /// Cost as a gateway said it.
    GatewayCost,
    /// A key that only a gateway gives out.
    GatewayKey,
    /// Whether a gateway answered from its cache.
    CacheHit,
    /// Whether what is told is a part of an answer, of which no more came.
    Partial,
}

/// Number of [`Fact`]s.
pub(super) const FACTS: usize = Fact::Partial as usize + 1;

/// One name of one fact, with its rank.
pub(super) type Name = (&'static str, Fact, u8);

/// What a key means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// It may fill a column; the number is that of the name in its index.
    Fact(Fact, u8, u16),
    /// Facts lie inside its value; the number is that of the name in its index.
    Inside(&'static Inside, u16),
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
    ("service.name", Fact::Service, 0),
    ("service.version", Fact::ServiceVersion, 0),
    ("deployment.environment.name", Fact::Environment, 0),
    ("deployment.environment", Fact::Environment, 1),
];

/// Ranks of a list begin here, by the list's place: settings, the dialect's own names, the lists
/// it builds upon, the general names, the owner mapping. No list has more ranks than lie between.
pub(super) const SETTINGS: u8 = 0;
pub(super) const OWN: u8 = 60;
const ALSO: u8 = 30;
pub(super) const EVERY: u8 = 180;

/// A list with the rank at which it begins.
pub(super) type Ranked = (&'static [Name], u8);

/// The lists of a dialect, own names first, each ranked after the one before.
pub(super) fn ranked(lists: &[&'static [Name]]) -> Vec<Ranked> {
    let begin = |i: usize| OWN.saturating_add(ALSO.saturating_mul(i as u8)).min(EVERY);
    lists.iter().enumerate().map(|(i, list)| (*list, begin(i))).collect()
}

/// Keys by length, then by their last bytes: a length costs nothing to compute, names of one
/// namespace differ at their end, and the whole of a key is compared only when both agree.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_length: Vec<Vec<Entry>>,
    size: u16,
}

#[derive(Debug)]
struct Entry {
    ending: u64,
    key: Box<str>,
    meaning: Meaning,
}

/// The last eight bytes of a key, or all of a shorter one.
#[inline]
fn ending(key: &str) -> u64 {
    match key.as_bytes().last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => key.bytes().fold(0, |all, byte| all << 8 | u64::from(byte)),
    }
}

impl Index {
    /// The index over all content names and these lists. A content name never hides a fact: add
    /// the facts of users first, then these.
    pub(super) fn extend(&mut self, lists: &[Ranked], inside: &[(&'static str, &'static Inside)]) {
        for (list, begin) in lists {
            for (key, fact, rank) in *list {
                self.fact(key, *fact, begin.saturating_add(*rank));
            }
        }
        for (key, inside) in inside {
            self.add(key, Meaning::Inside(inside, self.size));
        }
        for (key, kind) in content::KEYS {
            self.add(key, Meaning::Content(*kind));
        }
    }

    /// Adds one name, unless it is there.
    pub(super) fn fact(&mut self, key: &str, fact: Fact, rank: u8) {
        self.add(key, Meaning::Fact(fact, rank, self.size));
    }

    fn add(&mut self, key: &str, meaning: Meaning) {
        if self.by_length.len() <= key.len() {
            self.by_length.resize_with(key.len() + 1, Vec::new);
        }
        if self.find(key).is_none() {
            self.by_length[key.len()].push(Entry { ending: ending(key), key: key.into(), meaning });
            self.size += 1;
        }
    }

    /// What the whole key means, if anything. What is content by its beginning is not in here.
    #[inline]
    pub(super) fn find(&self, key: &str) -> Option<Meaning> {
        let same_length = self.by_length.get(key.len())?;
        let last = ending(key);
        same_length.iter().find(|e| e.ending == last && *e.key == *key).map(|e| e.meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_all_of_it() {
        let mut index = Index::default();
        let keys = ["a", "ab", "abcdefgh", "x.abcdefgh", "y.abcdefgh", "", "ключ", "user.id"];
        for (rank, key) in keys.iter().enumerate() {
            index.fact(key, Fact::Team, rank as u8);
        }
        for (expect, key) in keys.iter().enumerate() {
            let found = index.find(key);
            assert!(
                matches!(found, Some(Meaning::Fact(Fact::Team, rank, _)) if rank as usize == expect),
                "{key}: {found:?}"
            );
        }
        for unknown in ["b", "z.abcdefgh", "abcdefgx", "User.id"] {
            assert!(index.find(unknown).is_none(), "{unknown}");
        }
        // A name that is there keeps its meaning.
        index.fact("a", Fact::User, 0);
        assert!(matches!(index.find("a"), Some(Meaning::Fact(Fact::Team, ..))));
    }
}
