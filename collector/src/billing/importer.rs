//! The whole path of a bill on one screen: read, name, compare, supersede. Takes a file and whose
//! it is, gives a report once all lines are durable (I-1). Owns the rule of superseding; reading
//! is `read`'s, what stands is `standing`'s.
//!
//! A bill is known by (tenant, source, billing period). An import replaces all lines of its keys
//! in one commit: they are taken out of the files that hold any, whose other rows stay. If another
//! writer took one of the files meanwhile, nothing was changed, and it is
//! tried again on a fresh snapshot. Imports of one process run one after another; two processes
//! that import the same bill for the first time at the same moment would both succeed, so one
//! process of a store takes imports.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use datafusion::error::DataFusionError;
use jiff::Timestamp;
use spanledger_schemas::tables::billing_lines::TABLE;
use spanledger_store::{Store, StoreError};
use tokio::sync::Mutex;
use xxhash_rust::xxh3::Xxh3Default;

use super::Format;
use super::error::ImportError;
use super::limits::{COMMIT_TRIES_MAX, SOURCE_CHARS_MAX};
use super::lines::Stamp;
use super::read::{self, Content};
use super::report::{ImportReport, ImportRequest, ImportSummary, Outcome, Warning};
use super::standing::{self, Key};

/// Imports bills into a store. Cheap to clone; one per process.
#[derive(Clone, Debug)]
pub struct Importer {
    store: Store,
    turn: Arc<Mutex<()>>,
}

/// A file that was read, named and stamped.
struct Bill {
    key: Key,
    lines: RecordBatch,
    accounts: BTreeSet<String>,
    report: ImportReport,
}

impl Importer {
    /// An importer into that store.
    pub fn new(store: Store) -> Importer {
        Importer { store, turn: Arc::default() }
    }

    /// Imports a file from its start to its end; a name does not matter to how it is read.
    ///
    /// # Errors
    /// Nothing of the file was imported then; [`ImportError`] says why and what to do.
    #[tracing::instrument(level = "debug", name = "import", skip_all, fields(file = request.file_name))]
    pub async fn import(
        &self,
        request: ImportRequest,
        file: File,
    ) -> Result<ImportReport, ImportError> {
        let _turn = self.turn.lock().await;
        let name = request.file_name.clone();
        let reading = tokio::task::spawn_blocking(move || read_bill(&request, file));
        // A file may be damaged in ways that its decoder answers with a panic.
        let bill = reading.await.map_err(|cause| ImportError::Read {
            file: name.clone(),
            cause: format!("the reader stopped: {cause}"),
        })??;
        for _ in 0..COMMIT_TRIES_MAX {
            match Box::pin(self.supersede(&bill)).await {
                Err(Failure::Store(StoreError::FileGone { .. })) => {}
                Err(failure) => return Err(failure.of_file(&name)),
                Ok(report) => {
                    tracing::info!(
                        import_id = report.import_id,
                        tenant = bill.key.tenant,
                        source = report.source,
                        rows = report.rows,
                        outcome = ?report.outcome,
                        superseded = report.superseded.len(),
                        "billing import"
                    );
                    return Ok(report);
                }
            }
        }
        Err(ImportError::Contended { file: name, tries: COMMIT_TRIES_MAX })
    }

    /// The imports of a tenant whose lines stand, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, tenant: &str) -> Result<Vec<ImportSummary>, ImportError> {
        let listed = async {
            let snapshot = self.store.snapshot().await?;
            Ok::<_, Failure>(Box::pin(standing::imports(&snapshot, tenant)).await?)
        };
        listed.await.map_err(|failure| failure.of_file("(list of imports)"))
    }

    async fn supersede(&self, bill: &Bill) -> Result<ImportReport, Failure> {
        let mut report = bill.report.clone();
        let snapshot = self.store.snapshot().await?;
        let standing = standing::under(&snapshot, &bill.key).await?;
        let rows_standing: u64 = standing.iter().map(|s| s.rows).sum();
        if rows_standing == report.rows && standing.iter().all(|s| s.import_id == report.import_id)
        {
            report.outcome = Outcome::Unchanged;
            return Ok(report);
        }
        let shared =
            standing::sources_sharing_accounts(&snapshot, &bill.key, &bill.accounts).await?;
        if !shared.is_empty() {
            let names: Vec<_> = shared.iter().map(|name| format!("`{name}`")).collect();
            report.warnings.push(Warning {
                code: "shared-accounts".to_owned(),
                count: shared.len() as u64,
                message: format!(
                    "lines of the same billing accounts and periods stand under {}: if it is the \
                     same bill it now counts twice; import it again under that source",
                    names.join(", ")
                ),
            });
        }
        let dates = standing.iter().map(|s| s.date).collect();
        let theirs = standing::rows_under(&snapshot, &bill.key, &dates).await?;
        Box::pin(self.store.replace_rows(&TABLE, theirs, bill.lines.clone(), None)).await?;
        let superseded: BTreeSet<String> = standing.into_iter().map(|s| s.import_id).collect();
        report.superseded = superseded.into_iter().collect();
        Ok(report)
    }
}

