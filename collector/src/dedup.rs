//! Which requests were seen before (I-2). Takes the hash of a request, says whether it is the
//! first one, a repeat of a durable one, or a repeat of one still on its way. Kept in memory,
//! for an hour and a number of requests; the log brings it back after a restart.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use xxhash_rust::xxh3::Xxh3;

use crate::frame::Signal;
use crate::limits;

/// The 128-bit hash (xxh3) of tenant, signal and body by which a retry is recognised. Not
/// cryptographic: it guards against clients that repeat themselves, and a tenant that makes two
/// of its own requests collide loses the second one only for itself.
pub fn request_hash(tenant: &str, signal: Signal, body: &[u8]) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&(tenant.len() as u64).to_le_bytes());
    hash.update(tenant.as_bytes());
    hash.update(&[signal.code()]);
    hash.update(body);
    hash.digest128()
}

/// The memory of requests. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Dedup(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    durable: HashSet<u128>,
    /// The durable ones by age, oldest first.
    order: VecDeque<(i64, u128)>,
    in_flight: HashMap<u128, watch::Sender<Outcome>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Open,
    Durable,
    Failed,
}

/// What a hash turned out to be.
#[derive(Debug)]
pub enum Verdict {
    /// Nobody has it yet: carry it to the log, then say so.
    First(Claim),
    /// It is durable already.
    Durable,
    /// The first one is still on its way: wait for it.
    InFlight(Waiting),
}

/// The right to log a request. Dropped without [`Claim::durable`], the request counts as failed
/// and the next one with the same hash is a first one.
#[derive(Debug)]
pub struct Claim {
    dedup: Dedup,
    hash: u128,
    received_unix_ns: i64,
    outcome: Outcome,
}

/// Waits for another request's outcome.
#[derive(Debug)]
pub struct Waiting(watch::Receiver<Outcome>);

impl Dedup {
    /// A memory filled with what the log remembers, oldest first.
    pub fn with(seen: Vec<(i64, u128)>) -> Dedup {
        let dedup = Dedup::default();
        let mut known = dedup.lock();
        for (received, hash) in seen {
            known.remember(hash, received);
        }
        drop(known);
        dedup
    }

    /// Asks whether this is the first request with that hash within the window.
    pub fn claim(&self, hash: u128, now_unix_ns: i64) -> Verdict {
        let mut known = self.lock();
        known.forget(now_unix_ns);
        if known.durable.contains(&hash) {
            return Verdict::Durable;
        }
        if let Some(first) = known.in_flight.get(&hash) {
            return Verdict::InFlight(Waiting(first.subscribe()));
        }
        known.in_flight.insert(hash, watch::Sender::new(Outcome::Open));
        Verdict::First(Claim {
            dedup: self.clone(),
            hash,
            received_unix_ns: now_unix_ns,
            outcome: Outcome::Failed,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn remember(&mut self, hash: u128, received_unix_ns: i64) {
        if self.durable.insert(hash) {
            self.order.push_back((received_unix_ns, hash));
        }
        while self.order.len() > limits::DEDUP_REQUESTS_MAX {
            self.forget_oldest();
        }
    }

    fn forget(&mut self, now_unix_ns: i64) {
        let oldest = now_unix_ns.saturating_sub(limits::DEDUP_WINDOW.as_nanos() as i64);
        while self.order.front().is_some_and(|(received, _)| *received < oldest) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, hash)) = self.order.pop_front() {
            self.durable.remove(&hash);
        }
    }
}

impl Claim {
    /// The request is durable: repeats of it are acknowledged from now on.
    pub fn durable(mut self) {
        self.outcome = Outcome::Durable;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut known = self.dedup.lock();
        if self.outcome == Outcome::Durable {
            known.remember(self.hash, self.received_unix_ns);
        }
        if let Some(waiting) = known.in_flight.remove(&self.hash) {
            waiting.send_replace(self.outcome);
        }
    }
}

impl Waiting {
    /// Whether the first request became durable.
    pub async fn durable(mut self) -> bool {
        let settled = self.0.wait_for(|outcome| *outcome != Outcome::Open).await;
        settled.is_ok_and(|outcome| *outcome == Outcome::Durable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    fn first(dedup: &Dedup, hash: u128, now: i64) -> Option<Claim> {
        match dedup.claim(hash, now) {
            Verdict::First(claim) => Some(claim),
            _ => None,
        }
    }

    #[test]
    fn tenant_signal_and_body_all_count() {
        let base = request_hash("a", Signal::Logs, b"x");
        assert_ne!(base, request_hash("b", Signal::Logs, b"x"));
        assert_ne!(base, request_hash("a", Signal::Traces, b"x"));
        assert_ne!(base, request_hash("a", Signal::Logs, b"y"));
        assert_ne!(request_hash("ab", Signal::Logs, b"c"), request_hash("a", Signal::Logs, b"bc"));
    }

    #[test]
    fn a_repeat_within_the_hour_is_known_and_later_it_is_not() {
        let dedup = Dedup::default();
        first(&dedup, 1, 0).unwrap().durable();
        assert!(matches!(dedup.claim(1, HOUR_NS), Verdict::Durable));
        assert!(first(&dedup, 1, HOUR_NS + 1).is_some());
    }

    #[test]
    fn a_failed_first_one_leaves_room_for_the_next() {
        let dedup = Dedup::default();
        drop(first(&dedup, 1, 0));
        assert!(first(&dedup, 1, 0).is_some());
    }

    #[tokio::test]
    async fn a_repeat_in_flight_has_the_outcome_of_the_first() {
        for succeeds in [true, false] {
            let dedup = Dedup::default();
            let claim = first(&dedup, 1, 0).unwrap();
            let Verdict::InFlight(waiting) = dedup.claim(1, 0) else { panic!("not in flight") };
            if succeeds {
                claim.durable()
            } else {
                drop(claim)
            }
            assert_eq!(waiting.durable().await, succeeds);
        }
    }

    #[test]
    fn beyond_the_cap_the_oldest_is_forgotten() {
        let seen = (0..=limits::DEDUP_REQUESTS_MAX as u128).map(|hash| (0, hash)).collect();
        let dedup = Dedup::with(seen);
        assert!(first(&dedup, 0, 0).is_some());
        assert!(matches!(dedup.claim(1, 0), Verdict::Durable));
    }
}
