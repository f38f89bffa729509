//! Which traces are settled together, with their spans: those that are due, and those that may
//! tell of the same calls. Takes keys, gives groups of traces that are linked with all their
//! spans, from memory or from the tables. What a group comes to is for `trace` to say.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use spanledger_schemas::tables::spans;
use spanledger_schemas::time;
use spanledger_store::Snapshot;

use super::chunk::Rows;
use super::job::Rounds;
use super::links::Linked;
use super::open::{OpenTraces, TraceKey};
use super::trace::{Settled, settle_together};
use super::view::Spans;
use super::{CallState, HashMap, HashSet, SettleError, chunk, record_rows, tables};
use crate::limits;

/// Traces to settle, with all their spans.
#[derive(Default)]
pub(super) struct Together {
    /// Those that were due and what was found with them, in a fixed order.
    pub(super) keys: Vec<TraceKey>,
    /// Which of them are linked.
    links: Vec<(TraceKey, TraceKey)>,
    /// Earliest days of those that are not in memory.
    days: HashMap<TraceKey, i32>,
    elsewhere: Elsewhere,
}

/// Spans read from the tables, beside those in memory.
#[derive(Default)]
struct Elsewhere {
    /// Number of the first chunk.
    first: u32,
    chunks: Vec<Rows>,
    spans: HashMap<TraceKey, Spans>,
}

impl Together {
    /// The spans of a trace.
    fn spans<'a>(&'a self, open: &'a OpenTraces, key: &TraceKey) -> Cow<'a, Spans> {
        let found = self.elsewhere.spans.get(key);
        let found = found.or_else(|| open.trace(key).map(|t| &t.spans));
        found.map_or_else(|| Cow::Owned(Spans::default()), Cow::Borrowed)
    }

    /// Where the rows of a chunk are that was read from the tables.
    pub(super) fn rows(&self, chunk: u32) -> Option<&Rows> {
        self.elsewhere.chunks.get(chunk.wrapping_sub(self.elsewhere.first) as usize)
    }

    /// What each group of linked traces comes to, with the places of its traces in `keys`.
    pub(super) fn settle(&self, open: &OpenTraces) -> Vec<(Vec<usize>, Vec<Settled>)> {
        let settled = self.groups().into_iter().map(|group| {
            let spans: Vec<Cow<'_, Spans>> =
                group.iter().map(|at| self.spans(open, &self.keys[*at])).collect();
            let spans: Vec<&Spans> = spans.iter().map(AsRef::as_ref).collect();
            let settled = settle_together(&spans);
            (group, settled)
        });
        settled.collect()
    }

    /// The places of traces in groups that are linked, each by rising key.
    fn groups(&self) -> Vec<Vec<usize>> {
        let place: HashMap<&TraceKey, usize> = match self.links.is_empty() {
            true => HashMap::default(),
            false => self.keys.iter().enumerate().map(|(i, k)| (k, i)).collect(),
        };
        // Each points at one of its group, the first at itself.
        let mut head: Vec<usize> = (0..self.keys.len()).collect();
        fn find(head: &mut [usize], mut i: usize) -> usize {
            while head[i] != i {
                head[i] = head[head[i]];
                i = head[i];
            }
            i
        }
        for (one, other) in &self.links {
            if let (Some(&i), Some(&j)) = (place.get(one), place.get(other)) {
                let (a, b) = (find(&mut head, i), find(&mut head, j));
                head[a.max(b)] = a.min(b);
            }
        }
        // The first of a group comes before the others.
        let mut groups: Vec<Vec<usize>> = Vec::with_capacity(self.keys.len());
        let mut group_of: Vec<usize> = Vec::with_capacity(self.keys.len());
        for i in 0..self.keys.len() {
            let first = find(&mut head, i);
            if first == i {
                group_of.push(groups.len());
                groups.push(vec![i]);
            } else {
                group_of.push(group_of[first]);
                groups[group_of[first]].push(i);
            }
        }
        for group in &mut groups {
            group.sort_unstable_by_key(|at| self.keys[*at]);
        }
        groups.sort_unstable_by_key(|group| group.first().map(|at| self.keys[*at]));
        groups
    }
}

