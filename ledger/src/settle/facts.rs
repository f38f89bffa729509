//! What is kept of an item that speaks of a model call, read from the columns that `spans` and
//! `log_records` share: hashes of what two items of one call agree in, and how much is told of the
//! usage. It compares nothing (that is `twins`).

use arrow::array::{Array, AsArray, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Float64Type;
use spanledger_schemas::running_sum::RunningSum;
use spanledger_schemas::usage_marks::PERHAPS_ESTIMATED;
use xxhash_rust::xxh3::xxh3_64;

use super::SettleError;
use super::calls::column_of;
use super::view::{Facts, Trust};
use crate::prices::columns::{int, text};

/// The columns that are read.
pub(super) const COLUMNS: [&str; 30] = [
    "response_id",
    "request_model",
    "response_model",
    "provider",
    "scope_name",
    "service_name",
    "session_id",
    "error_type",
    "usage_basis",
    "usage_reason",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "rerank_searches",
    "input_images",
    "output_images",
    "input_characters",
    "input_document_pages",
    "audio_seconds",
    "stream_ns",
    "name",
    "running_sum",
];

/// Where the token columns begin.
const TOKENS: usize = 10;

/// Of them, those that show by a number above zero that usage is reported.
const USAGE: usize = 3;

/// Where the other counts begin, each of which shows it too.
const OTHERS: usize = 21;

/// The last of them, a length in seconds.
const AUDIO: usize = 26;

/// How long a stream took whose end is told.
const STREAM: usize = 27;

/// The columns of a batch.
pub(super) struct FactColumns {
    response_id: StringViewArray,
    models: [StringViewArray; 2],
    provider: StringViewArray,
    scope: StringViewArray,
    name: StringViewArray,
    service: StringViewArray,
    session: StringViewArray,
    error: StringViewArray,
    basis: StringViewArray,
    reason: StringViewArray,
    tokens: Vec<Int64Array>,
    /// Those of which any row tells anything: most batches have none.
    others: Vec<Int64Array>,
    audio: Option<Float64Array>,
    stream: Option<Int64Array>,
    sum: Option<StringViewArray>,
}

impl FactColumns {
    /// Of a batch with [`COLUMNS`].
    ///
    /// # Errors
    /// When one is missing or of another type.
    pub(super) fn of(batch: &RecordBatch) -> Result<FactColumns, SettleError> {
        let tokens = COLUMNS[TOKENS..OTHERS].iter().map(|c| int(batch, c).cloned());
        let mut others = Vec::new();
        for name in &COLUMNS[OTHERS..AUDIO] {
            let column = int(batch, name)?;
            if column.null_count() < column.len() {
                others.push(column.clone());
            }
        }
        let audio = column_of(batch, COLUMNS[AUDIO])?.as_primitive_opt::<Float64Type>();
        let stream = int(batch, COLUMNS[STREAM])?;
        let sum = text(batch, "running_sum")?;
        Ok(FactColumns {
            response_id: text(batch, "response_id")?,
            models: [text(batch, "request_model")?, text(batch, "response_model")?],
            provider: text(batch, "provider")?,
            scope: text(batch, "scope_name")?,
            name: text(batch, "name")?,
            service: text(batch, "service_name")?,
            session: text(batch, "session_id")?,
            error: text(batch, "error_type")?,
            basis: text(batch, "usage_basis")?,
            reason: text(batch, "usage_reason")?,
            tokens: tokens.collect::<Result<_, _>>()?,
            others,
            audio: audio.filter(|audio| audio.null_count() < audio.len()).cloned(),
            sum: (sum.null_count() < sum.len()).then_some(sum),
            stream: (stream.null_count() < stream.len()).then(|| stream.clone()),
        })
    }

    /// Whether a row reports usage above zero.
    pub(super) fn usage(&self, i: usize) -> bool {
        let counted = |c: &Int64Array| c.is_valid(i) && c.value(i) > 0;
        self.tokens[..USAGE].iter().chain(&self.others).any(counted)
            || self.audio.as_ref().is_some_and(|c| c.is_valid(i) && c.value(i) > 0.0)
    }

    /// Whether a row is a part of a running sum.
    pub(super) fn is_in_a_sum(&self, i: usize) -> bool {
        self.sum.as_ref().is_some_and(|sum| sum.is_valid(i))
    }

    /// Whether the reason of a row's basis has the mark that it may be a guess.
    fn may_be_a_guess(&self, i: usize) -> bool {
        at(&self.reason, i).is_some_and(|reason| reason.contains(PERHAPS_ESTIMATED))
    }

    /// What a row says.
    pub(super) fn row(&self, i: usize, start_ns: i64, duration_ns: i64) -> Facts {
        let told = |column: &Int64Array| column.is_valid(i).then(|| column.value(i));
        let leaves = self.tokens.iter().chain(&self.others).filter(|c| c.is_valid(i)).count()
            + usize::from(self.audio.as_ref().is_some_and(|c| c.is_valid(i)));
        let basis = at(&self.basis, i);
        let mut facts = Facts {
            start_ns,
            joint_ns: self.stream.as_ref().and_then(told).map_or(0, |took| start_ns - took),
            response: at(&self.response_id, i).map_or(0, response_hash),
            models: [0, 1].map(|m| at(&self.models[m], i).map_or(0, |t| short_hash(model(t)))),
            provider: at(&self.provider, i).map_or(0, short_hash),
            scope: at(&self.scope, i).map_or(0, scope_hash),
            name: at(&self.name, i).map_or(0, short_hash),
            service: at(&self.service, i).map_or(0, short_hash),
            session: at(&self.session, i).map_or(0, |s| xxh3_64(s.as_bytes())),
            input: told(&self.tokens[0]),
            // Of an embedding some tell none, and some that there is none.
            output: told(&self.tokens[1]).filter(|output| *output > 0),
            leaves: leaves as u8,
            trust: match basis {
                Some("estimated") => Trust::Guessed,
                Some("unknown") => Trust::Unclear,
                _ if self.may_be_a_guess(i) => Trust::PerhapsGuessed,
                _ => Trust::Counted,
            },
            failed: self.error.is_valid(i),
            sum: self.sum.as_ref().and_then(|sum| at(sum, i)).and_then(RunningSum::of),
            record: false,
        };
        if facts.is_bare() && duration_ns > 0 {
            facts.joint_ns = start_ns.saturating_add(duration_ns);
        }
        facts
    }
}

fn at(column: &StringViewArray, i: usize) -> Option<&str> {
    column.is_valid(i).then(|| column.value(i)).filter(|text| !text.is_empty())
}

/// A response id as a number; never zero.
pub(super) fn response_hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes()).max(1)
}

