//! What the readers promise, on real, generated and broken files. Sums were computed with
//! Python's `csv` and `decimal` (60 digits) from the texts of the same files.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::array::{Decimal128Array, TimestampMillisecondArray};
use arrow::datatypes::{Decimal128Type, Field, Schema};
use flate2::read::MultiGzDecoder;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use spanledger_schemas::Money;

use super::{REAL, bill, file};
use crate::billing::cells;
use crate::billing::error::{ImportError, Problem};
use crate::billing::lines::Stamp;
use crate::billing::read::{self, Content};
use crate::billing::report::{CurrencySums, Warning};

fn read(bytes: &[u8]) -> Result<Content, ImportError> {
    read::focus(file(bytes), "bill.csv")
}

fn batch(content: Content) -> RecordBatch {
    let stamp = Stamp {
        tenant: "acme".into(),
        import_id: "i1".into(),
        source: "s".into(),
        file_name: "bill.csv".into(),
        imported_at_us: 1,
    };
    content.lines.stamp(&stamp).unwrap()
}

fn sum(lines: &RecordBatch, column: &str) -> String {
    let amounts = lines.column_by_name(column).unwrap().as_primitive::<Decimal128Type>();
    amounts.iter().flatten().map(Money).sum::<Money>().to_string()
}

fn texts<'a>(lines: &'a RecordBatch, column: &str) -> &'a StringArray {
    lines.column_by_name(column).unwrap().as_string()
}

fn warned(content: &Content, code: &str) -> Option<u64> {
    let of_code = |w: &&Warning| w.code == code;
    content.warnings.iter().find(of_code).map(|w| w.count)
}

fn problems(bytes: &[u8]) -> Vec<Problem> {
    match read(bytes) {
        Err(ImportError::Rejected { problems, .. }) => problems,
        other => panic!("not rejected: {:?}", other.map(|c| c.rows)),
    }
}

#[test]
fn sums_of_the_real_bill_are_the_sums_of_its_decimal_texts() {
    let content = read(REAL).unwrap();
    assert_eq!((content.rows, content.version), (445, "1.0"));
    assert_eq!(content.source_names, ["AWS", "Microsoft", "Oracle"]);
    let periods = content.totals.report();
    assert_eq!(periods.len(), 1);
    assert_eq!(periods[0].billing_period_start.to_string(), "2024-09-01T00:00:00Z");
    assert_eq!(periods[0].billing_period_end.to_string(), "2024-10-01T00:00:00Z");
    assert_eq!(
        periods[0].sums,
        [CurrencySums {
            currency: "USD".into(),
            billed_cost: "5.69001013875".into(),
            effective_cost: Some("3.22785159715".into()),
        }]
    );
    let lines = batch(content);
    for (column, expected, nulls) in [
        ("billed_cost", "5.69001013875", 0),
        ("effective_cost", "3.22785159715", 0),
        ("list_cost", "5.46441013875", 0),
        ("contracted_cost", "3.22758456187", 3),
        ("pricing_quantity", "10010.64395206953", 0),
        ("consumed_quantity", "10010.713847079532089", 0),
        ("list_unit_price", "290.6767532767", 0),
        ("contracted_unit_price", "58.15552", 3),
    ] {
        assert_eq!(sum(&lines, column), expected, "{column}");
        assert_eq!(lines.column_by_name(column).unwrap().null_count(), nulls, "{column}");
    }
}

