//! Columns of text, to be read and told apart row by row: takes a column of a batch, gives the text
//! of a row, and its head, a few words in place of a text whose length no processor foresees. It
//! does not know what the texts mean.

use std::borrow::Cow;

use arrow::array::{
    Array, AsArray, ByteView, MAX_INLINE_VIEW_LEN, RecordBatch, StringArray, StringViewArray,
};
use arrow::buffer::Buffer;

use super::PriceError;
use super::columns::text;

/// A column of text, as it came where that is one of the two usual types.
#[derive(Debug)]
pub(super) enum Texts<'a> {
    /// With offsets.
    Plain(&'a StringArray),
    /// With views.
    Views(Cow<'a, StringViewArray>),
}

impl<'a> Texts<'a> {
    /// The column of that name.
    ///
    /// # Errors
    /// When it is missing or none of text.
    pub(super) fn of(batch: &'a RecordBatch, name: &str) -> Result<Texts<'a>, PriceError> {
        let column = batch.column_by_name(name);
        if let Some(plain) = column.and_then(|c| c.as_string_opt::<i32>()) {
            return Ok(Texts::Plain(plain));
        }
        if let Some(views) = column.and_then(|c| c.as_string_view_opt()) {
            return Ok(Texts::Views(Cow::Borrowed(views)));
        }
        Ok(Texts::Views(Cow::Owned(text(batch, name)?)))
    }

    /// A column of nulls.
    pub(super) fn none(rows: usize) -> Texts<'a> {
        Texts::Views(Cow::Owned(StringViewArray::new_null(rows)))
    }

    /// The text of a row; none for null.
    pub(super) fn at(&self, row: usize) -> Option<&str> {
        match self {
            Texts::Plain(column) => column.is_valid(row).then(|| column.value(row)),
            Texts::Views(column) => column.is_valid(row).then(|| column.value(row)),
        }
    }

    /// Whether it is one text over and over, or null throughout, seen at a glance. It may be so
    /// although this does not see it.
    pub(super) fn repeats(&self) -> bool {
        let (rows, nulls) = match self {
            Texts::Plain(column) => (column.len(), column.null_count()),
            Texts::Views(column) => (column.len(), column.null_count()),
        };
        if nulls > 0 || rows < 2 {
            return nulls == rows || rows < 2;
        }
        match self {
            Texts::Plain(column) => {
                let (ends, bytes) = (column.value_offsets(), column.value_data());
                let (from, to) = (ends[0] as usize, ends[rows] as usize);
                let length = ends[1] - ends[0];
                // It is itself, moved by its length.
                ends.windows(2).all(|pair| pair[1] - pair[0] == length)
                    && bytes[from..to - length as usize] == bytes[from + length as usize..to]
            }
            Texts::Views(column) => {
                let views = column.views();
                views[1..] == views[..rows - 1]
            }
        }
    }

    /// Hands on the head of every row, in order.
    #[inline]
    pub(super) fn each_head(&self, mut take: impl FnMut(usize, Head)) {
        match self {
            Texts::Plain(column) => {
                let (ends, bytes) = (column.value_offsets(), column.value_data());
                let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
                for (row, pair) in ends.windows(2).enumerate() {
                    let null = nulls.is_some_and(|nulls| nulls.is_null(row));
                    let (start, end) = (pair[0] as usize, pair[1] as usize);
                    take(row, if null { Head::NULL } else { Head::of(bytes, start, end - start) });
                }
            }
            Texts::Views(column) => {
                let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
                let buffers = column.data_buffers();
                for (row, view) in column.views().iter().enumerate() {
                    let null = nulls.is_some_and(|nulls| nulls.is_null(row));
                    take(row, if null { Head::NULL } else { Head::of_view(*view, buffers) });
                }
            }
        }
    }
}

/// The beginning of a text and how long it is. The heads of one column tell its texts apart, but
/// for those that are longer than a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// In bytes.
    length: u32,
    words: [u64; Head::WORDS],
}

impl Head {
    /// As many as the longest names of models take: `us.anthropic.claude-sonnet-4-5` and its like.
    const WORDS: usize = 4;
    const BYTES: usize = Head::WORDS * WORD;

    /// That of null. No text is so long.
    const NULL: Head = Head { length: u32::MAX, words: [0; Head::WORDS] };

    /// That of a text among the bytes of a column.
    #[inline]
    fn of(bytes: &[u8], start: usize, length: usize) -> Head {
        let word = |i: usize| word(bytes, start + i * WORD, length.saturating_sub(i * WORD));
        Head { length: length as u32, words: std::array::from_fn(word) }
    }

    /// That of a text with a view. A short one stands in the view, and nowhere else.
    #[inline]
    fn of_view(view: u128, buffers: &[Buffer]) -> Head {
        let length = view as u32;
        if length <= MAX_INLINE_VIEW_LEN {
            let words = [(view >> 32) as u64, (view >> 96) as u64, 0, 0];
            return Head { length, words };
        }
        let view = ByteView::from(view);
        let buffer = &buffers[view.buffer_index as usize];
        Head::of(buffer, view.offset as usize, length as usize)
    }

    /// Whether texts with this head may differ.
    #[inline]
    pub(super) fn is_cut(&self) -> bool {
        self.length as usize > Head::BYTES && *self != Head::NULL
    }

    /// A hash, of which the upper bits are the better ones: the words are multiplied by odd numbers
    /// without a pattern (the fractions of the golden ratio and of square roots of primes) and the
    /// halves of each product folded.
    #[inline]
    pub(super) fn hash(&self, seed: u64) -> u64 {
        const MIX: [u64; Head::WORDS] = [
            0x9e37_79b9_7f4a_7c15,
            0x6a09_e667_f3bc_c909,
            0xbb67_ae85_84ca_a73b,
            0x3c6e_f372_fe94_f82b,
        ];
        self.words.iter().zip(MIX).fold(seed ^ u64::from(self.length), |sum, (word, mix)| {
            let product = u128::from(word ^ sum) * u128::from(mix);
            product as u64 ^ (product >> 64) as u64
        })
    }
}

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// The first of `length` bytes from `start`, as many as a word holds; zeros where there are fewer.
#[inline]
fn word(bytes: &[u8], start: usize, length: usize) -> u64 {
    if let Some(whole) = bytes.get(start..).and_then(|bytes| bytes.first_chunk::<WORD>()) {
        // What follows in the column is another text.
        const KEPT: [u64; WORD + 1] = [
            0,
            0xff,
            0xffff,
            0xff_ffff,
            0xffff_ffff,
            0xff_ffff_ffff,
            0xffff_ffff_ffff,
            0xff_ffff_ffff_ffff,
            u64::MAX,
        ];
        return u64::from_le_bytes(*whole) & KEPT[length.min(WORD)];
    }
    let last = bytes.get(start..start + length).unwrap_or_default();
    let mut word = [0; WORD];
    word[..last.len()].copy_from_slice(last);
    u64::from_le_bytes(word)
}
