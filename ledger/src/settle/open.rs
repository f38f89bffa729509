//! The traces in memory: open ones that wait to be quiet, and settled ones that are kept as long
//! as there is room, because most late spans come soon. Takes chunks of spans, says which traces
//! are due, and stays below a cap of bytes by letting the oldest chunks go. Reads no tables and
//! has no clock: instants are handed in.

use std::collections::{BTreeMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

use spanledger_schemas::time;

use super::chunk::{Chunk, Rows};
use super::links::{Linked, Links};
use super::recent::RecentTraces;
use super::twins::Told;
use super::view::{Role, Spans};
use super::{HashMap, HashSet};

/// A trace of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TraceKey {
    /// Place in [`OpenTraces::tenants`].
    pub(super) tenant: u32,
    pub(super) trace: u128,
}

/// The rows that a trace has in the tables that settle writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WrittenRows {
    pub(super) calls: Vec<Written>,
    pub(super) verdicts: Vec<Written>,
}

impl WrittenRows {
    fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.verdicts.is_empty()
    }
}

/// A row of a table that settle writes, by what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) span: u64,
    /// Hash of every column but `settled_at`.
    pub(super) content: u64,
    /// Its partition.
    pub(super) date: i32,
}

/// What is known of a trace.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) spans: Spans,
    /// Whether `spans` are all of them; otherwise some lie in the table only.
    pub(super) complete: bool,
    /// Its rows; `None` when they have to be looked up.
    pub(super) written: Option<WrittenRows>,
    /// When its newest span was received.
    pub(super) newest: i64,
    /// When the first span that is not settled was received; `None` when all are.
    pub(super) unsettled: Option<i64>,
    /// Earliest start of its spans.
    pub(super) start: i64,
    /// The last chunk that brought a span of it.
    last_chunk: Option<u32>,
}

/// A chunk that is kept.
#[derive(Debug)]
struct Kept {
    rows: Rows,
    bytes: usize,
    traces: Vec<TraceKey>,
}

/// How many traces wait since which instant: spans of many traces come in one request.
#[derive(Debug, Default)]
struct Unsettled {
    since: BTreeMap<i64, usize>,
    traces: usize,
}

impl Unsettled {
    /// A trace that waited since one instant waits since another, or no longer.
    fn replace(&mut self, before: Option<i64>, now: Option<i64>) {
        if let Some(since) = before
            && let Some(traces) = self.since.get_mut(&since)
        {
            *traces -= 1;
            if *traces == 0 {
                self.since.remove(&since);
            }
            self.traces -= 1;
        }
        if let Some(since) = now {
            *self.since.entry(since).or_default() += 1;
            self.traces += 1;
        }
    }

    /// The first instant since which others wait than that many.
    fn first(&self, without: &BTreeMap<i64, usize>) -> Option<i64> {
        let others =
            |(since, traces): &(&i64, &usize)| **traces > *without.get(since).unwrap_or(&0);
        self.since.iter().find(others).map(|(since, _)| *since)
    }
}

/// The traces in memory.
#[derive(Debug, Default)]
pub(super) struct OpenTraces {
    tenants: Vec<Arc<str>>,
    traces: HashMap<TraceKey, Trace>,
    chunks: VecDeque<Kept>,
    /// Number of the first chunk of `chunks`.
    first_chunk: u32,
    bytes: usize,
    /// Traces by when they were last heard of; outdated entries are skipped when met.
    queue: VecDeque<(i64, TraceKey)>,
    unsettled: Unsettled,
    recent: RecentTraces,
    links: Links,
    /// Newest `received_at` of all spans read.
    received: Option<i64>,
}

impl OpenTraces {
    /// Number the next chunk will have.
    pub(super) fn next_chunk(&self) -> u32 {
        self.first_chunk.wrapping_add(self.chunks.len() as u32)
    }

