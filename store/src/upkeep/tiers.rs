//! Which files are merged: of one day and one size class, when there are enough of them. Takes
//! sizes and ages, gives groups of files; it opens none.
//!
//! Classes grow by [`limits::TIER_FANOUT`]; a group becomes a file of the next class, whose row
//! groups are taken over from the smaller ones where they are large enough (`runs`). Sizes are
//! rows, because the same rows take half the bytes once they are merged, or bytes where rows are
//! long. Files of the top class are written to stay once they have been there for a while: what
//! is written under load costs the least then, and late rows find small files. A day that got no
//! file for a while is merged across classes, but a file that stays only together with at least an
//! eighth of its own size in others: late trickles do not rewrite a large file each time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use spanledger_schemas::Table;

use crate::limits;
use crate::log::ActiveFile;
use crate::paths::RowOrder;
use crate::write::properties::Effort;

/// Files to merge into one.
#[derive(Debug)]
pub(crate) struct Merge {
    /// Of one day, in the order of age.
    pub(crate) files: Vec<Arc<ActiveFile>>,
    /// What the result is worth.
    pub(crate) effort: Effort,
}

/// What to merge now.
pub(crate) fn choose(
    table: &Table,
    files: &[Arc<ActiveFile>],
    now_ms: i64,
    quiet: Duration,
) -> Vec<Merge> {
    let mut days = BTreeMap::<i32, Vec<Sized>>::new();
    for file in files.iter().filter(|file| is_mergeable(table, file)) {
        days.entry(file.file.date).or_default().push(Sized::of(table, file));
    }
    let mut merges = Vec::new();
    for mut day in days.into_values() {
        day.sort_by_key(|f| f.active.added_ms);
        let newest_ms = day.last().map_or(i64::MAX, |f| f.active.added_ms);
        if now_ms.saturating_sub(newest_ms) >= millis(quiet) {
            merges.extend(whole_day(day));
        } else {
            merges.extend(by_tier(day, now_ms));
        }
    }
    merges
}

