//! Prices whole batches: takes calls as Arrow columns, gives their price columns. The columns
//! have the names and meanings of table `calls`. Used by settle; it decides nothing itself.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal128Builder, Int64Array, RecordBatch,
    StringArray, StringBuilder, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use spanledger_schemas::{Money, money};

use super::quote::{PriceState, Quote};
use super::{CallFacts, PriceError, Pricer};
use crate::usage::{Unit, Usage};

/// The price columns of a batch of calls, in its order.
#[derive(Debug)]
pub struct PricedColumns {
    /// List cost; null when unpriced.
    pub cost: Decimal128Array,
    /// Part of the cost for input.
    pub input_cost: Decimal128Array,
    /// Part of the cost for output.
    pub output_cost: Decimal128Array,
    /// ISO 4217; null when unpriced.
    pub currency: StringArray,
    /// `priced`, `part-priced` or `unpriced`.
    pub price_state: StringArray,
    /// Why there is no (full) price, and other remarks.
    pub price_reason: StringArray,
    /// Ids of the price rows used, comma-separated (I-7).
    pub price_ids: StringArray,
}

impl PricedColumns {
    /// The column of that name of table `calls`, if it is one of these.
    pub fn named(&self, name: &str) -> Option<ArrayRef> {
        Some(match name {
            "cost" => Arc::new(self.cost.clone()),
            "input_cost" => Arc::new(self.input_cost.clone()),
            "output_cost" => Arc::new(self.output_cost.clone()),
            "currency" => Arc::new(self.currency.clone()),
            "price_state" => Arc::new(self.price_state.clone()),
            "price_reason" => Arc::new(self.price_reason.clone()),
            "price_ids" => Arc::new(self.price_ids.clone()),
            _ => return None,
        })
    }
}

/// The token columns of `calls` and the units they count.
const COUNTS: &[(&str, Unit)] = &[
    ("input_tokens", Unit::INPUT),
    ("output_tokens", Unit::OUTPUT),
    ("cache_read_tokens", Unit::CACHE_READ),
    ("cache_write_tokens", Unit::CACHE_WRITE),
    ("cache_write_5m_tokens", Unit::CACHE_WRITE_5M),
    ("cache_write_1h_tokens", Unit::CACHE_WRITE_1H),
    ("reasoning_tokens", Unit::REASONING),
    ("input_audio_tokens", Unit::INPUT_AUDIO),
    ("output_audio_tokens", Unit::OUTPUT_AUDIO),
    ("input_image_tokens", Unit::INPUT_IMAGE),
    ("output_image_tokens", Unit::OUTPUT_IMAGE),
    ("web_searches", Unit::WEB_SEARCHES),
];

/// The columns that decide what a call costs, besides those of [`COUNTS`].
const FACTS: [&str; 9] = [
    "tenant",
    "start_unix_ns",
    "provider",
    "request_model",
    "response_model",
    "service_tier",
    "region",
    "server_address",
    "usage_basis",
];

/// The columns of table `calls` that decide what a call costs.
pub fn deciding_columns() -> impl Iterator<Item = &'static str> {
    let counts = COUNTS.iter().map(|(name, _)| *name);
    FACTS.into_iter().chain(counts).chain(["gateway_cache_hit"])
}

/// The usage that a row of `calls` is priced by.
///
/// # Errors
/// When a token column is missing or of another type.
pub fn usage_at(calls: &RecordBatch, row: usize) -> Result<Usage, PriceError> {
    let mut usage = Usage::default();
    for (name, unit) in COUNTS {
        let column = int(calls, name)?;
        if column.is_valid(row) {
            usage.set(*unit, column.value(row));
        }
    }
    Ok(usage)
}

