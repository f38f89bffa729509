//! What stands in `billing_lines`: which imports, with which sums, and where the lines are that a new
//! import replaces. Takes a snapshot and a key, gives groups and places; it changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::prelude::{DataFrame, Expr, SessionConfig, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;
use jiff::Timestamp;
use spanledger_schemas::tables::billing_lines::TABLE;
use spanledger_schemas::{Kind, Money};
use spanledger_store::{FileRows, Snapshot};

use super::report::{CurrencySums, ImportSummary, PeriodSums};

/// What a new import replaces: all lines of a source in some billing periods.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) tenant: String,
    pub(super) source: String,
    /// Starts of the periods, in microseconds since the epoch. A period is known by its start:
    /// an end that a provider mends later does not make it another one.
    pub(super) period_starts_us: Vec<i64>,
}

impl Key {
    fn of_tenant_and_periods(&self) -> Expr {
        let start =
            |us: &i64| lit(ScalarValue::TimestampMicrosecond(Some(*us), Some("UTC".into())));
        let starts = self.period_starts_us.iter().map(start).collect();
        col("tenant").eq(lit(&self.tenant)).and(col("billing_period_start").in_list(starts, false))
    }

    /// Lines of the key. None of these columns is ever null, so its negation is the rest.
    fn matches(&self) -> Expr {
        self.of_tenant_and_periods().and(col("source").eq(lit(&self.source)))
    }
}

/// Lines of one import and day under a key.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) import_id: String,
    pub(super) date: i32,
    pub(super) rows: u64,
}

/// The lines that stand under a key, by import and day.
pub(super) async fn under(
    snapshot: &Snapshot,
    key: &Key,
) -> Result<Vec<Standing>, DataFusionError> {
    let found = table(snapshot)?
        .filter(key.matches())?
        .aggregate(vec![col("import_id"), col("date")], vec![count(lit(1)).alias("rows")])?;
    let found = collect(found).await?;
    let (import_ids, dates) =
        (text(&found, "import_id")?, typed(&found, "date", DataType::Date32)?);
    let (import_ids, dates) = (import_ids.as_string::<i32>(), dates.as_primitive::<Date32Type>());
    let rows = rows(&found)?;
    Ok((0..found.num_rows())
        .map(|i| Standing {
            import_id: import_ids.value(i).to_owned(),
            date: dates.value(i),
            rows: rows[i],
        })
        .collect())
}

/// The lines of the key in files of the days given.
pub(super) async fn rows_under(
    snapshot: &Snapshot,
    key: &Key,
    dates: &BTreeSet<i32>,
) -> Result<Vec<FileRows>, DataFusionError> {
    let mut found = Vec::new();
    for file in snapshot.files(&TABLE).iter().filter(|file| dates.contains(&file.date)) {
        let in_order = SessionConfig::new().with_target_partitions(1);
        let provider = snapshot.provider_of(&TABLE, std::slice::from_ref(file));
        let lines = SessionContext::new_with_config(in_order).read_table(provider)?;
        let mut lines = lines.select(vec![key.matches()])?.execute_stream().await?;
        let (mut first, mut places) = (0, Vec::new());
        while let Some(batch) = lines.try_next().await? {
            let theirs = (first..).zip(batch.column(0).as_boolean());
            places.extend(theirs.filter(|(_, it)| *it == Some(true)).map(|(place, _)| place));
            first += batch.num_rows() as u32;
        }
        if !places.is_empty() {
            found.push(FileRows { file: file.clone(), places });
        }
    }
    Ok(found)
}

/// Other sources of the tenant that have lines for one of the billing accounts in one of the
/// periods: the same bill may be there under two names.
pub(super) async fn sources_sharing_accounts(
    snapshot: &Snapshot,
    key: &Key,
    accounts: &BTreeSet<String>,
) -> Result<BTreeSet<String>, DataFusionError> {
    let lines = table(snapshot)?
        .filter(key.of_tenant_and_periods().and(col("source").not_eq(lit(&key.source))))?
        .aggregate(vec![col("source"), col("billing_account_id")], Vec::new())?;
    let found = collect(lines).await?;
    let (sources, ids) = (text(&found, "source")?, text(&found, "billing_account_id")?);
    let pairs = sources.as_string::<i32>().iter().zip(ids.as_string::<i32>().iter());
    let shared = pairs.filter(|(_, id)| id.is_some_and(|id| accounts.contains(id)));
    Ok(shared.filter_map(|(source, _)| source.map(str::to_owned)).collect())
}

