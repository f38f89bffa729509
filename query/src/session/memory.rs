//! Memory of queries: how much of it each may take and in what pieces, the pool all queries share,
//! and the pool of one query, which refuses what exceeds the query's own part and hands every other
//! request on to the shared one, so that one query cannot starve the others (I-9).
//!
//! What sorts or groups within its memory writes to disk what does not fit, which works only while
//! each of its operators can hold a batch and merge two, and asks for much at once when a hash table
//! doubles: so of either pool half of the memory is whose is first, the other half is shared out
//! evenly among those that can write to disk, and what merges need is set aside before anything is
//! sorted.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::config::{ConfigNonZeroUsize, SpillCompression};
use datafusion::common::resources_datafusion_err;
use datafusion::config::ExecutionOptions;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, UnboundedMemoryPool,
};

use crate::limits;
use crate::settings::QuerySettings;

/// How the memory of the settings is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Bytes that one query may take.
    pub(crate) query_max: usize,
    /// Parts that a query is split into: as many as asked for, but none of them so small that it
    /// would write batch by batch.
    pub(crate) partitions: usize,
    /// Bytes that each part of a sort sets aside to merge what it has written.
    pub(crate) sort_reserve: usize,
    /// Rows of a batch: two of them, of wide rows, are merged within what is set aside.
    pub(crate) batch_rows: usize,
}

impl Budget {
    /// The budget of these settings.
    pub(crate) fn of(settings: &QuerySettings) -> Self {
        let memory_max = usize::try_from(settings.memory_max).unwrap_or(usize::MAX);
        let query_max = (memory_max as f64 * limits::QUERY_MEMORY_SHARE) as usize;
        let fitting = query_max / limits::PARTITION_BYTES_MIN;
        let partitions = settings.partitions().min(fitting).max(1);
        // All queries that may run at once set aside half of the memory, and one an eighth of its part.
        let beside_others = memory_max / (2 * settings.concurrent_max.max(1) * partitions);
        let sort_reserve =
            limits::SORT_RESERVE_MAX.min(beside_others).min(query_max / (8 * partitions));
        let rows = sort_reserve / (2 * limits::WIDE_ROW_BYTES);
        let batch_rows = rows.clamp(limits::BATCH_ROWS_MIN, limits::BATCH_ROWS_MAX);
        Self { query_max, partitions, sort_reserve, batch_rows }
    }

    /// Tells the operators.
    pub(crate) fn configure(&self, options: &mut ExecutionOptions) {
        options.sort_spill_reservation_bytes = self.sort_reserve;
        if let Ok(rows) = ConfigNonZeroUsize::try_new(self.batch_rows) {
            options.batch_size = rows;
        }
        // Sorted rows repeat what they are sorted by, and attributes with it.
        options.spill_compression = SpillCompression::Lz4Frame;
    }
}

/// The memory of all queries, or one query's part of it.
#[derive(Debug)]
pub(crate) struct Pool {
    /// What it is a part of.
    whole: Arc<dyn MemoryPool>,
    taken: Mutex<Taken>,
    max: usize,
    /// Who takes it, for errors.
    whose: &'static str,
}

/// What operators have.
#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    /// Operators that can write to disk.
    spilling: usize,
}

impl Pool {
    /// That of all queries.
    pub(crate) fn of_all(max: usize) -> Self {
        let whole = Arc::new(UnboundedMemoryPool::default());
        Self { whole, taken: Mutex::default(), max, whose: "all queries" }
    }

    /// That of one query.
    pub(crate) fn of_query(shared: Arc<dyn MemoryPool>, max: usize) -> Self {
        Self { whole: shared, taken: Mutex::default(), max, whose: "the query" }
    }