impl Rounds {
    /// The traces that are due with all their spans, and those they are linked to: settled ones,
    /// and open ones that have been quiet. One that is still being written is left: it finds these
    /// when it is due itself.
    pub(super) async fn together(
        &mut self,
        snapshot: &Snapshot,
        due: &[TraceKey],
        state: CallState,
        quiet_since: i64,
    ) -> Result<Together, SettleError> {
        let mut together = Together::default();
        together.elsewhere.first = self.open.next_chunk();
        let mut known: HashSet<TraceKey> = HashSet::default();
        let mut next: Vec<Linked> = due
            .iter()
            .filter_map(|key| {
                let start = self.open.trace(key)?.start;
                Some(Linked { key: *key, day: time::day(start.saturating_mul(1_000)) })
            })
            .filter(|at| known.insert(at.key))
            .collect();
        let due = next.len();
        while !next.is_empty() {
            self.load(snapshot, &mut together, &next, state).await?;
            let (mut found, mut links) = (Vec::new(), Vec::new());
            for at in &next {
                let spans = together.spans(&self.open, &at.key);
                for linked in self.open.linked(&at.key, &spans) {
                    let room = known.len() < due + limits::LINKED_PER_COMMIT_MAX;
                    if !known.contains(&linked.key) {
                        if !room || !self.can_join(&linked.key, state, quiet_since) {
                            continue;
                        }
                        known.insert(linked.key);
                        found.push(linked);
                    }
                    let link = (at.key, linked.key);
                    // Spans side by side are mostly linked to one trace.
                    if links.last() != Some(&link) {
                        links.push(link);
                    }
                }
            }
            together.links.extend(links);
            together.keys.extend(next.iter().map(|at| at.key));
            next = found;
        }
        Ok(together)
    }

    /// Whether a linked trace can be settled with others now.
    fn can_join(&self, key: &TraceKey, state: CallState, quiet_since: i64) -> bool {
        match (self.open.trace(key), state) {
            // Settling early is for want of memory, and says of its rows that they may change.
            (_, CallState::Provisional) => false,
            (Some(trace), _) => trace.unsettled.is_none() || trace.newest <= quiet_since,
            (None, _) => true,
        }
    }

    /// Reads the spans of those traces that are not, or not all, in memory. A trace that is
    /// settled early makes do with what is there.
    async fn load(
        &mut self,
        snapshot: &Snapshot,
        together: &mut Together,
        traces: &[Linked],
        state: CallState,
    ) -> Result<(), SettleError> {
        if state == CallState::Provisional {
            return Ok(());
        }
        let missing = |at: &&Linked| self.open.trace(&at.key).is_none_or(|t| !t.complete);
        let missing: Vec<Linked> = traces.iter().filter(missing).copied().collect();
        let Some(day) = missing.iter().map(|at| at.day).min() else { return Ok(()) };
        let day = day - limits::LATE_DAYS;
        metrics::counter!("spanledger_settle_traces_read_again_total")
            .increment(missing.len() as u64);
        together.days.extend(missing.iter().map(|at| (at.key, at.day)));
        let keys: HashSet<TraceKey> = missing.iter().map(|at| at.key).collect();
        let mut ids: Vec<u128> = keys.iter().map(|key| key.trace).collect();
        ids.sort_unstable();
        ids.dedup();
        let columns = chunk::columns_all();
        let table = &spans::TABLE;
        let found =
            tables::rows_of(&self.session, snapshot, table, Some(&columns), &ids, day).await?;
        for batch in found {
            self.add(together, &keys, &batch, false)?;
        }
        if self.records_seen {
            for batch in tables::records_since(&self.session, snapshot, day).await? {
                self.add(together, &keys, &record_rows::as_spans(&batch)?, true)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        together: &mut Together,
        keys: &HashSet<TraceKey>,
        batch: &RecordBatch,
        records: bool,
    ) -> Result<(), SettleError> {
        let elsewhere = &mut together.elsewhere;
        let number = elsewhere.first.wrapping_add(elsewhere.chunks.len() as u32);
        let read = chunk::read(batch, number, records)?;
        let tenants: Vec<u32> = read.tenants.iter().map(|t| self.open.tenant(t)).collect();
        for span in read.spans {
            let key = TraceKey { tenant: tenants[span.tenant as usize], trace: span.trace };
            if keys.contains(&key) {
                elsewhere.spans.entry(key).or_default().push(span.view, span.facts);
            }
        }
        elsewhere.chunks.push(read.rows);
        Ok(())
    }

    /// Ids to look for, and the first day their rows may be on.
    pub(super) fn where_to_look<'a>(
        &self,
        together: &Together,
        keys: impl Iterator<Item = &'a TraceKey>,
    ) -> (Vec<u128>, i32) {
        let mut first = i32::MAX;
        let mut traces: Vec<u128> = keys
            .inspect(|key| {
                let open = self.open.trace(key);
                let open = open.map(|t| time::day(t.start.saturating_mul(1_000)));
                let day = together.days.get(key).copied().into_iter().chain(open).min();
                first = first.min(day.unwrap_or(i32::MAX));
            })
            .map(|key| key.trace)
            .collect();
        traces.sort_unstable();
        traces.dedup();
        (traces, first.saturating_sub(limits::LATE_DAYS))
    }
}
