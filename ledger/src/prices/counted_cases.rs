//! Tests of calls that are priced by other counts than tokens, as their columns tell them or do not:
//! images, audio, characters, pages, GPUs, each with its arithmetic. The book's prices are those of its
//! providers' pages: whisper-1 $0.36 an hour, tts-1 $15 a million characters, mistral-ocr-2512 $2 a
//! thousand pages, gpt-4o $2.50 in and $10 out a million tokens.

use std::sync::{Arc, OnceLock};

use arrow::array::{
    Array, ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    new_null_array,
};
use arrow::datatypes::{DataType, Field, Schema};
use spanledger_schemas::tables::calls::TABLE;
use spanledger_schemas::{Kind, Money};

use super::contract::{self, Form};
use super::{PriceBook, Pricer, bundled, deciding_columns, jsonl, price_columns};

/// 2026-11-20T12:00:00Z
const AT_NS: i64 = 1_795_176_000_000_000_000;

/// What dall-e-3 costs on OpenAI's page for 1024×1024, an image model that charges tokens too, and a
/// model on GPUs of one's own.
const OWN: &str = r#"
[[price]]
provider = "openai"
model = "dall-e-3"
unit = "output_images"
amount = 0.04

[[price]]
provider = "openai"
model = "gpt-4o"
unit = "output_images"
amount = 0.03

[[price]]
provider = "acme"
model = "own-70b"
unit = "gpu_seconds"
amount = 2.40
"#;

fn book() -> Arc<PriceBook> {
    static BOOK: OnceLock<Arc<PriceBook>> = OnceLock::new();
    let book = BOOK.get_or_init(|| {
        let own = contract::read(OWN.as_bytes(), Form::Toml, "default", "test", 1).unwrap();
        let rows = bundled::history().unwrap().into_iter().chain(own.rows).collect();
        PriceBook::believed_at(rows, i64::MAX).unwrap()
    });
    Arc::clone(book)
}

/// One call, by what its columns of counts hold.
fn batch(provider: &str, model: &str, counts: &[(&str, f64)]) -> RecordBatch {
    let columns = deciding_columns().map(|name| {
        let kind = TABLE.column(name).map_or(Kind::Text, |column| column.kind);
        let count = counts.iter().find(|(counted, _)| *counted == name).map(|(_, count)| *count);
        let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let column: ArrayRef = match (name, kind) {
            ("tenant", _) => text("default"),
            ("provider", _) => text(provider),
            ("request_model", _) => text(model),
            ("start_unix_ns", _) => Arc::new(Int64Array::from(vec![AT_NS])),
            (_, Kind::Int) => Arc::new(Int64Array::from(vec![count.map(|count| count as i64)])),
            (_, Kind::Float) => Arc::new(Float64Array::from(vec![count])),
            (_, Kind::Bool) => new_null_array(&DataType::Boolean, 1),
            _ => new_null_array(&DataType::Utf8, 1),
        };
        (Field::new(name, column.data_type().clone(), true), column)
    });
    let (fields, columns): (Vec<_>, Vec<_>) = columns.unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    assert!(counts.iter().all(|(name, _)| batch.column_by_name(name).is_some()), "{counts:?}");
    batch
}

/// Checks the cells of a call: cost, cost of input and of output, state, reason.
fn check(provider: &str, model: &str, counts: &[(&str, f64)], expected: [&str; 5]) {
    let mut pricer = Pricer::new(book());
    let batch = batch(provider, model, counts);
    // The second time by its shape.
    for _ in 0..2 {
        let priced = price_columns(&mut pricer, &batch).unwrap();
        let amount = |column: &Decimal128Array| {
            let amount = column.is_valid(0).then(|| Money(column.value(0)).to_string());
            amount.unwrap_or_else(|| "null".to_owned())
        };
        let reason = priced.price_reason.is_valid(0).then(|| priced.price_reason.value(0));
        let told = [
            amount(&priced.cost),
            amount(&priced.input_cost),
            amount(&priced.output_cost),
            priced.price_state.value(0).to_owned(),
            reason.unwrap_or_default().to_owned(),
        ];
        assert_eq!(told, expected, "{model} {counts:?}");
        assert_eq!(priced.currency.is_valid(0), expected[0] != "null", "{model} {counts:?}");
    }
}

#[test]
fn images_are_charged_one_by_one() {
    // 2 × 0.04
    check("openai", "dall-e-3", &[("output_images", 2.0)], ["0.08", "0", "0.08", "priced", ""]);
    let reason = "no usage was reported; output_images are not known";
    check("openai", "dall-e-3", &[], ["null", "null", "null", "unpriced", reason]);
    // What is told is not what is charged.
    let reason = "no price for input_tokens at that time; output_images are not known";
    check(
        "openai",
        "dall-e-3",
        &[("input_tokens", 9.0)],
        ["null", "null", "null", "unpriced", reason],
    );
}

