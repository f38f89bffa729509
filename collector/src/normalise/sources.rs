//! From which attribute each column came, as one text: `user_id=enduser.id team=resource:team`.
//! Takes the facts that filled columns, gives the key of a text that is made once per shape:
//! items of one shape share it, so that it costs a hash per item and almost nothing stored.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::names::Fact;
use crate::limits::SOURCE_SHAPES_MAX;

/// Columns that may come from several attributes, by the fact that fills them.
pub(super) const COLUMNS: &[(Fact, &str)] = &[
    (Fact::Operation, "operation"),
    (Fact::Kind, "operation"),
    (Fact::Provider, "provider"),
    (Fact::RequestModel, "request_model"),
    (Fact::ResponseModel, "response_model"),
    (Fact::Model, "model"),
    (Fact::ResponseId, "response_id"),
    (Fact::ServiceTier, "service_tier"),
    (Fact::Streaming, "streaming"),
    (Fact::FinishReason, "finish_reason"),
    (Fact::ErrorType, "error_type"),
    (Fact::TtftSeconds, "ttft_ms"),
    (Fact::TtftMillis, "ttft_ms"),
    (Fact::FirstTokenAt, "ttft_ms"),
    (Fact::QueueSeconds, "queue_ms"),
    (Fact::Resends, "retries"),
    (Fact::Attempt, "retries"),
    (Fact::DurationMillis, "duration_ms"),
    (Fact::StreamSeconds, "stream_ns"),
    (Fact::ServerAddress, "server_address"),
    (Fact::ServerUrl, "server_address"),
    (Fact::Region, "region"),
    (Fact::Service, "service_name"),
    (Fact::ServiceVersion, "service_version"),
    (Fact::Environment, "environment"),
    (Fact::Agent, "agent_name"),
    (Fact::Workflow, "workflow_name"),
    (Fact::Tool, "tool_name"),
    (Fact::Team, "team"),
    (Fact::User, "user_id"),
    (Fact::Session, "session_id"),
    (Fact::Feature, "feature"),
    (Fact::Input, "reported_input_tokens"),
    (Fact::Output, "reported_output_tokens"),
    (Fact::CacheRead, "cache_read_tokens"),
    (Fact::CacheWrite, "cache_write_tokens"),
    (Fact::CacheWrite5m, "cache_write_5m_tokens"),
    (Fact::CacheWrite1h, "cache_write_1h_tokens"),
    (Fact::Reasoning, "reasoning_tokens"),
    (Fact::AudioIn, "input_audio_tokens"),
    (Fact::AudioOut, "output_audio_tokens"),
    (Fact::ImageIn, "input_image_tokens"),
    (Fact::ImageOut, "output_image_tokens"),
    (Fact::WebSearches, "web_searches"),
    (Fact::ToolCalls, "tool_calls"),
    (Fact::RerankSearches, "rerank_searches"),
    (Fact::InputImages, "input_images"),
    (Fact::Images, "output_images"),
    (Fact::ImageCount, "output_images"),
    (Fact::AudioSeconds, "audio_seconds"),
    (Fact::InputAudioSeconds, "input_audio_seconds"),
    (Fact::Characters, "input_characters"),
    (Fact::Pages, "input_document_pages"),
    (Fact::Cost, "reported_cost"),
    (Fact::CostInput, "reported_cost"),
    (Fact::CostOutput, "reported_cost"),
    (Fact::ProviderCost, "reported_cost"),
    (Fact::GatewayCost, "reported_cost"),
    (Fact::CacheHit, "gateway_cache_hit"),
];

/// Where a column's value stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source<'n> {
    /// An attribute of the item.
    Attribute(&'n str),
    /// A value inside one.
    Inside(&'n str, &'n str),
    /// An attribute of the resource.
    Resource(&'n str),
}

/// The texts. Items of one shape follow each other, so the last one is looked at first.
#[derive(Debug, Default)]
pub struct SourceTexts {
    texts: Vec<Box<str>>,
    by_key: HashMap<u64, usize>,
    last: Option<(u64, usize)>,
}

impl SourceTexts {
    /// The text of the item that was noted last, by its number.
    pub fn text(&self, number: Option<usize>) -> Option<&str> {
        self.texts.get(number?).map(|text| &**text)
    }

    /// The number of a key's text, which is made when the key is new.
    pub(super) fn note<'n>(
        &mut self,
        key: u64,
        sources: impl Iterator<Item = (&'static str, Source<'n>)>,
    ) -> usize {
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == key) {
            return number;
        }
        let number = match self.by_key.get(&key) {
            Some(number) => *number,
            None => self.make(key, sources),
        };
        self.last = Some((key, number));
        number
    }

    fn make<'n>(
        &mut self,
        key: u64,
        sources: impl Iterator<Item = (&'static str, Source<'n>)>,
    ) -> usize {
        if self.texts.len() >= SOURCE_SHAPES_MAX {
            self.texts.clear();
            self.by_key.clear();
        }
        let mut text = String::new();
        for (column, source) in sources {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = match source {
                Source::Attribute(key) => write!(text, "{space}{column}={key}"),
                Source::Inside(key, path) => write!(text, "{space}{column}={key}→{path}"),
                Source::Resource(key) => write!(text, "{space}{column}=resource:{key}"),
            };
        }
        self.texts.push(text.into());
        self.by_key.insert(key, self.texts.len() - 1);
        self.texts.len() - 1
    }
}

/// Hash of a shape: the numbers of the names that filled columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape(u64);

impl Shape {
    pub(super) fn of(dialect: Option<usize>) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ dialect.map_or(0, |d| d as u64 + 1))
    }

    /// Takes in one more number.
    #[inline]
    pub(super) fn add(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
    }

    /// The key.
    pub(super) fn key(self) -> u64 {
        // The finaliser of MurmurHash3, so that every bit of every number reaches every bit.
        let mut key = self.0;
        key = (key ^ (key >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        key = (key ^ (key >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        key ^ (key >> 33)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_made_once_per_shape_and_forgotten_beyond_the_cap() {
        let mut texts = SourceTexts::default();
        let of = |column| [(column, Source::Resource("team"))].into_iter();
        let first = texts.note(1, of("team"));
        assert_eq!(texts.note(2, of("user_id")), first + 1);
        assert_eq!(texts.note(1, of("never made")), first);
        assert_eq!(texts.text(Some(first)), Some("team=resource:team"));
        assert_eq!(texts.text(None), None);
        for key in 3..10 * SOURCE_SHAPES_MAX as u64 {
            let number = texts.note(key, of("team"));
            assert_eq!(texts.text(Some(number)), Some("team=resource:team"));
            assert!(texts.texts.len() <= SOURCE_SHAPES_MAX);
        }
    }
}
