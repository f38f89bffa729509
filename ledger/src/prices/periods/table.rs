//! The rows of periods as Arrow columns, in the words of the question `commitments`. It computes
//! nothing.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use spanledger_schemas::{Money, money};

use super::PeriodRow;
use crate::prices::PriceError;

/// The columns of [`periods_batch`]: all may be null.
pub fn period_fields() -> Fields {
    let decimal = DataType::Decimal128(money::PRECISION, money::SCALE);
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let kinds = [
        ("tenant", &DataType::Utf8),
        ("contract", &DataType::Utf8),
        ("kind", &DataType::Utf8),
        ("provider", &DataType::Utf8),
        ("model", &DataType::Utf8),
        ("service_tier", &DataType::Utf8),
        ("region", &DataType::Utf8),
        ("period_from", &instant),
        ("period_to", &instant),
        ("unit", &DataType::Utf8),
        ("quantity", &DataType::Int64),
        ("list_value", &decimal),
        ("paid", &decimal),
        ("commitment_unused", &decimal),
        ("free_allowance", &decimal),
        ("currency", &DataType::Utf8),
        ("used_share", &DataType::Float64),
        ("effective_price", &decimal),
        ("per_quantity", &DataType::Int64),
        ("period_calls", &DataType::Int64),
        ("unlisted_calls", &DataType::Int64),
        ("quota", &DataType::Int64),
        ("free_quantity", &DataType::Int64),
        ("quota_left", &DataType::Int64),
        ("exhausted_at", &instant),
        ("exhausted_call", &DataType::Utf8),
        ("price_id", &DataType::Utf8),
    ];
    kinds.into_iter().map(|(name, kind)| Field::new(name, kind.clone(), true)).collect()
}

/// Rows as a batch with [`period_fields`].
///
/// # Errors
/// When the columns do not form that schema.
pub fn periods_batch(rows: &[PeriodRow]) -> Result<RecordBatch, PriceError> {
    let text = |of: fn(&PeriodRow) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let int = |of: fn(&PeriodRow) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Int64Array>())
    };
    let instant = |of: fn(&PeriodRow) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let amount = |of: fn(&PeriodRow) -> Option<Money>| -> Result<ArrayRef, PriceError> {
        let amounts = rows.iter().map(|row| of(row).map(|m| m.0)).collect::<Decimal128Array>();
        Ok(Arc::new(amounts.with_precision_and_scale(money::PRECISION, money::SCALE)?))
    };
    let fields = period_fields();
    let columns = fields.iter().map(|field| {
        Ok(match field.name().as_str() {
            "tenant" => text(|r| Some(&r.tenant)),
            "contract" => text(|r| Some(&r.contract)),
            "kind" => text(|r| Some(r.kind.word())),
            "provider" => text(|r| Some(&r.provider)),
            "model" => text(|r| Some(&r.model)),
            "service_tier" => text(|r| r.service_tier.as_deref()),
            "region" => text(|r| r.region.as_deref()),
            "period_from" => instant(|r| Some(r.from)),
            "period_to" => instant(|r| Some(r.to)),
            "unit" => text(|r| r.unit.map(|unit| unit.name())),
            "quantity" => int(|r| r.quantity),
            "list_value" => amount(|r| r.list_value)?,
            "paid" => amount(|r| r.paid)?,
            "commitment_unused" => amount(|r| r.commitment_unused)?,
            "free_allowance" => amount(|r| r.free_allowance)?,
            "currency" => text(|r| r.currency.as_deref()),
            "used_share" => Arc::new(rows.iter().map(|r| r.used_share).collect::<Float64Array>()),
            "effective_price" => amount(|r| r.effective_price)?,
            "per_quantity" => int(|r| r.unit.map(|unit| unit.per_quantity())),
            "period_calls" => int(|r| Some(r.calls)),
            "unlisted_calls" => int(|r| Some(r.unlisted_calls)),
            "quota" => int(|r| r.quota),
            "free_quantity" => int(|r| r.free_quantity),
            "quota_left" => int(|r| r.left),
            "exhausted_at" => instant(|r| r.exhausted.as_ref().map(|(at, _)| *at)),
            "exhausted_call" => text(|r| r.exhausted.as_ref().map(|(_, call)| call.as_str())),
            "price_id" => text(|r| Some(&r.price_id)),
            other => return Err(PriceError::Column { column: other.to_owned() }),
        })
    });
    let columns = columns.collect::<Result<Vec<_>, PriceError>>()?;
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
