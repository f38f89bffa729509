//! The bundled books into table `prices`, and the table into a book. The only part of `prices`
//! that reads and writes the store. It does not know what the prices are used for.

use std::sync::Arc;

use arrow::compute::concat_batches;
use datafusion::prelude::SessionContext;
use spanledger_schemas::tables::prices::TABLE;
use spanledger_store::{Snapshot, Store, Txn};

use super::bundled::{self, BOOKS, SOURCE_PREFIX};
use super::row::{PriceRow, from_batch, to_batch};
use super::{PriceBook, PriceError};

/// Application id of the import in the table's log.
const APP: &str = "ledger/prices";

/// Counts up when the same books are read in a better way, so that they are imported again.
const READING: i64 = 1;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportOutcome {
    /// These books are in the table already.
    AlreadyThere,
    /// The rows the table now has.
    Imported {
        /// How many of them come from the bundled books.
        bundled: usize,
        /// How many come from elsewhere and were kept as they were.
        kept: usize,
    },
}

/// Puts the bundled books into table `prices`, once: a table that has them, or newer ones, is
/// left alone, and rows of other sources are kept. One commit; safe to repeat after a crash.
///
/// # Errors
/// When the books cannot be read or the store refuses.
pub async fn import_bundled(store: &Store) -> Result<ImportOutcome, PriceError> {
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    let newest = BOOKS.iter().map(|b| b.known_from).max().unwrap_or_default();
    let version = newest / MICROS_PER_DAY * 1_000 + READING;
    if store.txn_version(&TABLE, APP).await?.is_some_and(|there| there >= version) {
        return Ok(ImportOutcome::AlreadyThere);
    }
    let snapshot = store.snapshot().await?;
    let mut rows: Vec<PriceRow> = read(&snapshot).await?;
    rows.retain(|r| !r.source.starts_with(SOURCE_PREFIX));
    let kept = rows.len();
    rows.extend(bundled::history()?);
    let txn = Txn { app: APP.to_owned(), version };
    let remove = snapshot.files(&TABLE).to_vec();
    store.replace(&TABLE, remove, to_batch(&rows)?, Some(txn)).await?;
    let outcome = ImportOutcome::Imported { bundled: rows.len() - kept, kept };
    tracing::info!(bundled = rows.len() - kept, kept, "price books imported");
    Ok(outcome)
}

/// The prices of a snapshot, as believed now.
///
/// # Errors
/// When the table cannot be read.
pub async fn load(snapshot: &Snapshot) -> Result<Arc<PriceBook>, PriceError> {
    PriceBook::believed_at(read(snapshot).await?, i64::MAX)
}

async fn read(snapshot: &Snapshot) -> Result<Vec<PriceRow>, PriceError> {
    let context = SessionContext::new();
    let batches = context.read_table(snapshot.provider(&TABLE))?.collect().await?;
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    from_batch(&concat_batches(&first.schema(), &batches)?)
}

#[cfg(test)]
mod tests {
    use spanledger_schemas::Money;

    use super::super::bundled::history;
    use super::super::row::PriceRow;
    use super::*;

    #[tokio::test]
    async fn books_are_imported_once_and_other_rows_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let bundled = history().unwrap();
        let own = PriceRow {
            source: "contract 7".into(),
            amount: Money::parse("1.25").unwrap(),
            note: Some("negotiated".into()),
            ..bundled[0].clone()
        };
        let rows = to_batch(std::slice::from_ref(&own)).unwrap();
        store.append(&TABLE, rows, None).await.unwrap();

        let imported = ImportOutcome::Imported { bundled: bundled.len(), kept: 1 };
        assert_eq!(import_bundled(&store).await.unwrap(), imported);
        assert_eq!(import_bundled(&store).await.unwrap(), ImportOutcome::AlreadyThere);

        let mut stored = read(&store.snapshot().await.unwrap()).await.unwrap();
        let mut expected = bundled;
        expected.push(own);
        stored.sort_by_key(|r| (r.id(), r.known_from));
        expected.sort_by_key(|r| (r.id(), r.known_from));
        assert!(stored == expected, "rows differ after a round trip through the table");
    }

    #[tokio::test]
    async fn ids_of_prices_are_unique_among_what_is_believed() {
        let book = PriceBook::bundled().unwrap();
        let batch = book.to_batch().unwrap();
        let again = PriceBook::from_batches(&[batch]).unwrap();
        assert_eq!(again.rows().len(), book.rows().len());
        let ids: std::collections::HashSet<_> = book.rows().iter().map(PriceRow::id).collect();
        assert_eq!(ids.len(), book.rows().len());
    }
}
