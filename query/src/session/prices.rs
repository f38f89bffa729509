//! Pricing in SQL: `price(call [, as_of [, draft]])` and `nearest_model(provider, model)`. Takes the
//! columns of calls, gives what they cost by the price book of the query's snapshot (I-12). The
//! rules are the ledger's; here they meet DataFusion.
//!
//! `call` is a struct with any of the columns of `calls` that decide a price, such as
//! `named_struct('provider', provider, 'request_model', 'gpt-4o-mini', 'started_at', started_at,
//! 'input_tokens', input_tokens)`; what it lacks is unknown. The tenant is always that of the query
//! (I-10). The result is a struct with the price columns of `calls`.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StructArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::registry::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::prelude::{Expr, SessionContext};
use datafusion::scalar::ScalarValue;
use spanledger_ledger::prices::{
    ContractBooks, PriceBook, PriceRow, Pricer, SHARED_TENANT, deciding_columns, nearest,
    price_columns, read_draft,
};
use spanledger_schemas::{Kind, money, tables};

use super::periods::{self, ContractPeriods};
use crate::limits;

/// Name of the function that prices calls.
const PRICE: &str = "price";
/// Name of the function that suggests a model.
const NEAREST: &str = "nearest_model";

/// Rows of table `prices` by the version they were read at: the last that was needed.
#[derive(Debug, Default)]
pub(super) struct PriceCache(Mutex<Option<(i64, Arc<Vec<PriceRow>>)>>);

/// The prices of one query's snapshot, read when a function needs them.
#[derive(Debug)]
pub(super) struct SnapshotPrices {
    table: Option<Arc<dyn TableProvider>>,
    version: i64,
    tenant: String,
    cache: Arc<PriceCache>,
    rows: OnceLock<Arc<Vec<PriceRow>>>,
    /// Books, and pricers at rest, by the belief and the draft they price with. Both are constants
    /// of the query, so there are few.
    pricers: Mutex<HashMap<Terms, Priced>>,
}

/// What was believed when, under which draft.
pub(super) type Terms = (Option<i64>, Option<String>);

/// A book, once it was needed, and pricers of it that are at rest.
#[derive(Debug, Default)]
struct Priced {
    book: Option<Arc<PriceBook>>,
    contracts: Option<ContractBooks>,
    resting: Vec<Pricer>,
}

impl SnapshotPrices {
    pub(super) fn new(
        table: Option<Arc<dyn TableProvider>>,
        version: i64,
        tenant: &str,
        cache: Arc<PriceCache>,
    ) -> Arc<Self> {
        Arc::new(Self {
            table,
            version,
            tenant: tenant.to_owned(),
            cache,
            rows: OnceLock::new(),
            pricers: Mutex::default(),
        })
    }

