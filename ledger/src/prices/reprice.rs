//! Prices settled calls again, after prices were corrected or a contract came. Takes a store and
//! which calls, gives what they cost before and now, per model; writes the difference unless it is
//! only asked for it. Calls of a closed period are left alone (I-8). The rules are `pricer`'s.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::Decimal128Type;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use serde::Serialize;
use spanledger_schemas::Money;
use spanledger_schemas::tables::calls::TABLE;
use spanledger_store::{DataFile, Snapshot, Store, StoreError};

use super::columns::{int, text};
use super::row::Micros;
use super::{PriceError, PricedColumns, Pricer, load, price_columns};
use crate::limits;

/// The columns of `calls` that pricing decides.
const PRICED: [&str; 7] =
    ["cost", "input_cost", "output_cost", "currency", "price_state", "price_reason", "price_ids"];

/// Which calls are priced again.
#[derive(Debug, Clone, Default)]
pub struct Reprice {
    /// Whose; everybody's when none is named.
    pub tenant: Option<String>,
    /// First instant a call may start at.
    pub from: Option<Micros>,
    /// First instant after them.
    pub to: Option<Micros>,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
}

/// What pricing again did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Repriced {
    /// Calls that were looked at.
    pub calls: usize,
    /// Calls whose price is another now, or named or explained otherwise.
    pub changed: usize,
    /// Calls of closed periods, left alone.
    pub closed: usize,
    /// Whether the changes were written.
    pub written: bool,
    /// The changes per model, the largest first.
    pub models: Vec<RepricedModel>,
}

/// The changed calls of one model and currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepricedModel {
    /// Provider, as the calls name it.
    pub provider: String,
    /// Model.
    pub model: String,
    /// Currency; that of the new price, else of the old one.
    pub currency: String,
    /// Calls that changed.
    pub calls: usize,
    /// What they cost before.
    #[serde(serialize_with = "as_text")]
    pub before: Money,
    /// What they cost now.
    #[serde(serialize_with = "as_text")]
    pub after: Money,
    /// Calls that had no price and have one now.
    pub newly_priced: usize,
    /// Calls that had a price and have none now.
    pub newly_unpriced: usize,
}

fn as_text<S: serde::Serializer>(money: &Money, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(money)
}

type ModelKey = (String, String, String);

