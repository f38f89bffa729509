//! Prices into table `prices`, and the table into a book: the bundled books at a start, newer books
//! and the user's own prices when they are brought. The only part of `prices` that reads and writes
//! that table. How belief changes is `history`'s; what the prices are used for it does not know.

use std::collections::HashSet;
use std::io::Read as _;
use std::sync::Arc;

use arrow::compute::concat_batches;
use datafusion::prelude::SessionContext;
use serde::Serialize;
use spanledger_schemas::tables::prices::TABLE;
use spanledger_store::{Snapshot, Store, StoreError, Txn};

use super::bundled::{self, BOOKS, SOURCE_PREFIX};
use super::contract::{self, Form};
use super::findings::{Finding, all_zero, findings, unknown};
use super::genai::{self, Edition};
use super::row::{Micros, PriceRow, from_batch, to_batch};
use super::{CONTRACT, PriceBook, PriceError, SHARED_TENANT};
use super::{history, litellm};
use crate::limits;

/// Application id of the import in the table's log.
const APP: &str = "ledger/prices";

/// Counts up when the same books are read in a better way, so that they are imported again.
const READING: i64 = 2;

/// Name of the source of prices that are set one by one.
const SET: &str = "set";

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
/// left alone, and rows of other sources are kept. A book that was imported since is not undone:
/// only bundled ones that are newer than it are learned. One commit; safe to repeat after a crash.
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
    let before = rows(&snapshot).await?;
    let (books, mut after): (Vec<_>, Vec<_>) =
        before.into_iter().partition(|r| r.source.starts_with(SOURCE_PREFIX));
    let kept = after.len();
    let ours = |r: &PriceRow| BOOKS.iter().any(|book| *book.source == *r.source);
    let bundled = if books.iter().all(ours) {
        bundled::history()?
    } else {
        let known = books.iter().map(|r| r.known_from).max().unwrap_or(Micros::MIN);
        let mut history = books;
        for book in BOOKS.iter().filter(|book| book.known_from > known) {
            history = history::learn(history, book.read()?.rows, book.known_from);
        }
        history
    };
    let count = bundled.len();
    after.extend(bundled);
    // Unlike the book, which is dated, what follows from it for a contract is learned now.
    let now = jiff::Timestamp::now().as_microsecond();
    let after = history::discount(after, &bundled::resells()?, now);
    let txn = Txn { app: APP.to_owned(), version };
    let remove = snapshot.files(&TABLE).to_vec();
    store.replace(&TABLE, remove, to_batch(&after)?, Some(txn)).await?;
    tracing::info!(bundled = count, kept, "price books imported");
    Ok(ImportOutcome::Imported { bundled: count, kept })
}

/// What a file of prices is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A book of genai-prices, as JSON.
    GenaiPrices,
    /// All that a contract says.
    Contract(Form),
    /// Prices that replace what was set of the same things.
    Set(Form),
}

impl FileKind {
    /// The one spelling of each.
    pub const ALL: [(&str, FileKind); 4] = [
        ("genai-prices", FileKind::GenaiPrices),
        ("toml", FileKind::Contract(Form::Toml)),
        ("csv", FileKind::Contract(Form::Csv)),
        ("set", FileKind::Set(Form::Toml)),
    ];

    /// The kind of that spelling.
    pub fn named(word: &str) -> Option<FileKind> {
        FileKind::ALL.into_iter().find(|(name, _)| *name == word).map(|(_, kind)| kind)
    }
}

/// A file of prices that is brought.
#[derive(Debug, Clone)]
pub struct PriceFile<'a> {
    /// What it is.
    pub kind: FileKind,
    /// Its bytes, plain or gzip.
    pub bytes: &'a [u8],
    /// Name and version of the book or contract.
    pub name: &'a str,
    /// Whose prices they are; a book is everybody's.
    pub tenant: &'a str,
    /// Now.
    pub now: Micros,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
}