#[test]
fn lines_of_the_real_bill_keep_tags_days_and_foreign_columns() {
    let lines = batch(read(REAL).unwrap());
    // Python: 1,014 tags in all; 15 days of charges; the sum of the column `Id`, which FOCUS
    // does not know, is 1,273,391,324; row 345 is an AWS g5.4xlarge hour.
    let tags = lines.column_by_name("tags").unwrap().as_map();
    assert_eq!(tags.entries().len(), 1_014);
    let days = lines.column_by_name("date").unwrap();
    let days: std::collections::BTreeSet<i32> =
        days.as_primitive::<arrow::datatypes::Date32Type>().values().iter().copied().collect();
    assert_eq!(days.len(), 15);
    let others = lines.column_by_name("other_columns").unwrap().as_map();
    assert!(others.keys().as_string::<i32>().iter().all(|key| key == Some("Id")));
    let ids = others.values().as_string::<i32>().iter().flatten();
    assert_eq!(ids.map(|id| id.parse::<i64>().unwrap()).sum::<i64>(), 1_273_391_324);
    assert_eq!(texts(&lines, "resource_id").value(344), "i-0al7231266lfle0f2");
    let cost = lines.column_by_name("billed_cost").unwrap().as_primitive::<Decimal128Type>();
    assert_eq!(Money(cost.value(344)), Money::parse("1.624").unwrap());
    let numbers = lines.column_by_name("line_number").unwrap();
    let numbers = numbers.as_primitive::<arrow::datatypes::Int64Type>();
    assert_eq!((numbers.value(0), numbers.value(344)), (1, 345));
}

/// Files made by focus-data-toolkit, if the data folder is beside the project.
#[test]
fn generated_files_of_every_version_are_read_whole() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/billing/focus_generated");
    // File, version, sums of BilledCost (equal to EffectiveCost there) and of ListCost.
    let expected = [
        (
            "focus_1_2_cost_and_usage_aws.seed1202",
            "1.2",
            "64080.2025343574525",
            "90034.249766836861608",
        ),
        (
            "focus_1_2_cost_and_usage_azure.seed1202",
            "1.2",
            "129999.666448803408",
            "185699.59442145232",
        ),
        (
            "focus_1_2_cost_and_usage_gcp.seed1202",
            "1.2",
            "86149.0634638719465",
            "122475.012396316385",
        ),
        (
            "focus_1_3_cost_and_usage_aws.seed1202",
            "1.3",
            "61691.399858351561476",
            "80517.313200962457031",
        ),
        (
            "focus_1_3_cost_and_usage_azure.seed1202",
            "1.3",
            "104247.119977871088",
            "143095.25046896368",
        ),
        (
            "focus_1_3_cost_and_usage_gcp.seed1202",
            "1.3",
            "79002.9560023990905",
            "107035.90872033332",
        ),
        (
            "focus_1_4_cost_and_usage_aws.from_1.3_seed1202",
            "1.4",
            "61691.399858351561476",
            "80517.313200962457031",
        ),
        (
            "focus_1_4_cost_and_usage_azure.from_1.3_seed1202",
            "1.4",
            "104247.119977871088",
            "143095.25046896368",
        ),
        (
            "focus_1_4_cost_and_usage_gcp.from_1.3_seed1202",
            "1.4",
            "79002.9560023990905",
            "107035.90872033332",
        ),
    ];
    for (name, version, billed, list) in expected {
        let path = folder.join(format!("{name}.csv.gz"));
        let Ok(bytes) = std::fs::read(&path) else {
            eprintln!("skipped: {} is not there", path.display());
            continue;
        };
        let content = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((content.rows, content.version), (3_000, version), "{name}");
        // Every FOCUS column of these versions has its own column here.
        assert_eq!(warned(&content, "unknown-columns"), None, "{name}");
        assert_eq!(content.source_names.len(), 1, "{name}");
        let lines = batch(content);
        assert_eq!(sum(&lines, "billed_cost"), billed, "{name}");
        assert_eq!(sum(&lines, "effective_cost"), billed, "{name}");
        assert_eq!(sum(&lines, "list_cost"), list, "{name}");
        let others = lines.column_by_name("other_columns").unwrap().as_map();
        assert_eq!(others.entries().len(), 0, "{name}");
    }
}

