//! The counts of calls, as table `calls` has them: which columns count which units, and the counts
//! of a row, as a small array for many rows and as [`Usage`] for one. It knows no prices.

use arrow::array::{Array, Int64Array, RecordBatch};

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
    /// Whether any was told.
    pub(super) told: bool,
    /// Whether each is from zero to below 2 to the [`USUAL_BITS`].
    pub(super) usual: bool,
}

/// The columns of a batch that count anything.
#[derive(Debug)]
pub(super) struct CountColumns(Vec<(usize, Int64Array)>);

impl CountColumns {
    /// Those of a batch of calls.
    ///
    /// # Errors
    /// When one is missing or of another type.
    pub(super) fn of(calls: &RecordBatch) -> Result<CountColumns, PriceError> {
        let mut columns = Vec::with_capacity(COUNTS.len());
        for (place, (name, _)) in COUNTS.iter().enumerate() {
            let column = int(calls, name)?;
            if column.null_count() < column.len() {
                columns.push((place, column));
            }
        }
        Ok(CountColumns(columns))
    }

    /// The counts of a row.
    #[inline]
    pub(super) fn at(&self, row: usize) -> Counts {
        let mut counts = Counts { of: [0; UNCOUNTED + 1], used: 0, told: false, usual: true };
        let mut bits = 0;
        for (place, column) in &self.0 {
            let told = column.is_valid(row);
            let count = if told { column.values()[row] } else { 0 };
            counts.of[*place] = count;
            counts.used |= Places::from(count > 0) << place;
            counts.told |= told;
            bits |= count;
        }
        counts.usual = bits.cast_unsigned() >> USUAL_BITS == 0;
        counts
    }

    /// The same as usage.
    pub(super) fn usage(&self, row: usize) -> Usage {
        let mut usage = Usage::default();
        for (place, column) in &self.0 {
            if column.is_valid(row) {
                usage.set(COUNTS[*place].1, column.value(row));
            }
        }
        usage
    }
}