    /// Changes what is taken; gives what the change says of it.
    fn with<T>(&self, change: impl FnOnce(&mut Taken) -> T) -> T {
        // Counters are whole whoever panicked.
        change(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes bytes for an operator, if it may have them.
    fn take(&self, reservation: &MemoryReservation, additional: usize) -> bool {
        let spills = reservation.consumer().can_spill();
        let wanted = reservation.size() + additional;
        let half = self.max / 2;
        self.with(|taken| {
            let all = taken.bytes + additional;
            let mine = || wanted <= half / taken.spilling.max(1);
            let may = all <= self.max && (!spills || all <= half || mine());
            taken.bytes = if may { all } else { taken.bytes };
            may
        })
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        self.whose
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.with(|taken| taken.spilling += usize::from(consumer.can_spill()));
        self.whole.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.with(|taken| taken.spilling -= usize::from(consumer.can_spill()));
        self.whole.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.with(|taken| taken.bytes += additional);
        self.whole.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.with(|taken| taken.bytes -= shrink);
        self.whole.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if !self.take(reservation, additional) {
            return Err(resources_datafusion_err!(
                "{} has {} bytes and asked for {additional} more, with {} of at most {} taken by {}",
                reservation.consumer().name(),
                reservation.size(),
                self.reserved(),
                self.max,
                self.whose
            ));
        }
        let granted = self.whole.try_grow(reservation, additional);
        if granted.is_err() {
            self.with(|taken| taken.bytes -= additional);
        }
        granted
    }

    fn reserved(&self) -> usize {
        self.with(|taken| taken.bytes)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.max)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} of {} bytes)", self.whose, self.reserved(), self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    const MIB: usize = 1 << 20;

    #[test]
    fn a_query_takes_its_part_and_gives_it_back() {
        let shared: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100));
        let pool =
            |max| -> Arc<dyn MemoryPool> { Arc::new(Pool::of_query(Arc::clone(&shared), max)) };
        let (one, two) = (pool(60), pool(60));
        let a = MemoryConsumer::new("a").register(&one);
        let b = MemoryConsumer::new("b").register(&two);
        assert!(a.try_grow(61).is_err(), "its own part");
        assert_eq!(one.reserved(), 0, "a refusal leaves nothing reserved");
        assert!(a.try_grow(60).is_ok());
        assert!(b.try_grow(41).is_err(), "the shared pool has 40 left");
        assert_eq!(two.reserved(), 0, "nor does one of the shared pool");
        assert!(b.try_grow(40).is_ok());
        drop(a);
        assert_eq!((one.reserved(), shared.reserved()), (0, 40));
    }

    #[test]
    fn what_can_be_spilled_leaves_room_for_the_other_parts_of_the_query() {
        let shared: Arc<dyn MemoryPool> = Arc::new(Pool::of_all(100));
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::of_query(shared, 60));
        let sorter = |name| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let (one, two) = (sorter("one"), sorter("two"));
        assert!(one.try_grow(31).is_err(), "half of 60 is shared out");
        assert!(one.try_grow(30).is_ok(), "the other half is whose is first");
        assert!(two.try_grow(16).is_err(), "half of the half is the other one's");
        assert!(two.try_grow(15).is_ok());
        let whole = MemoryConsumer::new("three").register(&pool);
        assert!(whole.try_grow(16).is_err() && whole.try_grow(15).is_ok());
    }

    #[test]
    fn every_limit_gives_sorts_room_to_merge() {
        let check = |memory_max: usize, threads, concurrent_max, expect: Budget| {
            let settings = QuerySettings {
                memory_max: memory_max as u64,
                partitions: threads,
                concurrent_max,
                ..QuerySettings::default()
            };
            assert_eq!(Budget::of(&settings), expect, "{memory_max}");
        };
        // 0.6 of 1,000 MiB; 16 MiB at most for each of 2 parts, of which 1,000 / (2 · 16 · 2) = 15.6;
        // 8,000 rows of 2 KiB are that.
        check(
            1_000 * MIB,
            2,
            16,
            Budget {
                query_max: 600 * MIB,
                partitions: 2,
                sort_reserve: 1_000 * MIB / 64,
                batch_rows: 8_000,
            },
        );
        // 60 MiB make 3 parts of at least 16; 100 / (2 · 16 · 3) is 1.04 MiB.
        check(
            100 * MIB,
            64,
            16,
            Budget {
                query_max: 60 * MIB,
                partitions: 3,
                sort_reserve: 100 * MIB / 96,
                batch_rows: 1_024,
            },
        );
        // One query at a time: an eighth of its 6 MiB, 0.75.
        check(
            10 * MIB,
            64,
            1,
            Budget {
                query_max: 6 * MIB,
                partitions: 1,
                sort_reserve: 6 * MIB / 8,
                batch_rows: 1_024,
            },
        );
    }
}
