//! Which files are merged: of one day and one size class, when there are enough of them. Takes
//! sizes and ages, gives groups of files; it opens none.
//!
//! Classes grow by [`limits::TIER_FANOUT`]; a group becomes a file of the next class, so a row is
//! rewritten once per class, until its file is done. Sizes are rows, because the same rows take
//! half the bytes once they are merged, or bytes where rows are long. A day that got no file for a
//! while is merged across classes, but a file only together with at least an eighth of its own
//! size in others: late trickles do not rewrite a large file each time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use crate::log::ActiveFile;
use crate::write::encode::Effort;

/// The groups to merge now, each in the order of age.
pub(crate) fn choose(
    files: &[Arc<ActiveFile>],
    now_ms: i64,
    quiet: Duration,
) -> Vec<Vec<Arc<ActiveFile>>> {
    let quiet_ms = i64::try_from(quiet.as_millis()).unwrap_or(i64::MAX);
    let mut days = BTreeMap::<i32, Vec<Arc<ActiveFile>>>::new();
    for file in files {
        days.entry(file.file.date).or_default().push(file.clone());
    }
    let mut groups = Vec::new();
    for mut day in days.into_values() {
        day.sort_by_key(|f| f.added_ms);
        let newest_ms = day.last().map_or(i64::MAX, |f| f.added_ms);
        if now_ms.saturating_sub(newest_ms) >= quiet_ms {
            groups.extend(whole_day(day));
        } else {
            groups.extend(by_tier(day));
        }
    }
    groups
}

/// Whether it would take two of them to be more than one file may hold.
fn is_done(file: &ActiveFile) -> bool {
    file.file.size_bytes >= limits::FILE_DONE_BYTES || file.file.rows >= limits::FILE_DONE_ROWS
}

/// Whether nothing more fits.
fn is_whole(file: &ActiveFile) -> bool {
    file.file.size_bytes >= limits::FILE_TARGET_BYTES || file.file.rows >= limits::FILE_TARGET_ROWS
}

fn tier(file: &ActiveFile) -> u32 {
    let rows = file.file.rows.max(file.file.size_bytes / limits::LONG_ROW_BYTES);
    let ratio = rows / limits::TIER_BASE_ROWS;
    ratio.checked_ilog(limits::TIER_FANOUT as u64).map_or(0, |log| log + 1)
}

fn by_tier(day: Vec<Arc<ActiveFile>>) -> Vec<Vec<Arc<ActiveFile>>> {
    let mut tiers = BTreeMap::<u32, Vec<Arc<ActiveFile>>>::new();
    for file in day.into_iter().filter(|f| !is_done(f)) {
        tiers.entry(tier(&file)).or_default().push(file);
    }
    let enough = |group: &Group| group.full || group.files.len() >= limits::TIER_FANOUT;
    tiers.into_values().flat_map(|tier| fill(tier, enough)).collect()
}

fn whole_day(mut day: Vec<Arc<ActiveFile>>) -> Vec<Vec<Arc<ActiveFile>>> {
    day.retain(|f| !is_whole(f));
    day.sort_by_key(|f| f.file.size_bytes);
    let mut rest: u64 = day.iter().map(|f| f.file.size_bytes).sum();
    while let Some(largest) = day.last().map(|f| f.file.size_bytes) {
        rest -= largest;
        if largest <= rest.saturating_mul(limits::TIER_FANOUT as u64) {
            break;
        }
        day.pop();
    }
    fill(day, |_| true)
}

/// A group on its way, with what bounds it.
#[derive(Default)]
struct Group {
    files: Vec<Arc<ActiveFile>>,
    bytes: u64,
    rows: u64,
    open_bytes: u64,
    /// No further file fits.
    full: bool,
}

impl Group {
    fn fits(&self, file: &ActiveFile) -> bool {
        self.files.len() < limits::MERGE_INPUTS
            && self.bytes + file.file.size_bytes <= limits::FILE_TARGET_BYTES
            && self.rows + file.file.rows <= limits::FILE_TARGET_ROWS
            && self.open_bytes + open_bytes(file) <= limits::MERGE_OPEN_BYTES
    }

    fn push(&mut self, file: Arc<ActiveFile>) {
        self.bytes += file.file.size_bytes;
        self.rows += file.file.rows;
        self.open_bytes += open_bytes(&file);
        self.files.push(file);
    }
}

/// What one input holds in memory: its current row group, and a decoded page.
fn open_bytes(file: &ActiveFile) -> u64 {
    let (rows, effort) = (file.file.rows, Effort::of(&file.file));
    let bytes = file.file.size_bytes;
    let by_rows = rows.div_ceil(effort.group_rows() as u64).max(1);
    let by_bytes = bytes.div_ceil(effort.group_bytes() as u64);
    let page = rows.min(effort.page_rows() as u64) * limits::ROW_BYTES;
    bytes / by_rows.max(by_bytes) + page
}

