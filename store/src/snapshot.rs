//! Fixed versions of all tables, as one reader sees them (I-12). Takes views of the logs, gives
//! providers for queries; it never changes and holds no lock.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::scalar::ScalarValue;
use spanledger_schemas::Table;

use crate::log::{ActiveFile, View};
use crate::scan::plan::Reading;
use crate::scan::provider::Provider;
use crate::scan::rows;
use crate::{DataFile, StoreError, paths};

/// Fixed versions of all tables. Files that a later commit removes stay readable for
/// [`crate::StoreOptions::removed_file_retention`].
#[derive(Clone, Debug)]
pub struct Snapshot {
    root: Arc<Path>,
    views: Arc<BTreeMap<&'static str, Arc<View>>>,
    reading: Reading,
}

impl Snapshot {
    pub(crate) fn new(
        root: Arc<Path>,
        views: BTreeMap<&'static str, Arc<View>>,
        reading: Reading,
    ) -> Snapshot {
        Snapshot { root, views: Arc::new(views), reading }
    }

    /// Version of each table.
    pub fn versions(&self) -> BTreeMap<&'static str, i64> {
        self.views.iter().map(|(name, view)| (*name, view.version)).collect()
    }

    /// Active files of a table, by path; none for a table that is not of this store.
    pub fn files(&self, table: &'static Table) -> Arc<Vec<DataFile>> {
        self.views.get(table.name).map(|view| view.listed()).unwrap_or_default()
    }

    /// The same with the first and the last instant of a column in each, in microseconds since the
    /// epoch; `None` where the log does not say.
    pub fn instants_in(
        &self,
        table: &'static Table,
        column: &str,
    ) -> Vec<(DataFile, Option<(i64, i64)>)> {
        let micros = |bound: &Option<ScalarValue>| match bound {
            Some(ScalarValue::TimestampMicrosecond(at, _)) => *at,
            _ => None,
        };
        let instants = |file: &ActiveFile| {
            let bounds = file.stats(table).columns.get(column)?;
            micros(&bounds.min).zip(micros(&bounds.max))
        };
        let files = self.views.get(table.name).map_or(&[][..], |view| &view.files);
        files.iter().map(|file| (file.file.clone(), instants(file))).collect()
    }

    /// The table as a DataFusion provider: plain `ParquetSource` plans over the active files.
    pub fn provider(&self, table: &'static Table) -> Arc<dyn TableProvider> {
        let files = self.views.get(table.name).map(|view| view.files.clone());
        self.over(table, files.unwrap_or_default())
    }

    /// The same over some of its files. Files that are not active in this snapshot, such as those
    /// of [`crate::Store::changes`] that were compacted since, are read without statistics.
    pub fn provider_of(&self, table: &'static Table, files: &[DataFile]) -> Arc<dyn TableProvider> {
        self.over(table, files.iter().map(|file| self.find(table, file)).collect())
    }

    /// The rows of a file at `places`, counted from zero and rising, with `columns`, in the order
    /// of both and in the types of [`Table::scan_schema`]. The file may have been compacted, as long as it is
    /// there.
    ///
    /// # Errors
    /// [`StoreError::FileGone`] when it is not, [`StoreError::Read`] when it cannot be read or has
    /// fewer rows.
    pub async fn rows_at(
        &self,
        table: &'static Table,
        file: &DataFile,
        places: &[u32],
        columns: &[&str],
    ) -> Result<RecordBatch, StoreError> {
        let dir = paths::table(&self.root, table);
        rows::at(&self.reading, table, &dir, &self.find(table, file), places, columns).await
    }

    fn find(&self, table: &'static Table, file: &DataFile) -> Arc<ActiveFile> {
        let active = self.views.get(table.name).and_then(|v| v.find(&file.path)).cloned();
        active.unwrap_or_else(|| Arc::new(ActiveFile::new(file.clone(), 0, String::new())))
    }

    fn over(&self, table: &'static Table, files: Vec<Arc<ActiveFile>>) -> Arc<dyn TableProvider> {
        let dir = paths::table(&self.root, table);
        Arc::new(Provider::new(table, dir, files, self.reading.clone()))
    }
}
