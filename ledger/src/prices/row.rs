//! One dated price, as table `prices` stores it. Takes and gives record batches of that table;
//! the id of a price is a hash of what it says. It does not choose between prices.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use spanledger_schemas::tables::prices::TABLE;
use spanledger_schemas::{Money, money, time};
use xxhash_rust::xxh3::Xxh3;

use super::PriceError;
use crate::usage::Unit;

/// Microseconds since the Unix epoch, in UTC.
pub type Micros = i64;

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// The price of a unit.
    #[default]
    Price,
    /// The price of a unit, made from a list price by a [`Kind::Discount`].
    Discounted,
    /// `amount` percent off the list prices it holds for.
    Discount,
    /// `amount` is paid for each `per_quantity` seconds, or calendar month for [`super::MONTH`]; the
    /// calls it covers cost nothing beside.
    Commitment,
    /// The first `amount` units of each period of `per_quantity` seconds are free;
    /// [`super::MONTH`] stands for a calendar month.
    Allowance,
    /// `amount` units of `currency` for one unit of the currency called `model_name`.
    ExchangeRate,
    /// Calls whose provider's name `model_match` matches are `provider`'s.
    ProviderName,
    /// Calls that were answered at a host that `model_match` matches are `provider`'s.
    ProviderHost,
    /// `provider` takes the prices of the provider called `model_name` for models that it has none of.
    Resells,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 9] = [
        Kind::Price,
        Kind::Discounted,
        Kind::Discount,
        Kind::Commitment,
        Kind::Allowance,
        Kind::ExchangeRate,
        Kind::ProviderName,
        Kind::ProviderHost,
        Kind::Resells,
    ];

    /// The one spelling.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Price => "price",
            Kind::Discounted => "discounted",
            Kind::Discount => "discount",
            Kind::Commitment => "commitment",
            Kind::Allowance => "allowance",
            Kind::ExchangeRate => "exchange-rate",
            Kind::ProviderName => "provider-name",
            Kind::ProviderHost => "provider-host",
            Kind::Resells => "resells",
        }
    }

    /// The kind of that spelling.
    pub fn named(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether `amount` is the price of a unit.
    pub fn is_price(self) -> bool {
        matches!(self, Kind::Price | Kind::Discounted)
    }
}

/// One price of one unit of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    /// Owner of the row; [`super::SHARED_TENANT`] for the bundled book.
    pub tenant: Arc<str>,
    /// Provider, in the book's spelling.
    pub provider: Arc<str>,
    /// The book's id of the model.
    pub model_name: Arc<str>,
    /// Match clause as JSON text.
    pub model_match: Arc<str>,
    /// What is priced.
    pub unit: Unit,
    /// Quantity the amount is for.
    pub per_quantity: i64,
    /// Price of that quantity.
    pub amount: Money,
    /// ISO 4217.
    pub currency: Arc<str>,
    /// The whole call takes this price when its input exceeds this many tokens.
    pub context_from: Option<i64>,
    /// Daily window in UTC, `HH:MM` from (inclusive) and to (exclusive).
    pub time_window: Option<(Arc<str>, Arc<str>)>,
    /// Tier it holds for; `None` for the standard one.
    pub service_tier: Option<Arc<str>>,
    /// Region it holds for; `None` for any.
    pub region: Option<Arc<str>>,
    /// Of the rows that hold, the lowest number wins.
    pub priority: i64,
    /// First instant it holds.
    pub valid_from: Option<Micros>,
    /// First instant it no longer holds.
    pub valid_to: Option<Micros>,
    /// When it was learned.
    pub known_from: Micros,
    /// When it was replaced.
    pub known_to: Option<Micros>,
    /// What the row says.
    pub kind: Kind,
    /// Where it comes from.
    pub source: Arc<str>,
    /// Remark.
    pub note: Option<Arc<str>>,
}

impl PriceRow {
    /// The rows of a batch of table `prices`.
    ///
    /// # Errors
    /// When a column is missing or of another type, or a unit is unknown.
    pub fn of_batch(batch: &RecordBatch) -> Result<Vec<PriceRow>, PriceError> {
        from_batch(batch)
    }

