//! Memory of one query: a pool that hands every request on to the pool all queries share, and
//! refuses what exceeds the query's own part, so that one query cannot starve the others (I-9).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// A query's part of the shared memory.
#[derive(Debug)]
pub(crate) struct QueryPool {
    shared: Arc<dyn MemoryPool>,
    used: AtomicUsize,
    max: usize,
}

impl QueryPool {
    pub(crate) fn new(shared: Arc<dyn MemoryPool>, max: usize) -> Self {
        Self { shared, used: AtomicUsize::new(0), max }
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.used.fetch_add(additional, Ordering::Relaxed);
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used.fetch_sub(shrink, Ordering::Relaxed);
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let used = self.used.fetch_add(additional, Ordering::Relaxed) + additional;
        let granted = if used > self.max {
            Err(datafusion::common::resources_datafusion_err!(
                "{} asked for {additional} bytes more, which makes {used} of at most {} for one query",
                reservation.consumer().name(),
                self.max
            ))
        } else {
            self.shared.try_grow(reservation, additional)
        };
        if granted.is_err() {
            self.used.fetch_sub(additional, Ordering::Relaxed);
        }
        granted
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.max)
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query({} of {} bytes)", self.reserved(), self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    #[test]
    fn a_query_takes_its_part_and_gives_it_back() {
        let shared: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100));
        let pool =
            |max| -> Arc<dyn MemoryPool> { Arc::new(QueryPool::new(Arc::clone(&shared), max)) };
        let (one, two) = (pool(60), pool(60));
        let a = MemoryConsumer::new("a").register(&one);
        let b = MemoryConsumer::new("b").register(&two);
        assert!(a.try_grow(61).is_err(), "its own part");
        assert_eq!(one.reserved(), 0, "a refusal leaves nothing reserved");
        assert!(a.try_grow(60).is_ok());
        assert!(b.try_grow(41).is_err(), "the shared pool has 40 left");
        assert!(b.try_grow(40).is_ok());
        drop(a);
        assert_eq!((one.reserved(), shared.reserved()), (0, 40));
    }
}
