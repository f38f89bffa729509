//! Pricing in SQL and the questions that rest on it, against arithmetic on stated prices.

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Decimal128Type, Int64Type};
use arrow::record_batch::RecordBatch;
use serde_json::{Value, json};
use spanledger_query::{AskParams, QueryError, QuerySettings};
use spanledger_schemas::Money;
use spanledger_schemas::tables::{calls, prices};

use crate::fixture::{World, world};

/// Prices of a million tokens, in the words of table `prices`.
fn price(model: &str, unit: &str, amount: &str) -> Value {
    json!({"tenant": "*", "price_id": "", "provider": "openai", "model_name": model,
           "model_match": json!({"equals": model}).to_string(), "unit": unit,
           "per_quantity": 1_000_000, "amount": amount, "currency": "USD",
           "known_from": "2026-01-01T00:00:00Z", "source": "a book"})
}

fn call(span: u8, model: &str, input: i64, output: i64, cost: Option<&str>) -> Value {
    let mut call = json!({"span_id": format!("00000000000000{span:02x}"), "provider": "openai",
           "request_model": model, "model": model, "started_at": "2026-11-24T10:00:00Z",
           "start_unix_ns": 1_795_514_400_000_000_000i64, "usage_basis": "inclusive",
           "input_tokens": input, "output_tokens": output});
    if let Some(cost) = cost {
        call["cost"] = json!(cost);
        call["currency"] = json!("USD");
        call["price_state"] = json!("priced");
    }
    call
}

/// Two models at $4/$8 and $1/$2; the first was believed to be $5 in until 1 November. Another
/// tenant has a contract for it.
async fn shop() -> World {
    let mut old = price("big-1", "input_tokens", "5");
    old["known_to"] = json!("2026-11-01T00:00:00Z");
    let mut new = price("big-1", "input_tokens", "4");
    new["known_from"] = json!("2026-11-01T00:00:00Z");
    let mut foreign = price("big-1", "input_tokens", "0.01");
    foreign["tenant"] = json!("other");
    foreign["source"] = json!("contract theirs");
    let book = vec![
        old,
        new,
        foreign,
        price("big-1", "output_tokens", "8"),
        price("small-1", "input_tokens", "1"),
        price("small-1", "output_tokens", "2"),
    ];
    let calls = vec![
        // 1 × 4 + 0.5 × 8 = 8; 2 × 4 = 8.
        call(1, "big-1", 1_000_000, 500_000, Some("8")),
        call(2, "big-1", 2_000_000, 0, Some("8")),
        call(3, "bigg-1", 10, 5, None),
    ];
    world(QuerySettings::default(), &[(&calls::TABLE, calls), (&prices::TABLE, book)]).await
}

async fn ask(world: &World, name: &str, pairs: &[(&str, &str)]) -> Result<RecordBatch, QueryError> {
    let mut params = AskParams::default();
    for (name, value) in pairs {
        params.set(name, value)?;
    }
    let answer = world.service.ask(&world.service.anyone("cli"), name, &params).await?;
    Ok(concat_batches(&answer.schema, &answer.batches).unwrap())
}

fn money(rows: &RecordBatch, column: &str) -> Option<String> {
    let column = rows[column].as_primitive::<Decimal128Type>();
    column.is_valid(0).then(|| Money(column.value(0)).to_string())
}

fn int(rows: &RecordBatch, column: &str) -> i64 {
    rows[column].as_primitive::<Int64Type>().value(0)
}

fn text(rows: &RecordBatch, column: &str) -> String {
    let column = arrow::compute::cast(&rows[column], &arrow::datatypes::DataType::Utf8).unwrap();
    column.as_string::<i32>().value(0).to_owned()
}