    /// Sixteen hex digits that are the same for the same meaning: owner, model, unit, amount and
    /// the conditions under which it holds. When it was known, the clause that finds the model,
    /// the order among rows and remarks are not part of the meaning.
    pub fn id(&self) -> String {
        let mut hash = Xxh3::new();
        let mut field = |text: &str| {
            hash.update(text.as_bytes());
            hash.update(&[0]);
        };
        let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
        field(&self.tenant);
        field(&self.provider);
        field(&self.model_name);
        field(self.unit.name());
        field(&self.per_quantity.to_string());
        field(&self.amount.to_string());
        field(&self.currency);
        field(&number(self.context_from));
        let (from, to) = self.time_window.as_ref().map_or(("", ""), |(from, to)| (from, to));
        field(from);
        field(to);
        field(self.service_tier.as_deref().unwrap_or(""));
        field(self.region.as_deref().unwrap_or(""));
        field(&number(self.valid_from));
        field(&number(self.valid_to));
        if self.kind != Kind::Price {
            field(self.kind.word());
        }
        format!("{:016x}", hash.digest())
    }

    /// What period its amount is for, of a commitment or an allowance: `month`, or so many seconds.
    pub fn period(&self) -> String {
        match self.per_quantity {
            super::MONTH => "month".to_owned(),
            seconds => format!("{seconds} s"),
        }
    }

    /// Whether it is the user's own, and so goes before the book.
    pub fn own(&self) -> bool {
        self.source.split(' ').next() == Some(super::CONTRACT)
    }

    /// Whether its validity and another's have an instant in common.
    pub fn overlaps(&self, other: &PriceRow) -> bool {
        let before = |to: Option<Micros>, from: Option<Micros>| match (to, from) {
            (Some(to), Some(from)) => to <= from,
            _ => false,
        };
        !before(self.valid_to, other.valid_from) && !before(other.valid_to, self.valid_from)
    }

    /// Whether it was believed at an instant.
    pub fn believed_at(&self, at: Micros) -> bool {
        self.known_from <= at && self.known_to.is_none_or(|to| at < to)
    }
}

/// The rows as a batch of table `prices`.
///
/// # Errors
/// When the columns do not form the table's schema.
pub(super) fn to_batch(rows: &[PriceRow]) -> Result<RecordBatch, PriceError> {
    let text = |of: fn(&PriceRow) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let int = |of: fn(&PriceRow) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Int64Array>())
    };
    let instant = |of: fn(&PriceRow) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let schema = TABLE.arrow_schema();
    let columns = schema.fields().iter().map(|field| {
        Ok(match field.name().as_str() {
            "date" => {
                let day = |r: &PriceRow| Some(time::day(r.known_from.saturating_mul(1_000)));
                Arc::new(rows.iter().map(day).collect::<Date32Array>()) as ArrayRef
            }
            "tenant" => text(|r| Some(&r.tenant)),
            "price_id" => Arc::new(rows.iter().map(|r| Some(r.id())).collect::<StringArray>()),
            "provider" => text(|r| Some(&r.provider)),
            "model_name" => text(|r| Some(&r.model_name)),
            "model_match" => text(|r| Some(&r.model_match)),
            "unit" => text(|r| Some(r.unit.name())),
            "per_quantity" => int(|r| Some(r.per_quantity)),
            "amount" => Arc::new(
                rows.iter()
                    .map(|r| Some(r.amount.0))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(money::PRECISION, money::SCALE)?,
            ),
            "currency" => text(|r| Some(&r.currency)),
            "context_from" => int(|r| r.context_from),
            "time_from" => text(|r| r.time_window.as_ref().map(|w| w.0.as_ref())),
            "time_to" => text(|r| r.time_window.as_ref().map(|w| w.1.as_ref())),
            "service_tier" => text(|r| r.service_tier.as_deref()),
            "region" => text(|r| r.region.as_deref()),
            "priority" => int(|r| Some(r.priority)),
            "valid_from" => instant(|r| r.valid_from),
            "valid_to" => instant(|r| r.valid_to),
            "known_from" => instant(|r| Some(r.known_from)),
            "known_to" => instant(|r| r.known_to),
            "kind" => text(|r| (r.kind != Kind::Price).then(|| r.kind.word())),
            "source" => text(|r| Some(&r.source)),
            "note" => text(|r| r.note.as_deref()),
            other => return Err(PriceError::Column { column: other.to_owned() }),
        })
    });
    let columns = columns.collect::<Result<Vec<_>, PriceError>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Rows from a batch of table `prices`; text columns may be of any Arrow string type.
