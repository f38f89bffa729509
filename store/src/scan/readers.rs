//! Readers of data files whose footer is kept with its page index. Takes a file, gives a reader; the
//! engine's own asks for footers without the index, and then reads the index anew in each query.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

/// Makes readers that share a cache of footers.
pub(super) struct Readers(CachedParquetFileReaderFactory);

impl Readers {
    pub(super) fn new(store: Arc<dyn ObjectStore>, footers: Arc<FileMetadataCache>) -> Self {
        Readers(CachedParquetFileReaderFactory::new(store, footers))
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readers")
    }
}

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        footer_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let reader = self.0.create_reader(partition, file, footer_hint, metrics)?;
        Ok(Box::new(WithPageIndex(reader)))
    }
}

/// Asks for the page index whenever the footer is asked for.
struct WithPageIndex(Box<dyn AsyncFileReader + Send>);

impl AsyncFileReader for WithPageIndex {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.0.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.0.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let options = options.cloned().unwrap_or_default();
        let options = options.with_page_index_policy(PageIndexPolicy::Optional);
        async move { self.0.get_metadata(Some(&options)).await }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
    use arrow::compute::cast;
    use arrow::datatypes::DataType;
    use datafusion::common::config::TableParquetOptions;
    use datafusion::execution::TaskContext;
    use datafusion::execution::cache::Cache as _;
    use datafusion::execution::cache::default_cache::DefaultCache;
    use datafusion::physical_plan::collect;
    use spanledger_schemas::tables::span_verdicts::TABLE;

    use super::*;
    use crate::log::ActiveFile;
    use crate::scan::plan::{Files, Reading, read};

    #[tokio::test]
    async fn a_file_that_was_read_is_kept_with_its_page_index() {
        let folder = tempfile::tempdir().unwrap();
        let schema = TABLE.arrow_schema();
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            let of: ArrayRef = match field.data_type() {
                _ if field.is_nullable() => new_null_array(field.data_type(), 3),
                DataType::Utf8 => Arc::new(StringArray::from(vec!["a", "b", "c"])),
                DataType::Date32 => {
                    return cast(&arrow::array::Int32Array::from(vec![1; 3]), &DataType::Date32)
                        .unwrap();
                }
                _ => Arc::new(Int64Array::from(vec![1; 3])),
            };
            cast(&of, field.data_type()).unwrap()
        });
        let rows = RecordBatch::try_new(schema.clone(), columns.collect()).unwrap();
        let files = crate::write::write(&TABLE, folder.path(), &rows).unwrap();
        let files: Vec<_> = files
            .into_iter()
            .map(|new| Arc::new(ActiveFile::new(new.file, 0, new.stats)))
            .collect();

        let footers = Arc::new(DefaultCache::new(1024 * 1024));
        let reading = Reading::local(footers.clone());
        let plan = read(
            &reading,
            Files {
                table: &TABLE,
                table_dir: folder.path(),
                files: &files,
                projection: None,
                limit: None,
                partitions: 1,
                options: TableParquetOptions::default(),
            },
        );
        let read = collect(plan.unwrap(), Arc::new(TaskContext::default())).await.unwrap();
        assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
        let kept: Vec<_> = footers.list_entries().into_values().collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].value.file_metadata.extra_info()["page_index"], "true");
    }
}