    /// Gives a session the functions over these prices.
    pub(super) fn register(self: &Arc<Self>, state: &mut SessionState) -> Result<()> {
        let price = Price { prices: Arc::clone(self), signature: user_defined() };
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(price)))?;
        let nearest = Nearest {
            prices: Arc::clone(self),
            signature: Signature::exact(vec![DataType::Utf8, DataType::Utf8], Volatility::Stable),
        };
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(nearest)))?;
        let periods = ContractPeriods::new(Arc::clone(self));
        state.register_udaf(Arc::new(AggregateUDF::new_from_impl(periods)))?;
        Ok(())
    }

    /// Reads the prices, if the plan needs them and they were not read yet.
    pub(super) async fn prepare(&self, plan: &LogicalPlan) -> Result<()> {
        if !used_by(plan) || self.rows.get().is_some() {
            return Ok(());
        }
        let cached = || {
            let cached = self.cache.0.lock().unwrap_or_else(PoisonError::into_inner);
            cached.as_ref().filter(|(v, _)| *v == self.version).map(|(_, rows)| Arc::clone(rows))
        };
        let rows = match (cached(), &self.table) {
            (Some(rows), _) => rows,
            (None, None) => Arc::new(Vec::new()),
            (None, Some(table)) => {
                let batches =
                    SessionContext::new().read_table(Arc::clone(table))?.collect().await?;
                let mut rows = Vec::new();
                for batch in &batches {
                    rows.extend(PriceRow::of_batch(batch).map_err(external)?);
                }
                let rows = Arc::new(rows);
                let mut cached = self.cache.0.lock().unwrap_or_else(PoisonError::into_inner);
                *cached = Some((self.version, Arc::clone(&rows)));
                rows
            }
        };
        // Another plan of the same query may have been as fast; both read the same version.
        let _ = self.rows.set(rows);
        Ok(())
    }

    /// The book of a belief and a draft.
    ///
    /// # Errors
    /// When the draft cannot be read, or the query has too many beliefs and drafts.
    pub(super) fn book(&self, terms: &Terms) -> Result<Arc<PriceBook>> {
        let mut priced = self.pricers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(book) = priced.get(terms).and_then(|priced| priced.book.as_ref()) {
            return Ok(Arc::clone(book));
        }
        if !priced.contains_key(terms) && priced.len() >= limits::PRICE_TERMS_MAX {
            return exec_err!(
                "price: more than {} instants and drafts in one query",
                limits::PRICE_TERMS_MAX
            );
        }
        // Others wait for it: they would only make the same book.
        let book = self.made(terms)?;
        priced.entry(terms.clone()).or_default().book = Some(Arc::clone(&book));
        Ok(book)
    }

    /// The same with what it takes to reckon its contracts.
    ///
    /// # Errors
    /// As [`SnapshotPrices::book`].
    pub(super) fn contracts(&self, terms: &Terms) -> Result<ContractBooks> {
        let book = self.book(terms)?;
        let mut priced = self.pricers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = priced.entry(terms.clone()).or_default();
        if let Some(contracts) = &known.contracts {
            return Ok(contracts.clone());
        }
        let contracts = ContractBooks::new(book).map_err(external)?;
        known.contracts = Some(contracts.clone());
        Ok(contracts)
    }

    fn made(&self, (as_of, draft): &Terms) -> Result<Arc<PriceBook>> {
        let Some(all) = self.rows.get() else {
            return exec_err!("the prices were not read before they were needed");
        };
        // No price of another tenant is even in the book (I-10).
        let ours = |row: &&PriceRow| *row.tenant == *self.tenant || &*row.tenant == SHARED_TENANT;
        let rows: Vec<PriceRow> = all.iter().filter(ours).cloned().collect();
        let as_of = as_of.unwrap_or(i64::MAX);
        let book = match draft {
            None => PriceBook::believed_at(rows, as_of),
            Some(draft) => read_draft(draft, &self.tenant)
                .and_then(|draft| PriceBook::under(rows, &draft, as_of)),
        };
        book.map_err(external)
    }

    /// Whose prices they are.
    pub(super) fn tenant(&self) -> &str {
        &self.tenant
    }

    fn pricer(&self, terms: &Terms) -> Result<Pricer> {
        let mut priced = self.pricers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pricer) = priced.get_mut(terms).and_then(|priced| priced.resting.pop()) {
            return Ok(pricer);
        }
        drop(priced);
        Ok(Pricer::new(self.book(terms)?))
    }

    fn rest(&self, terms: Terms, pricer: Pricer) {
        let mut priced = self.pricers.lock().unwrap_or_else(PoisonError::into_inner);
        priced.entry(terms).or_default().resting.push(pricer);
    }
}

/// Whether a plan uses a function that needs prices.
pub(super) fn used_by(plan: &LogicalPlan) -> bool {
    let mut used = false;
    let looked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                used |= match expr {
                    Expr::ScalarFunction(call) => matches!(call.func.name(), PRICE | NEAREST),
                    Expr::AggregateFunction(call) => call.func.name() == periods::NAME,
                    _ => false,
                };
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    debug_assert!(looked.is_ok(), "the visitor never fails");
    used
}

pub(super) fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::Execution(error.to_string())
}

fn user_defined() -> Signature {
    Signature::user_defined(Volatility::Stable)
}

/// `price(call [, as_of [, draft]])`.
#[derive(Debug)]
struct Price {
    prices: Arc<SnapshotPrices>,
    signature: Signature,
}

// Two are one function when they price by the same snapshot.
impl PartialEq for Price {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.prices, &other.prices)
    }
}
impl Eq for Price {}
impl Hash for Price {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.prices).hash(state);
    }
}

/// The price columns of `calls`.
fn result_fields() -> Fields {
    let decimal = DataType::Decimal128(money::PRECISION, money::SCALE);
    let field = |name: &str, of: &DataType| Field::new(name, of.clone(), true);
    Fields::from(vec![
        field("cost", &decimal),
        field("input_cost", &decimal),
        field("output_cost", &decimal),
        field("currency", &DataType::Utf8),
        field("price_state", &DataType::Utf8),
        field("price_reason", &DataType::Utf8),
        field("price_ids", &DataType::Utf8),
    ])
}