#[test]
fn other_focus_datasets_are_told_apart_and_refused() {
    let refused = |header: &str| match read(format!("{header}\n").as_bytes()) {
        Err(ImportError::Unsupported { found, .. }) => found,
        other => panic!("{header}: {:?}", other.map(|c| c.rows)),
    };
    // Headers as the 1.3 and 1.4 specifications have them (the first columns).
    let commitment = "ContractCommitmentId,ContractCommitmentType,ContractCommitmentCost";
    assert_eq!(refused(commitment), "a FOCUS Contract Commitment dataset");
    let invoice = "BilledCost,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,InvoiceDetailId,\
                   InvoiceDetailDescription,PaymentCurrencyBilledCost";
    assert_eq!(refused(invoice), "a FOCUS Invoice Detail dataset");
    let period = "BillingPeriodStart,BillingPeriodEnd,BillingPeriodStatus,InvoiceIssuerName";
    assert_eq!(refused(period), "a FOCUS Billing Period dataset");
}

#[test]
fn the_kind_of_a_file_is_told_by_its_bytes() {
    let mut text = Vec::new();
    MultiGzDecoder::new(REAL).read_to_end(&mut text).unwrap();
    let plain = read(&text).unwrap();
    let zstd = read(&zstd::encode_all(&text[..], 1).unwrap()).unwrap();
    let with_bom = read(&[b"\xef\xbb\xbf", &text[..]].concat()).unwrap();
    let gzip = read(REAL).unwrap();
    assert_eq!(plain.hash, zstd.hash, "the hash is over the text, not over its compression");
    assert_eq!(plain.hash, gzip.hash);
    let lines = batch(plain);
    assert_eq!(lines, batch(zstd));
    assert_eq!(lines, batch(gzip));
    assert_eq!(lines, batch(with_bom));
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"PK\x03\x04....", "a ZIP archive or a spreadsheet"),
        (b"\xff\xfeB\0i\0", "UTF-16 text"),
        (b"<html>", "an HTML or XML page"),
        (b"[{\"a\": 1}]", "JSON"),
        (b"BilledCost\0", "binary data of an unknown kind"),
    ] {
        match read(bytes) {
            Err(ImportError::Unsupported { found, .. }) => assert_eq!(found, expected),
            other => panic!("{expected}: {:?}", other.map(|c| c.rows)),
        }
    }
    let cut_off = &REAL[..REAL.len() / 2];
    assert!(matches!(read(cut_off), Err(ImportError::Read { .. })));
    assert!(matches!(read(b"PAR1 and then nothing"), Err(ImportError::Read { .. })));
}

