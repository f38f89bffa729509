//! Prices settled calls again, after prices were corrected or a contract came. Takes a store and
//! which calls, gives what they cost before and now, per model; writes the difference unless it is
//! only asked for it. Calls of a closed period are left alone (I-8). The rules are `pricer`'s; which
//! rows change is `part`'s.
//!
//! Settle and upkeep replace files of `calls` at the same time, in this process or another. So a file
//! is written only in place of the very file that was read (the commit fails when that is gone, and
//! nothing is written), and what was lost so is looked for again in a newer snapshot, until a pass
//! over a snapshot has lost nothing. A file is known by its path, and a path never gets other rows:
//! what was read or written once needs no second look, wherever its rows went to since (I-2).

mod part;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use arrow::array::{BooleanArray, RecordBatch};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use serde::Serialize;
use spanledger_schemas::Money;
use spanledger_schemas::tables::calls::TABLE;
use spanledger_schemas::tables::prices;
use spanledger_store::{DataFile, FileRows, Snapshot, Store, StoreError};

use self::part::{Part, columns_deciding, with_new_prices};
use super::row::{Micros, PriceRow};
use super::{PriceBook, PriceError, Pricer, load};
use crate::limits;

/// Which calls are priced again.
#[derive(Debug, Clone, Default)]
pub struct Reprice {
    /// Whose; everybody's when none is named.
    pub tenant: Option<String>,
    /// First instant a call may start at.
    pub from: Option<Micros>,
    /// First instant after them.
    pub to: Option<Micros>,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
}

/// What pricing again did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Repriced {
    /// Calls that were looked at, each once: those in the table when the last was priced.
    pub calls: usize,
    /// Calls whose price is another now, or named or explained otherwise.
    pub changed: usize,
    /// Calls of closed periods, left alone.
    pub closed: usize,
    /// Whether the changes were written.
    pub written: bool,
    /// The changes per model, the largest first.
    pub models: Vec<RepricedModel>,
}

/// The changed calls of one model and currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepricedModel {
    /// Provider, as the calls name it.
    pub provider: String,
    /// Model.
    pub model: String,
    /// Currency; that of the new price, else of the old one.
    pub currency: String,
    /// Calls that changed.
    pub calls: usize,
    /// What they cost before.
    #[serde(serialize_with = "as_text")]
    pub before: Money,
    /// What they cost now.
    #[serde(serialize_with = "as_text")]
    pub after: Money,
    /// Calls that had no price and have one now.
    pub newly_priced: usize,
    /// Calls that had a price and have none now.
    pub newly_unpriced: usize,
}

fn as_text<S: serde::Serializer>(money: &Money, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(money)
}

type ModelKey = (String, String, String);

/// Calls of a file that were asked for.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    calls: usize,
    /// Of them, those of closed periods.
    closed: usize,
}

/// Prices calls again with what is believed now, file by file, each in one commit: a crash between
/// two leaves whole files, and doing it again does the rest. Twice is once.
///
/// # Errors
/// When a table cannot be read or written; [`PriceError::Moved`] when prices change meanwhile, and
/// [`PriceError::Contended`] when others replace the same files all the time. Files that were
/// written by then stay written.
pub async fn reprice(store: &Store, which: &Reprice) -> Result<Repriced, PriceError> {
    let mut work = Repricing::start(store, which).await?;
    // Twice without a loss: a call that was being settled by the older prices when this began is
    // there the second time, and a pass over files that were all seen costs nothing.
    let mut whole = 0;
    for _ in 0..limits::REPRICE_PASSES_MAX {
        let snapshot = store.snapshot().await?;
        if !Box::pin(work.pass(&snapshot)).await? {
            whole = 0;
            if which.dry_run {
                // Nothing was written, so what was seen may be found again in a merged file.
                work = Repricing::start(store, which).await?;
            }
            continue;
        }
        whole += 1;
        if which.dry_run || whole == 2 {
            return Ok(work.report(&snapshot));
        }
    }
    Err(PriceError::Contended { table: TABLE.name, attempts: limits::REPRICE_PASSES_MAX })
}

/// The work on the files of a table that others change.
struct Repricing<'a> {
    store: &'a Store,
    which: &'a Reprice,
    pricer: Pricer,
    /// Version of table `prices` that the pricer prices with.
    prices: Option<i64>,
    /// What is in the files whose rows are priced as they are to be, by path.
    seen: HashMap<String, Tally>,
    changed: usize,
    models: BTreeMap<ModelKey, RepricedModel>,
}