/// What an import of a file did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Source of the new rows.
    pub source: String,
    /// Whether the table was changed.
    pub written: bool,
    /// Rows that are new.
    pub added: usize,
    /// Rows that are no longer believed.
    pub ended: usize,
    /// Rows that are believed now.
    pub believed: usize,
    /// What of the file could not be expressed.
    pub skipped: Vec<String>,
    /// Overlaps and gaps among the prices that the tenant has now, and new models at zero.
    pub findings: Vec<Finding>,
}

/// Brings a file of prices. Rows that it corrects get an end of their known time; nothing is
/// deleted (I-8). One commit; the same file once more changes nothing.
///
/// # Errors
/// When the file cannot be read or the store refuses.
pub async fn import_file(store: &Store, file: &PriceFile<'_>) -> Result<ImportReport, PriceError> {
    let bytes = unpacked(file)?;
    for _ in 0..limits::COMMIT_ATTEMPTS {
        let snapshot = store.snapshot().await?;
        let before = rows(&snapshot).await?;
        let (after, mut report) = learned(before.clone(), file, &bytes)?;
        if file.dry_run || after == before {
            return Ok(report);
        }
        let remove = snapshot.files(&TABLE).to_vec();
        match store.replace(&TABLE, remove, to_batch(&after)?, None).await {
            // Someone else was faster: look again.
            Err(StoreError::FileGone { .. }) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                report.written = true;
                tracing::info!(
                    source = %report.source, added = report.added, ended = report.ended,
                    "prices imported"
                );
                return Ok(report);
            }
        }
    }
    Err(PriceError::Contended { table: TABLE.name, attempts: limits::COMMIT_ATTEMPTS })
}

/// The rows after a file, and what changed.
fn learned(
    before: Vec<PriceRow>,
    file: &PriceFile<'_>,
    bytes: &[u8],
) -> Result<(Vec<PriceRow>, ImportReport), PriceError> {
    let believed_before: HashSet<String> = believed(&before).map(PriceRow::id).collect();
    let now = file.now;
    let mut skipped = Vec::new();
    let (source, after) = match file.kind {
        FileKind::GenaiPrices => {
            let source = format!("{SOURCE_PREFIX}{}", file.name);
            if litellm::is_map(bytes) {
                let reason = "it is LiteLLM's map, which has no dates and writes 0 for unknown prices, \
                              expected the JSON of genai-prices: compare with `prices check --against`"
                    .to_owned();
                return Err(PriceError::Book { place: source, reason });
            }
            let book = genai::read(bytes, &Edition { source: &source, known_from: now })?;
            skipped = book.skipped;
            if book.rows.is_empty() {
                let reason = "it has no prices: expected the JSON of genai-prices".to_owned();
                return Err(PriceError::Book { place: source, reason });
            }
            let (books, others): (Vec<_>, Vec<_>) =
                before.into_iter().partition(|r| r.source.starts_with(SOURCE_PREFIX));
            if let Some(newer) = books.iter().map(|r| r.known_from).max().filter(|k| *k >= now) {
                let reason = format!("it would be known at {now}, the last book is of {newer}");
                return Err(PriceError::Book { place: source, reason });
            }
            let mut after = history::learn(books, book.rows, now);
            after.extend(others);
            (source, after)
        }
        FileKind::Contract(form) => {
            let stated = contract::read(bytes, form, file.tenant, file.name, now)?;
            let source = stated.source.to_string();
            (source.clone(), history::restate(before, stated.rows, file.tenant, &source, now))
        }
        FileKind::Set(form) => {
            let stated = contract::read(bytes, form, file.tenant, SET, now)?;
            let mut after = before;
            for mut row in stated.rows {
                // What is set by hand goes before every contract.
                row.priority -= contract::PRIORITIES;
                row.source = format!("{CONTRACT} {SET}").into();
                let there = believed(&after).any(|r| r.id() == row.id() && r.source == row.source);
                if !there {
                    after = history::set(after, row, now);
                }
            }
            (format!("{CONTRACT} {SET}"), after)
        }
    };
    let after = history::discount(after, &bundled::resells()?, now);
    // The book must be usable before it is written: every clause and window can be read.
    let book = PriceBook::believed_at(after.clone(), Micros::MAX)?;
    let believed_after: HashSet<String> = believed(&after).map(PriceRow::id).collect();
    // Of other tenants' prices nothing is told (I-10).
    let ours = |r: &&PriceRow| &*r.tenant == file.tenant || &*r.tenant == SHARED_TENANT;
    let seen: Vec<PriceRow> = after.iter().filter(ours).cloned().collect();
    let mut findings = findings(&seen, Micros::MAX);
    findings.extend(all_zero(&seen, now));
    findings.extend(unknown(&book, &seen, now));
    findings.truncate(limits::PRICE_FINDINGS_MAX);
    let report = ImportReport {
        source,
        written: false,
        added: believed_after.difference(&believed_before).count(),
        ended: believed_before.difference(&believed_after).count(),
        believed: believed_after.len(),
        skipped,
        findings,
    };
    Ok((after, report))
}