///
/// # Errors
/// When a column is missing or of another type, or a unit is unknown.
pub(super) fn from_batch(batch: &RecordBatch) -> Result<Vec<PriceRow>, PriceError> {
    let column = |name: &str| {
        batch.column_by_name(name).ok_or_else(|| PriceError::Column { column: name.to_owned() })
    };
    let text = |name: &str| -> Result<StringArray, PriceError> {
        Ok(arrow::compute::cast(column(name)?, &arrow::datatypes::DataType::Utf8)?
            .as_string::<i32>()
            .clone())
    };
    let wrong = |name: &str| PriceError::Column { column: name.to_owned() };
    let int = |name: &str| {
        Ok::<_, PriceError>(
            column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong(name))?.clone(),
        )
    };
    let instant = |name: &str| {
        Ok::<_, PriceError>(
            column(name)?
                .as_primitive_opt::<TimestampMicrosecondType>()
                .ok_or_else(|| wrong(name))?
                .clone(),
        )
    };
    let (tenant, provider, model) = (text("tenant")?, text("provider")?, text("model_name")?);
    let (clause, unit, currency) = (text("model_match")?, text("unit")?, text("currency")?);
    let (time_from, time_to) = (text("time_from")?, text("time_to")?);
    let (tier, region) = (text("service_tier")?, text("region")?);
    let (source, note) = (text("source")?, text("note")?);
    let (per, context, priority) = (int("per_quantity")?, int("context_from")?, int("priority")?);
    let amount =
        column("amount")?.as_primitive_opt::<Decimal128Type>().ok_or_else(|| wrong("amount"))?;
    let (valid_from, valid_to) = (instant("valid_from")?, instant("valid_to")?);
    let (known_from, known_to) = (instant("known_from")?, instant("known_to")?);

    let kind = match batch.column_by_name("kind") {
        Some(_) => Some(text("kind")?),
        None => None,
    };
    let kind_at = |i: usize| -> Result<Kind, PriceError> {
        let Some(column) = kind.as_ref().filter(|c| c.is_valid(i)) else { return Ok(Kind::Price) };
        Kind::named(column.value(i)).ok_or_else(|| PriceError::Book {
            place: format!("table prices, {}", model.value(i)),
            reason: format!(
                "kind is `{}`, expected {}",
                column.value(i),
                Kind::ALL.map(Kind::word).join(", ")
            ),
        })
    };
    let shared = |column: &StringArray, i| -> Option<Arc<str>> {
        column.is_valid(i).then(|| Arc::from(column.value(i)))
    };
    let number = |column: &Int64Array, i| column.is_valid(i).then(|| column.value(i));
    let at = |column: &TimestampMicrosecondArray, i| column.is_valid(i).then(|| column.value(i));
    (0..batch.num_rows())
        .map(|i| {
            let unit = Unit::stored(unit.value(i)).ok_or_else(|| PriceError::UnknownUnit {
                unit: unit.value(i).to_owned(),
                model: model.value(i).to_owned(),
            })?;
            Ok(PriceRow {
                tenant: tenant.value(i).into(),
                provider: provider.value(i).into(),
                model_name: model.value(i).into(),
                model_match: clause.value(i).into(),
                unit,
                per_quantity: per.value(i),
                amount: Money(amount.value(i)),
                currency: currency.value(i).into(),
                context_from: number(&context, i),
                time_window: shared(&time_from, i).zip(shared(&time_to, i)),
                service_tier: shared(&tier, i),
                region: shared(&region, i),
                priority: priority.value(i),
                valid_from: at(&valid_from, i),
                valid_to: at(&valid_to, i),
                known_from: known_from.value(i),
                known_to: at(&known_to, i),
                kind: kind_at(i)?,
                source: source.value(i).into(),
                note: shared(&note, i),
            })
        })
        .collect()
}