/// Whether a merge can hold what it must: a file in no known order is sorted in memory.
fn is_mergeable(table: &Table, file: &ActiveFile) -> bool {
    let in_order = RowOrder::of(table, &file.file.path).is_some();
    in_order || file.file.size_bytes <= limits::UNORDERED_BYTES_MAX
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A file with what decides.
struct Sized {
    active: Arc<ActiveFile>,
    rows: u64,
    bytes: u64,
    /// Whether it was written to stay.
    kept: bool,
}

impl Sized {
    fn of(table: &Table, active: &Arc<ActiveFile>) -> Sized {
        let (file, active) = (&active.file, Arc::clone(active));
        let kept = RowOrder::of(table, &file.path) == Some(RowOrder::InKeptGroups);
        Sized { rows: file.rows, bytes: file.size_bytes, kept, active }
    }

    /// Whether it would take two of them to be more than one file may hold.
    fn is_done(&self) -> bool {
        self.kept && (self.bytes >= limits::FILE_DONE_BYTES || self.rows >= limits::FILE_DONE_ROWS)
    }

    /// Whether nothing more fits.
    fn is_whole(&self) -> bool {
        self.kept
            && (self.bytes >= limits::FILE_TARGET_BYTES || self.rows >= limits::FILE_TARGET_ROWS)
    }

    fn tier(&self) -> u32 {
        let rows = self.rows.max(self.bytes / limits::LONG_ROW_BYTES);
        let ratio = rows / limits::TIER_BASE_ROWS;
        ratio.checked_ilog(limits::TIER_FANOUT as u64).map_or(0, |log| log + 1)
    }
}

fn by_tier(day: Vec<Sized>, now_ms: i64) -> Vec<Merge> {
    let mut tiers = BTreeMap::<u32, Vec<Sized>>::new();
    for file in day.into_iter().filter(|f| !f.is_done()) {
        tiers.entry(file.tier().min(limits::TOP_TIER)).or_default().push(file);
    }
    let old_ms = now_ms.saturating_sub(millis(limits::TOP_TIER_AGE));
    let enough = |group: &Group| group.full || group.files.len() >= limits::TIER_FANOUT;
    let merges = tiers.into_iter().flat_map(|(tier, mut files)| {
        if tier < limits::TOP_TIER {
            return fill(files, Effort::Passing, enough);
        }
        files.retain(|f| f.active.added_ms <= old_ms);
        fill(files, Effort::Kept, enough)
    });
    merges.collect()
}

fn whole_day(mut day: Vec<Sized>) -> Vec<Merge> {
    day.retain(|f| !f.is_whole());
    let (mut kept, passing): (Vec<_>, Vec<_>) = day.into_iter().partition(|f| f.kept);
    kept.sort_by_key(|f| f.bytes);
    let mut rest: u64 = kept.iter().chain(&passing).map(|f| f.bytes).sum();
    while let Some(largest) = kept.last().map(|f| f.bytes) {
        rest -= largest;
        if largest <= rest.saturating_mul(limits::TIER_FANOUT as u64) {
            break;
        }
        kept.pop();
    }
    let mut files: Vec<_> = kept.into_iter().chain(passing).collect();
    files.sort_by_key(|f| f.bytes);
    fill(files, Effort::Kept, |_| true)
}

/// A group on its way, with what bounds it.
#[derive(Default)]
struct Group {
    files: Vec<Sized>,
    bytes: u64,
    rows: u64,
    /// No further file fits.
    full: bool,
}

impl Group {
    fn fits(&self, file: &Sized, rows_max: u64) -> bool {
        self.files.is_empty()
            || self.files.len() < limits::MERGE_INPUTS
                && self.bytes + file.bytes <= limits::FILE_TARGET_BYTES
                && self.rows + file.rows <= rows_max
    }

    fn push(&mut self, file: Sized) {
        self.bytes += file.bytes;
        self.rows += file.rows;
        self.files.push(file);
    }
}

/// Fills groups one after another and keeps those that are `enough`.
fn fill(files: Vec<Sized>, effort: Effort, enough: impl Fn(&Group) -> bool) -> Vec<Merge> {
    let rows_max = match effort {
        Effort::Kept => limits::FILE_TARGET_ROWS,
        Effort::Flush | Effort::Passing => limits::FILE_DONE_ROWS,
    };
    let mut groups = vec![Group::default()];
    for file in files {
        if let Some(group) = groups.last_mut().filter(|g| !g.fits(&file, rows_max)) {
            group.full = true;
            groups.push(Group::default());
        }
        if let Some(group) = groups.last_mut() {
            group.push(file);
        }
    }
    // A file alone is written anew only to stay, once.
    let worth = |group: &Group| match group.files.as_slice() {
        [] => false,
        [one] => effort == Effort::Kept && !one.kept,
        _ => true,
    };
    groups.retain(|group| worth(group) && enough(group));
    let merge = |group: Group| {
        let mut files: Vec<_> = group.files.into_iter().map(|f| f.active).collect();
        files.sort_by_key(|f| f.added_ms);
        Merge { files, effort }
    };
    groups.into_iter().map(merge).collect()
}

#[cfg(test)]
mod tests {
    use spanledger_schemas::tables;

    use super::*;
    use crate::{DataFile, paths};

    const MIB: u64 = 1024 * 1024;
    const MINUTE_MS: i64 = 60_000;

    const TABLE: &Table = &tables::spans::TABLE;
    const HOUR: Duration = Duration::from_secs(3600);

    fn file(date: i32, size_bytes: u64, rows: u64, added_ms: i64) -> Arc<ActiveFile> {
        of_order(RowOrder::InGroups, date, size_bytes, rows, added_ms)
    }

    fn of_order(
        order: RowOrder,
        date: i32,
        size_bytes: u64,
        rows: u64,
        added_ms: i64,
    ) -> Arc<ActiveFile> {
        let path = paths::data_file(TABLE, date, order);
        let file = DataFile { path, size_bytes, rows, date };
        Arc::new(ActiveFile::new(file, added_ms, String::new()))
    }

    /// Sizes of each group, for files of one day that is still being written.
    fn groups(sizes: &[(u64, u64)]) -> Vec<usize> {
        let files: Vec<_> =
            sizes.iter().enumerate().map(|(i, (b, r))| file(0, *b, *r, i as i64)).collect();
        lengths(&choose(TABLE, &files, MINUTE_MS, HOUR))
    }

    fn lengths(merges: &[Merge]) -> Vec<usize> {
        merges.iter().map(|m| m.files.len()).collect()
    }

    #[test]
    fn eight_files_of_one_class_are_merged_and_seven_are_not() {
        assert_eq!(groups(&[(10_000, 10); 8]), [8]);
        assert_eq!(groups(&[(10_000, 10); 7]), [0_usize; 0]);
        // Four and four of different classes stay.
        assert_eq!(groups(&[[(10_000, 10); 4], [(MIB, 10); 4]].concat()), [0_usize; 0]);
    }

    #[test]
    fn finished_files_are_left_alone() {
        let kept = |bytes, rows| of_order(RowOrder::InKeptGroups, 0, bytes, rows, 0);
        for file in [kept(limits::FILE_DONE_BYTES, 10), kept(MIB, limits::FILE_DONE_ROWS)] {
            let merges = choose(TABLE, &vec![file; 20], 30 * MINUTE_MS, HOUR);
            assert_eq!(lengths(&merges), [0_usize; 0]);
        }
    }

    #[test]
    fn files_of_the_top_class_are_written_to_stay_when_they_are_old_and_fill_one() {
        // 600,000 rows each: three make 1.8 million, a fourth would pass 2,097,152.
        let files: Vec<_> = (0..7).map(|i| file(0, 36 * MIB, 600_000, i)).collect();
        assert_eq!(lengths(&choose(TABLE, &files, 9 * MINUTE_MS, HOUR)), [0_usize; 0]);
        let merges = choose(TABLE, &files, 11 * MINUTE_MS, HOUR);
        // The seventh waits for others.
        assert_eq!(lengths(&merges), [3, 3]);
        assert!(merges.iter().all(|m| m.effort == Effort::Kept));
    }

    #[test]
    fn a_merge_on_the_way_up_ends_at_a_million_rows() {
        // 200,000 rows each: five make a million, a sixth would pass 1,048,576.
        let merges = choose(TABLE, &vec![file(0, 12 * MIB, 200_000, 0); 11], MINUTE_MS, HOUR);
        assert_eq!(lengths(&merges), [5, 5]);
        assert!(merges.iter().all(|m| m.effort == Effort::Passing));
    }

    #[test]
    fn a_minute_of_flushes_is_one_merge() {
        assert_eq!(groups(&[(30_000, 500); 60]), [60]);
        assert_eq!(groups(&[(30_000, 500); 128]), [64, 64]);
    }

    #[test]
    fn a_quiet_day_is_merged_across_classes_but_not_for_a_trickle() {
        let kept = |bytes: &u64| of_order(RowOrder::InKeptGroups, 0, *bytes, 10, 0);
        let quiet = |sizes: &[u64]| -> Vec<usize> {
            let files: Vec<_> = sizes.iter().map(kept).collect();
            lengths(&choose(TABLE, &files, 61 * MINUTE_MS, HOUR))
        };
        assert_eq!(quiet(&[10_000, MIB, 4 * MIB]), [3]);
        assert_eq!(quiet(&[10_000, 60 * MIB]), [0_usize; 0]);
        assert_eq!(quiet(&[10_000, 20_000, 60 * MIB]), [2]);
        assert_eq!(quiet(&[60 * MIB]), [0_usize; 0]);
        // One that was to be merged again is written to stay, alone if need be.
        let alone = choose(TABLE, &[file(0, 60 * MIB, 10, 0)], 61 * MINUTE_MS, HOUR);
        assert_eq!(lengths(&alone), [1]);
        assert_eq!(alone[0].effort, Effort::Kept);
    }

    #[test]
    fn large_files_of_another_writer_are_left_alone() {
        let foreign = |size_bytes| {
            let path = "date=1970-01-01/part-foreign.parquet".to_owned();
            let file = DataFile { path, size_bytes, rows: 10, date: 0 };
            Arc::new(ActiveFile::new(file, 0, String::new()))
        };
        let merges = |bytes| lengths(&choose(TABLE, &[foreign(bytes)], 61 * MINUTE_MS, HOUR));
        assert_eq!(merges(limits::UNORDERED_BYTES_MAX + 1), [0_usize; 0]);
        assert_eq!(merges(MIB), [1]);
    }

    #[test]
    fn days_are_never_mixed() {
        let files: Vec<_> = (0..16).map(|i| file(i % 2, 10_000, 10, i64::from(i))).collect();
        let merges = choose(TABLE, &files, MINUTE_MS, HOUR);
        assert_eq!(merges.len(), 2);
        for Merge { files, .. } in merges {
            assert_eq!(files.len(), 8);
            assert!(files.iter().all(|f| f.file.date == files[0].file.date));
        }
    }

    /// What a stream of flushes comes to.
    struct Stream {
        flushes_a_second: i64,
        rows: u64,
        seconds: i64,
        /// Seconds between two rounds of upkeep.
        round: i64,
    }

    impl Stream {
        /// The most files there were, and how often a row was encoded again: not where its row
        /// group was taken over.
        fn run(&self) -> (usize, f64) {
            // A span is 56 bytes.
            let bytes = self.rows * 56;
            let (mut files, mut encoded, mut most) = (Vec::new(), 0, 0);
            for second in 0..self.seconds {
                for flush in 0..self.flushes_a_second {
                    let at_ms = second * 1_000 + flush;
                    files.push(of_order(RowOrder::Throughout, 0, bytes, self.rows, at_ms));
                }
                if second % self.round != self.round - 1 {
                    continue;
                }
                most = most.max(files.len());
                loop {
                    let merges = choose(TABLE, &files, second * 1_000, HOUR);
                    if merges.is_empty() {
                        break;
                    }
                    for Merge { files: group, effort } in merges {
                        let (bytes, rows) = group
                            .iter()
                            .fold((0, 0), |(b, r), f| (b + f.file.size_bytes, r + f.file.rows));
                        // To stay, all of them: none was written to stay before.
                        let small = group.iter().filter(|f| {
                            effort == Effort::Kept || !effort.takes_over(self.group_rows(f), 0)
                        });
                        encoded += small.map(|f| f.file.rows).sum::<u64>();
                        files.retain(|f| !group.iter().any(|g| Arc::ptr_eq(f, g)));
                        let order = match effort {
                            Effort::Kept => RowOrder::InKeptGroups,
                            _ => RowOrder::InGroups,
                        };
                        files.push(of_order(order, 0, bytes, rows, second * 1_000));
                    }
                }
            }
            let rows = self.rows as i64 * self.flushes_a_second * self.seconds;
            (most, encoded as f64 / rows as f64)
        }

        /// Rows of its row groups: those of a flush, where they are taken over, else as a merge
        /// makes them.
        fn group_rows(&self, file: &ActiveFile) -> usize {
            let flush = self.rows as usize;
            let taken_over = Effort::Passing.takes_over(flush, 0);
            let merged = if taken_over { flush } else { Effort::Passing.group_rows() };
            merged.min(file.file.rows as usize)
        }
    }

    /// As `limits` counts it: 1,000 spans a second.
    #[test]
    fn a_day_of_flushes_leaves_few_files_and_encodes_a_row_three_times() {
        let day = Stream { flushes_a_second: 1, rows: 1_000, seconds: 86_400, round: 60 };
        let (most, times) = day.run();
        assert!(most < 170, "{most} files");
        assert!(times <= 2.0, "each row encoded {times} times more");
    }

    #[test]
    fn rows_of_a_full_load_are_encoded_twice() {
        let load = Stream { flushes_a_second: 4, rows: 15_000, seconds: 1_200, round: 30 };
        let (most, times) = load.run();
        assert!(most < 200, "{most} files");
        assert!(times <= 1.0, "each row encoded {times} times more");
    }
}