fn believed(rows: &[PriceRow]) -> impl Iterator<Item = &PriceRow> {
    rows.iter().filter(|r| r.known_to.is_none())
}

/// The bytes of a file, taken out of gzip where they are in it.
fn unpacked<'a>(file: &PriceFile<'a>) -> Result<std::borrow::Cow<'a, [u8]>, PriceError> {
    let wrong = |reason: String| PriceError::Book { place: file.name.to_owned(), reason };
    let most = limits::BOOK_BYTES_MAX;
    let too_large = || wrong(format!("more than {most} bytes"));
    if !file.bytes.starts_with(&[0x1f, 0x8b]) {
        return if file.bytes.len() > most { Err(too_large()) } else { Ok(file.bytes.into()) };
    }
    let mut bytes = Vec::new();
    let mut plain = flate2::read::GzDecoder::new(file.bytes).take(most as u64 + 1);
    plain.read_to_end(&mut bytes).map_err(|e| wrong(format!("unpacking it: {e}")))?;
    if bytes.len() > most { Err(too_large()) } else { Ok(bytes.into()) }
}

/// The prices of a snapshot, as believed now.
///
/// # Errors
/// When the table cannot be read.
pub async fn load(snapshot: &Snapshot) -> Result<Arc<PriceBook>, PriceError> {
    let rows = rows(snapshot).await?;
    let odd = findings(&rows, Micros::MAX);
    for Finding { kind, place, detail } in odd.iter().take(limits::PRICE_FINDINGS_MAX) {
        tracing::warn!(kind, place, detail, "prices that overlap, or leave a gap");
    }
    if odd.len() > limits::PRICE_FINDINGS_MAX {
        tracing::warn!(all = odd.len(), "more overlaps and gaps among prices than are named");
    }
    PriceBook::believed_at(rows, Micros::MAX)
}

