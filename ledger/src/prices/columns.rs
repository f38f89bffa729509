//! Prices whole batches: takes calls as Arrow columns, gives their price columns, which have the
//! names and meanings of table `calls`. The whole path: rows are grouped by their names (`groups`),
//! each group has its price list for a time (`pricer`), the list takes the counts of a row apart
//! (`split`), and a row whose shape was met before is multiplied (`shapes`); any other is quoted
//! the careful way (`quote`). It has no rule of its own about prices, but for what `usage_basis`
//! and a gateway's cache say of a call.

use arrow::array::{
    Array, AsArray, BooleanArray, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};

use super::answers::{Amounts, Answers, PricedColumns, Said};
use super::counts::{COUNTS, CountColumns, Counts};
use super::groups::{Groups, Texts};
use super::pricer::Standing;
use super::quote::{PriceState, Quote};
use super::row::Micros;
use super::shapes::{BasisSaid, Marks, Shape};
use super::split::LEAVES_MAX;
use super::{CallFacts, PriceError, Pricer};
use crate::usage::{Unit, Usage};

/// The columns of text that decide what a call costs.
const NAMES: [&str; 8] = [
    "tenant",
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
    NAMES.into_iter().chain(["start_unix_ns"]).chain(counts).chain(["gateway_cache_hit"])
}

/// The usage that a row of `calls` is priced by.
///
/// # Errors
/// When a column of counts is missing or of another type.
pub fn usage_at(calls: &RecordBatch, row: usize) -> Result<Usage, PriceError> {
    Ok(CountColumns::of(calls)?.usage(row))
}

/// Prices every row of `calls`, which needs `start_unix_ns`, `provider`, `request_model`,
/// `response_model`, `service_tier`, `region`, `server_address`, `usage_basis` and the columns of
/// table `calls` that count what was used. Without `tenant` only prices that hold for everybody are taken.
///
/// A call whose basis is `unknown` although it used a cache is at most part-priced: its input
/// may or may not contain the cached tokens. So is one that does not tell what its prices are for,
/// by the rule at the top of `listed`. A call with a true `gateway_cache_hit`, where there is such a
/// column, costs nothing.
///
/// # Errors
/// When a column is missing or of another type.
pub fn price_columns(
    pricer: &mut Pricer,
    calls: &RecordBatch,
) -> Result<PricedColumns, PriceError> {
    let calls = Calls::of(calls)?;
    let groups = Groups::of(&calls.names, calls.rows);
    let batch = pricer.begin();
    let mut answers = Answers::to(calls.rows);
    let (mut leaves, mut quote) = ([0; LEAVES_MAX], Quote::default());
    let mut counts = Counts::NONE;
    for rows in groups.iter() {
        let mut alike = Alike::of(pricer, &calls, rows[0]);
        for &row in rows {
            let list = alike.list_at(pricer, calls.at(row));
            calls.counts.read(row, &mut counts);
            let marks = Marks { basis: alike.basis, cache_hit: calls.cache_hit(row) };
            let split = pricer.listed(list).split.as_ref();
            let cut = split.and_then(|split| split.cut(&counts, &mut leaves));
            let shape = cut.map(|cut| Shape::of(list, cut, &counts, marks));
            if let Some(known) = shape.and_then(|shape| alike.known(pricer, shape)) {
                let known = pricer.shapes.known(known);
                let said = known.said(batch, &mut answers);
                answers.answer(row, known.amounts(&leaves), said);
                continue;
            }
            let usage = calls.counts.usage(row);
            pricer.quote_by(alike.matched, list, &calls.facts(row, &usage), &mut quote);
            qualify(&mut quote, &usage, marks);
            if !marks.cache_hit {
                pricer.listed(list).note_untold(&usage, &mut quote);
            }
            let said = Said::of(pricer.book(), &quote);
            let place = answers.say(&said);
            answers.answer(row, Amounts::of(&quote), place);
            if let Some(shape) = shape {
                pricer.learn(list, shape, &quote, said);
            }
        }
    }
    answers.finish()
}

/// What the marks of a call say of its quote.
fn qualify(quote: &mut Quote, usage: &Usage, marks: Marks) {
    if usage.is_empty() && marks.basis == BasisSaid::Estimated {
        quote.refuse(format_args!("usage is the library's own estimate: shown, not priced"));
    }
    let cached = usage.count(Unit::CACHE_READ).saturating_add(usage.count(Unit::CACHE_WRITE)) > 0;
    if quote.state == PriceState::Priced && cached && marks.basis == BasisSaid::Unknown {
        quote.state = PriceState::PartPriced;
        quote.remark(format_args!("unknown whether input contains the cached tokens"));
    }
    if marks.cache_hit {
        quote.free("a gateway answered from its own cache: no provider bills the call");
    }
}

