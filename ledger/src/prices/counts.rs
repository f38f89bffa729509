//! The counts of calls, as table `calls` has them: which columns count which units, and the counts
//! of a row, as a small array for many rows and as [`Usage`] for one. It knows no prices.
//!
//! Audio is billed by whole seconds: a length is rounded to the nearest one, as OpenAI's price page
//! has it (“rounded to the nearest second”). Where heard and spoken audio are told, all audio is at
//! least their sum.

use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::Float64Type;

use super::PriceError;
use super::columns::int;
use crate::usage::{Unit, Usage};

/// The columns that count what is priced, and the units they count.
pub(super) const COUNTS: [(&str, Unit); 20] = [
    ("input_tokens", Unit::INPUT),
    ("output_tokens", Unit::OUTPUT),
    ("cache_read_tokens", Unit::CACHE_READ),
    ("cache_write_tokens", Unit::CACHE_WRITE),
    ("cache_write_5m_tokens", Unit::CACHE_WRITE_5M),
    ("cache_write_1h_tokens", Unit::CACHE_WRITE_1H),
    ("reasoning_tokens", Unit::REASONING),
    ("input_audio_tokens", Unit::INPUT_AUDIO),
    ("output_audio_tokens", Unit::OUTPUT_AUDIO),
    ("input_image_tokens", Unit::INPUT_IMAGE),
    ("output_image_tokens", Unit::OUTPUT_IMAGE),
    ("web_searches", Unit::WEB_SEARCHES),
    ("rerank_searches", Unit::RERANK_SEARCHES),
    ("input_images", Unit::INPUT_IMAGES),
    ("output_images", Unit::OUTPUT_IMAGES),
    ("audio_seconds", Unit::AUDIO_SECONDS),
    ("input_audio_seconds", Unit::INPUT_AUDIO_SECONDS),
    ("output_audio_seconds", Unit::OUTPUT_AUDIO_SECONDS),
    ("input_characters", Unit::INPUT_CHARACTERS),
    ("input_document_pages", Unit::INPUT_PAGES),
];

/// A set of places in [`COUNTS`], one bit each.
pub(super) type Places = u32;

const _: () = assert!(COUNTS.len() < Places::BITS as usize);

/// Place in [`Counts::of`] of the units that have no column: always zero.
pub(super) const UNCOUNTED: usize = COUNTS.len();

/// Counts below 2 to this are usual: a million million tokens. Their products with prices cannot
/// leave the range of money, nor their sums 64 bits.
pub(super) const USUAL_BITS: u32 = 40;

/// The place of a unit in [`Counts::of`].
pub(super) fn place_of(unit: Unit) -> usize {
    COUNTS.iter().position(|(_, counted)| *counted == unit).unwrap_or(UNCOUNTED)
}

/// The counts of one call, by place in [`COUNTS`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    /// Zero for what was not told.
    pub(super) of: [i64; UNCOUNTED + 1],
    /// Those with a count above zero.
    pub(super) used: Places,
    /// Those that were told, zero or not.
    pub(super) told: Places,
    /// Whether each is from zero to below 2 to the [`USUAL_BITS`].
    pub(super) usual: bool,
}

impl Counts {
    /// Nothing told.
    pub(super) const NONE: Counts =
        Counts { of: [0; UNCOUNTED + 1], used: 0, told: 0, usual: true };
}

/// The columns of a batch that count anything.
#[derive(Debug)]
pub(super) struct CountColumns(Vec<CountColumn>);

#[derive(Debug)]
struct CountColumn {
    /// In [`COUNTS`].
    place: usize,
    counts: ScalarBuffer<i64>,
    nulls: Option<NullBuffer>,
}

impl CountColumn {
    #[inline]
    fn at(&self, row: usize) -> Option<i64> {
        let told = self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        told.then_some(self.counts[row])
    }
}

impl CountColumns {
    /// Those of a batch of calls.
    ///
    /// # Errors
    /// When one is missing or of another type.
    pub(super) fn of(calls: &RecordBatch) -> Result<CountColumns, PriceError> {
        let mut columns = Vec::with_capacity(COUNTS.len());
        for (place, (name, unit)) in COUNTS.iter().enumerate() {
            let column = match *unit {
                Unit::AUDIO_SECONDS => all_audio(calls)?,
                _ => whole(calls, name)?,
            };
            if column.null_count() < column.len() {
                let (_, counts, nulls) = column.into_parts();
                columns.push(CountColumn { place, counts, nulls });
            }
        }
        Ok(CountColumns(columns))
    }

    /// Reads the counts of a row into those of another one of the batch, or [`Counts::NONE`]: what
    /// has no column stays zero there.
    #[inline]
    pub(super) fn read(&self, row: usize, counts: &mut Counts) {
        let (mut used, mut known, mut bits) = (0, 0, 0);
        for column in &self.0 {
            let told = column.at(row);
            let count = told.unwrap_or(0);
            counts.of[column.place] = count;
            used |= Places::from(count > 0) << column.place;
            known |= Places::from(told.is_some()) << column.place;
            bits |= count;
        }
        (counts.used, counts.told) = (used, known);
        counts.usual = bits.cast_unsigned() >> USUAL_BITS == 0;
    }

    /// The same as usage.
    pub(super) fn usage(&self, row: usize) -> Usage {
        let mut usage = Usage::default();
        for column in &self.0 {
            column.at(row).into_iter().for_each(|count| usage.set(COUNTS[column.place].1, count));
        }
        usage
    }
}

/// A column of counts; lengths in seconds are rounded to whole ones.
fn whole(calls: &RecordBatch, name: &str) -> Result<Int64Array, PriceError> {
    let lengths = calls.column_by_name(name).and_then(|c| c.as_primitive_opt::<Float64Type>());
    let Some(lengths) = lengths else { return Ok(int(calls, name)?.clone()) };
    if lengths.null_count() == lengths.len() {
        return Ok(Int64Array::new_null(lengths.len()));
    }
    // What is no number is not known. The cast stops at the ends of 64 bits, where no sum holds.
    let seconds = |length: f64| (!length.is_nan()).then(|| length.round() as i64);
    Ok(lengths.iter().map(|length| length.and_then(seconds)).collect())
}

/// All audio: at least what was heard and what was spoken, each rounded for itself.
fn all_audio(calls: &RecordBatch) -> Result<Int64Array, PriceError> {
    let all = whole(calls, "audio_seconds")?;
    let heard = whole(calls, "input_audio_seconds")?;
    let spoken = whole(calls, "output_audio_seconds")?;
    if heard.null_count() == all.len() && spoken.null_count() == all.len() {
        return Ok(all);
    }
    let sides = heard.iter().zip(&spoken).map(|sides| match sides {
        (Some(heard), Some(spoken)) => Some(heard.saturating_add(spoken)),
        (heard, spoken) => heard.or(spoken),
    });
    // Null is below every number.
    Ok(all.iter().zip(sides).map(|(all, sides)| all.max(sides)).collect())
}
