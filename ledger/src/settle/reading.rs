//! Reading: spans as they are committed, what an earlier run left open, and what is written of it.
//! Takes snapshots, gives chunks to the open traces. It decides nothing and writes nothing.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use futures::TryStreamExt;
use spanledger_schemas::tables::{calls, log_records, spans};
use spanledger_schemas::{Table, time};
use spanledger_store::{DataFile, Snapshot};

use super::chunk::Chunk;
use super::content::contents;
use super::job::{Round, Rounds, micros};
use super::open::{TraceKey, WrittenRows};
use super::writing::WRITTEN;
use super::{CallState, HashMap, SettleError, TXN_APP, chunk, facts, record_rows, tables};
use crate::limits;
use crate::prices::columns::{int, text};

impl Rounds {
    /// The first round: what an earlier run left open is read again, file by file in the order in
    /// which spans were received, and settled on the way, so that a long backlog needs no more
    /// memory than live spans.
    pub(super) async fn recover(
        &mut self,
        snapshot: &Snapshot,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        self.recorded = self.store.txn_version(&calls::TABLE, TXN_APP).await?;
        let recovering = self.recorded.is_some() || !snapshot.files(&calls::TABLE).is_empty();
        self.records_seen = tables::has_records(&self.session, snapshot).await?;
        let mut from = i64::MIN;
        if let Some(recorded) = self.recorded {
            from = tables::instant_of(recorded) - micros(limits::RESTART_OVERLAP);
            self.remember_traces(snapshot, from).await?;
        }
        let mut files = snapshot.instants_in(&spans::TABLE, "received_at");
        files.retain(|(_, received)| received.is_none_or(|(_, last)| last >= from));
        files.sort_by_key(|(_, received)| received.map_or(i64::MIN, |(first, _)| first));
        // What was received before this instant is read, and what is quiet by then settled.
        let mut done = from;
        let mut read = 0;
        for (file, received) in files {
            let here = received.map_or(i64::MIN, |(first, _)| first).min(now);
            if read >= limits::RECOVERED_ROWS && here > done {
                self.recover_to(snapshot, (done, here), here, recovering, round).await?;
                (done, read) = (here, 0);
            }
            let mut rows = tables::spans_in(&self.session, snapshot, &file).await?;
            let mut first = 0;
            while let Some(batch) = rows.try_next().await? {
                let mut chunk = chunk::read_of(&file, first, &batch, self.open.next_chunk())?;
                first += batch.num_rows() as u32;
                chunk.spans.retain(|span| span.view.received >= from);
                read += chunk.spans.len() as u64;
                self.take(chunk, recovering, now, round).await?;
            }
        }
        // What is received from now on comes with the last of it.
        self.recover_to(snapshot, (done, i64::MAX), now, recovering, round).await?;
        let version = snapshot.versions().get(spans::TABLE.name).copied();
        self.spans_version = Some(version.unwrap_or_default());
        let version = snapshot.versions().get(log_records::TABLE.name).copied();
        self.records_version = version.unwrap_or_default();
        Ok(())
    }

    /// Reads the log records received in `window`, whose spans are read, and settles what is quiet
    /// at `now`.
    async fn recover_to(
        &mut self,
        snapshot: &Snapshot,
        window: (i64, i64),
        now: i64,
        recovering: bool,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        if self.records_seen {
            let (from, to) = window;
            let mut rows = tables::records_between(&self.session, snapshot, from, to).await?;
            while let Some(batch) = rows.try_next().await? {
                self.take_records(&batch, recovering, now, round).await?;
            }
        }
        self.look_up_written(snapshot).await?;
        self.settle_quiet(now, round).await
    }

    /// Remembers which traces have spans that were received before an instant, and which responses
    /// they tell of.
    pub(super) async fn remember_traces(
        &mut self,
        snapshot: &Snapshot,
        to: i64,
    ) -> Result<(), SettleError> {
        let from = to - micros(limits::RECENT_TRACES_WINDOW);
        let mut rows = tables::traces_between(&self.session, snapshot, from, to).await?;
        while let Some(batch) = rows.try_next().await? {
            self.remember(&batch)?;
        }
        let mut rows = tables::records_between(&self.session, snapshot, from, to).await?;
        while let Some(batch) = rows.try_next().await? {
            self.remember(&record_rows::as_spans(&batch)?)?;
        }
        Ok(())
    }

    fn remember(&mut self, batch: &RecordBatch) -> Result<(), SettleError> {
        let response = text(batch, "response_id")?;
        let start = int(batch, "start_unix_ns")?;
        for (i, key) in self.keys(batch)?.into_iter().enumerate() {
            self.open.remember(key);
            if let Some(id) = response.is_valid(i).then(|| response.value(i)) {
                let hash = facts::response_hash(id);
                self.open.remember_response(key, start.value(i).div_euclid(1_000), hash);
            }
        }
        Ok(())
    }

