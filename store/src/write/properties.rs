//! How the columns of a data file are encoded: compression, pages, dictionaries, statistics, bloom
//! filters. Takes a table and how much work its rows are worth, gives the writer's properties.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use spanledger_schemas::{Column, Kind, Table};

use crate::limits;

/// How much work rows are worth, and how much memory their reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// For rows that came just now and will be merged: LZ4, small pages.
    Flush,
    /// For rows that were merged and will be again: zstd, small pages and row groups, so that
    /// many of them can be read at once.
    Passing,
    /// For rows that stay: zstd, large pages and row groups.
    Kept,
}

impl Effort {
    /// Rows of a page.
    pub(crate) fn page_rows(self) -> usize {
        match self {
            Effort::Flush | Effort::Passing => limits::PAGE_ROWS_PASSING,
            Effort::Kept => limits::PAGE_ROWS_KEPT,
        }
    }

    /// Rows that a row group shall have.
    pub(crate) fn group_rows(self) -> usize {
        match self {
            Effort::Flush | Effort::Passing => limits::ROW_GROUP_ROWS_PASSING,
            Effort::Kept => limits::ROW_GROUP_ROWS_KEPT,
        }
    }

    /// Rows that a row group may have, so that what is left over does not become one of its own.
    pub(crate) fn group_rows_max(self) -> usize {
        self.group_rows() + self.group_rows() / 2
    }

    /// Bytes of a row group, where rows are long.
    pub(crate) fn group_bytes(self) -> usize {
        match self {
            Effort::Flush | Effort::Passing => limits::ROW_GROUP_BYTES_PASSING,
            Effort::Kept => limits::ROW_GROUP_BYTES_KEPT,
        }
    }

    /// The same before they are encoded.
    pub(crate) fn group_bytes_in_memory(self) -> usize {
        self.group_bytes() * limits::ENCODED_PART
    }

    /// Whether a row group of an input is large enough to be taken over as it is.
    pub(crate) fn takes_over(self, rows: usize, bytes: usize) -> bool {
        rows >= self.group_rows() / limits::TAKEN_OVER_PART
            || bytes >= self.group_bytes() / limits::TAKEN_OVER_PART
    }

    fn compression(self) -> Result<Compression, ParquetError> {
        Ok(match self {
            Effort::Flush => Compression::LZ4_RAW,
            Effort::Passing => Compression::ZSTD(ZstdLevel::try_new(limits::ZSTD_PASSING)?),
            Effort::Kept => Compression::ZSTD(ZstdLevel::try_new(limits::ZSTD_KEPT)?),
        })
    }
}
/// The properties of a file of a table. `rows_max` sizes the bloom filters; `empty` says which columns
/// are null throughout.
pub(crate) fn properties(
    table: &'static Table,
    rows_max: usize,
    effort: Effort,
    empty: impl Fn(&str) -> bool,
) -> Result<WriterProperties, ParquetError> {
    let group_rows = rows_max.clamp(1, effort.group_rows_max());
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("spanledger ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(effort.compression()?)
        .set_data_page_row_count_limit(effort.page_rows())
        .set_sorting_columns(Some(sorting_columns(table)))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(limits::BOUND_TEXT_BYTES))
        .set_column_index_truncate_length(Some(limits::BOUND_TEXT_BYTES))
        .set_bloom_filter_fpp(limits::BLOOM_FALSE_POSITIVES)
        .set_bloom_filter_enabled(false);
    for column in table.columns.iter().skip(1) {
        let path = || ColumnPath::from(column.name);
        if !is_dictionary(column) {
            builder = builder.set_column_dictionary_enabled(path(), false);
        }
        if is_integer(column) && !empty(column.name) {
            builder = builder.set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
        }
        for leaf in leaves_without_bounds(table, column) {
            builder = builder.set_column_statistics_enabled(leaf, EnabledStatistics::None);
        }
        if is_in_order(table, column) {
            builder = builder.set_column_statistics_enabled(path(), EnabledStatistics::Page);
        }
        if table.bloom.contains(&column.name) {
            builder = builder
                .set_column_bloom_filter_enabled(path(), true)
                .set_column_bloom_filter_fpp(path(), limits::BLOOM_FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path(), group_rows as u64);
        }
    }
    Ok(builder.build())
}

/// Neighbouring rows differ little: their differences are packed. The packer of a column takes a
/// mebibyte, whatever comes, so columns without values have none.
fn is_integer(column: &Column) -> bool {
    matches!(column.kind, Kind::Int | Kind::Instant)
}

/// A dictionary pays where values repeat: not for integers and money, and not for ids of which
/// every row has its own.
fn is_dictionary(column: &Column) -> bool {
    let own_per_row = ["span_id", "response_id", "price_id"].contains(&column.name);
    !own_per_row && column.kind != Kind::Decimal && !is_integer(column)
}

/// Whether the pages of a row group differ in a column, because rows are in its order or nearly so.
/// Bounds of the other columns' pages prune nothing, and a reader that wants some reads them all.
fn is_in_order(table: &Table, column: &Column) -> bool {
    table.sort_by.contains(&column.name)
        || column.kind == Kind::Instant
        || column.name.ends_with("_unix_ns")
}

/// What no search is narrowed by: keys and values of maps, documents, what a column came from, and ids
/// of which every row has its own, where rows are not in their order. Finding the bounds of a text
/// costs as much as looking it up in a dictionary.
fn leaves_without_bounds(table: &Table, column: &Column) -> Vec<ColumnPath> {
    let own_per_row = ["span_id", "parent_span_id", "response_id"].contains(&column.name);
    let sources = ["column_sources", "owner_sources", "usage_reason"].contains(&column.name);
    match column.kind {
        Kind::TextMap => ["key", "value"]
            .map(|leaf| ["key_value", leaf].map(str::to_owned).to_vec())
            .map(|rest| ColumnPath::new([vec![column.name.to_owned()], rest].concat()))
            .to_vec(),
        Kind::Text
            if is_document(column)
                || sources
                || own_per_row && !table.sort_by.contains(&column.name) =>
        {
            vec![ColumnPath::from(column.name)]
        }
        _ => Vec::new(),
    }
}

/// Texts that hold a whole JSON document.
pub(crate) fn is_document(column: &Column) -> bool {
    column.kind == Kind::Text && column.unit == "JSON"
}

fn sorting_columns(table: &Table) -> Vec<SortingColumn> {
    // Parquet counts leaves; all sort columns are leaves, but maps and lists before them have
    // more than one.
    let leaves = |column: &Column| if column.kind == Kind::TextMap { 2 } else { 1 };
    let leaf_of = |name: &str| {
        let before = table.columns.iter().skip(1).take_while(|c| c.name != name);
        before.map(leaves).sum::<i32>()
    };
    let sorting = |name: &&str| SortingColumn {
        column_idx: leaf_of(name),
        descending: false,
        nulls_first: true,
    };
    table.sort_by.iter().map(sorting).collect()
}
