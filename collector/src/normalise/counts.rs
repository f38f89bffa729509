//! What an item says was used that is no tokens: searches, images, audio, characters, pages. Takes
//! the facts of the item and its operation, gives the columns of counts. A count that is not told
//! stays unknown; nothing is taken from what was asked for.

use super::facts::Reading;
use super::names::Fact;

/// Counts that are no tokens; none for what is not told.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Web searches the provider made.
    pub web_searches: Option<i64>,
    /// Searches that a reranking is billed as.
    pub rerank_searches: Option<i64>,
    /// Tool calls the provider made.
    pub tool_calls: Option<i64>,
    /// Images read.
    pub input_images: Option<i64>,
    /// Images made.
    pub output_images: Option<i64>,
    /// Seconds of audio, heard and spoken.
    pub audio_seconds: Option<f64>,
    /// Seconds of audio heard.
    pub input_audio_seconds: Option<f64>,
    /// Seconds of audio spoken.
    pub output_audio_seconds: Option<f64>,
    /// Characters read.
    pub input_characters: Option<i64>,
    /// Pages of documents read.
    pub input_document_pages: Option<i64>,
}

impl Counts {
    /// Whether any of them says how large the call was, as tokens do; what its tools did does not.
    pub(super) fn measure_the_call(&self) -> bool {
        [
            self.rerank_searches,
            self.input_images,
            self.output_images,
            self.input_characters,
            self.input_document_pages,
        ]
        .iter()
        .any(Option::is_some)
            || self.audio_seconds.is_some()
    }
}

/// The counts of an item of this operation, in OpenTelemetry's words.
///
/// Audio without a side is heard where the operation transcribes, spoken where it speaks, and else
/// neither. A count of images without a side is taken for those made where images are what the
/// operation makes, and left out elsewhere: one library counts by that name what came in.
pub(super) fn read(said: &mut Reading<'_, '_>, operation: Option<&str>) -> Counts {
    let makes_images = matches!(operation, Some("image_generation" | "image_edit"));
    let mut count = |fact| {
        let count = said.count(fact)?.ok()?;
        said.in_full(fact);
        Some(count)
    };
    let mut counts = Counts {
        web_searches: count(Fact::WebSearches),
        rerank_searches: count(Fact::RerankSearches),
        tool_calls: count(Fact::ToolCalls),
        input_images: count(Fact::InputImages),
        output_images: count(Fact::Images),
        input_characters: count(Fact::Characters),
        input_document_pages: count(Fact::Pages),
        ..Counts::default()
    };
    if counts.output_images.is_none() && makes_images {
        counts.output_images = count(Fact::ImageCount);
    }
    counts.input_audio_seconds = said.filling(Fact::InputAudioSeconds);
    counts.audio_seconds = said.filling(Fact::AudioSeconds);
    let side = match operation {
        Some("audio_transcription") => Some(&mut counts.input_audio_seconds),
        Some("audio_speech") => Some(&mut counts.output_audio_seconds),
        _ => None,
    };
    if let Some(side) = side {
        *side = side.or(counts.audio_seconds);
    }
    let sides = [counts.input_audio_seconds, counts.output_audio_seconds];
    counts.audio_seconds =
        counts.audio_seconds.or_else(|| sides.into_iter().flatten().reduce(|a, b| a + b));
    counts
}