/// Fills groups one after another; those with at least two files that are `enough` are kept.
fn fill(files: Vec<Arc<ActiveFile>>, enough: impl Fn(&Group) -> bool) -> Vec<Vec<Arc<ActiveFile>>> {
    let mut groups = vec![Group::default()];
    for file in files {
        if let Some(group) = groups.last_mut().filter(|g| !g.fits(&file)) {
            group.full = true;
            groups.push(Group::default());
        }
        if let Some(group) = groups.last_mut() {
            group.push(file);
        }
    }
    groups.retain(|group| group.files.len() >= 2 && enough(group));
    groups.into_iter().map(|group| group.files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataFile;

    const MIB: u64 = 1024 * 1024;
    const MINUTE_MS: i64 = 60_000;

    fn file(date: i32, size_bytes: u64, rows: u64, added_ms: i64) -> Arc<ActiveFile> {
        let path = format!("{date}/{size_bytes}-{added_ms}");
        let file = DataFile { path, size_bytes, rows, date };
        Arc::new(ActiveFile::new(file, added_ms, String::new()))
    }

    /// Sizes of each group, for files of one day that is still being written.
    fn groups(sizes: &[(u64, u64)]) -> Vec<usize> {
        let files: Vec<_> =
            sizes.iter().enumerate().map(|(i, (b, r))| file(0, *b, *r, i as i64)).collect();
        choose(&files, MINUTE_MS, Duration::from_secs(3600)).iter().map(Vec::len).collect()
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
        assert_eq!(groups(&[(limits::FILE_TARGET_BYTES, 10); 20]), [0_usize; 0]);
        assert_eq!(groups(&[(MIB, limits::FILE_TARGET_ROWS); 20]), [0_usize; 0]);
    }

    #[test]
    fn a_group_ends_where_the_target_is_reached() {
        // 60 MiB each: two make 120 MiB, a third would pass 128.
        assert_eq!(groups(&[(60 * MIB, 10); 4]), [2]);
        // The last group of two is not full and has not eight files: it waits.
        assert_eq!(groups(&[(60 * MIB, 10); 5]), [2, 2]);
    }

    #[test]
    fn a_minute_of_flushes_is_one_merge() {
        assert_eq!(groups(&[(30_000, 500); 60]), [60]);
        assert_eq!(groups(&[(30_000, 500); 128]), [64, 64]);
    }

    #[test]
    fn a_quiet_day_is_merged_across_classes_but_not_for_a_trickle() {
        let quiet = |sizes: &[u64]| -> Vec<usize> {
            let files: Vec<_> = sizes.iter().map(|b| file(0, *b, 10, 0)).collect();
            let later = 61 * MINUTE_MS;
            choose(&files, later, Duration::from_secs(3600)).iter().map(Vec::len).collect()
        };
        assert_eq!(quiet(&[10_000, MIB, 4 * MIB]), [3]);
        assert_eq!(quiet(&[10_000, 60 * MIB]), [0_usize; 0]);
        assert_eq!(quiet(&[10_000, 20_000, 60 * MIB]), [2]);
        assert_eq!(quiet(&[60 * MIB]), [0_usize; 0]);
    }

    #[test]
    fn days_are_never_mixed() {
        let files: Vec<_> = (0..16).map(|i| file(i % 2, 10_000, 10, i64::from(i))).collect();
        let groups = choose(&files, MINUTE_MS, Duration::from_secs(3600));
        assert_eq!(groups.len(), 2);
        for group in groups {
            assert_eq!(group.len(), 8);
            assert!(group.iter().all(|f| f.file.date == group[0].file.date));
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
        /// The most files there were, and how often a row was rewritten.
        fn run(&self) -> (usize, f64) {
            // A span is 56 bytes.
            let bytes = self.rows * 56;
            let (mut files, mut rewritten, mut most) = (Vec::new(), 0, 0);
            for second in 0..self.seconds {
                for flush in 0..self.flushes_a_second {
                    let at_ms = second * 1_000 + flush;
                    files.push(file(0, bytes, self.rows, at_ms));
                }
                if second % self.round != self.round - 1 {
                    continue;
                }
                most = most.max(files.len());
                loop {
                    let groups = choose(&files, second * 1_000, Duration::from_secs(3600));
                    if groups.is_empty() {
                        break;
                    }
                    for group in groups {
                        let (bytes, rows) = group
                            .iter()
                            .fold((0, 0), |(b, r), f| (b + f.file.size_bytes, r + f.file.rows));
                        rewritten += rows;
                        files.retain(|f| !group.iter().any(|g| Arc::ptr_eq(f, g)));
                        files.push(file(0, bytes, rows, second * 1_000));
                    }
                }
            }
            let rows = self.rows as i64 * self.flushes_a_second * self.seconds;
            (most, rewritten as f64 / rows as f64)
        }
    }

    /// As `limits` counts it: 1,000 spans a second.
    #[test]
    fn a_day_of_flushes_leaves_few_files_and_rewrites_a_row_a_few_times() {
        let day = Stream { flushes_a_second: 1, rows: 1_000, seconds: 86_400, round: 60 };
        let (most, times) = day.run();
        assert!(most < 170, "{most} files");
        assert!(times <= 3.0, "each row rewritten {times} times");
    }

    #[test]
    fn rows_of_a_full_load_are_rewritten_twice() {
        let load = Stream { flushes_a_second: 4, rows: 15_000, seconds: 1_200, round: 30 };
        let (_, times) = load.run();
        assert!(times <= 2.0, "each row rewritten {times} times");
    }
}
