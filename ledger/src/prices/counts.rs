//! The counts of calls, as table `calls` has them: which columns count which units, and the counts
//! of a row, as a small array for many rows and as [`Usage`] for one. It knows no prices.

use arrow::array::{Array, RecordBatch};
use arrow::buffer::NullBuffer;

use super::PriceError;
use super::columns::int;
use crate::usage::{Unit, Usage};

/// The columns that count what is priced, and the units they count.
pub(super) const COUNTS: [(&str, Unit); 12] = [
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
];

/// A set of places in [`COUNTS`], one bit each.
pub(super) type Places = u16;

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

/// The columns of a batch that count anything.
#[derive(Debug)]
pub(super) struct CountColumns<'a>(Vec<CountColumn<'a>>);

#[derive(Debug)]
struct CountColumn<'a> {
    /// In [`COUNTS`].
    place: usize,
    counts: &'a [i64],
    nulls: Option<&'a NullBuffer>,
}

impl CountColumn<'_> {
    #[inline]
    fn at(&self, row: usize) -> Option<i64> {
        let told = self.nulls.is_none_or(|nulls| nulls.is_valid(row));
        told.then_some(self.counts[row])
    }
}

impl<'a> CountColumns<'a> {
    /// Those of a batch of calls.
    ///
    /// # Errors
    /// When one is missing or of another type.
    pub(super) fn of(calls: &'a RecordBatch) -> Result<CountColumns<'a>, PriceError> {
        let mut columns = Vec::with_capacity(COUNTS.len());
        for (place, (name, _)) in COUNTS.iter().enumerate() {
            let column = int(calls, name)?;
            if column.null_count() < column.len() {
                columns.push(CountColumn { place, counts: column.values(), nulls: column.nulls() });
            }
        }
        Ok(CountColumns(columns))
    }

    /// The counts of a row.
    #[inline]
    pub(super) fn at(&self, row: usize) -> Counts {
        let (mut of, mut used, mut known, mut bits) = ([0; UNCOUNTED + 1], 0, 0, 0);
        for column in &self.0 {
            let told = column.at(row);
            let count = told.unwrap_or(0);
            of[column.place] = count;
            used |= Places::from(count > 0) << column.place;
            known |= Places::from(told.is_some()) << column.place;
            bits |= count;
        }
        Counts { of, used, told: known, usual: bits.cast_unsigned() >> USUAL_BITS == 0 }
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
