//! The price columns of a batch while they are made. What is said of calls (state, currency,
//! reason, rows) is the same for many: it is written once and pointed at, so that a row costs three
//! amounts and a number. It decides nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::array::{Decimal128Array, StringViewArray, StringViewBuilder, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::DataType;
use spanledger_schemas::money;

use super::PriceError;
use super::book::PriceBook;
use super::quote::{PriceState, Quote};

/// The price columns of a batch of calls, in its order.
#[derive(Debug)]
pub struct PricedColumns {
    /// List cost; null when unpriced.
    pub cost: Decimal128Array,
    /// Part of the cost for input; null when unpriced, and when nothing of it is known.
    pub input_cost: Decimal128Array,
    /// Part of the cost for output; null as that for input is.
    pub output_cost: Decimal128Array,
    /// ISO 4217; null when unpriced.
    pub currency: StringViewArray,
    /// `priced`, `part-priced` or `unpriced`.
    pub price_state: StringViewArray,
    /// Why there is no (full) price, and other remarks.
    pub price_reason: StringViewArray,
    /// Ids of the price rows used, comma-separated (I-7).
    pub price_ids: StringViewArray,
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

/// What a quote says beside its amounts.
#[derive(Debug, Clone)]
pub(super) struct Said {
    state: PriceState,
    /// Whether the charges for input and for output are known.
    sides: [bool; 2],
    currency: Option<Arc<str>>,
    reason: String,
    /// Of the price rows, comma-separated.
    ids: String,
}

impl Said {
    /// That of a quote by the prices of a book.
    pub(super) fn of(book: &PriceBook, quote: &Quote) -> Said {
        let rows = quote.lines.iter().map(|line| line.row).chain(quote.beside.iter().copied());
        let ids: Vec<&str> = rows.map(|row| book.row(row).1).collect();
        Said {
            state: quote.state,
            sides: quote.sides().map(|side| side.is_some()),
            currency: quote.currency.clone(),
            reason: quote.reason.clone(),
            ids: ids.join(","),
        }
    }
}

/// The amounts of a call, in units of 10⁻¹⁸.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) total: i128,
    pub(super) input: i128,
    pub(super) output: i128,
}

impl Amounts {
    /// Those of a quote.
    pub(super) fn of(quote: &Quote) -> Amounts {
        Amounts { total: quote.total.0, input: quote.input.0, output: quote.output.0 }
    }
}

/// The answers to the calls of a batch, in their order.
#[derive(Debug)]
pub(super) struct Answers {
    total: Vec<i128>,
    input: Vec<i128>,
    output: Vec<i128>,
    /// What is said of each call: a place in the following.
    said: Vec<u32>,
    /// Of what is said: whether cost, input and output are known.
    known: [Vec<bool>; 3],
    currency: StringViewBuilder,
    state: StringViewBuilder,
    reason: StringViewBuilder,
    ids: StringViewBuilder,
}

impl Answers {
    /// None yet to any of that many.
    pub(super) fn to(rows: usize) -> Answers {
        Answers {
            total: vec![0; rows],
            input: vec![0; rows],
            output: vec![0; rows],
            said: vec![0; rows],
            known: Default::default(),
            currency: StringViewBuilder::new(),
            state: StringViewBuilder::new(),
            reason: StringViewBuilder::new(),
            ids: StringViewBuilder::new(),
        }
    }

    /// Something that may be said of calls, and where it stands.
    pub(super) fn say(&mut self, said: &Said) -> u32 {
        fn some(text: &str) -> Option<&str> {
            (!text.is_empty()).then_some(text)
        }
        let [cost, input, output] = &mut self.known;
        cost.push(said.state != PriceState::Unpriced);
        input.push(said.sides[0]);
        output.push(said.sides[1]);
        self.currency.append_option(said.currency.as_deref());
        self.state.append_value(said.state.word());
        self.reason.append_option(some(&said.reason));
        self.ids.append_option(some(&said.ids));
        // A batch has fewer rows than 32 bits count.
        self.known[0].len() as u32 - 1
    }

    /// Answers a call.
    #[inline]
    pub(super) fn answer(&mut self, row: usize, amounts: Amounts, said: u32) {
        self.total[row] = amounts.total;
        self.input[row] = amounts.input;
        self.output[row] = amounts.output;
        self.said[row] = said;
    }

    /// The columns, once every call has its answer.
    ///
    /// # Errors
    /// When Arrow refuses them.
    pub(super) fn finish(mut self) -> Result<PricedColumns, PriceError> {
        let nulls = |known: &[bool]| {
            let all = known.iter().all(|known| *known);
            let known = |row: usize| known[self.said[row] as usize];
            let known = || BooleanBuffer::collect_bool(self.said.len(), known);
            (!all).then(|| NullBuffer::new(known()))
        };
        let [cost, input, output] = self.known.each_ref().map(|known| nulls(known));
        let decimal = DataType::Decimal128(money::PRECISION, money::SCALE);
        let amounts = |amounts: Vec<i128>, nulls: Option<NullBuffer>| {
            Decimal128Array::new(amounts.into(), nulls).with_data_type(decimal.clone())
        };
        let said = UInt32Array::from(self.said);
        let texts = |texts: &mut StringViewBuilder| -> Result<StringViewArray, PriceError> {
            Ok(take(&texts.finish(), &said, None)?.as_string_view().clone())
        };
        Ok(PricedColumns {
            cost: amounts(self.total, cost),
            input_cost: amounts(self.input, input),
            output_cost: amounts(self.output, output),
            currency: texts(&mut self.currency)?,
            price_state: texts(&mut self.state)?,
            price_reason: texts(&mut self.reason)?,
            price_ids: texts(&mut self.ids)?,
        })
    }
}