/// Prices every row of `calls`, which needs `start_unix_ns`, `provider`, `request_model`,
/// `response_model`, `service_tier`, `region`, `server_address`, `usage_basis` and the token
/// columns of table `calls`.
///
/// A call whose basis is `unknown` although it used a cache is at most part-priced: its input
/// may or may not contain the cached tokens. A call with a true `gateway_cache_hit`, where there is
/// such a column, costs nothing.
///
/// # Errors
/// When a column is missing or of another type.
pub fn price_columns(
    pricer: &mut Pricer,
    calls: &RecordBatch,
) -> Result<PricedColumns, PriceError> {
    let provider = text(calls, "provider")?;
    let request_model = text(calls, "request_model")?;
    let response_model = text(calls, "response_model")?;
    let tier = text(calls, "service_tier")?;
    let region = text(calls, "region")?;
    let host = text(calls, "server_address")?;
    let basis = text(calls, "usage_basis")?;
    // Without the column only prices that hold for everybody are taken.
    let tenant = calls.column_by_name("tenant").map(|_| text(calls, "tenant")).transpose()?;
    let start = int(calls, "start_unix_ns")?;
    let cache_hit = calls.column_by_name("gateway_cache_hit").and_then(|c| c.as_boolean_opt());
    let counts = COUNTS
        .iter()
        .map(|(name, unit)| Ok((*unit, int(calls, name)?)))
        .collect::<Result<Vec<_>, PriceError>>()?;

    let rows = calls.num_rows();
    let amounts = || Decimal128Builder::with_capacity(rows).with_data_type(decimal());
    let (mut cost, mut input_cost, mut output_cost) = (amounts(), amounts(), amounts());
    let texts = |bytes| StringBuilder::with_capacity(rows, rows * bytes);
    let (mut currency, mut state) = (texts(3), texts(8));
    let (mut reason, mut ids) = (texts(0), texts(51));
    let mut quote = Quote::default();
    for i in 0..rows {
        let mut usage = Usage::default();
        for (unit, column) in &counts {
            if column.is_valid(i) {
                usage.set(*unit, column.value(i));
            }
        }
        let facts = CallFacts {
            tenant: tenant.as_ref().and_then(|tenant| at(tenant, i)),
            provider: at(&provider, i),
            request_model: at(&request_model, i),
            response_model: at(&response_model, i),
            service_tier: at(&tier, i),
            region: at(&region, i),
            server_address: at(&host, i),
            at: start.value(i).div_euclid(1_000),
            usage: &usage,
        };
        pricer.quote_into(&facts, &mut quote);
        if usage.is_empty() && at(&basis, i) == Some("estimated") {
            quote.refuse(format_args!("usage is the library's own estimate: shown, not priced"));
        }
        let cached = usage.count(Unit::CACHE_READ) + usage.count(Unit::CACHE_WRITE) > 0;
        if quote.state == PriceState::Priced && cached && at(&basis, i) == Some("unknown") {
            quote.state = PriceState::PartPriced;
            quote.remark(format_args!("unknown whether input contains the cached tokens"));
        }
        if cache_hit.is_some_and(|c| c.is_valid(i) && c.value(i)) {
            quote.free("a gateway answered from its own cache: no provider bills the call");
        }
        let priced = quote.state != PriceState::Unpriced;
        let amount = |m: Money| priced.then_some(m.0);
        cost.append_option(amount(quote.total));
        input_cost.append_option(amount(quote.input));
        output_cost.append_option(amount(quote.output));
        currency.append_option(quote.currency.as_deref());
        state.append_value(quote.state.word());
        reason.append_option((!quote.reason.is_empty()).then_some(&quote.reason));
        append_ids(&mut ids, pricer, &quote);
    }
    Ok(PricedColumns {
        cost: cost.finish(),
        input_cost: input_cost.finish(),
        output_cost: output_cost.finish(),
        currency: currency.finish(),
        price_state: state.finish(),
        price_reason: reason.finish(),
        price_ids: ids.finish(),
    })
}

fn append_ids(ids: &mut StringBuilder, pricer: &Pricer, quote: &Quote) {
    use std::fmt::Write as _;
    let rows = quote.lines.iter().map(|line| line.row).chain(quote.beside.iter().copied());
    let mut separator = "";
    for row in rows {
        // Writing to a builder cannot fail.
        let _ = write!(ids, "{separator}{}", pricer.book().row(row).1);
        separator = ",";
    }
    if separator.is_empty() {
        return ids.append_null();
    }
    ids.append_value("");
}

fn decimal() -> DataType {
    DataType::Decimal128(money::PRECISION, money::SCALE)
}

fn at(column: &StringViewArray, i: usize) -> Option<&str> {
    column.is_valid(i).then(|| column.value(i))
}

/// A text column of a batch, whatever Arrow string type it has.
pub(crate) fn text(batch: &RecordBatch, name: &str) -> Result<StringViewArray, PriceError> {
    let wrong = || PriceError::Column { column: name.to_owned() };
    let column = batch.column_by_name(name).ok_or_else(wrong)?;
    let column = arrow::compute::cast(column, &DataType::Utf8View)?;
    column.as_string_view_opt().cloned().ok_or_else(wrong)
}

/// A column of 64-bit integers of a batch.
pub(crate) fn int(batch: &RecordBatch, name: &str) -> Result<Int64Array, PriceError> {
    let wrong = || PriceError::Column { column: name.to_owned() };
    let column = batch.column_by_name(name).ok_or_else(wrong)?;
    column.as_primitive_opt::<Int64Type>().cloned().ok_or_else(wrong)
}

/// A column of instants of a batch.
pub(crate) fn instant(
    batch: &RecordBatch,
    name: &str,
) -> Result<TimestampMicrosecondArray, PriceError> {
    let wrong = || PriceError::Column { column: name.to_owned() };
    let column = batch.column_by_name(name).ok_or_else(wrong)?;
    column.as_primitive_opt::<TimestampMicrosecondType>().cloned().ok_or_else(wrong)
}