    /// Takes in a chunk read under [`OpenTraces::next_chunk`]. A trace that was seen before and
    /// is no longer in memory is marked incomplete. `recovering`: whether an earlier run may have
    /// written rows for traces that are new to this one. Returns how many settled traces are open
    /// again because of late spans.
    pub(super) fn take(&mut self, chunk: Chunk, recovering: bool) -> usize {
        let number = self.next_chunk();
        let tenants: Vec<u32> = chunk.tenants.iter().map(|t| self.tenant(t)).collect();
        let mut touched: Vec<TraceKey> = Vec::new();
        let (mut added, mut reopened) = (0, 0);
        for read in chunk.spans {
            let key = TraceKey { tenant: tenants[read.tenant as usize], trace: read.trace };
            let recent = &mut self.recent;
            let trace = self.traces.entry(key).or_insert_with(|| {
                let seen = recent.contains(&key);
                recent.insert(&key);
                added += size_of::<Trace>() + size_of::<TraceKey>();
                reopened += usize::from(seen);
                Trace {
                    spans: Spans::default(),
                    complete: !seen,
                    written: (!seen && !recovering).then(WrittenRows::default),
                    newest: i64::MIN,
                    unsettled: None,
                    start: i64::MAX,
                    last_chunk: None,
                }
            });
            if trace.unsettled.is_none() {
                reopened += usize::from(!trace.spans.is_empty());
            }
            if trace.unsettled.is_none_or(|first| read.view.received < first) {
                self.unsettled.replace(trace.unsettled, Some(read.view.received));
                trace.unsettled = Some(read.view.received);
            }
            trace.start = trace.start.min(read.start);
            trace.spans.push(read.view, read.facts);
            added += Spans::bytes_of(read.facts.is_some());
            if let Some(facts) = &read.facts {
                added += size_of::<Written>();
                if read.view.role == Role::Inference {
                    let told = Told { view: read.view, facts: *facts };
                    self.links.insert(Linked { key, day: day_of(read.start) }, &told);
                }
            }
            if trace.last_chunk != Some(number) {
                trace.last_chunk = Some(number);
                touched.push(key);
            }
            if chunk.received > trace.newest {
                trace.newest = chunk.received;
                self.queue.push_back((trace.newest, key));
            }
        }
        self.received = self.received.max(Some(chunk.received).filter(|at| *at > i64::MIN));
        added += touched.len() * 2 * size_of::<(i64, TraceKey)>();
        let bytes = added + chunk.rows.bytes();
        self.bytes += bytes;
        metrics::gauge!("spanledger_settle_link_bytes").set(self.links.bytes() as f64);
        self.chunks.push_back(Kept { rows: chunk.rows, bytes, traces: touched });
        reopened
    }

    /// Takes the traces that were last heard of at or before `quiet_since` and are not settled,
    /// at most `limit`. They stay open until [`OpenTraces::settled`].
    pub(super) fn due(&mut self, quiet_since: i64, limit: usize) -> Vec<TraceKey> {
        let mut due = Vec::new();
        while let Some(&(heard, key)) = self.queue.front() {
            if heard > quiet_since || due.len() >= limit {
                break;
            }
            self.queue.pop_front();
            let open = self.traces.get(&key).filter(|t| t.unsettled.is_some());
            if open.is_some_and(|t| t.newest == heard) {
                due.push(key);
            }
        }
        due
    }

    /// Traces that are due and of which some spans lie in the table only, at most `limit`. They
    /// stay due.
    pub(super) fn due_and_lost(&self, quiet_since: i64, limit: usize) -> HashSet<TraceKey> {
        let due = self.queue.iter().take_while(|(heard, _)| *heard <= quiet_since);
        let lost = due.filter(|(heard, key)| {
            let trace = self.traces.get(key).filter(|t| t.newest == *heard && !t.complete);
            trace.is_some_and(|t| t.unsettled.is_some())
        });
        lost.map(|(_, key)| *key).take(limit).collect()
    }

    /// Forgets what is here of traces whose spans are about to be read again.
    pub(super) fn begin_recall(&mut self, lost: &HashSet<TraceKey>) {
        for key in lost {
            if let Some(trace) = self.traces.get_mut(key) {
                trace.spans = Spans::default();
            }
        }
    }