/// The calls of a batch with the same names.
struct Alike {
    /// Place of their match.
    matched: usize,
    /// What holds for the one that was looked at last.
    standing: Standing,
    basis: BasisSaid,
    /// The shape that was met last, and its number.
    last: Option<(Shape, usize)>,
}

impl Alike {
    fn of(pricer: &mut Pricer, calls: &Calls<'_>, first: usize) -> Alike {
        let usage = Usage::default();
        let matched = pricer.find(&calls.facts(first, &usage));
        let [.., basis] = &calls.names;
        let basis = match basis.at(first) {
            Some("unknown") => BasisSaid::Unknown,
            Some("estimated") => BasisSaid::Estimated,
            _ => BasisSaid::Clear,
        };
        let standing = pricer.standing(matched, calls.at(first));
        Alike { matched, standing, basis, last: None }
    }

    /// The place of the price list that holds for one of them.
    #[inline]
    fn list_at(&mut self, pricer: &mut Pricer, at: Micros) -> usize {
        if !self.standing.at(at) {
            self.standing = pricer.standing(self.matched, at);
        }
        self.standing.list
    }

    /// The number of a shape, if it is known.
    #[inline]
    fn known(&mut self, pricer: &Pricer, shape: Shape) -> Option<usize> {
        match self.last {
            Some((last, number)) if last == shape => Some(number),
            _ => {
                let number = pricer.shapes.find(shape)?;
                self.last = Some((shape, number));
                Some(number)
            }
        }
    }
}

/// The columns of a batch that decide prices.
struct Calls<'a> {
    rows: usize,
    /// Those of [`NAMES`].
    names: [Texts<'a>; NAMES.len()],
    /// When they started, in nanoseconds.
    start: &'a [i64],
    counts: CountColumns,
    cache_hit: Option<&'a BooleanArray>,
}

impl<'a> Calls<'a> {
    fn of(calls: &'a RecordBatch) -> Result<Calls<'a>, PriceError> {
        let optional = |name: &str| match calls.column_by_name(name) {
            Some(_) => Texts::of(calls, name),
            None => Ok(Texts::none(calls.num_rows())),
        };
        let of = |name: &str| Texts::of(calls, name);
        let [tenant, provider, asked, served, tier, region, host, basis] = NAMES;
        let cache_hit = calls.column_by_name("gateway_cache_hit").and_then(|c| c.as_boolean_opt());
        Ok(Calls {
            rows: calls.num_rows(),
            names: [
                optional(tenant)?,
                of(provider)?,
                of(asked)?,
                of(served)?,
                of(tier)?,
                of(region)?,
                of(host)?,
                of(basis)?,
            ],
            start: int(calls, "start_unix_ns")?.values(),
            counts: CountColumns::of(calls)?,
            cache_hit: cache_hit.filter(|hit| hit.null_count() < hit.len()),
        })
    }

    /// When a call started.
    #[inline]
    fn at(&self, row: usize) -> Micros {
        self.start[row].div_euclid(1_000)
    }

    #[inline]
    fn cache_hit(&self, row: usize) -> bool {
        self.cache_hit.is_some_and(|hit| hit.is_valid(row) && hit.value(row))
    }

    fn facts<'u>(&'u self, row: usize, usage: &'u Usage) -> CallFacts<'u> {
        let [tenant, provider, asked, served, tier, region, host, _] =
            self.names.each_ref().map(|name| name.at(row));
        CallFacts {
            tenant,
            provider,
            request_model: asked,
            response_model: served,
            service_tier: tier,
            region,
            server_address: host,
            at: self.at(row),
            usage,
        }
    }
}

/// A text column of a batch, whatever Arrow string type it has.
pub(crate) fn text(batch: &RecordBatch, name: &str) -> Result<StringViewArray, PriceError> {
    let wrong = || PriceError::Column { column: name.to_owned() };
    let column = batch.column_by_name(name).ok_or_else(wrong)?;
    let column = arrow::compute::cast(column, &DataType::Utf8View)?;
    column.as_string_view_opt().cloned().ok_or_else(wrong)
}

/// A column of 64-bit integers of a batch.
pub(crate) fn int<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, PriceError> {
    let wrong = || PriceError::Column { column: name.to_owned() };
    let column = batch.column_by_name(name).ok_or_else(wrong)?;
    column.as_primitive_opt::<Int64Type>().ok_or_else(wrong)
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
