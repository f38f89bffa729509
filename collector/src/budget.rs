//! A number of bytes that many requests share (I-9). Takes sizes as they become known, gives
//! holds that return their bytes when dropped, or says that there is no room.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes to share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    bytes_max: usize,
}

/// Some of the bytes, until dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    budget: Budget,
    permit: Option<OwnedSemaphorePermit>,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Budget {
    /// A budget of that many bytes.
    pub(crate) fn new(bytes_max: u64) -> Budget {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS);
        Budget { free: Arc::new(Semaphore::new(bytes_max)), bytes_max }
    }

    /// A hold of nothing, to grow.
    pub(crate) fn hold(&self) -> Hold {
        Hold { budget: self.clone(), permit: None }
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.bytes_max - self.free.available_permits()
    }

    /// Bytes at most.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }
}

impl Hold {
    /// Takes more bytes.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let bytes = u32::try_from(bytes).map_err(|_| Full)?;
        let more = self.budget.free.clone().try_acquire_many_owned(bytes).map_err(|_| Full)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_when_a_hold_is_dropped() {
        let budget = Budget::new(10);
        let mut first = budget.hold();
        assert_eq!((first.grow(4), first.grow(4)), (Ok(()), Ok(())));
        assert_eq!(budget.hold().grow(3), Err(Full));
        assert_eq!(budget.used(), 8);
        drop(first);
        assert_eq!(budget.hold().grow(10), Ok(()));
    }
}