/// Every row of table `prices` of a snapshot, whatever is believed of it.
///
/// # Errors
/// When the table cannot be read.
pub async fn rows(snapshot: &Snapshot) -> Result<Vec<PriceRow>, PriceError> {
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
        let batch = to_batch(std::slice::from_ref(&own)).unwrap();
        store.append(&TABLE, batch, None).await.unwrap();

        let imported = ImportOutcome::Imported { bundled: bundled.len(), kept: 1 };
        assert_eq!(import_bundled(&store).await.unwrap(), imported);
        assert_eq!(import_bundled(&store).await.unwrap(), ImportOutcome::AlreadyThere);

        let mut stored = rows(&store.snapshot().await.unwrap()).await.unwrap();
        let mut expected = bundled;
        expected.push(own);
        stored.sort_by_key(|r| (r.id(), r.known_from));
        expected.sort_by_key(|r| (r.id(), r.known_from));
        assert!(stored == expected, "rows differ after a round trip through the table");
    }

    /// A contract for gpt-4o ($2.50 in the book), as a file.
    fn contract(amount: &str) -> String {
        format!(
            "contract = \"7\"\n[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\n\
             unit = \"input_tokens\"\namount = {amount}\n"
        )
    }

    async fn bring(store: &Store, text: &str, kind: FileKind, now: Micros) -> ImportReport {
        let (bytes, name, tenant) = (text.as_bytes(), "prices.toml", "default");
        let file = PriceFile { kind, bytes, name, tenant, now, dry_run: false };
        import_file(store, &file).await.unwrap()
    }

    #[tokio::test]
    async fn contract_stated_anew_ends_old_prices_and_deletes_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        import_bundled(&store).await.unwrap();
        let bundled = rows(&store.snapshot().await.unwrap()).await.unwrap().len();
        let kind = FileKind::Contract(Form::Toml);
        let (day_1, day_2) = (1_796_083_200_000_000, 1_796_169_600_000_000); // 2026-12-01, -02
        let first = bring(&store, &contract("2"), kind, day_1).await;
        assert_eq!((first.written, first.added, first.ended), (true, 1, 0), "{first:?}");
        let again = bring(&store, &contract("2"), kind, day_1 + 1).await;
        assert_eq!((again.written, again.added, again.ended), (false, 0, 0));
        let second = bring(&store, &contract("1.5"), kind, day_2).await;
        assert_eq!((second.added, second.ended), (1, 1));
        let stored = rows(&store.snapshot().await.unwrap()).await.unwrap();
        assert_eq!(stored.len(), bundled + 2);

        // 1,000,000 tokens: what was believed on each day, and the book for another tenant.
        let quote = |tenant, believed| {
            let book = PriceBook::believed_at(stored.clone(), believed).unwrap();
            let usage = crate::usage::Usage::reported(
                crate::usage::Basis::Inclusive,
                &[(crate::usage::Unit::INPUT, 1_000_000)],
            );
            let quote = book.quote(&super::super::CallFacts {
                tenant: Some(tenant),
                provider: Some("openai"),
                request_model: Some("gpt-4o-2024-08-06"),
                response_model: None,
                service_tier: None,
                region: None,
                server_address: None,
                at: day_2,
                usage: &usage.unwrap(),
            });
            quote.total.to_string()
        };
        assert_eq!(quote("default", day_1 - 1), "2.5");
        assert_eq!(quote("default", day_1), "2");
        assert_eq!(quote("default", day_2), "1.5");
        assert_eq!(quote("other", day_2), "2.5");
    }

    #[tokio::test]
    async fn newer_book_corrects_what_it_lists_and_keeps_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        import_bundled(&store).await.unwrap();
        let book = r#"[{"id": "openai", "name": "OpenAI", "models": [
            {"id": "o3", "match": {"equals": "o3"}, "prices": {"input_mtok": 1.9, "output_mtok": 8}}]}]"#;
        let now = 1_796_083_200_000_000;
        let report = bring(&store, book, FileKind::GenaiPrices, now).await;
        assert!(report.added == 2 && report.ended > 0, "{report:?}");
        assert_eq!(import_bundled(&store).await.unwrap(), ImportOutcome::AlreadyThere);
        let loaded = load(&store.snapshot().await.unwrap()).await.unwrap();
        let o3: Vec<_> = loaded
            .rows()
            .iter()
            .filter(|r| (&*r.provider, &*r.model_name) == ("openai", "o3"))
            .map(|r| (r.unit.name(), r.amount.to_string()))
            .collect();
        assert_eq!(o3, [("input_tokens", "1.9".to_owned()), ("output_tokens", "8".to_owned())],);
        let gpt = loaded.rows().iter().any(|r| &*r.model_name == "gpt-4o");
        assert!(gpt, "models that the newer book does not list stay priced");
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
