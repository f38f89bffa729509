//! `contract_periods(call, from, to [, as_of [, draft]])`: what contracts came to over the calls of a
//! query, an aggregate that gives a list of rows. Takes the columns of calls as `price` does, with
//! `trace_id` and `span_id`; the other arguments are constants, and `from` is the beginning of a UTC
//! month or null. The rules are the ledger's; here they meet DataFusion.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, ColumnarValue, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::scalar::ScalarValue;
use spanledger_ledger::prices::{Periods, period_columns, period_fields, periods_batch};

use super::prices::{SnapshotPrices, Terms, calls_of, check_fields, external};

/// Name of the function.
pub(super) const NAME: &str = "contract_periods";

/// The aggregate function, over the prices of one query's snapshot.
#[derive(Debug)]
pub(super) struct ContractPeriods {
    prices: Arc<SnapshotPrices>,
    signature: Signature,
}

impl ContractPeriods {
    pub(super) fn new(prices: Arc<SnapshotPrices>) -> Self {
        Self { prices, signature: Signature::user_defined(Volatility::Stable) }
    }
}

// Two are one function when they price by the same snapshot.
impl PartialEq for ContractPeriods {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.prices, &other.prices)
    }
}
impl Eq for ContractPeriods {}
impl Hash for ContractPeriods {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.prices).hash(state);
    }
}

fn row_field() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(period_fields()), true))
}

impl AggregateUDFImpl for ContractPeriods {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        let Some(call @ DataType::Struct(_)) =
            args.first().filter(|_| (3..=5).contains(&args.len()))
        else {
            return plan_err!(
                "{NAME} takes a call, from and to, and as_of and a draft if wanted, such as \
                 {NAME}(named_struct('trace_id', trace_id, 'span_id', span_id, 'started_at', started_at, \
                 'provider', provider, 'request_model', request_model, 'input_tokens', input_tokens), \
                 '2026-11-01', '2026-12-01')"
            );
        };
        let instant = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let all = [call.clone(), instant(), instant(), instant(), DataType::Utf8];
        Ok(all[..args.len()].to_vec())
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        check_fields(NAME, args.first(), period_columns)?;
        Ok(DataType::List(row_field()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "found");
        Ok(vec![Arc::new(Field::new(name, DataType::LargeBinary, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("{NAME}(DISTINCT …) is not supported");
        }
        let mut rest = Vec::new();
        for expr in args.exprs.iter().skip(1) {
            rest.push(constant(expr)?);
        }
        let instant = |at: usize| match rest.get(at) {
            None => Ok(None),
            Some(ScalarValue::TimestampMicrosecond(at, _)) => Ok(*at),
            Some(odd) => plan_err!("{NAME}: `{odd}` is no instant"),
        };
        let draft = match rest.get(3) {
            None => None,
            Some(ScalarValue::Utf8(draft)) => draft.clone(),
            Some(odd) => return plan_err!("{NAME}: `{odd}` is no draft"),
        };
        let Some(to) = instant(1)? else { return plan_err!("{NAME}: `to` is null") };
        Ok(Box::new(Collected {
            prices: Arc::clone(&self.prices),
            window: (instant(0)?, to),
            terms: (instant(2)?, draft),
            periods: None,
        }))
    }
}

/// The value of an argument that does not depend on a row.
fn constant(expr: &Arc<dyn PhysicalExpr>) -> Result<ScalarValue> {
    let nothing = RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
    match expr.evaluate(&nothing) {
        Ok(ColumnarValue::Scalar(value)) => Ok(value),
        _ => plan_err!("{NAME}: `{expr}` is not a constant"),
    }
}

/// What was found in the calls of one part of the query.
#[derive(Debug)]
struct Collected {
    prices: Arc<SnapshotPrices>,
    window: (Option<i64>, i64),
    terms: Terms,
    /// Made when the first call comes: only then are the prices read.
    periods: Option<Periods>,
}

impl Collected {
    fn take(&mut self) -> Result<Periods> {
        match self.periods.take() {
            Some(periods) => Ok(periods),
            None => {
                let contracts = self.prices.contracts(&self.terms)?;
                Periods::new(&contracts, self.prices.tenant()).map_err(external)
            }
        }
    }
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut periods = self.take()?;
        let calls = calls_of(values[0].as_struct(), period_columns(), self.prices.tenant())?;
        let added = periods.add(&calls).map_err(external);
        self.periods = Some(periods);
        added
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let mut periods = self.take()?;
        let states = states[0].as_binary::<i64>();
        let merged = states.iter().flatten().try_for_each(|state| periods.merge(state));
        self.periods = Some(periods);
        merged.map_err(external)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let state = self.periods.take().map(|periods| periods.state());
        Ok(vec![ScalarValue::LargeBinary(state)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (from, to) = self.window;
        let rows = self.take()?.rows(from, to).map_err(external)?;
        let rows = StructArray::from(periods_batch(&rows).map_err(external)?);
        let Ok(length) = i32::try_from(rows.len()) else {
            return exec_err!("{NAME}: more rows than a list can hold");
        };
        let offsets = OffsetBuffer::new(vec![0, length].into());
        let list = ListArray::try_new(row_field(), offsets, Arc::new(rows), None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.periods.as_ref().map_or(0, Periods::size)
    }
}
