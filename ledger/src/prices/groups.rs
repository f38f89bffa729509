//! Which rows of a batch say the same in some columns of text, so that what follows from the names
//! is asked once for all of them. Takes the columns, gives each row the number of its group and
//! each group its first row. Rows are compared with the row before, and looked up by a hash only
//! where that differs: calls come in runs. It does not know what the names mean.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
    #[inline]
    pub(super) fn at(&self, row: usize) -> Option<&str> {
        match self {
            Texts::Plain(column) => column.is_valid(row).then(|| column.value(row)),
            Texts::Views(column) => column.is_valid(row).then(|| column.value(row)),
        }
    }

    fn nulls(&self) -> (Option<&NullBuffer>, usize) {
        match self {
            Texts::Plain(column) => (column.nulls(), column.len()),
            Texts::Views(column) => (column.nulls(), column.len()),
        }
    }

    /// Marks the rows whose text is another than that of the row before. Returns whether there are
    /// any.
    fn mark_changes(&self, changed: &mut [bool]) -> bool {
        let (nulls, rows) = self.nulls();
        match (self, nulls.filter(|nulls| nulls.null_count() > 0)) {
            (_, Some(nulls)) if nulls.null_count() == rows => false,
            (_, Some(_)) => mark(changed, |row| self.at(row - 1) != self.at(row)),
            (Texts::Plain(column), None) => {
                let (ends, bytes) = (column.value_offsets(), column.value_data());
                mark(changed, |row| {
                    let [from, middle, to] = [ends[row - 1], ends[row], ends[row + 1]];
                    let [from, middle, to] = [from as usize, middle as usize, to as usize];
                    bytes[from..middle] != bytes[middle..to]
                })
            }
            (Texts::Views(column), None) => {
                let views = column.views();
                // Equal views are equal texts; others may be, where the text is elsewhere.
                mark(changed, |row| {
                    views[row - 1] != views[row] && column.value(row - 1) != column.value(row)
                })
            }
        }
    }
}

fn mark(changed: &mut [bool], differs: impl Fn(usize) -> bool) -> bool {
    let mut any = false;
    for (row, changed) in changed.iter_mut().enumerate().skip(1) {
        let differs = differs(row);
        *changed |= differs;
        any |= differs;
    }
    any
}

/// The groups of a batch.
#[derive(Debug)]
pub(super) struct Groups {
    /// The group of each row.
    pub(super) of_row: Vec<u32>,
    /// The first row of each group, ascending.
    pub(super) firsts: Vec<usize>,
}

impl Groups {
    /// Groups rows that are equal in all columns, which have that many rows.
    pub(super) fn of(columns: &[Texts<'_>], rows: usize) -> Groups {
        let mut groups = Groups { of_row: Vec::with_capacity(rows), firsts: Vec::new() };
        let mut changed = vec![false; rows];
        let varying: Vec<&Texts<'_>> =
            columns.iter().filter(|column| column.mark_changes(&mut changed)).collect();
        let hashes = RandomState::new();
        // By hash; the next number serves where two groups have the same.
        let mut known: HashMap<u64, u32, RandomState> = HashMap::default();
        let mut group = 0;
        for (row, changed) in changed.into_iter().enumerate() {
            if changed || row == 0 {
                let mut hash = hash(&hashes, &varying, row);
                group = loop {
                    match known.entry(hash) {
                        Entry::Occupied(known) => {
                            let group = *known.get();
                            let first = groups.firsts[group as usize];
                            if varying.iter().all(|column| column.at(first) == column.at(row)) {
                                break group;
                            }
                            hash = hash.wrapping_add(1);
                        }
                        Entry::Vacant(new) => {
                            // A batch has fewer rows than 32 bits count.
                            new.insert(groups.firsts.len() as u32);
                            groups.firsts.push(row);
                            break groups.firsts.len() as u32 - 1;
                        }
                    }
                };
            }
            groups.of_row.push(group);
        }
        groups
    }
}

fn hash(hashes: &RandomState, columns: &[&Texts<'_>], row: usize) -> u64 {
    let mut hasher = hashes.build_hasher();
    for column in columns {
        match column.at(row) {
            Some(text) => hasher.write(text.as_bytes()),
            None => hasher.write_u8(0),
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_in_one_group_exactly_when_all_their_texts_are_equal(
            rows in prop::collection::vec(
                (prop::option::of("[ab]{0,2}"), prop::option::of("a longer text than a view has, [ab]")),
                0..40),
        ) {
            let short: StringArray = rows.iter().map(|(short, _)| short.as_deref()).collect();
            let long: StringViewArray = rows.iter().map(|(_, long)| long.as_deref()).collect();
            let columns = [Texts::Plain(&short), Texts::Views(Cow::Owned(long)), Texts::none(rows.len())];
            let groups = Groups::of(&columns, rows.len());
            for (i, a) in rows.iter().enumerate() {
                for (j, b) in rows.iter().enumerate() {
                    prop_assert_eq!(a == b, groups.of_row[i] == groups.of_row[j]);
                }
                let first = rows.iter().position(|b| a == b).unwrap();
                prop_assert_eq!(groups.firsts[groups.of_row[i] as usize], first);
            }
        }
    }
}
