//! Columns and rows as PostgreSQL sends them: the type, width and modifier of each column, and each
//! row's bytes. Takes batches, gives messages; both protocols and COPY write values through it.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion_postgres::arrow_pg::datatypes::arrow_schema_to_pg_fields;
use datafusion_postgres::arrow_pg::encoder::{Encoder, encode_value};
use futures::stream::{self, Stream, StreamExt};
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldInfo, QueryResponse};
use pgwire::api::{ClientInfo, Type};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;
use pgwire::types::format::FormatOptions;

use super::numeric::Numeric;
use crate::error::QueryError;
use crate::session::pg_types::{self, JSON};

/// The columns as they are described to the client.
///
/// # Errors
/// When a column has no type there, or the client has asked for formats of other columns.
pub(super) fn fields(
    schema: &Schema,
    format: &Format,
    options: Option<Arc<FormatOptions>>,
) -> PgWireResult<Vec<FieldInfo>> {
    let columns = schema.fields().len();
    if let Format::Individual(formats) = format
        && formats.len() != columns
    {
        let counts = format!("{} result formats but the query has {columns}", formats.len());
        return Err(violation(format!("bind message has {counts} columns")));
    }
    let described = arrow_schema_to_pg_fields(schema, format, options)?;
    Ok(described.into_iter().zip(schema.fields()).map(|(info, field)| own(info, field)).collect())
}

fn own(info: FieldInfo, field: &Field) -> FieldInfo {
    if field.metadata().contains_key(JSON) {
        let (name, format) = (info.name().to_owned(), info.format());
        return FieldInfo::new(name, None, None, Type::JSON, format).with_type_size(-1);
    }
    let size = size(info.datatype());
    info.with_type_size(size).with_type_modifier(pg_types::modifier(field.data_type()))
}

/// Bytes of a value, -1 where they vary (`pg_type.typlen`).
fn size(kind: &Type) -> i16 {
    match *kind {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID | Type::REGCLASS | Type::REGTYPE => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => 8,
        Type::INTERVAL => 16,
        _ => -1,
    }
}

/// How the client wants values written that PostgreSQL has several forms of.
pub(super) fn options<C: ClientInfo + ?Sized>(client: &C) -> Arc<FormatOptions> {
    Arc::new(FormatOptions::from_client_metadata(client.metadata()))
}

/// A message per row of the batches, as they come.
pub(super) fn response<S>(fields: Arc<Vec<FieldInfo>>, batches: S) -> QueryResponse
where
    S: Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
{
    let columns = Arc::clone(&fields);
    let rows = batches.map(move |batch| match batch {
        Ok(batch) => stream::iter(messages(Arc::clone(&columns), batch)).left_stream(),
        Err(error) => stream::iter([Err(PgWireError::from(error))]).right_stream(),
    });
    QueryResponse::new(fields, rows.flatten())
}

fn messages(
    fields: Arc<Vec<FieldInfo>>,
    batch: RecordBatch,
) -> impl Iterator<Item = PgWireResult<DataRow>> {
    let mut encoder = DataRowEncoder::new(Arc::clone(&fields));
    (0..batch.num_rows()).map(move |row| write(&mut encoder, &fields, &batch, row))
}

/// Writes one row of a batch.
pub(super) fn write<E: Encoder>(
    encoder: &mut E,
    fields: &[FieldInfo],
    batch: &RecordBatch,
    row: usize,
) -> PgWireResult<E::Item> {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns()).zip(fields);
    for ((column, array), field) in columns {
        match column.data_type() {
            DataType::Decimal128(_, scale) => {
                let array = array.as_primitive::<Decimal128Type>();
                let value = (!array.is_null(row))
                    .then(|| Numeric { unscaled: array.value(row), scale: *scale });
                encoder.encode_field(&value, field)?;
            }
            _ => encode_value(encoder, array, row, column, field)?,
        }
    }
    Ok(encoder.take_row())
}

/// A message that does not fit those before it.
pub(super) fn violation(message: String) -> PgWireError {
    failure(
        "08P01",
        message,
        "the client's library broke the protocol: see whether it has a newer version",
    )
}

/// A failure with its SQLSTATE, and what to do about it.
pub(super) fn failure(code: &str, message: String, hint: &str) -> PgWireError {
    let mut info = ErrorInfo::new("ERROR".to_owned(), code.to_owned(), message);
    info.hint = Some(hint.to_owned());
    PgWireError::UserError(Box::new(info))
}
