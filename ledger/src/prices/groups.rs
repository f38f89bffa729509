//! Which rows of a batch say the same in some columns of text, so that what follows from the names
//! is asked once for all of them. Takes the columns, gives the rows of each group. The distinct
//! texts of a column are numbered, and so are the combinations of those numbers that occur; what
//! order the rows are in makes next to no difference. It does not know what the names mean.

use std::collections::HashMap;

use ahash::RandomState;

use super::texts::{Head, Texts};

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
        let varying = columns.iter().filter(|column| !column.repeats());
        let all = varying.map(|column| Numbers::of(column, rows)).reduce(Numbers::and);
        let all = all.unwrap_or_else(|| Numbers { of_row: vec![0; rows], distinct: rows.min(1) });
        Groups::sorted(&all)
    }

    /// The rows by their group.
    fn sorted(groups: &Numbers) -> Groups {
        let mut sizes = vec![0; groups.distinct];
        groups.of_row.iter().for_each(|group| sizes[*group as usize] += 1);
        let mut ends: Vec<usize> = sizes
            .iter()
            .scan(0, |sum, size| {
                *sum += size;
                Some(*sum - size)
            })
            .collect();
        // Each begins where it will end when its rows are in.
        let mut rows = vec![0; groups.of_row.len()];
        for (row, group) in groups.of_row.iter().enumerate() {
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

/// What rows say, as a number: equal for rows that say the same, counted from zero in the order of
/// the first rows.
#[derive(Debug)]
struct Numbers {
    of_row: Vec<u32>,
    distinct: usize,
}

/// No batch has so many rows.
const NONE: u32 = u32::MAX;

impl Numbers {
    /// Those of the texts of a column.
    fn of(column: &Texts<'_>, rows: usize) -> Numbers {
        let mut distinct = Distinct::new();
        let mut of_row = Vec::with_capacity(rows);
        column.each_head(|row, head| of_row.push(distinct.number(column, row, head)));
        Numbers { of_row, distinct: distinct.texts.len() }
    }

    /// Those of what rows say here and there together.
    fn and(mut self, other: Numbers) -> Numbers {
        // A table of all combinations, where that is not much larger than the batch.
        let pairs = self.distinct * other.distinct;
        let mut table = vec![NONE; if pairs <= 8 * self.of_row.len() { pairs } else { 0 }];
        let mut seldom: HashMap<(u32, u32), u32, RandomState> = HashMap::default();
        let mut next = 0;
        for (here, there) in self.of_row.iter_mut().zip(&other.of_row) {
            let known = match table.get_mut(*here as usize * other.distinct + *there as usize) {
                Some(known) => known,
                None => seldom.entry((*here, *there)).or_insert(NONE),
            };
            if *known == NONE {
                *known = next;
                next += 1;
            }
            *here = *known;
        }
        Numbers { distinct: next as usize, ..self }
    }
}

/// The distinct texts of a column: an open table, at most half full.
struct Distinct {
    texts: Vec<First>,
    /// Places in `texts`, by the upper bits of a hash.
    slots: Vec<u32>,
    /// By how much hashes are shifted.
    shift: u32,
    /// Of the hashes, so that nobody can send texts that share a slot.
    seed: u64,
}

/// A text, where it was met first.
struct First {
    head: Head,
    row: usize,
}

impl Distinct {
    const SLOTS_AT_FIRST: usize = 64;

    fn new() -> Distinct {
        let slots = vec![NONE; Distinct::SLOTS_AT_FIRST];
        let shift = u64::BITS - slots.len().ilog2();
        Distinct { texts: Vec::new(), slots, shift, seed: RandomState::new().hash_one(()) }
    }

    /// The number of the text of a row, which is added if it is the first one.
    #[inline]
    fn number(&mut self, column: &Texts<'_>, row: usize, head: Head) -> u32 {
        let mut slot = self.slot(head);
        loop {
            let number = self.slots[slot];
            let Some(first) = self.texts.get(number as usize) else { break };
            if first.head == head && (!head.is_cut() || column.at(first.row) == column.at(row)) {
                return number;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.add(First { head, row }, slot)
    }

    #[inline]
    fn slot(&self, head: Head) -> usize {
        (head.hash(self.seed) >> self.shift) as usize
    }

    /// Adds a text, whose slot is free.
    #[cold]
    fn add(&mut self, first: First, slot: usize) -> u32 {
        let number = self.texts.len() as u32;
        self.texts.push(first);
        self.slots[slot] = number;
        if 2 * self.texts.len() > self.slots.len() {
            self.slots = vec![NONE; 4 * self.slots.len()];
            self.shift -= 2;
            for (number, first) in (0..).zip(&self.texts) {
                let mut slot = self.slot(first.head);
                while self.slots[slot] != NONE {
                    slot = (slot + 1) & (self.slots.len() - 1);
                }
                self.slots[slot] = number;
            }
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use arrow::array::{Array, StringArray, StringViewArray};
    use proptest::prelude::*;

    use super::*;

    /// Texts around the lengths where words, views and heads end, many of them equal and many the
    /// beginning of another.
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
        // 5,000 x 5,000 combinations are too many for a table of them.
        let texts: StringArray = (0..5_000).map(|i| Some(format!("model {i}"))).collect();
        let columns = [Texts::Plain(&texts), Texts::Plain(&texts)];
        let groups = Groups::of(&columns, texts.len());
        assert!(groups.iter().enumerate().all(|(i, rows)| *rows == [i]));
        assert_eq!(groups.iter().count(), 5_000);
    }
}