/// All imports of a tenant that have lines, newest first.
pub(super) async fn imports(
    snapshot: &Snapshot,
    tenant: &str,
) -> Result<Vec<ImportSummary>, DataFusionError> {
    const BY: [&str; 7] = [
        "import_id",
        "imported_at",
        "source",
        "file_name",
        "billing_period_start",
        "billing_period_end",
        "billing_currency",
    ];
    let aggregates = vec![
        count(lit(1)).alias("rows"),
        sum(col("billed_cost")).alias("billed_cost"),
        sum(col("effective_cost")).alias("effective_cost"),
    ];
    let found = table(snapshot)?
        .filter(col("tenant").eq(lit(tenant)))?
        .aggregate(BY.map(col).to_vec(), aggregates)?
        .sort(BY.map(|name| col(name).sort(name != "imported_at", false)).to_vec())?;
    let found = collect(found).await?;
    let [import_ids, sources, files, currencies] =
        ["import_id", "source", "file_name", "billing_currency"].map(|name| text(&found, name));
    let (import_ids, sources) = (import_ids?, sources?);
    let (files, currencies) = (files?, currencies?);
    let [imported, starts, ends] = ["imported_at", "billing_period_start", "billing_period_end"]
        .map(|name| typed(&found, name, Kind::Instant.arrow()));
    let (imported, starts, ends) = (imported?, starts?, ends?);
    let billed = typed(&found, "billed_cost", Kind::Decimal.arrow())?;
    let effective = typed(&found, "effective_cost", Kind::Decimal.arrow())?;
    let rows = rows(&found)?;
    let string = |column: &ArrayRef, i: usize| column.as_string::<i32>().value(i).to_owned();
    let instant = |column: &ArrayRef, i: usize| {
        let us = column.as_primitive::<TimestampMicrosecondType>().value(i);
        Timestamp::from_microsecond(us).map_err(|e| DataFusionError::External(Box::new(e)))
    };
    let amount = |column: &ArrayRef, i: usize| {
        let column = column.as_primitive::<Decimal128Type>();
        column.is_valid(i).then(|| Money(column.value(i)).to_string())
    };
    let mut imports: Vec<ImportSummary> = Vec::new();
    #[expect(clippy::needless_range_loop, reason = "the row indexes eight columns")]
    for i in 0..found.num_rows() {
        let import_id = string(&import_ids, i);
        let at = match imports.iter().position(|import| import.import_id == import_id) {
            Some(at) => at,
            None => {
                imports.push(ImportSummary {
                    import_id,
                    source: string(&sources, i),
                    file_name: string(&files, i),
                    imported_at: instant(&imported, i)?,
                    rows: 0,
                    periods: Vec::new(),
                });
                imports.len() - 1
            }
        };
        let import = &mut imports[at];
        import.rows += rows[i];
        let sums = CurrencySums {
            currency: string(&currencies, i),
            // Every line has one, so every group has a sum.
            billed_cost: amount(&billed, i).unwrap_or_default(),
            effective_cost: amount(&effective, i),
        };
        let (start, end) = (instant(&starts, i)?, instant(&ends, i)?);
        let same = |p: &PeriodSums| (p.billing_period_start, p.billing_period_end) == (start, end);
        match import.periods.iter_mut().find(|period| same(period)) {
            Some(period) => {
                period.rows += rows[i];
                period.sums.push(sums);
            }
            None => import.periods.push(PeriodSums {
                billing_period_start: start,
                billing_period_end: end,
                rows: rows[i],
                sums: vec![sums],
            }),
        }
    }
    imports.sort_by_key(|import| std::cmp::Reverse(import.imported_at));
    Ok(imports)
}

fn table(snapshot: &Snapshot) -> Result<DataFrame, DataFusionError> {
    SessionContext::new().read_table(snapshot.provider(&TABLE))
}

async fn collect(frame: DataFrame) -> Result<RecordBatch, DataFusionError> {
    let schema = Arc::clone(frame.schema().inner());
    let batches = Box::pin(frame.collect()).await?;
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    Ok(concat_batches(&schema, &batches)?)
}

fn typed(rows: &RecordBatch, name: &str, to: DataType) -> Result<ArrayRef, ArrowError> {
    let column = rows.column_by_name(name);
    let missing = || ArrowError::SchemaError(format!("the scan gave no column `{name}`"));
    cast(column.ok_or_else(missing)?, &to)
}

fn text(rows: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    typed(rows, name, DataType::Utf8)
}

fn rows(found: &RecordBatch) -> Result<Vec<u64>, ArrowError> {
    let counts = typed(found, "rows", DataType::Int64)?;
    Ok(counts.as_primitive::<Int64Type>().values().iter().map(|n| n.unsigned_abs()).collect())
}
