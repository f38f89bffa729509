//! An answer to a question: its rows, and beside them what they rest on — coverage, table
//! versions, SQL (I-6, I-7). The rows and the coverage come from one snapshot (I-12).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use serde::Serialize;
use serde_json::{Map, Value, json};
use spanledger_schemas::tables::calls::MEASURES;
use spanledger_schemas::usage_marks::PERHAPS_ESTIMATED;

use super::beside::{self, PeriodPrice};
use super::params::Ask;
use super::{AskParams, Question};
use crate::error::QueryError;
use crate::render::json::{JsonRows, columns};
use crate::service::{Caller, QueryService};

/// The answer to a question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Name of the question.
    pub question: &'static str,
    /// Columns of the rows.
    pub schema: SchemaRef,
    /// Unit of each column, where it has one.
    pub units: Vec<Option<&'static str>>,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// How much of what was asked for the figures cover.
    pub coverage: Coverage,
    /// Versions of the tables it was read from.
    pub tables: BTreeMap<&'static str, i64>,
    /// The SQL that gives the same rows.
    pub sql: String,
    /// What the figures mean, and what they do not say.
    pub notes: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What the figures rest on. A share is null when there is nothing to take it of.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Coverage {
    /// Calls in the window that pass the filters.
    pub calls: i64,
    /// Part of the calls whose whole usage has a price.
    pub priced_calls_share: Option<f64>,
    /// Part of the known tokens, input and output, that belong to such calls.
    pub priced_tokens_share: Option<f64>,
    /// Part of the calls whose usage is known.
    pub usage_calls_share: Option<f64>,
    /// Calls of which the library told an estimate in place of a count; their tokens are in no sum.
    pub estimated_calls: i64,
    /// Calls in the sums whose counts may be an estimate that the library does not mark.
    pub perhaps_estimated_calls: i64,
    /// Part of the calls that have a team.
    pub team_share: Option<f64>,
    /// Part of the calls that have a user.
    pub user_share: Option<f64>,
    /// Part of the cost that is of calls with a team; null too when costs are in several currencies.
    pub team_cost_share: Option<f64>,
    /// Part of the cost that is of calls with a user; null as for teams.
    pub user_cost_share: Option<f64>,
    /// Calls that started before this instant are settled; null when that is not known.
    pub settled_until: Option<String>,
    /// What is paid for periods, by currency: in no cost of a call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub period_prices: Vec<PeriodPrice>,
    /// Allowances whose free units are in the costs at their full price.
    #[serde(skip_serializing_if = "is_none")]
    pub allowances: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Whether a row of `calls` says how large the call was, as SQL.
pub(crate) fn tells_usage() -> String {
    MEASURES.map(|column| format!("{column} IS NOT NULL")).join(" OR ")
}

/// The coverage of a window: one row, in the order of [`Coverage`]'s fields, and the first call.
pub(super) fn coverage_sql(ask: &Ask) -> String {
    let priced = "FILTER (WHERE price_state = 'priced')";
    let tokens = "coalesce(input_tokens, 0) + coalesce(output_tokens, 0)";
    let cost_share = |owner: &str| {
        format!(
            "CASE WHEN min(currency) = max(currency) THEN \
             CAST(coalesce(sum(cost) FILTER (WHERE {owner} IS NOT NULL), 0) AS DOUBLE) \
             / CAST(nullif(sum(cost), 0) AS DOUBLE) END"
        )
    };
    let (team_cost, user_cost) = (cost_share("team"), cost_share("user_id"));
    format!(
        "SELECT count(*), count(*) {priced}, count(team), count(user_id), sum({tokens}), \
         sum({tokens}) {priced}, \
         count(*) FILTER (WHERE {}), \
         count(*) FILTER (WHERE usage_basis = 'estimated'), \
         count(*) FILTER (WHERE strpos(usage_reason, '{PERHAPS_ESTIMATED}') > 0), \
         CAST(min(start_unix_ns) AS BIGINT), {team_cost}, {user_cost}\nFROM {}\nWHERE {}",
        tells_usage(),
        ask.calls(),
        ask.conditions(ask.from, ask.to)
    )
}

impl Coverage {
    pub(super) fn read(batches: &[RecordBatch], settled_until: Option<i64>) -> Self {
        let cell = |column: usize| cell(batches, column);
        let share = |part: usize, of: usize| {
            let of = cell(of).filter(|of| *of > 0)?;
            Some(cell(part).unwrap_or(0) as f64 / of as f64)
        };
        Self {
            calls: cell(0).unwrap_or(0),
            priced_calls_share: share(1, 0),
            team_share: share(2, 0),
            user_share: share(3, 0),
            team_cost_share: real(batches, COST_SHARES),
            user_cost_share: real(batches, COST_SHARES + 1),
            priced_tokens_share: share(5, 4),
            usage_calls_share: share(6, 0),
            estimated_calls: cell(7).unwrap_or(0),
            perhaps_estimated_calls: cell(8).unwrap_or(0),
            settled_until: settled_until
                .and_then(|us| jiff::Timestamp::from_microsecond(us).ok())
                .map(|at| at.to_string()),
            ..Coverage::default()
        }
    }
}

/// A share of the one row of coverage.
fn real(batches: &[RecordBatch], column: usize) -> Option<f64> {
    let batch = batches.iter().find(|batch| batch.num_rows() > 0)?;
    let column = batch.column(column).as_primitive_opt::<Float64Type>()?;
    column.is_valid(0).then(|| column.value(0))
}

/// A number of the one row of coverage.
fn cell(batches: &[RecordBatch], column: usize) -> Option<i64> {
    let batch = batches.iter().find(|batch| batch.num_rows() > 0)?;
    let column = batch.column(column).as_primitive_opt::<Int64Type>()?;
    column.is_valid(0).then(|| column.value(0))
}

/// Place of the start of the first call, in nanoseconds, in the row of coverage.
const FIRST_CALL: usize = 9;
/// Place of the share of cost with a team there, before that with a user.
const COST_SHARES: usize = 10;

impl QueryService {
    /// Answers a question of the catalogue.
    ///
    /// # Errors
    /// When there is no such question, a parameter is wrong, or the query fails; see [`QueryError`].
    pub async fn ask(
        &self,
        caller: &Caller,
        name: &str,
        params: &AskParams,
    ) -> Result<Answer, QueryError> {
        let question = super::find(name)?;
        let ask = question.resolve(params, jiff::Timestamp::now())?;
        let sql = question.sql_of(&ask)?;
        let started = Instant::now();
        let (pinned, coverage_sql) = (self.pin(caller).await?, coverage_sql(&ask));
        let contracts_sql = question.sums_costs().then(|| beside::sql(&ask));
        let contracts = async {
            match &contracts_sql {
                Some(sql) => pinned.rows(sql).await.map(Some),
                None => Ok(None),
            }
        };
        let all =
            async { futures::try_join!(pinned.rows(&sql), pinned.rows(&coverage_sql), contracts) };
        let all = all.await;
        let (mut rows, coverage, contracts) = pinned.end(all)?;
        let first_call = cell(&coverage.batches, FIRST_CALL).map(|ns| ns.div_euclid(1_000));
        let mut coverage = Coverage::read(&coverage.batches, (self.inner.settled_until)());
        let mut notes: Vec<String> = question.notes.iter().map(|note| (*note).to_owned()).collect();
        if let Some(contracts) = contracts {
            let beside = beside::of(&ask, &contracts.batches, first_call, &caller.tenant)?;
            if !beside.notes.is_empty() {
                rows.tables.extend(contracts.tables);
            }
            coverage.period_prices = beside.period_prices;
            coverage.allowances = beside.allowances;
            notes.extend(beside.notes);
        }
        Ok(Answer {
            question: question.name,
            units: units_of(question, &ask, &rows.schema),
            schema: rows.schema,
            batches: rows.batches,
            coverage,
            tables: rows.tables,
            sql,
            notes,
            elapsed: started.elapsed(),
        })
    }
}

fn units_of(question: &Question, ask: &Ask, schema: &SchemaRef) -> Vec<Option<&'static str>> {
    let keys = ask.keys().len();
    let unit = |(i, field): (usize, &arrow::datatypes::FieldRef)| {
        if i < keys { None } else { question.unit(field.name()) }
    };
    schema.fields().iter().enumerate().map(unit).collect()
}

impl Answer {
    /// The answer as one JSON object: that of SQL, and `coverage`, `sql`, `question`, `notes`.
    ///
    /// # Errors
    /// When a value has no form in JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, QueryError> {
        let mut rows = JsonRows::new();
        for batch in &self.batches {
            rows.write(batch)?;
        }
        let mut rest = Map::new();
        rest.insert("tables".to_owned(), json!(self.tables));
        rest.insert("elapsed_ms".to_owned(), milliseconds(self.elapsed));
        rest.insert("coverage".to_owned(), json!(self.coverage));
        rest.insert("sql".to_owned(), json!(self.sql));
        rest.insert("question".to_owned(), json!(self.question));
        rest.insert("notes".to_owned(), json!(self.notes));
        rows.into_answer(&columns(&self.schema, &self.units), &rest)
    }

    /// Rows in all.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// Milliseconds with three digits, as answers give them.
pub(crate) fn milliseconds(elapsed: Duration) -> Value {
    json!(elapsed.as_micros() as f64 / 1e3)
}
