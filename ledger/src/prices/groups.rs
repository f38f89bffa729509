//! Which rows of a batch say the same in some columns of text, so that what follows from the names
//! is asked once for all of them. Takes the columns, gives the rows of each group. Rows are compared
//! with the row before, and looked up by a hash only where that differs: calls come in runs. It does
//! not know what the names mean.
//!
//! Tried: numbering the distinct texts of each column by their first 32 bytes. Then order does not
//! matter, and runs take 1.3 s for ten million calls in place of 0.55, random ones 1.35 in place of 0.9.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;
use arrow::array::{Array, AsArray, RecordBatch, StringArray, StringViewArray};
use arrow::buffer::NullBuffer;

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

    /// The same to be compared many times.
    fn cells(&self) -> Cells<'_> {
        let (nulls, texts) = match self {
            Texts::Plain(column) => {
                let (ends, bytes) = (column.value_offsets(), column.value_data());
                (column.nulls(), Bytes::Plain { ends, bytes })
            }
            Texts::Views(column) => (column.nulls(), Bytes::Views(column)),
        };
        Cells { nulls: nulls.filter(|nulls| nulls.null_count() > 0), texts }
    }
}

/// The texts of a column as bytes.
#[derive(Clone, Copy)]
struct Cells<'a> {
    /// Where any is null.
    nulls: Option<&'a NullBuffer>,
    texts: Bytes<'a>,
}

#[derive(Clone, Copy)]
enum Bytes<'a> {
    Plain { ends: &'a [i32], bytes: &'a [u8] },
    Views(&'a StringViewArray),
}

/// Texts up to this length stand in their views, whole.
const INLINE_MAX: u32 = 12;

impl<'a> Cells<'a> {
    #[inline(always)]
    fn null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    #[inline(always)]
    fn same(&self, row: usize, other: usize) -> bool {
        match (self.null(row), self.null(other), self.texts) {
            (false, false, Bytes::Plain { ends, bytes }) => {
                plain(ends, bytes, row) == plain(ends, bytes, other)
            }
            (false, false, Bytes::Views(column)) => {
                let (view, second) = (column.views()[row], column.views()[other]);
                // The lower half is the length and the first bytes; a longer text may be anywhere.
                view == second
                    || (view as u64 == second as u64
                        && view as u32 > INLINE_MAX
                        && column.value(row) == column.value(other))
            }
            (null, other_null, _) => null && other_null,
        }
    }

    #[inline(always)]
    fn hash(&self, row: usize, hasher: &mut impl Hasher) {
        if self.null(row) {
            return hasher.write_u8(0);
        }
        match self.texts {
            Bytes::Plain { ends, bytes } => hasher.write(plain(ends, bytes, row)),
            Bytes::Views(column) => match column.views()[row] {
                view if view as u32 <= INLINE_MAX => hasher.write_u128(view),
                _ => hasher.write(column.value(row).as_bytes()),
            },
        }
    }

    /// Marks the rows whose text is another than that of the row before. Returns whether there are
    /// any.
    fn mark_changes(&self, changed: &mut [bool]) -> bool {
        if self.nulls.is_some_and(|nulls| nulls.null_count() == changed.len()) || self.repeats() {
            return false;
        }
        let mut any = false;
        for (row, changed) in changed.iter_mut().enumerate().skip(1) {
            let differs = !self.same(row - 1, row);
            *changed |= differs;
            any |= differs;
        }
        any
    }

    /// Whether it is one text over and over, seen at a glance.
    fn repeats(&self) -> bool {
        let (Bytes::Plain { ends, bytes }, None) = (self.texts, self.nulls) else { return false };
        let [from, first, .., to] = *ends else { return false };
        let (from, to, length) = (from as usize, to as usize, first - from);
        // It is itself, moved by its length.
        ends.windows(2).all(|pair| pair[1] - pair[0] == length)
            && bytes[from..to - length as usize] == bytes[from + length as usize..to]
    }
}

#[inline(always)]
fn plain<'a>(ends: &[i32], bytes: &'a [u8], row: usize) -> &'a [u8] {
    &bytes[ends[row] as usize..ends[row + 1] as usize]
}

/// The groups of a batch, in the order of their first rows.
#[derive(Debug)]
pub(super) struct Groups {
    /// The rows of the first group, those of the second, and so on; ascending in each.
    rows: Vec<usize>,
    /// Where each group ends there.
    ends: Vec<usize>,
}