    /// Takes in again the spans of `lost` traces from a chunk read under
    /// [`OpenTraces::next_chunk`].
    pub(super) fn recall(&mut self, chunk: Chunk, lost: &HashSet<TraceKey>) {
        let number = self.next_chunk();
        let tenants: Vec<u32> = chunk.tenants.iter().map(|t| self.tenant(t)).collect();
        let mut touched: Vec<TraceKey> = Vec::new();
        let mut bytes = 0;
        for read in chunk.spans {
            let key = TraceKey { tenant: tenants[read.tenant as usize], trace: read.trace };
            let Some(trace) = self.traces.get_mut(&key).filter(|_| lost.contains(&key)) else {
                continue;
            };
            trace.spans.push(read.view, read.facts);
            bytes += Spans::bytes_of(read.facts.is_some());
            if trace.last_chunk != Some(number) {
                trace.last_chunk = Some(number);
                touched.push(key);
            }
        }
        if touched.is_empty() {
            return;
        }
        bytes += touched.len() * size_of::<TraceKey>() + chunk.rows.bytes();
        self.bytes += bytes;
        self.chunks.push_back(Kept { rows: chunk.rows, bytes, traces: touched });
    }

    /// Says that all spans of these traces are here again.
    pub(super) fn end_recall(&mut self, lost: &HashSet<TraceKey>) {
        for key in lost {
            if let Some(trace) = self.traces.get_mut(key) {
                trace.complete = true;
            }
        }
    }

    /// Puts traces back that were due and could not be settled.
    pub(super) fn put_back(&mut self, due: &[TraceKey]) {
        for key in due.iter().rev() {
            if let Some(trace) = self.traces.get(key) {
                self.queue.push_front((trace.newest, *key));
            }
        }
    }

    /// Unsettled traces of the oldest chunk, when memory is above `cap`: they must be settled as
    /// they are before [`OpenTraces::forget_oldest`]. Not those that may have rows: what is in
    /// memory of an incomplete one says less than its rows, and what was settled before a start
    /// would only become provisional. They wait to be quiet.
    pub(super) fn over(&self, cap: usize) -> Option<Vec<TraceKey>> {
        let oldest = self.chunks.front().filter(|_| self.bytes > cap)?;
        let rowless = |t: &Trace| t.written.as_ref().is_some_and(WrittenRows::is_empty);
        let open = |t: &Trace| t.unsettled.is_some() && t.complete && rowless(t);
        let open = |key: &&TraceKey| self.traces.get(key).is_some_and(open);
        Some(oldest.traces.iter().filter(open).copied().collect())
    }

    /// Lets the oldest chunk go. Its traces lose the spans in memory: settled ones are forgotten,
    /// others become incomplete and wait to be quiet, to be settled from the table.
    pub(super) fn forget_oldest(&mut self) {
        let Some(oldest) = self.chunks.pop_front() else { return };
        self.first_chunk = self.first_chunk.wrapping_add(1);
        self.bytes = self.bytes.saturating_sub(oldest.bytes);
        self.forget(oldest.traces);
    }

    /// Lets the chunks of a file go, as [`OpenTraces::forget_oldest`] does.
    pub(super) fn forget_file(&mut self, path: &str) {
        for at in 0..self.chunks.len() {
            let chunk = &mut self.chunks[at];
            if matches!(&chunk.rows, Rows::InFile(file) if file.path == path) {
                self.bytes = self.bytes.saturating_sub(std::mem::take(&mut chunk.bytes));
                let traces = std::mem::take(&mut chunk.traces);
                self.forget(traces);
            }
        }
    }

    fn forget(&mut self, traces: Vec<TraceKey>) {
        for key in traces {
            let Some(trace) = self.traces.get_mut(&key) else { continue };
            if trace.unsettled.is_none() {
                self.traces.remove(&key);
            } else {
                trace.spans = Spans::default();
                trace.complete = false;
            }
        }
    }

