//! Which row groups may hold some ids: by the bloom filters of their files, which are kept in memory.
//! Takes files and values, gives the row groups to read of each. A file whose filters cannot be read
//! is left to the scan.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::cache::{Cache, CacheKey, CacheValue};
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;

use super::plan::RowGroups;
use crate::limits;
use crate::log::ActiveFile;

/// Bloom filters of one column of files, kept between queries: ten million spans have them in 770
/// row groups, and reading them anew, with the footers of all files, is most of a look-up.
#[derive(Debug, Clone)]
pub(crate) struct Blooms {
    cache: Arc<dyn Cache<Key, Filters>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    path: Arc<str>,
    column: &'static str,
}

impl CacheKey for Key {
    fn size(&self) -> usize {
        size_of::<Key>() + self.path.len()
    }

    fn table_ref(&self) -> Option<&TableReference> {
        None
    }
}

/// Those of a file, by row group.
#[derive(Debug, Clone)]
struct Filters(Arc<Vec<Filter>>);

#[derive(Debug)]
struct Filter {
    /// `None` where the row group has none: it may hold anything.
    sbbf: Option<Sbbf>,
    rows: usize,
}

impl CacheValue for Filters {
    fn size(&self) -> usize {
        // A block has 256 bits.
        let bytes = |f: &Filter| f.sbbf.as_ref().map_or(0, |s| s.num_blocks() * 32);
        self.0.iter().map(|f| size_of::<Filter>() + bytes(f)).sum()
    }
}

impl Blooms {
    /// An empty cache.
    pub(crate) fn new() -> Blooms {
        Blooms { cache: Arc::new(DefaultCache::new(limits::BLOOM_CACHE_BYTES)) }
    }

    /// The row groups of a file that may hold one of the values in a column; `None` when its
    /// filters cannot be read. Reads the file when it is asked for the first time.
    pub(crate) fn may_hold(
        &self,
        table_dir: &Path,
        file: &ActiveFile,
        column: &'static str,
        values: &[&str],
    ) -> Option<RowGroups> {
        let key = Key { path: table_dir.join(&file.file.path).to_str()?.into(), column };
        let filters = match self.cache.get(&key) {
            Some(known) => known,
            None => {
                let read = Filters(Arc::new(read(&key).ok()?));
                self.cache.put(&key, read.clone());
                read
            }
        };
        let may_hold = |filter: &Filter| {
            filter.sbbf.as_ref().is_none_or(|sbbf| values.iter().any(|value| sbbf.check(*value)))
        };
        let found = filters.0.iter().enumerate().filter(|(_, filter)| may_hold(filter));
        let (at, rows): (Vec<_>, Vec<_>) = found.map(|(i, filter)| (i, filter.rows)).unzip();
        let rows_max = rows.into_iter().max().unwrap_or_default();
        Some(RowGroups { at, of: filters.0.len(), rows_max })
    }
}

fn read(key: &Key) -> Result<Vec<Filter>, ParquetError> {
    let file = File::open(&*key.path)?;
    let footer = ParquetMetaDataReader::new().parse_and_finish(&file)?;
    let columns = footer.file_metadata().schema_descr().columns();
    let at = columns.iter().position(|c| c.path().string() == key.column);
    let filter = |group: &parquet::file::metadata::RowGroupMetaData| {
        let sbbf = match at {
            Some(at) => Sbbf::read_from_column_chunk(group.column(at), &file)?,
            None => None,
        };
        Ok(Filter { sbbf, rows: usize::try_from(group.num_rows()).unwrap_or_default() })
    };
    footer.row_groups().iter().map(filter).collect()
}