async fn sql(world: &World, query: &str) -> Value {
    let url = format!("{}/api/v1/sql", world.http);
    let request = reqwest::Client::new().post(url).json(&json!({"query": query}));
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn what_if_prices_the_real_calls_anew() {
    let world = shop().await;
    let all = ("by", "");
    // Under small-1: 1 × 1 + 0.5 × 2 = 2 and 2 × 1 = 2: 4 instead of 16. The third call has no
    // settled cost, so it is not compared.
    let rows =
        ask(&world, "what-if", &[all, ("to_model", "small-1"), ("to_provider", "openai")]).await;
    let rows = rows.unwrap();
    assert_eq!(money(&rows, "cost").as_deref(), Some("16"));
    assert_eq!(money(&rows, "what_if_cost").as_deref(), Some("4"));
    assert_eq!(money(&rows, "difference").as_deref(), Some("-12"));
    assert_eq!((int(&rows, "calls"), int(&rows, "compared_calls")), (3, 2));

    // Under a draft with 25 % off: 0.75 × 16 = 12.
    let draft = "[[discount]]\nprovider = \"openai\"\npercent = 25\n";
    let rows = ask(&world, "what-if", &[all, ("draft", draft)]).await.unwrap();
    assert_eq!(money(&rows, "what_if_cost").as_deref(), Some("12"));
    // A model nobody lists: counted, not compared.
    let nobody = [all, ("to_model", "nobody-1"), ("to_provider", "openai")];
    let rows = ask(&world, "what-if", &nobody).await.unwrap();
    assert_eq!((money(&rows, "what_if_cost"), int(&rows, "unpriced_calls")), (None, 3));
    assert!(text(&rows, "unpriced_reason").contains("openai lists no `nobody-1`"));

    let nothing = ask(&world, "what-if", &[]).await.unwrap_err().to_string();
    assert!(nothing.contains("nothing supposed"), "{nothing}");
    let broken = ask(&world, "what-if", &[("draft", "[[price]]\n")]).await.unwrap_err();
    assert!(broken.to_string().contains("`provider` is missing"), "{broken}");
}

#[tokio::test]
async fn spend_as_of_a_day_is_by_what_was_believed_then() {
    let world = shop().await;
    let spend = |as_of: &'static str| {
        let world = &world;
        async move {
            let pairs = [("by", ""), ("filter", "model=big-1"), ("as_of", as_of)];
            money(&ask(world, "spend", &pairs).await.unwrap(), "cost").unwrap()
        }
    };
    // $5 in until November: 1 × 5 + 0.5 × 8 + 2 × 5 = 19; from then 16.
    assert_eq!(spend("2026-10-31T23:59:59Z").await, "19");
    assert_eq!(spend("2026-11-01").await, "16");
    let odd = ask(&world, "latency", &[("as_of", "2026-11-01")]).await.unwrap_err();
    assert!(odd.to_string().contains("latency does not have it"), "{odd}");
}

#[tokio::test]
async fn models_without_a_price_are_listed_with_what_they_may_be() {
    let world = shop().await;
    let rows = ask(&world, "unmapped", &[]).await.unwrap();
    assert_eq!(rows.num_rows(), 1);
    assert_eq!(
        (text(&rows, "model"), text(&rows, "nearest")),
        ("bigg-1".into(), "openai/big-1".into())
    );
    assert_eq!((int(&rows, "unpriced_calls"), int(&rows, "input_tokens")), (1, 10));
    // Before the book was known, nothing had a price: 1,000,000 + 2,000,000 + 10 tokens.
    let before = ask(&world, "unmapped", &[("by", ""), ("as_of", "2025-12-31")]).await.unwrap();
    assert_eq!((int(&before, "unpriced_calls"), int(&before, "input_tokens")), (3, 3_000_010));
}

#[tokio::test]
async fn price_is_a_function_of_sql_over_the_querys_own_snapshot() {
    let world = shop().await;
    // 3,000,000 × $4 / 10^6; the other tenant's contract is not seen.
    let answer = sql(
        &world,
        "SELECT price(named_struct('provider', 'openai', 'request_model', 'big-1', \
         'started_at', TIMESTAMP '2026-11-24T00:00:00Z', 'input_tokens', 3000000))['cost']",
    )
    .await;
    assert!(answer["rows"][0][0].as_str().unwrap().starts_with("12"), "{answer}");
    assert_eq!(answer["tables"], json!({"prices": 1}), "{answer}");
    let answer = sql(
        &world,
        "SELECT price(named_struct('provider', provider, 'request_model', request_model, \
         'start_unix_ns', start_unix_ns, 'input_tokens', input_tokens), '2026-10-01')['cost'] \
         FROM calls WHERE span_id = '0000000000000002'",
    )
    .await;
    assert!(answer["rows"][0][0].as_str().unwrap().starts_with("10"), "{answer}");
    let refused = |query: &'static str, says: &'static str| {
        let world = &world;
        async move {
            let answer = sql(world, query).await;
            let detail = answer["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(says), "{answer}");
        }
    };
    refused("SELECT price(1)", "price takes a call").await;
    refused("SELECT price(named_struct('modle', 'x'))", "`modle` does not decide a price").await;
    refused(
        "SELECT price(named_struct('provider', 'openai'))",
        "neither started_at nor start_unix_ns",
    )
    .await;
    let answer = sql(
        &world,
        "SELECT * FROM what_if(by => '', to_model => 'small-1', to_provider => 'openai')",
    )
    .await;
    assert_eq!(answer["columns"][1]["name"], "what_if_cost", "{answer}");
}