    /// Lets the oldest chunks go as long as all their traces are settled, and were last heard of
    /// before an instant or take more than `cap` bytes together with the rest.
    pub(super) fn forget_settled(&mut self, instant: i64, cap: usize) {
        while let Some(oldest) = self.chunks.front() {
            let room = self.bytes <= cap;
            let stays = |t: &Trace| t.unsettled.is_some() || (room && t.newest >= instant);
            if oldest.traces.iter().any(|key| self.traces.get(key).is_some_and(stays)) {
                break;
            }
            self.forget_oldest();
        }
    }

    /// Marks a trace settled with these rows. `final_`: all its spans were there; otherwise it
    /// stays open as provisional.
    pub(super) fn settled(&mut self, key: TraceKey, written: WrittenRows, final_: bool) {
        let Some(trace) = self.traces.get_mut(&key) else { return };
        trace.written = Some(written);
        if final_ {
            self.unsettled.replace(trace.unsettled.take(), None);
        }
    }

    /// Sets the rows that an earlier run wrote for a trace.
    pub(super) fn set_written(&mut self, key: TraceKey, written: WrittenRows) {
        if let Some(trace) = self.traces.get_mut(&key) {
            trace.written = Some(written);
        }
    }

    pub(super) fn trace(&self, key: &TraceKey) -> Option<&Trace> {
        self.traces.get(key)
    }

    /// Where the rows of a chunk are; `None` when it is let go.
    pub(super) fn rows(&self, chunk: u32) -> Option<&Rows> {
        self.chunks.get(chunk.wrapping_sub(self.first_chunk) as usize).map(|c| &c.rows)
    }

    /// The number of a tenant.
    pub(super) fn tenant(&mut self, name: &Arc<str>) -> u32 {
        let known = self.tenants.iter().position(|t| t == name);
        known.unwrap_or_else(|| {
            self.tenants.push(Arc::clone(name));
            self.tenants.len() - 1
        }) as u32
    }

    /// The name of a tenant.
    pub(super) fn tenant_name(&self, number: u32) -> &str {
        self.tenants.get(number as usize).map_or("", AsRef::as_ref)
    }

    /// Remembers a trace of which spans lie in the table and are not in memory.
    pub(super) fn remember(&mut self, key: TraceKey) {
        self.recent.insert(&key);
    }

    /// Traces that may tell of the same calls as one with these spans.
    pub(super) fn linked<'a>(
        &'a self,
        key: &'a TraceKey,
        spans: &'a Spans,
    ) -> impl Iterator<Item = Linked> + 'a {
        self.links.of(key, spans)
    }

    /// Remembers the response id of a span that is not in memory.
    pub(super) fn remember_response(&mut self, key: TraceKey, start: i64, response: u64) {
        self.links.insert_response(Linked { key, day: day_of(start) }, response);
    }

    /// Traces whose rows are not known although their spans are.
    pub(super) fn rows_unknown(&self) -> impl Iterator<Item = (&TraceKey, &Trace)> {
        self.traces.iter().filter(|(_, t)| t.complete && t.written.is_none())
    }

    /// How many traces are not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.unsettled.traces
    }

    /// Bytes held, as far as they are counted.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The instant before which every received span that was read is settled.
    pub(super) fn settled_until(&self) -> Option<i64> {
        self.unsettled.first(&BTreeMap::new()).or(self.received)
    }

    /// The same as it will be once these traces are settled.
    pub(super) fn settled_until_without<T>(&self, settled: &[(TraceKey, T)]) -> Option<i64> {
        let mut without = BTreeMap::new();
        for (key, _) in settled {
            if let Some(first) = self.traces.get(key).and_then(|t| t.unsettled) {
                *without.entry(first).or_default() += 1;
            }
        }
        self.unsettled.first(&without).or(self.received)
    }

    /// Newest `received_at` of all spans read.
    pub(super) fn received(&self) -> Option<i64> {
        self.received
    }
}

/// The UTC day of an instant in microseconds.
fn day_of(micros: i64) -> i32 {
    time::day(micros.saturating_mul(1_000))
}