impl<'a> Repricing<'a> {
    async fn start(store: &'a Store, which: &'a Reprice) -> Result<Repricing<'a>, PriceError> {
        let snapshot = store.snapshot().await?;
        Ok(Repricing {
            store,
            which,
            pricer: Pricer::new(load(&snapshot).await?),
            prices: version_of_prices(&snapshot),
            seen: HashMap::new(),
            changed: 0,
            models: BTreeMap::new(),
        })
    }

    /// Looks at every file of a snapshot that was not seen yet. True when none was lost to another
    /// writer.
    async fn pass(&mut self, snapshot: &Snapshot) -> Result<bool, PriceError> {
        let mut whole = true;
        for file in snapshot.files(&TABLE).iter() {
            if self.seen.contains_key(&file.path) {
                continue;
            }
            whole &= match self.read(snapshot, file).await? {
                Some(part) => self.write(file, part).await?,
                None => false,
            };
        }
        Ok(whole)
    }

    /// Prices the calls of a file. `None` when it went away before it was read.
    async fn read(
        &mut self,
        snapshot: &Snapshot,
        file: &DataFile,
    ) -> Result<Option<Part>, PriceError> {
        match self.priced(snapshot, file).await {
            Ok(part) => Ok(Some(part)),
            Err(error) => {
                let newest = self.store.snapshot().await?;
                let active = newest.files(&TABLE).iter().any(|f| f.path == file.path);
                if active { Err(error) } else { Ok(None) }
            }
        }
    }

    async fn priced(&mut self, snapshot: &Snapshot, file: &DataFile) -> Result<Part, PriceError> {
        let config =
            SessionConfig::new().with_target_partitions(1).with_batch_size(limits::REPRICE_ROWS);
        let session = SessionContext::new_with_config(config);
        let table = snapshot.provider_of(&TABLE, std::slice::from_ref(file));
        let columns: Vec<&str> = columns_deciding().into_iter().collect();
        let mut rows =
            session.read_table(table)?.select_columns(&columns)?.execute_stream().await?;
        let mut part = Part::default();
        while let Some(batch) = rows.try_next().await? {
            part.add(&batch, &mut self.pricer, self.which)?;
        }
        Ok(part)
    }

    /// Writes what changes in a file. False when it is gone: settled anew or compacted meanwhile, its
    /// rows are in another file now, and nothing is written or counted.
    async fn write(&mut self, file: &DataFile, mut part: Part) -> Result<bool, PriceError> {
        let places = std::mem::take(&mut part.changed);
        let changed = places.len();
        if changed > 0 && !self.which.dry_run {
            self.check_prices().await?;
            let rows = FileRows { file: file.clone(), places };
            let pricer = &mut self.pricer;
            let change =
                |batch: &RecordBatch, meant: &BooleanArray| with_new_prices(batch, pricer, meant);
            match Box::pin(self.store.change_rows(&TABLE, rows, change)).await {
                Ok(files) => self.seen.extend(files.into_iter().map(|f| (f.path, part.tally))),
                Err(PriceError::Store(
                    StoreError::FileGone { .. } | StoreError::Contended { .. },
                )) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.seen.insert(file.path.clone(), part.tally);
        self.changed += changed;
        part.add_to(&mut self.models);
        Ok(true)
    }

    /// Refuses to go on once other prices are believed: these calls may have them already.
    async fn check_prices(&mut self) -> Result<(), PriceError> {
        let snapshot = self.store.snapshot().await?;
        let version = version_of_prices(&snapshot);
        if version == self.prices {
            return Ok(());
        }
        // A compaction of table `prices` makes a version, too.
        let believed = |book: &PriceBook| {
            let mut rows = book.rows().to_vec();
            rows.sort_by_cached_key(PriceRow::id);
            rows
        };
        if believed(&*load(&snapshot).await?) != believed(self.pricer.book()) {
            return Err(PriceError::Moved { written: self.changed });
        }
        self.prices = version;
        Ok(())
    }

    /// What was done. Every file of the snapshot was seen: its calls are counted where they are.
    fn report(self, snapshot: &Snapshot) -> Repriced {
        let mut done = Repriced {
            changed: self.changed,
            written: !self.which.dry_run && self.changed > 0,
            models: self.models.into_values().collect(),
            ..Repriced::default()
        };
        for tally in snapshot.files(&TABLE).iter().filter_map(|file| self.seen.get(&file.path)) {
            done.calls += tally.calls;
            done.closed += tally.closed;
        }
        let change = |m: &RepricedModel| (m.after - m.before).0.abs();
        done.models.sort_by_cached_key(|m| {
            (std::cmp::Reverse(change(m)), m.provider.clone(), m.model.clone())
        });
        done
    }
}

fn version_of_prices(snapshot: &Snapshot) -> Option<i64> {
    snapshot.versions().get(prices::TABLE.name).copied()
}
