//! Tests of what contracts came to, each with its arithmetic; and that what is free is what quotes say.

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::prices::bundled;
use crate::prices::contract::{self, Form};
use crate::usage::{Basis, Usage};

/// A call, with the number of its span and trace.
#[derive(Debug, Clone, Copy)]
struct Call {
    id: u64,
    at: &'static str,
    provider: &'static str,
    model: &'static str,
    tier: Option<&'static str>,
    input: i64,
    output: i64,
    searches: i64,
    cache_hit: bool,
}

/// A million tokens in and a hundred thousand out, in the provisioned tier.
const PROVISIONED: Call = Call {
    id: 1,
    at: "2026-11-10T12:00:00Z",
    provider: "azure",
    model: "gpt-4o",
    tier: Some("provisioned"),
    input: 1_000_000,
    output: 100_000,
    searches: 0,
    cache_hit: false,
};

/// A call with searches.
fn search(id: u64, at: &'static str, searches: i64) -> Call {
    let model = "gemini-2.5-flash";
    let (input, output) = (1_000_000, 0);
    Call {
        id,
        at,
        provider: "gcp.gemini",
        model,
        tier: None,
        input,
        output,
        searches,
        ..PROVISIONED
    }
}

fn at(text: &str) -> Micros {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

fn batch(calls: &[Call]) -> RecordBatch {
    let texts = |of: &dyn Fn(&Call) -> Option<String>| -> ArrayRef {
        Arc::new(calls.iter().map(of).collect::<StringArray>())
    };
    let counts = |of: &dyn Fn(&Call) -> i64| -> ArrayRef {
        Arc::new(calls.iter().map(|c| Some(of(c)).filter(|n| *n > 0)).collect::<Int64Array>())
    };
    let columns = period_columns().map(|name| {
        let column = match name {
            "trace_id" => texts(&|c| Some(format!("{:032x}", c.id))),
            "span_id" => texts(&|c| Some(format!("{:016x}", c.id))),
            "provider" => texts(&|c| Some(c.provider.to_owned())),
            "request_model" => texts(&|c| Some(c.model.to_owned())),
            "service_tier" => texts(&|c| c.tier.map(str::to_owned)),
            "start_unix_ns" => counts(&|c| at(c.at) * 1_000),
            "input_tokens" => counts(&|c| c.input),
            "output_tokens" => counts(&|c| c.output),
            "web_searches" => counts(&|c| c.searches),
            "gateway_cache_hit" => {
                Arc::new(calls.iter().map(|c| Some(c.cache_hit)).collect::<BooleanArray>())
            }
            name => {
                let number = Unit::named(name).is_some();
                let kind = if number { DataType::Int64 } else { DataType::Utf8 };
                new_null_array(&kind, calls.len())
            }
        };
        (Field::new(name, column.data_type().clone(), true), column)
    });
    let (fields, columns): (Vec<_>, Vec<_>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn book(text: &str) -> ContractBooks {
    static BOOKS: std::sync::OnceLock<Vec<PriceRow>> = std::sync::OnceLock::new();
    let mut rows = BOOKS.get_or_init(|| bundled::history().unwrap()).clone();
    rows.extend(contract::read(text.as_bytes(), Form::Toml, "default", "c", 1).unwrap().rows);
    ContractBooks::new(PriceBook::believed_at(rows, i64::MAX).unwrap()).unwrap()
}

fn periods(text: &str, calls: &[Call], from: Option<&str>, to: &str) -> Vec<PeriodRow> {
    let mut periods = Periods::new(&book(text), "default").unwrap();
    periods.add(&batch(calls)).unwrap();
    periods.rows(from.map(at), at(to)).unwrap()
}

fn text(amount: Option<Money>) -> String {
    amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string())
}

/// $2.50 in and $10 out for standard calls, and a commitment for provisioned ones.
fn committed(rest: &str) -> String {
    format!(
        "[[price]]\nprovider = \"azure\"\nmodel = \"gpt-4o\"\nunit = \"input_tokens\"\namount = 2.5\n\
         [[price]]\nprovider = \"azure\"\nmodel = \"gpt-4o\"\nunit = \"output_tokens\"\namount = 10\n\
         [[commitment]]\nprovider = \"azure\"\nmodel = \"gpt-4o\"\n\
         service_tier = \"provisioned\"\n{rest}\n"
    )
}

#[test]
fn commitment_says_what_it_covered_and_what_was_left_unused() {
    let second = Call { id: 2, at: "2026-11-30T23:59:59Z", ..PROVISIONED };
    let standard = Call { id: 3, tier: None, ..PROVISIONED };
    let hit = Call { id: 4, cache_hit: true, ..PROVISIONED };
    let calls = [PROVISIONED, second, standard, hit];
    let contract = committed("amount = 10\nper = \"month\"\nvalid_from = 2026-11-01");
    let rows = periods(&contract, &calls, None, "2026-12-16T00:00:00Z");
    let told = |row: &PeriodRow| {
        let unit = row.unit.map(|unit| unit.name()).unwrap_or_default();
        let amounts = [row.paid, row.list_value, row.commitment_unused, row.effective_price];
        (unit, row.quantity, amounts.map(text), row.calls)
    };
    let rows: Vec<_> = rows.iter().map(|row| (told(row), row.used_share)).collect();
    // Two calls of 1 × 2.5 + 0.1 × 10 = 3.5 by list: 7 of 10, 3 unused. Of the 10, input takes
    // 5 ÷ 7 = 7.142857142857142857|14…, output 2 ÷ 7 = 2.857142857142857142|85…: the last digit goes to
    // the larger rest. Unused: 3 × 5 ÷ 7 = 2.142857142857142857|1 and 0.857142857142857142|8.
    // A million input tokens came to 7.142857142857142857 ÷ 2 (half to even), a million output tokens
    // to 2.857142857142857143 × 5.
    let amounts = |amounts: [&str; 4]| amounts.map(str::to_owned);
    let input =
        amounts(["7.142857142857142857", "5", "2.142857142857142857", "3.571428571428571428"]);
    let output =
        amounts(["2.857142857142857143", "2", "0.857142857142857143", "14.285714285714285715"]);
    assert_eq!(rows[0], (("input_tokens", Some(2_000_000), input, 2), Some(0.7)));
    assert_eq!(rows[1], (("output_tokens", Some(200_000), output, 2), Some(0.7)));
    // December until the 16th: 10 × 15 ÷ 31 = 4.8387096774193548387…, and nothing was used.
    let idle = "4.838709677419354839";
    let nothing = amounts([idle, "0", idle, "unknown"]);
    assert_eq!(rows[2], (("", None, nothing, 0), Some(0.0)));
    assert_eq!(rows.len(), 3);
}

#[test]
fn value_of_covered_usage_is_in_the_currency_of_the_commitment_or_unknown() {
    let euros = committed("amount = 10\nper = \"month\"\ncurrency = \"EUR\"");
    let rate = "[[rate]]\nfrom = \"USD\"\nto = \"EUR\"\nrate = 0.8\nvalid_from = 2026-01-01\n";
    let (from, to) = (Some("2026-11-01T00:00:00Z"), "2026-12-01T00:00:00Z");
    let sum = |rows: &[PeriodRow]| -> Money { rows.iter().filter_map(|r| r.list_value).sum() };
    // 3.5 × 0.8 = 2.8 of 10.
    let rows = periods(&(euros.clone() + rate), &[PROVISIONED], from, to);
    assert_eq!((sum(&rows).to_string(), rows[0].used_share), ("2.8".to_owned(), Some(0.28)));
    assert_eq!(rows[0].currency.as_deref(), Some("EUR"));
    // Without the rate the tokens are known, their value and what is unused are not.
    let rows = periods(&euros, &[PROVISIONED], from, to);
    assert_eq!((rows[0].unlisted_calls, rows[0].used_share), (1, None));
    assert_eq!((rows[0].quantity, rows[0].commitment_unused), (Some(1_000_000), None));
    let paid: Money = rows.iter().filter_map(|r| r.paid).sum();
    assert_eq!(paid.to_string(), "10");
}

const SEARCHES: &str = "[[allowance]]\nprovider = \"google\"\nmodel = \"gemini-2.5-flash\"\n\
                        unit = \"web_searches\"\nquantity = 1500\nper = \"month\"\n";

#[test]
fn allowance_ends_inside_a_call_whatever_the_order_in_which_calls_are_read() {
    // $35 per 1,000 searches (Gemini 2.5 Flash). 1,000 are free; of the next 700 the first 500 are,
    // the other 200 cost 7; 100 more cost 3.5. In December all is free again.
    let calls = [
        search(1, "2026-11-03T00:00:00Z", 1_000),
        search(2, "2026-11-17T12:00:00Z", 700),
        search(3, "2026-11-30T23:59:59Z", 100),
        search(4, "2026-12-01T00:00:00Z", 100),
        Call { cache_hit: true, ..search(5, "2026-11-02T00:00:00Z", 1_500) },
    ];
    let expected = |rows: &[PeriodRow]| {
        let [november, december] = rows else { panic!("{rows:?}") };
        let told = |row: &PeriodRow| {
            let counts = [row.quantity, row.free_quantity, row.left, row.quota];
            let amounts = [row.list_value, row.free_allowance, row.effective_price];
            (row.calls, counts.map(|c| c.unwrap_or(-1)), amounts.map(text))
        };
        // 1,800 × 35 ÷ 1,000 = 63, of which 1,500 × 35 ÷ 1,000 = 52.5 are free; 10.5 for 1,800.
        let amounts = ["63", "52.5", "5.833333333333333333"].map(str::to_owned);
        assert_eq!(told(november), (3, [1_800, 1_500, 0, 1_500], amounts));
        let when = at("2026-11-17T12:00:00Z");
        let call = format!("{:032x}/{:016x}", 2, 2);
        assert_eq!(november.exhausted, Some((when, call)));
        assert_eq!(november.used_share, Some(1.0));
        let amounts = ["3.5", "3.5", "0"].map(str::to_owned);
        assert_eq!(told(december), (1, [100, 100, 1_400, 1_500], amounts));
        assert_eq!(december.exhausted, None);
    };
    let to = "2026-12-10T00:00:00Z";
    expected(&periods(SEARCHES, &calls, None, to));
    let mut backwards = calls;
    backwards.reverse();
    expected(&periods(SEARCHES, &backwards, None, to));
    // In two parts, as two threads of a query read them.
    let book = book(SEARCHES);
    let part = |calls: &[Call]| {
        let mut part = Periods::new(&book, "default").unwrap();
        part.add(&batch(calls)).unwrap();
        part.state()
    };
    let mut whole = Periods::new(&book, "default").unwrap();
    for state in [part(&calls[1..3]), part(&[calls[4], calls[3], calls[0]])] {
        whole.merge(&state).unwrap();
    }
    expected(&whole.rows(None, at(to)).unwrap());
    assert!(whole_is_refused(&book));
}

/// A state that was cut off is an error, not less usage.
fn whole_is_refused(book: &ContractBooks) -> bool {
    let mut periods = Periods::new(book, "default").unwrap();
    periods.merge(&[0; 17]).is_err()
}

#[test]
fn another_tenants_contract_is_not_told() {
    let mut periods = Periods::new(&book(SEARCHES), "other").unwrap();
    periods.add(&batch(&[search(1, "2026-11-03T00:00:00Z", 10)])).unwrap();
    assert_eq!(periods.rows(None, at("2026-12-01T00:00:00Z")).unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_free_is_what_quotes_in_the_order_of_the_calls_say(
        counts in proptest::collection::vec((0..6usize, 1..900i64), 1..20),
        shuffle in any::<u64>(),
    ) {
        // Two allowances on one unit, used up one after the other: 700 a day, then 1,500 a month.
        const DAYS: [&str; 6] = [
            "2026-11-01T00:00:00Z", "2026-11-01T23:59:59Z", "2026-11-02T08:00:00Z",
            "2026-11-30T12:00:00Z", "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z",
        ];
        let mut counts = counts;
        counts.sort_by_key(|(day, _)| *day);
        let calls: Vec<Call> = (1..)
            .zip(&counts)
            .map(|(id, (day, searches))| search(id, DAYS[*day], *searches))
            .collect();
        static BOOK: std::sync::OnceLock<ContractBooks> = std::sync::OnceLock::new();
        let book = BOOK.get_or_init(|| {
            book(&format!(
                "[[allowance]]\nprovider = \"google\"\nmodel = \"gemini-2.5-flash\"\n\
                 unit = \"web_searches\"\nquantity = 700\nper = \"day\"\n{SEARCHES}"
            ))
        });
        let (mut pricer, mut allowances) =
            (Pricer::new(Arc::clone(&book.book)), Allowances::new(Arc::clone(&book.book)).unwrap());
        let mut off = Money::ZERO;
        for call in &calls {
            let usage = Usage::reported(
                Basis::Inclusive,
                &[(Unit::INPUT, call.input), (Unit::WEB_SEARCHES, call.searches)],
            ).unwrap();
            let facts = CallFacts {
                tenant: Some("default"),
                provider: Some(call.provider),
                request_model: Some(call.model),
                response_model: None,
                service_tier: None,
                region: None,
                server_address: None,
                at: at(call.at),
                usage: &usage,
            };
            let mut quote = pricer.quote(&facts);
            off += quote.total;
            allowances.take(&facts, &mut quote);
            off = off - quote.total;
        }
        let mut read = calls.clone();
        read.sort_by_key(|call| call.id.wrapping_mul(shuffle | 1));
        let mut periods = Periods::new(book, "default").unwrap();
        read.chunks(3).for_each(|part| periods.add(&batch(part)).unwrap());
        let rows = periods.rows(None, at("2026-12-03T00:00:00Z")).unwrap();
        let free: Money = rows.iter().filter_map(|row| row.free_allowance).sum();
        prop_assert_eq!(free, off);
    }
}
