//! How a [`Table`] is written down in Delta: schema, properties, protocol. Creates missing
//! tables, checks existing ones and says which columns have to be added. It reads no rows.

use deltalake::kernel::{
    ArrayType, DataType, MapType, Metadata, MetadataExt, Protocol, StructField, StructType,
};
use deltalake::logstore::LogStoreRef;
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::SaveMode;
use spanledger_schemas::table::PARTITION_COLUMN;
use spanledger_schemas::{Column, Kind, Table, money};

use crate::error::StoreError;
use crate::limits;

/// Writer features that change nothing for a writer of whole files.
const HARMLESS_FEATURES: [&str; 2] = ["appendOnly", "invariants"];

/// Creates the table's log with version 0, unless another process is first.
pub(crate) async fn create(table: &'static Table, log: LogStoreRef) -> Result<(), StoreError> {
    let properties = [
        ("delta.checkpointInterval", limits::CHECKPOINT_INTERVAL.to_string()),
        ("delta.deletedFileRetentionDuration", limits::TOMBSTONE_RETENTION.to_owned()),
        // The log is cleaned by our own upkeep, by number of entries: see `upkeep::log_cleanup`.
        ("delta.enableExpiredLogCleanup", "false".to_owned()),
    ];
    let create = CreateBuilder::new()
        .with_log_store(log)
        .with_table_name(table.name)
        .with_comment(format!("One row is {}.", table.row))
        .with_columns(fields(table)?)
        .with_partition_columns([PARTITION_COLUMN])
        .with_configuration(properties.map(|(key, value)| (key, Some(value))))
        .with_save_mode(SaveMode::Ignore);
    Box::pin(create.into_future())
        .await
        .map(|_| ())
        .map_err(StoreError::log("creating", table.name))
}

/// What opening a table found.
#[derive(Debug)]
pub(crate) enum Fit {
    /// The columns agree.
    Same,
    /// The table lacks columns of this version: commit this metadata first.
    Evolve(Box<Metadata>),
}

/// Compares the table on disk with the definition.
///
/// # Errors
/// [`StoreError::ForeignFeature`] for mapped column names; [`StoreError::Columns`] when a column is missing that cannot be null, is of another type, or
/// is unknown to this version (a compaction would lose it).
pub(crate) fn check_columns(table: &'static Table, metadata: &Metadata) -> Result<Fit, StoreError> {
    if metadata.configuration().get("delta.columnMapping.mode").is_some_and(|mode| mode != "none") {
        return foreign(table, "columnMapping");
    }
    let mismatch = |detail: String| Err(StoreError::Columns { table: table.name, detail });
    if !metadata.partition_columns().iter().eq([PARTITION_COLUMN]) {
        return mismatch(format!(
            "partitioned by {:?}, expected [\"{PARTITION_COLUMN}\"]",
            metadata.partition_columns()
        ));
    }
    let found =
        metadata.parse_schema().map_err(StoreError::log("reading the schema in", table.name))?;
    if let Some(unknown) = found.fields().find(|f| table.column(f.name()).is_none()) {
        return mismatch(format!("column `{}` is unknown to this version", unknown.name()));
    }
    let mut evolve = false;
    for column in table.columns {
        let expected = field(table, column)?;
        match found.field(column.name) {
            None if column.nullable => evolve = true,
            None => {
                return mismatch(format!("column `{}` is missing and has no null", column.name));
            }
            Some(f) if f.data_type() != expected.data_type() => {
                return mismatch(format!(
                    "column `{}` is {}, expected {}",
                    column.name,
                    f.data_type(),
                    expected.data_type()
                ));
            }
            Some(f) if f.is_nullable() && !column.nullable => {
                return mismatch(format!(
                    "column `{}` may be null, expected that every row has it",
                    column.name
                ));
            }
            Some(f) => evolve |= column.nullable && !f.is_nullable(),
        }
    }
    if !evolve {
        return Ok(Fit::Same);
    }
    let metadata = metadata
        .clone()
        .with_schema(&schema(table)?)
        .map_err(StoreError::log("adding columns to the schema in", table.name))?;
    Ok(Fit::Evolve(Box::new(metadata)))
}

/// Refuses tables that need a feature which this store lacks.
///
/// # Errors
/// [`StoreError::ForeignFeature`].
pub(crate) fn check_protocol(table: &'static Table, protocol: &Protocol) -> Result<(), StoreError> {
    // Reader version 1 is plain Parquet; 2 is column mapping; 3 lists what it needs.
    if let Some(feature) = protocol.reader_features().and_then(|features| features.first()) {
        return foreign(table, feature.as_ref());
    }
    if protocol.min_reader_version() == 2 {
        return foreign(table, "columnMapping");
    }
    if let Some(features) = protocol.writer_features() {
        let needed = |f: &String| !HARMLESS_FEATURES.contains(&f.as_str());
        if let Some(feature) = features.iter().map(ToString::to_string).find(needed) {
            return foreign(table, &feature);
        }
    } else if protocol.min_writer_version() > 2 {
        return foreign(table, &format!("writer version {}", protocol.min_writer_version()));
    }
    Ok(())
}

/// The error for a feature we lack.
pub(crate) fn foreign<T>(table: &'static Table, feature: &str) -> Result<T, StoreError> {
    Err(StoreError::ForeignFeature { table: table.name, feature: feature.to_owned() })
}

fn schema(table: &'static Table) -> Result<StructType, StoreError> {
    StructType::try_new(fields(table)?)
        .map_err(StoreError::log("building the schema for", table.name))
}

fn fields(table: &'static Table) -> Result<Vec<StructField>, StoreError> {
    table.columns.iter().map(|column| field(table, column)).collect()
}

fn field(table: &'static Table, column: &Column) -> Result<StructField, StoreError> {
    let data_type = match column.kind {
        Kind::Text => DataType::STRING,
        Kind::Int => DataType::LONG,
        Kind::Float => DataType::DOUBLE,
        Kind::Decimal => DataType::decimal(money::PRECISION, money::SCALE.unsigned_abs())
            .map_err(StoreError::log("building the schema for", table.name))?,
        Kind::Bool => DataType::BOOLEAN,
        Kind::Instant => DataType::TIMESTAMP,
        Kind::Date => DataType::DATE,
        Kind::TextMap => {
            DataType::Map(Box::new(MapType::new(DataType::STRING, DataType::STRING, true)))
        }
        Kind::IntList => DataType::Array(Box::new(ArrayType::new(DataType::LONG, true))),
        Kind::FloatList => DataType::Array(Box::new(ArrayType::new(DataType::DOUBLE, true))),
    };
    let comment = if column.unit.is_empty() {
        column.meaning.to_owned()
    } else {
        format!("{} ({})", column.meaning, column.unit)
    };
    Ok(StructField::new(column.name, data_type, column.nullable)
        .with_metadata([("comment", comment)]))
}