/// The real bill as a Parquet file: amounts as `amounts` makes them from their text, the billing
/// period as instants in milliseconds, everything else as strings.
fn parquet(amounts: impl Fn(Vec<Option<&str>>) -> ArrayRef) -> Vec<u8> {
    let mut reader = csv::Reader::from_reader(MultiGzDecoder::new(REAL));
    let header = reader.headers().unwrap().clone();
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    let column = |(at, name): (usize, &str)| {
        let cells = || records.iter().map(|r| cells::present(&r[at]));
        let column: ArrayRef = if name.ends_with("Cost") {
            amounts(cells().collect())
        } else if name.starts_with("BillingPeriod") {
            let at = cells().map(|text| text.map(|t| cells::instant(t).unwrap() / 1_000));
            Arc::new(at.collect::<TimestampMillisecondArray>())
        } else {
            Arc::new(cells().collect::<StringArray>())
        };
        (Field::new(name, column.data_type().clone(), true), column)
    };
    let (fields, columns): (Vec<_>, Vec<_>) = header.iter().enumerate().map(column).unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_parquet_file_gives_the_same_lines_as_its_csv() {
    let from_csv = batch(read(REAL).unwrap());
    let decimal = |cells: Vec<Option<&str>>| -> ArrayRef {
        let units = cells.into_iter().map(|t| t.map(|t| Money::parse(t).unwrap().0));
        let column = units.collect::<Decimal128Array>();
        Arc::new(column.with_precision_and_scale(38, 18).unwrap())
    };
    let content = read(&parquet(decimal)).unwrap();
    assert_eq!(warned(&content, "float-amounts"), None);
    assert_eq!(batch(content), from_csv);
}

#[test]
fn amounts_from_binary_floats_are_their_shortest_text_and_counted() {
    let float = |cells: Vec<Option<&str>>| -> ArrayRef {
        Arc::new(cells.into_iter().map(|t| t.map(|t| t.parse().unwrap())).collect::<Float64Array>())
    };
    let content = read(&parquet(float)).unwrap();
    // 445 rows × 4 cost columns, of which ContractedCost has 3 nulls.
    assert_eq!(warned(&content, "float-amounts"), Some(445 * 4 - 3));
    // No amount of the bill has more than 17 significant digits: the shortest texts are exact.
    assert_eq!(sum(&batch(content), "billed_cost"), "5.69001013875");
}

#[test]
fn a_broken_cell_names_file_row_column_found_and_expected() {
    let two = "BilledCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ListCost\n\
               1,USD,2026-10-01,2026-11-01,0\n\
               \"1,204.5\",USD,10/1/26,2026-11-01,NULL\n\
               2,Dollar,2026-10-01,,x\n";
    let error = read(two.as_bytes()).map(|c| c.rows).unwrap_err();
    assert_eq!(
        error.to_string(),
        "billing row 2 of `bill.csv`: `BilledCost` is `1,204.5`, expected a decimal such as `-1204.5`\n\
         billing row 2 of `bill.csv`: `BillingPeriodStart` is `10/1/26`, expected an instant such as `2026-10-01T00:00:00Z`\n\
         billing row 3 of `bill.csv`: `BillingCurrency` is `Dollar`, expected a currency code such as `USD`\n\
         billing row 3 of `bill.csv`: `ListCost` is `x`, expected a decimal such as `-1204.5`\n\
         billing row 3 of `bill.csv`: `BillingPeriodEnd` is empty, expected a value"
            .replace("         ", "")
    );
}

#[test]
fn every_kind_of_broken_row_is_told() {
    let check = |bytes: &[u8], row: Option<u64>, column: Option<&str>, found: &str| {
        let problems = problems(bytes);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let problem = &problems[0];
        assert_eq!((problem.row, problem.column.as_deref()), (row, column), "{problem}");
        assert_eq!(problem.found, found);
    };
    check(&bill(&[("BilledCost", "NaN")]), Some(1), Some("BilledCost"), "`NaN`");
    check(&bill(&[("BilledCost", "NULL")]), Some(1), Some("BilledCost"), "`NULL`");
    check(&bill(&[("BilledCost", "1e20")]), Some(1), Some("BilledCost"), "`1e20`");
    check(&bill(&[("BillingCurrency", "")]), Some(1), Some("BillingCurrency"), "empty");
    check(&bill(&[("ChargePeriodStart", "now")]), Some(1), Some("ChargePeriodStart"), "`now`");
    check(&bill(&[("ConsumedQuantity", "3 h")]), Some(1), Some("ConsumedQuantity"), "`3 h`");
    let end = "2026-10-01T00:00:00Z";
    check(
        &bill(&[("BillingPeriodEnd", end)]),
        Some(1),
        Some("BillingPeriodEnd"),
        &format!("`{end}`"),
    );
    let more = [&bill(&[])[..], b"1,USD\n"].concat();
    check(&more, Some(2), None, "2 fields");
    let mut not_utf8 = bill(&[("ServiceName", "caf?")]);
    *not_utf8.iter_mut().find(|b| **b == b'?').unwrap() = 0xe9;
    check(&not_utf8, Some(1), Some("ServiceName"), "bytes that are not UTF-8");
    check(&bill(&[("Billed_Cost", "1")]), None, Some("Billed_Cost"), "there twice");
}

#[test]
fn missing_columns_are_named_all_at_once() {
    let names: Vec<_> = problems(b"ServiceName,BilledCost\nx,1\n")
        .into_iter()
        .map(|p| (p.column.unwrap(), p.found))
        .collect();
    let missing = |name: &str| (name.to_owned(), "missing".to_owned());
    assert_eq!(
        names,
        [missing("BillingCurrency"), missing("BillingPeriodStart"), missing("BillingPeriodEnd")]
    );
}

#[test]
fn reading_stops_after_twenty_problems_and_says_so() {
    let mut text = bill(&[("BilledCost", "?")]);
    let row = text.split(|b| *b == b'\n').nth(1).unwrap().to_vec();
    for _ in 0..50 {
        text.extend_from_slice(&row);
        text.push(b'\n');
    }
    match read(&text) {
        Err(ImportError::Rejected { problems, more, .. }) => {
            assert_eq!((problems.len(), more), (20, true));
        }
        other => panic!("{:?}", other.map(|c| c.rows)),
    }
}

#[test]
fn a_quote_that_never_closes_is_stopped_by_the_bound_of_a_row() {
    let mut text = bill(&[]);
    text.extend_from_slice(b"\"");
    text.extend(std::iter::repeat_n(*b"1,2,3\n", 400_000).flatten());
    match read(&text) {
        Err(ImportError::TooLarge { what, limit, .. }) => {
            assert_eq!((what, limit), ("bytes in one row (is a quote never closed?)", 1 << 20));
        }
        other => panic!("{:?}", other.map(|c| c.rows)),
    }
}

#[test]
fn spellings_of_other_versions_and_warehouses_find_their_column() {
    let content = read(&bill(&[
        ("InvoiceIssuer", "Acme Inc."),
        ("Region", "eu"),
        ("PUBLISHER_NAME", "Acme Labs"),
        ("x_BilledCost", "7"),
        ("Tags", "team=a"),
    ]));
    let lines = batch(content.unwrap());
    for (column, expected) in
        [("invoice_issuer_name", "Acme Inc."), ("region_id", "eu"), ("publisher_name", "Acme Labs")]
    {
        assert_eq!(texts(&lines, column).value(0), expected, "{column}");
    }
    let others = lines.column_by_name("other_columns").unwrap().as_map();
    let keys: Vec<_> = others.keys().as_string::<i32>().iter().flatten().collect();
    assert_eq!(keys, ["x_BilledCost", "Tags"], "tags in no known form stay as received");
    assert_eq!(sum(&lines, "billed_cost"), "1.5");
}

#[test]
fn crlf_quotes_and_semicolons_are_read() {
    let text = String::from_utf8(bill(&[("ServiceName", "a \"b\"\nc")])).unwrap();
    let semicolons = text.replace(',', ";").replace('\n', "\r\n");
    let lines = batch(read(semicolons.as_bytes()).unwrap());
    assert_eq!(texts(&lines, "service_name").value(0), "a \"b\"\r\nc");
}

#[test]
fn a_line_without_charge_period_is_dated_by_its_billing_period() {
    let day = |bytes: &[u8]| {
        let lines = batch(read(bytes).unwrap());
        lines.column(0).as_primitive::<arrow::datatypes::Date32Type>().value(0)
    };
    // 2026-10-01 is 20,727 days after the epoch: 2026-11-25 is day 20,782 and 55 days later.
    assert_eq!(day(&bill(&[("ChargePeriodStart", "")])), 20_727);
    assert_eq!(day(&bill(&[])), 20_733);
    // Years past 2262 do not fit nanoseconds: 2300-01-01 is day 120,530 (Python's `datetime`).
    assert_eq!(day(&bill(&[("ChargePeriodStart", "2300-01-01")])), 120_530);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_cell_makes_an_import_panic(cells in prop::collection::vec("\\PC{0,30}", 9)) {
        let names = [
            "BilledCost", "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd", "ListCost",
            "ChargePeriodStart", "Tags", "AllocatedTags", "x_own",
        ];
        let change: Vec<_> = names.into_iter().zip(cells.iter().map(String::as_str)).collect();
        let _ = read(&bill(&change)).map(batch);
        for cell in change {
            let _ = read(&bill(&[cell])).map(batch);
        }
    }

    #[test]
    fn no_bytes_make_an_import_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes).map(batch);
        let _ = read(&[&bill(&[])[..], &bytes].concat()).map(batch);
        let _ = read(&[b"PAR1", &bytes[..], b"PAR1"].concat()).map(batch);
    }
}