fn read_bill(request: &ImportRequest, file: File) -> Result<Bill, ImportError> {
    let name = &request.file_name;
    let content = match request.format {
        Format::Focus => read::focus(file, name)?,
    };
    let (source, warning) = source(request, &content)?;
    let import_id = import_id(request, &source, content.hash);
    let key = Key {
        tenant: request.tenant.clone(),
        source: source.clone(),
        period_starts_us: content.totals.period_starts().collect(),
    };
    let report = ImportReport {
        import_id: import_id.clone(),
        outcome: Outcome::Imported,
        source: source.clone(),
        format: request.format.name().to_owned(),
        format_version: content.version.to_owned(),
        file_name: name.clone(),
        rows: content.rows,
        periods: content.totals.report(),
        superseded: Vec::new(),
        warnings: content.warnings.into_iter().chain(warning).collect(),
    };
    let stamp = Stamp {
        tenant: request.tenant.clone(),
        import_id,
        source,
        file_name: name.clone(),
        imported_at_us: Timestamp::now().as_microsecond(),
    };
    let lines = content
        .lines
        .stamp(&stamp)
        .map_err(|error| ImportError::Read { file: name.clone(), cause: error.to_string() })?;
    let accounts = lines.column_by_name("billing_account_id");
    let accounts = accounts.map(|column| column.as_string::<i32>().iter().flatten());
    let accounts = accounts.into_iter().flatten().map(str::to_owned).collect();
    Ok(Bill { key, lines, accounts, report })
}

/// Whose bill it is: as the request says, else the names in the file, with a warning when there
/// are several, because a later file may have others and then would not supersede this one.
fn source(
    request: &ImportRequest,
    content: &Content,
) -> Result<(String, Option<Warning>), ImportError> {
    let wrong = |what: String, hint| {
        Err(ImportError::Request { file: request.file_name.clone(), what, hint })
    };
    let (source, warning) = match request.source.as_deref().map(str::trim) {
        Some("") => return wrong("the source is empty".to_owned(), "name it or leave it out"),
        Some(named) => (named.to_owned(), None),
        None => {
            let names = &content.source_names;
            let warning = Warning {
                code: "several-providers".to_owned(),
                count: names.len() as u64,
                message: "the source was made from the names of several providers; a file with \
                          others would not supersede this one: name the source yourself"
                    .to_owned(),
            };
            (names.join(" + "), (names.len() > 1).then_some(warning))
        }
    };
    if source.is_empty() {
        let what = "no row names a provider or an invoice issuer, and no source was given";
        return wrong(what.to_owned(), "say whose bill it is (source)");
    }
    if source.chars().count() > SOURCE_CHARS_MAX {
        let what = format!("the source has more than {SOURCE_CHARS_MAX} characters");
        return wrong(what, "give a short name for whose bill it is (source)");
    }
    Ok((source, warning))
}

/// The same content of the same bill is the same import, whenever it comes.
fn import_id(request: &ImportRequest, source: &str, content_hash: u128) -> String {
    let mut hash = Xxh3Default::new();
    for part in [&request.tenant, source, request.format.name()] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(&content_hash.to_le_bytes());
    format!("{:032x}", hash.digest128())
}

/// What failed while superseding.
enum Failure {
    Store(StoreError),
    Query(DataFusionError),
}

impl Failure {
    fn of_file(self, file: &str) -> ImportError {
        let file = file.to_owned();
        match self {
            Failure::Store(StoreError::Contended { attempts, .. }) => {
                ImportError::Contended { file, tries: attempts }
            }
            Failure::Store(error) => ImportError::Store { file, cause: error.to_string() },
            Failure::Query(error) => ImportError::Store { file, cause: error.to_string() },
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Failure {
        Failure::Query(error)
    }
}