/// Prices calls again with what is believed now, file by file, each in one commit: a crash between
/// two leaves whole files, and doing it again does the rest. Twice is once.
///
/// # Errors
/// When a table cannot be read or written.
pub async fn reprice(store: &Store, which: &Reprice) -> Result<Repriced, PriceError> {
    let mut snapshot = store.snapshot().await?;
    let mut pricer = Pricer::new(load(&snapshot).await?);
    let mut done = Repriced { written: !which.dry_run, ..Repriced::default() };
    let mut models: BTreeMap<ModelKey, RepricedModel> = BTreeMap::new();
    let mut seen: HashSet<String> = HashSet::new();
    for _ in 0..limits::COMMIT_ATTEMPTS {
        let mut lost = false;
        for file in snapshot.files(&TABLE).iter() {
            if seen.contains(&file.path) {
                continue;
            }
            let mut part = Part::default();
            let rows = part.of_file(&snapshot, file, &mut pricer, which).await?;
            if let (Some(rows), false) = (rows, which.dry_run) {
                let before: HashSet<String> = paths(&store.snapshot().await?);
                match store.replace(&TABLE, vec![file.clone()], rows, None).await {
                    // Settled anew or compacted meanwhile: its rows are in another file.
                    Err(StoreError::FileGone { .. }) => {
                        lost = true;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                    // What we wrote needs no second look.
                    Ok(_) => seen.extend(&paths(&store.snapshot().await?) - &before),
                }
            }
            seen.insert(file.path.clone());
            part.add_to(&mut done, &mut models);
        }
        if !lost {
            let change = |m: &RepricedModel| (m.after - m.before).0.abs();
            done.models = models.into_values().collect();
            done.models.sort_by_cached_key(|m| {
                (std::cmp::Reverse(change(m)), m.provider.clone(), m.model.clone())
            });
            done.written &= done.changed > 0;
            return Ok(done);
        }
        snapshot = store.snapshot().await?;
    }
    Err(PriceError::Contended { attempts: limits::COMMIT_ATTEMPTS })
}

fn paths(snapshot: &Snapshot) -> HashSet<String> {
    snapshot.files(&TABLE).iter().map(|file| file.path.clone()).collect()
}

/// What pricing the calls of one file again gives.
#[derive(Default)]
struct Part {
    calls: usize,
    changed: usize,
    closed: usize,
    models: BTreeMap<ModelKey, RepricedModel>,
}

impl Part {
    /// The file's rows with their new prices; none when no price is another.
    async fn of_file(
        &mut self,
        snapshot: &Snapshot,
        file: &DataFile,
        pricer: &mut Pricer,
        which: &Reprice,
    ) -> Result<Option<RecordBatch>, PriceError> {
        let config =
            SessionConfig::new().with_target_partitions(1).with_batch_size(limits::REPRICE_ROWS);
        let session = SessionContext::new_with_config(config);
        let table = snapshot.provider_of(&TABLE, std::slice::from_ref(file));
        let mut stream = session.read_table(table)?.execute_stream().await?;
        let mut rows = Vec::new();
        while let Some(batch) = stream.try_next().await? {
            rows.push(self.of_batch(&batch, pricer, which)?);
        }
        let schema = TABLE.arrow_schema();
        Ok((self.changed > 0).then(|| concat_batches(&schema, &rows)).transpose()?)
    }

    fn of_batch(
        &mut self,
        batch: &RecordBatch,
        pricer: &mut Pricer,
        which: &Reprice,
    ) -> Result<RecordBatch, PriceError> {
        let tenant = text(batch, "tenant")?;
        let start = int(batch, "start_unix_ns")?;
        let state = text(batch, "state")?;
        let asked: Vec<bool> = (0..batch.num_rows())
            .map(|i| {
                let at = start.value(i).div_euclid(1_000);
                which.tenant.as_deref().is_none_or(|t| tenant.value(i) == t)
                    && which.from.is_none_or(|from| from <= at)
                    && which.to.is_none_or(|to| at < to)
            })
            .collect();
        let open = |i: usize| state.value(i) != "closed";
        self.calls += asked.iter().filter(|a| **a).count();
        self.closed += (0..asked.len()).filter(|&i| asked[i] && !open(i)).count();
        let priced = price_columns(pricer, batch)?;
        let change = changes(batch, &priced)?;
        let change: BooleanArray =
            (0..asked.len()).map(|i| Some(asked[i] && open(i) && change[i])).collect();
        self.count(batch, &priced, &change)?;
        let schema = TABLE.arrow_schema();
        let columns = schema.fields().iter().map(|field| {
            let name = field.name().as_str();
            let old = batch
                .column_by_name(name)
                .ok_or_else(|| PriceError::Column { column: name.to_owned() })?;
            let old = cast(old, field.data_type())?;
            Ok(match priced.named(name) {
                Some(new) => {
                    let new = cast(&new, field.data_type())?;
                    arrow::compute::kernels::zip::zip(&change, &new, &old)?
                }
                None => old,
            })
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, PriceError>>()?;
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    fn count(
        &mut self,
        batch: &RecordBatch,
        priced: &PricedColumns,
        change: &BooleanArray,
    ) -> Result<(), PriceError> {
        let (provider, model) = (text(batch, "provider")?, text(batch, "model")?);
        let currency = text(batch, "currency")?;
        let cost = batch
            .column_by_name("cost")
            .and_then(|c| c.as_primitive_opt::<Decimal128Type>())
            .ok_or_else(|| PriceError::Column { column: "cost".to_owned() })?;
        for i in (0..change.len()).filter(|&i| change.value(i)) {
            self.changed += 1;
            let or = |column: &arrow::array::StringViewArray| match column.is_valid(i) {
                true => column.value(i).to_owned(),
                false => String::new(),
            };
            let now = priced.currency.is_valid(i).then(|| priced.currency.value(i).to_owned());
            let was = or(&currency);
            let changed_currency = now.as_ref().is_some_and(|now| !was.is_empty() && *now != was);
            let currency = match &now {
                // Amounts of two currencies are not taken from each other.
                Some(now) if changed_currency => format!("{was} to {now}"),
                Some(now) => now.clone(),
                None => was,
            };
            let key = (or(&provider), or(&model), currency);
            let entry = self.models.entry(key.clone()).or_insert_with(|| RepricedModel {
                provider: key.0,
                model: key.1,
                currency: key.2,
                calls: 0,
                before: Money::ZERO,
                after: Money::ZERO,
                newly_priced: 0,
                newly_unpriced: 0,
            });
            let (before, after) = (cost.is_valid(i), priced.cost.is_valid(i));
            entry.calls += 1;
            entry.newly_priced += usize::from(after && !before);
            entry.newly_unpriced += usize::from(before && !after);
            if before {
                entry.before += Money(cost.value(i));
            }
            if after {
                entry.after += Money(priced.cost.value(i));
            }
        }
        Ok(())
    }

    fn add_to(self, done: &mut Repriced, models: &mut BTreeMap<ModelKey, RepricedModel>) {
        done.calls += self.calls;
        done.changed += self.changed;
        done.closed += self.closed;
        for (key, part) in self.models {
            match models.get_mut(&key) {
                Some(sum) => {
                    sum.calls += part.calls;
                    sum.before += part.before;
                    sum.after += part.after;
                    sum.newly_priced += part.newly_priced;
                    sum.newly_unpriced += part.newly_unpriced;
                }
                None => {
                    models.insert(key, part);
                }
            }
        }
    }
}

/// Which rows have another price, or another reason or source of it.
fn changes(batch: &RecordBatch, priced: &PricedColumns) -> Result<Vec<bool>, PriceError> {
    let mut change = vec![false; batch.num_rows()];
    for name in PRICED {
        let wrong = || PriceError::Column { column: name.to_owned() };
        let new = priced.named(name).ok_or_else(wrong)?;
        let old = cast(batch.column_by_name(name).ok_or_else(wrong)?, new.data_type())?;
        let differs = arrow::compute::kernels::cmp::distinct(&old, &new)?;
        for (i, differs) in differs.values().iter().enumerate() {
            change[i] |= differs;
        }
    }
    Ok(change)
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray, new_null_array,
    };
    use spanledger_schemas::Kind;

    use std::sync::Arc;

    use super::super::{FileKind, Form, PriceFile, import_bundled, import_file};
    use super::*;

    /// 2026-11-20T00:00:00Z
    const AT: i64 = 1_795_132_800_000_000;

    /// Calls of gpt-4o with a million input tokens each, unpriced, in these states.
    fn calls(states: &[&str]) -> RecordBatch {
        let rows = states.len();
        let schema = TABLE.arrow_schema();
        let columns = TABLE.columns.iter().zip(schema.fields()).map(|(column, field)| {
            let texts = |text: &str| Arc::new(StringArray::from(vec![text; rows])) as ArrayRef;
            let spans: Vec<String> = (0..rows).map(|i| format!("{i:016x}")).collect();
            let made: ArrayRef = match column.name {
                "span_id" => Arc::new(StringArray::from(spans)),
                "state" => Arc::new(StringArray::from(states.to_vec())),
                "provider" => texts("openai"),
                "request_model" | "model" => texts("gpt-4o"),
                "usage_basis" => texts("inclusive"),
                "price_state" => texts("unpriced"),
                "tenant" => texts("default"),
                "trace_id" => texts("5b8efff798038103d269b633813fc60c"),
                "input_tokens" => Arc::new(Int64Array::from(vec![1_000_000; rows])),
                "start_unix_ns" => Arc::new(Int64Array::from(vec![AT * 1_000; rows])),
                "started_at" => {
                    Arc::new(TimestampMicrosecondArray::from(vec![AT; rows]).with_timezone("UTC"))
                }
                _ if column.nullable => new_null_array(field.data_type(), rows),
                _ => match column.kind {
                    Kind::Text => texts("ok"),
                    // 2026-11-20 is day 20,777.
                    Kind::Date => Arc::new(arrow::array::Date32Array::from(vec![20_777; rows])),
                    _ => cast(&Int64Array::from(vec![0; rows]), field.data_type()).unwrap(),
                },
            };
            cast(&made, field.data_type()).unwrap()
        });
        RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
    }

    async fn costs(store: &Store) -> Vec<Option<String>> {
        let snapshot = store.snapshot().await.unwrap();
        let session = SessionContext::new();
        let table = session.read_table(snapshot.provider(&TABLE)).unwrap();
        let sorted = table
            .sort(vec![datafusion::prelude::col("span_id").sort(true, true)])
            .unwrap()
            .select_columns(&["cost"])
            .unwrap();
        let batches = sorted.collect().await.unwrap();
        let cells = |batch: &RecordBatch| {
            let cost: &Decimal128Array = batch.column(0).as_primitive();
            cost.iter().map(|c| c.map(|c| Money(c).to_string())).collect::<Vec<_>>()
        };
        batches.iter().flat_map(cells).collect()
    }

    async fn contract(store: &Store, amount: &str) {
        let text = format!(
            "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nunit = \"input_tokens\"\n\
             amount = {amount}\n"
        );
        let file = PriceFile {
            kind: FileKind::Contract(Form::Toml),
            bytes: text.as_bytes(),
            name: "c",
            tenant: "default",
            now: jiff::Timestamp::now().as_microsecond(),
            dry_run: false,
        };
        assert!(import_file(store, &file).await.unwrap().written);
    }

    #[tokio::test]
    async fn calls_are_priced_again_once_and_closed_ones_never() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        import_bundled(&store).await.unwrap();
        store.append(&TABLE, calls(&["settled", "closed", "provisional"]), None).await.unwrap();
        let unpriced = vec![None, None, None];

        // Shown first: two of three, $2.50 each by the book.
        let dry = Reprice { dry_run: true, ..Reprice::default() };
        let shown = reprice(&store, &dry).await.unwrap();
        assert_eq!((shown.calls, shown.changed, shown.closed, shown.written), (3, 2, 1, false));
        assert_eq!(shown.models[0].after, Money::from_whole(5));
        assert_eq!(shown.models[0].newly_priced, 2);
        assert_eq!(costs(&store).await, unpriced);

        let done = reprice(&store, &Reprice::default()).await.unwrap();
        assert_eq!(done.models, shown.models);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(costs(&store).await, [some("2.5"), None, some("2.5")]);
        let again = reprice(&store, &Reprice::default()).await.unwrap();
        assert_eq!((again.changed, again.written), (0, false));

        // A contract comes: 2 × (2 − 2.5) = −1.
        contract(&store, "2").await;
        let done = reprice(&store, &Reprice::default()).await.unwrap();
        let model = &done.models[0];
        assert_eq!((model.before, model.after), (Money::from_whole(5), Money::from_whole(4)));
        assert_eq!(costs(&store).await, [some("2"), None, some("2")]);

        // Outside the window nothing is looked at.
        let early = Reprice { to: Some(AT), ..Reprice::default() };
        assert_eq!(reprice(&store, &early).await.unwrap().calls, 0);
    }
}