#[test]
fn image_that_a_model_of_tokens_may_make_is_asked_of_no_call() {
    // 1,000 × 2.5 / 10^6 = 0.0025; 10 × 10 / 10^6 = 0.0001; an image beside them 0.03.
    let tokens = [("input_tokens", 1_000.0), ("output_tokens", 10.0)];
    check("openai", "gpt-4o", &tokens, ["0.0026", "0.0025", "0.0001", "priced", ""]);
    let [input, output] = tokens;
    let all = [input, output, ("output_images", 1.0)];
    check("openai", "gpt-4o", &all, ["0.0326", "0.0025", "0.0301", "priced", ""]);
    // The side of which something is told has that; the one of which nothing is told is unknown.
    let reason = "output_tokens are not known";
    let images = [input, ("output_images", 1.0)];
    check("openai", "gpt-4o", &images, ["0.0325", "0.0025", "0.03", "part-priced", reason]);
    check("openai", "gpt-4o", &[input], ["0.0025", "0.0025", "null", "part-priced", reason]);
    let reason = "input_tokens are not known";
    check("openai", "gpt-4o", &[output], ["0.0001", "null", "0.0001", "part-priced", reason]);
    // Zero is told: nothing was answered, and what was asked is not known.
    check(
        "openai",
        "gpt-4o",
        &[("output_tokens", 0.0)],
        ["null", "null", "null", "unpriced", reason],
    );
    // Audio in seconds is how long the same tokens were: nothing more to pay.
    let reason = "audio_seconds have no price beside what is charged";
    let heard = [input, output, ("audio_seconds", 4.0)];
    check("openai", "gpt-4o", &heard, ["0.0026", "0.0025", "0.0001", "priced", reason]);
}

#[test]
fn minute_of_speech_is_sixty_whole_seconds() {
    // 60 × 0.36 / 3,600 = 0.006
    let minute = ["0.006", "0.006", "0", "priced", ""];
    check("openai", "whisper-1", &[("input_audio_seconds", 60.0)], minute);
    check("openai", "whisper-1", &[("input_audio_seconds", 59.6)], minute);
    check("openai", "whisper-1", &[("input_audio_seconds", 60.4), ("audio_seconds", 60.4)], minute);
    // Not said whether heard or spoken: of neither side.
    check("openai", "whisper-1", &[("audio_seconds", 60.0)], ["0.006", "0", "0", "priced", ""]);
    let reason = "no usage was reported; audio_seconds are not known";
    check("openai", "whisper-1", &[], ["null", "null", "null", "unpriced", reason]);
    // Each side is rounded, and all is no less than both: 1 + 1 s of 0.6 and 0.6.
    let sides =
        [("input_audio_seconds", 0.6), ("output_audio_seconds", 0.6), ("audio_seconds", 1.2)];
    check("openai", "whisper-1", &sides, ["0.0002", "0.0001", "0", "priced", ""]);
}

#[test]
fn characters_and_pages_are_charged_from_their_columns() {
    // 1,000 × 15 / 10^6; 10 × 2 / 1,000
    let characters = [("input_characters", 1_000.0)];
    check("openai", "tts-1", &characters, ["0.015", "0.015", "0", "priced", ""]);
    let pages = [("input_document_pages", 10.0)];
    check("mistral_ai", "mistral-ocr-2512", &pages, ["0.02", "0.02", "0", "priced", ""]);
}

#[test]
fn seconds_of_a_gpu_are_quoted_and_of_a_call_not_known() {
    // 90 × 2.4 / 3,600 = 0.06
    let request = r#"{"provider":"acme","model":"own-70b","at":"2026-11-20T12:00:00Z",
        "basis":"inclusive","usage":{"gpu_seconds":90}}"#;
    let answer = jsonl::quote_jsonl(&mut Pricer::new(book()), request).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (&answer["state"], &answer["total"]),
        (&"priced".into(), &"0.06".into()),
        "{answer}"
    );
    let reason = "no price for input_tokens at that time; gpu_seconds are not known";
    check(
        "acme",
        "own-70b",
        &[("input_tokens", 9.0)],
        ["null", "null", "null", "unpriced", reason],
    );
    let reason = "no usage was reported; gpu_seconds are not known";
    check("acme", "own-70b", &[], ["null", "null", "null", "unpriced", reason]);
}