    /// The rows that an earlier run wrote for the traces now in memory, in one scan of each table.
    pub(super) async fn look_up_written(&mut self, snapshot: &Snapshot) -> Result<(), SettleError> {
        let mut unknown: HashMap<TraceKey, WrittenRows> = HashMap::default();
        let mut from = i64::MAX;
        for (key, trace) in self.open.rows_unknown() {
            unknown.insert(*key, WrittenRows::default());
            from = from.min(trace.start);
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let day = time::day(from.saturating_mul(1_000));
        for table in WRITTEN {
            let mut rows = tables::rows_since(&self.session, snapshot, table, day).await?;
            while let Some(batch) = rows.try_next().await? {
                self.group_written(table, &batch, &mut unknown)?;
            }
        }
        for (key, written) in unknown {
            self.open.set_written(key, written);
        }
        Ok(())
    }

    /// Sorts rows of a table into the traces that ask for them.
    pub(super) fn group_written(
        &mut self,
        table: &'static Table,
        batch: &RecordBatch,
        traces: &mut HashMap<TraceKey, WrittenRows>,
    ) -> Result<(), SettleError> {
        let keys = self.keys(batch)?;
        let wanted: Vec<bool> = keys.iter().map(|k| traces.contains_key(k)).collect();
        let rows = filter_record_batch(batch, &BooleanArray::from(wanted.clone()))?;
        let keys = keys.into_iter().zip(wanted).filter(|(_, w)| *w).map(|(k, _)| k);
        for (key, written) in keys.zip(contents(table, &rows)?) {
            traces.entry(key).or_default().of(table).push(written);
        }
        Ok(())
    }

    /// Reads the spans of a new file; settles on the way what has been quiet as seen from where
    /// the reading is, so that reading a backlog does not outrun settling it.
    pub(super) async fn follow(
        &mut self,
        snapshot: &Snapshot,
        file: &DataFile,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        let mut rows = tables::spans_in(&self.session, snapshot, file).await?;
        let mut first = 0;
        while let Some(batch) = rows.try_next().await? {
            let read = chunk::read_of(file, first, &batch, self.open.next_chunk())?;
            first += batch.num_rows() as u32;
            self.take(read, false, now, round).await?;
            self.read_since_look += batch.num_rows();
            if self.read_since_look >= limits::ROWS_PER_STEP {
                self.read_since_look = 0;
                let here = self.open.received().unwrap_or(now).min(now);
                self.settle_quiet(here, round).await?;
            }
        }
        Ok(())
    }

    /// Reads the log records of a new file that tell of calls.
    pub(super) async fn follow_records(
        &mut self,
        snapshot: &Snapshot,
        file: &DataFile,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        let mut rows = tables::records_in(&self.session, snapshot, file).await?;
        while let Some(batch) = rows.try_next().await? {
            self.take_records(&batch, false, now, round).await?;
        }
        Ok(())
    }

    async fn take_records(
        &mut self,
        batch: &RecordBatch,
        recovering: bool,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.records_seen = true;
        let spans = record_rows::as_spans(batch)?;
        let read = chunk::read(&spans, self.open.next_chunk(), true)?;
        self.take(read, recovering, now, round).await
    }

    /// Reads the spans of due traces again that memory had no room for: those of many traces in
    /// one pass over the files, as they were read the first time. Few are left to be looked up by
    /// id when they are settled.
    pub(super) async fn recall(&mut self, quiet_since: i64) -> Result<(), SettleError> {
        let lost = self.open.due_and_lost(quiet_since, limits::RECALLED_TRACES_MAX);
        if lost.len() <= limits::TRACES_PER_LOOKUP {
            return Ok(());
        }
        let starts = lost.iter().filter_map(|key| self.open.trace(key)).map(|t| t.start);
        let day = starts.min().map_or(i32::MIN, |us| time::day(us.saturating_mul(1_000)));
        let day = day.saturating_sub(limits::LATE_DAYS);
        metrics::counter!("spanledger_settle_traces_read_again_total").increment(lost.len() as u64);
        let snapshot = self.store.snapshot().await?;
        self.open.begin_recall(&lost);
        for file in snapshot.files(&spans::TABLE).iter().filter(|file| file.date >= day) {
            let mut rows = tables::spans_in(&self.session, &snapshot, file).await?;
            let mut first = 0;
            while let Some(batch) = rows.try_next().await? {
                let read = chunk::read_of(file, first, &batch, self.open.next_chunk())?;
                first += batch.num_rows() as u32;
                self.open.recall(read, &lost);
            }
        }
        if self.records_seen {
            for batch in tables::records_since(&self.session, &snapshot, day).await? {
                let spans = record_rows::as_spans(&batch)?;
                let read = chunk::read(&spans, self.open.next_chunk(), true)?;
                self.open.recall(read, &lost);
            }
        }
        self.open.end_recall(&lost);
        Ok(())
    }

    /// Takes in spans; what memory has no room for and has no rows yet is settled early.
    pub(super) async fn take(
        &mut self,
        read: Chunk,
        recovering: bool,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        let spans = read.spans.len();
        round.spans += spans;
        let reopened = self.open.take(read, recovering);
        metrics::counter!("spanledger_settle_spans_total").increment(spans as u64);
        metrics::counter!("spanledger_settle_reopened_traces_total").increment(reopened as u64);
        while let Some(early) = self.open.over(self.settings.open_bytes_max) {
            if !early.is_empty() {
                Box::pin(self.settle(&early, CallState::Provisional, now, round)).await?;
            }
            self.open.forget_oldest();
        }
        Ok(())
    }

    pub(super) fn keys(&mut self, batch: &RecordBatch) -> Result<Vec<TraceKey>, SettleError> {
        let (tenant, trace) = (text(batch, "tenant")?, text(batch, "trace_id")?);
        let key = |i: usize| TraceKey {
            tenant: self.open.tenant(&Arc::from(tenant.value(i))),
            trace: chunk::trace_id(trace.value(i)),
        };
        Ok((0..batch.num_rows()).map(key).collect())
    }
}