impl ScalarUDFImpl for Price {
    fn name(&self) -> &str {
        PRICE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        let Some(call @ DataType::Struct(_)) = args.first().filter(|_| args.len() <= 3) else {
            return plan_err!(
                "price takes a call, and as_of and a draft if wanted: price(named_struct('provider', provider, 'request_model', request_model, 'started_at', started_at, 'input_tokens', input_tokens))"
            );
        };
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let all = [call.clone(), instant, DataType::Utf8];
        Ok(all[..args.len()].to_vec())
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        check_fields(PRICE, args.first(), deciding_columns)?;
        Ok(DataType::Struct(result_fields()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let as_of = match args.args.get(1) {
            None => None,
            Some(ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(at, _))) => *at,
            Some(_) => return exec_err!("price: as_of is not a constant"),
        };
        let draft = match args.args.get(2) {
            None => None,
            Some(ColumnarValue::Scalar(ScalarValue::Utf8(draft))) => draft.clone(),
            Some(_) => return exec_err!("price: the draft is not a constant"),
        };
        let calls = args.args[0].to_array(args.number_rows)?;
        let calls = calls_of(calls.as_struct(), deciding_columns(), &self.prices.tenant)?;
        let terms = (as_of, draft);
        let mut pricer = self.prices.pricer(&terms)?;
        let priced = price_columns(&mut pricer, &calls).map_err(external)?;
        self.prices.rest(terms, pricer);
        let fields = result_fields();
        // Not every reader of an answer knows views of text within a struct.
        let column = |field: &Arc<Field>| {
            priced.named(field.name()).map(|column| cast(&column, field.data_type()))
        };
        let columns: Vec<ArrayRef> = fields.iter().filter_map(column).collect::<Result<_, _>>()?;
        Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(fields, columns, None)?)))
    }
}

/// Refuses a call with a field that the function does not read.
pub(super) fn check_fields<I: Iterator<Item = &'static str>>(
    function: &str,
    call: Option<&DataType>,
    columns: impl Fn() -> I,
) -> Result<()> {
    let Some(DataType::Struct(fields)) = call else { return Ok(()) };
    let known = |name: &str| name == "started_at" || columns().any(|c| c == name);
    let Some(odd) = fields.iter().find(|field| !known(field.name())) else { return Ok(()) };
    let known: Vec<_> = columns().filter(|c| *c != "tenant").collect();
    plan_err!(
        "{function}: `{}` does not decide a price, expected started_at or any of {}",
        odd.name(),
        known.join(", ")
    )
}

/// The columns of `calls` with these names, from those that were given.
pub(super) fn calls_of(
    given: &StructArray,
    names: impl Iterator<Item = &'static str>,
    tenant: &str,
) -> Result<RecordBatch> {
    let rows = given.len();
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for name in names {
        let kind = tables::calls::TABLE.column(name).map_or(Kind::Text, |column| column.kind);
        let wanted = match kind {
            Kind::Int => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Bool => DataType::Boolean,
            _ => DataType::Utf8,
        };
        let column = match (name, given.column_by_name(name)) {
            ("tenant", _) => Arc::new(StringArray::from(vec![tenant; rows])) as ArrayRef,
            ("start_unix_ns", None) => Arc::new(started(given)?),
            // Pricing takes text as it comes.
            (_, Some(column)) if kind == Kind::Text && column.data_type().is_string() => {
                Arc::clone(column)
            }
            (_, Some(column)) => cast(column, &wanted)?,
            (_, None) => new_null_array(&wanted, rows),
        };
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// When the calls started, by `started_at`.
fn started(given: &StructArray) -> Result<Int64Array> {
    let Some(at) = given.column_by_name("started_at") else {
        return exec_err!("price: the call has neither started_at nor start_unix_ns");
    };
    let at = cast(at, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
    let at = at.as_primitive::<TimestampMicrosecondType>();
    if at.null_count() > 0 {
        return exec_err!("price: started_at is null; a price holds at an instant");
    }
    Ok(at.iter().map(|at| at.map(|us| us.saturating_mul(1_000))).collect())
}

/// `nearest_model(provider, model)`: the listed model whose name is most alike.
#[derive(Debug)]
struct Nearest {
    prices: Arc<SnapshotPrices>,
    signature: Signature,
}

impl PartialEq for Nearest {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.prices, &other.prices)
    }
}
impl Eq for Nearest {}
impl Hash for Nearest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.prices).hash(state);
    }
}

impl ScalarUDFImpl for Nearest {
    fn name(&self) -> &str {
        NEAREST
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (providers, models) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
        let terms = (None, None);
        let pricer = self.prices.pricer(&terms)?;
        let mut known: HashMap<(Option<&str>, &str), Option<String>> = HashMap::new();
        let found: StringArray = (providers.iter().zip(models))
            .map(|(provider, model)| {
                let model = model?;
                let found = known
                    .entry((provider, model))
                    .or_insert_with(|| nearest(pricer.book(), provider, model));
                found.clone()
            })
            .collect();
        self.prices.rest(terms, pricer);
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}