/// Of a library the upper half, of it with the kind of a record, which is on a line of its own, the
/// lower one.
fn scope_hash(scope: &str) -> u32 {
    let library = scope.split_once('\n').map_or(scope, |(library, _)| library);
    // OpenLIT has scopes for each client and for each signal.
    let openlit = library.trim_start_matches('@').starts_with("openlit");
    let library = if openlit { "openlit" } else { library };
    (short_hash(library) & 0xffff_0000 | short_hash(scope) & 0xffff).max(1)
}

fn short_hash(text: &str) -> u32 {
    (xxh3_64(text.as_bytes()) as u32).max(1)
}

/// The model's name without what one library adds and another leaves out: the road to it before
/// the last slash, and the date of the release or the word `latest` after it.
fn model(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = name.strip_suffix("-latest").unwrap_or(name);
    let date = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(c, s)| match s {
                b'0' => c.is_ascii_digit(),
                s => c == s,
            })
    };
    for shape in ["-0000-00-00", "-00000000", "@00000000"] {
        if let Some(at) = name.len().checked_sub(shape.len()).filter(|at| *at > 0)
            && name.get(at..).is_some_and(|end| date(end, shape))
        {
            return &name[..at];
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{model, scope_hash};

    #[test]
    fn records_of_one_library_differ_by_their_kind_and_share_the_library() {
        let [span, one, two, other] =
            ["lib", "lib\nevent.a", "lib\nevent.b", "bil\nevent.a"].map(scope_hash);
        assert!(span >> 16 == one >> 16 && one >> 16 == two >> 16 && one >> 16 != other >> 16);
        assert!(span != one && one != two && one != other);
    }

    #[test]
    fn model_is_known_with_and_without_its_date_and_road() {
        for (name, expected) in [
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4o", "gpt-4o"),
            ("openai/gpt-4o", "gpt-4o"),
            ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
            ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
            ("claude-3-5-sonnet@20240620", "claude-3-5-sonnet"),
            // No date: another model.
            ("gpt-4-0125", "gpt-4-0125"),
            ("-20250929", "-20250929"),
            ("gpt-größe", "gpt-größe"),
        ] {
            assert_eq!(model(name), expected);
        }
    }
}
