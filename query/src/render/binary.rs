//! Arrow IPC streams and Parquet files of an answer. String views become plain strings: not
//! every reader of either format knows views.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::unwritable;
use crate::error::QueryError;

/// Arrow IPC stream, written as batches come.
pub struct ArrowStream(StreamWriter<Vec<u8>>);

impl ArrowStream {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, QueryError> {
        StreamWriter::try_new(Vec::new(), &common(schema)).map(Self).map_err(unwritable)
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        self.0.write(&in_common_types(batch)?).map_err(unwritable)?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>, QueryError> {
        self.0.finish().map_err(unwritable)?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

/// A Parquet file; its bytes come at the end, since its footer does.
pub struct ParquetFile(ArrowWriter<Vec<u8>>);

impl ParquetFile {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, QueryError> {
        let compression = Compression::ZSTD(ZstdLevel::try_new(1).map_err(unwritable)?);
        let properties = WriterProperties::builder().set_compression(compression).build();
        ArrowWriter::try_new(Vec::new(), common(schema), Some(properties))
            .map(Self)
            .map_err(unwritable)
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        self.0.write(&in_common_types(batch)?).map_err(unwritable)?;
        Ok(Vec::new())
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, QueryError> {
        self.0.into_inner().map_err(unwritable)
    }
}

fn common(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8View => field.as_ref().clone().with_data_type(DataType::Utf8),
        DataType::BinaryView => field.as_ref().clone().with_data_type(DataType::Binary),
        _ => field.as_ref().clone(),
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn in_common_types(batch: &RecordBatch) -> Result<RecordBatch, QueryError> {
    let schema = common(&batch.schema());
    let column = |(field, array): (&Arc<Field>, &ArrayRef)| cast(array, field.data_type());
    let columns = schema.fields().iter().zip(batch.columns()).map(column);
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(unwritable)?;
    RecordBatch::try_new(schema, columns).map_err(unwritable)
}