impl Groups {
    /// Groups rows that are equal in all columns, which have that many rows.
    pub(super) fn of(columns: &[Texts<'_>], rows: usize) -> Groups {
        let mut changed = vec![false; rows];
        let columns = columns.iter().map(Texts::cells);
        let varying: Vec<Cells<'_>> =
            columns.filter(|column| column.mark_changes(&mut changed)).collect();
        let mut slots = Slots::of(rows);
        let mut firsts = Vec::new();
        let mut of_row = Vec::with_capacity(rows);
        let mut group = 0;
        for (row, changed) in changed.into_iter().enumerate() {
            if changed || row == 0 {
                group = slots.group(&varying, row, &mut firsts);
            }
            of_row.push(group);
        }
        Groups::sorted(&of_row, firsts.len())
    }

    /// The rows by their group.
    fn sorted(of_row: &[u32], groups: usize) -> Groups {
        let mut sizes = vec![0; groups];
        of_row.iter().for_each(|group| sizes[*group as usize] += 1);
        let mut ends: Vec<usize> = sizes
            .iter()
            .scan(0, |sum, size| {
                *sum += size;
                Some(*sum - size)
            })
            .collect();
        // Each begins where it will end when its rows are in.
        let mut rows = vec![0; of_row.len()];
        for (row, group) in of_row.iter().enumerate() {
            let end = &mut ends[*group as usize];
            rows[*end] = row;
            *end += 1;
        }
        Groups { rows, ends }
    }

    /// The rows of each group, of which there is at least one.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[usize]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.rows[start..*end])
    }
}

/// Groups by the hash of their texts: an open table, at most half full.
struct Slots {
    hashes: RandomState,
    groups: Vec<u32>,
}

impl Slots {
    /// No batch has so many rows.
    const FREE: u32 = u32::MAX;

    fn of(rows: usize) -> Slots {
        let groups = vec![Slots::FREE; (2 * rows).next_power_of_two()];
        Slots { hashes: RandomState::new(), groups }
    }

    /// The group of a row, which is added if it is the first one.
    #[inline]
    fn group(&mut self, columns: &[Cells<'_>], row: usize, firsts: &mut Vec<usize>) -> u32 {
        let mut hasher = self.hashes.build_hasher();
        for column in columns {
            column.hash(row, &mut hasher);
        }
        let mask = self.groups.len() - 1;
        let mut slot = hasher.finish() as usize & mask;
        loop {
            match self.groups[slot] {
                Slots::FREE => {
                    firsts.push(row);
                    self.groups[slot] = firsts.len() as u32 - 1;
                    return self.groups[slot];
                }
                group if columns.iter().all(|c| c.same(firsts[group as usize], row)) => {
                    return group;
                }
                _ => slot = (slot + 1) & mask,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts around the length up to which a view holds them, and of others, many of them equal and
    /// many the beginning of another.
    fn text() -> impl Strategy<Value = Option<String>> {
        let lengths = prop::sample::select(vec![0, 1, 7, 8, 9, 12, 13, 16, 17, 31, 32, 33, 40]);
        let long = (lengths, "[ab\\x00]?").prop_map(|(length, last)| "m".repeat(length) + &last);
        prop::option::weighted(0.9, long)
    }

    proptest! {
        #[test]
        fn rows_are_in_one_group_exactly_when_all_their_texts_are_equal(
            rows in prop::collection::vec((text(), text()), 0..200), skipped in 0..3usize,
        ) {
            // The columns begin somewhere in their buffers.
            let skipped = skipped.min(rows.len());
            let plain: StringArray = rows.iter().map(|(plain, _)| plain.as_deref()).collect();
            let plain = plain.slice(skipped, rows.len() - skipped);
            let views: StringViewArray = rows.iter().map(|(_, views)| views.as_deref()).collect();
            let views = views.slice(skipped, rows.len() - skipped);
            let rows = &rows[skipped..];
            let columns = [Texts::Plain(&plain), Texts::Views(Cow::Owned(views)), Texts::none(rows.len())];
            let found = Groups::of(&columns, rows.len());
            let alike = |i: usize| (0..rows.len()).filter(|j| rows[i] == rows[*j]).collect();
            let first = |i: &usize| !rows[..*i].contains(&rows[*i]);
            let expected: Vec<Vec<usize>> = (0..rows.len()).filter(first).map(alike).collect();
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn as_many_groups_as_rows() {
        let texts: StringArray = (0..5_000).map(|i| Some(format!("model {i}"))).collect();
        let columns = [Texts::Plain(&texts), Texts::Plain(&texts)];
        let groups = Groups::of(&columns, texts.len());
        assert!(groups.iter().enumerate().all(|(i, rows)| *rows == [i]));
        assert_eq!(groups.iter().count(), 5_000);
    }
}
