//! Batches into bytes of a format. Takes columns and batches as they come, gives chunks; the text
//! formats write exact decimals and RFC 3339 instants in UTC. It knows no protocol; tables for a
//! terminal are the command line's own, from [`text::plain`].

pub mod binary;
pub mod json;
pub(crate) mod page;
pub mod text;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use crate::error::QueryError;

/// The formats an answer can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Json,
    /// Comma-separated values with a header, RFC 4180.
    Csv,
    /// Arrow IPC stream.
    Arrow,
    /// One Parquet file.
    Parquet,
}

impl Format {
    /// Every format, the default first.
    pub const ALL: [Format; 4] = [Format::Json, Format::Csv, Format::Arrow, Format::Parquet];

    /// Media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Csv => "text/csv",
            Format::Arrow => "application/vnd.apache.arrow.stream",
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// The first format that an `Accept` header takes; JSON without one. Qualities are not
    /// weighed: clients that name several list the preferred one first.
    ///
    /// # Errors
    /// [`QueryError::Format`] when it takes none of ours.
    pub fn accepted(accept: Option<&str>) -> Result<Format, QueryError> {
        let Some(accept) = accept else { return Ok(Format::Json) };
        let named = |range: &str| {
            let kind = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            match kind.as_str() {
                "*/*" | "application/*" | "" => Some(Format::Json),
                "text/*" => Some(Format::Csv),
                kind => Format::ALL.into_iter().find(|f| f.media_type() == kind),
            }
        };
        accept.split(',').find_map(named).ok_or_else(|| QueryError::Format(accept.to_owned()))
    }
}

/// Writes batches one after another; what is ready is taken out after each.
pub enum Writer {
    /// CSV.
    Csv(text::CsvWriter),
    /// Arrow IPC stream.
    Arrow(binary::ArrowStream),
    /// Parquet.
    Parquet(binary::ParquetFile),
}

impl Writer {
    /// A writer of a format that needs no more than batches: all but JSON.
    ///
    /// # Errors
    /// When the columns cannot be written in it.
    pub fn new(format: Format, schema: &SchemaRef) -> Result<Writer, QueryError> {
        match format {
            Format::Csv => Ok(Writer::Csv(text::CsvWriter::new())),
            Format::Arrow => binary::ArrowStream::new(schema).map(Writer::Arrow),
            Format::Parquet => binary::ParquetFile::new(schema).map(Writer::Parquet),
            Format::Json => Err(QueryError::Format(format.media_type().to_owned())),
        }
    }

    /// Adds a batch, gives the bytes that are ready.
    ///
    /// # Errors
    /// When a value cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        match self {
            Writer::Csv(w) => w.write(batch),
            Writer::Arrow(w) => w.write(batch),
            Writer::Parquet(w) => w.write(batch),
        }
    }

    /// Ends the answer, gives its last bytes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn finish(self, schema: &SchemaRef) -> Result<Vec<u8>, QueryError> {
        match self {
            Writer::Csv(w) => w.finish(schema),
            Writer::Arrow(w) => w.finish(),
            Writer::Parquet(w) => w.finish(),
        }
    }
}

/// The name of a column's type, as answers give it.
pub fn type_name(data_type: &arrow::datatypes::DataType) -> String {
    use arrow::datatypes::DataType;
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            "unsigned".to_owned()
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => format!("decimal({p},{s})"),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Map(..) => "map".to_owned(),
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => {
            format!("list<{}>", type_name(f.data_type()))
        }
        DataType::Dictionary(_, value) => type_name(value),
        DataType::Null => "null".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// A failure to write.
pub(crate) fn unwritable(error: impl std::fmt::Display) -> QueryError {
    QueryError::Failed(format!("cannot write the answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn the_first_known_media_type_wins() {
        let check =
            |accept, format| assert_eq!(Format::accepted(accept).ok(), format, "{accept:?}");
        check(None, Some(Format::Json));
        check(Some("*/*"), Some(Format::Json));
        check(Some("text/csv"), Some(Format::Csv));
        check(Some("text/html, application/vnd.apache.parquet;q=0.9"), Some(Format::Parquet));
        check(Some("Application/VND.apache.arrow.stream"), Some(Format::Arrow));
        check(Some("text/html"), None);
    }
}
