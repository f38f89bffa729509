//! What contracts came to, at the doors: figures with their arithmetic, what sums over calls say of
//! them, and what is refused.

use serde_json::{Value, json};
use spanledger_query::QuerySettings;
use spanledger_schemas::tables::{calls, prices};

use crate::fixture::{World, world};

fn row(model: &str, unit: &str, per: i64, amount: &str) -> Value {
    json!({"tenant": "*", "price_id": "", "provider": "openai", "model_name": model,
           "model_match": json!({"equals": model}).to_string(), "unit": unit, "per_quantity": per,
           "amount": amount, "currency": "USD", "known_from": "2026-01-01T00:00:00Z",
           "source": "a book"})
}

/// A row of a contract, with some of its columns.
fn own(tenant: &str, kind: &str, mut row: Value, rest: Value) -> Value {
    row["tenant"] = json!(tenant);
    row["kind"] = json!(kind);
    row["source"] = json!("contract acme");
    row.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    row
}

fn call(span: u8, at: &str, model: &str, tier: Option<&str>, input: i64, cost: &str) -> Value {
    let at: jiff::Timestamp = at.parse().unwrap();
    let ns = i64::try_from(at.as_nanosecond()).unwrap();
    json!({"span_id": format!("00000000000000{span:02x}"), "provider": "openai",
           "request_model": model, "model": model, "started_at": at.to_string(),
           "start_unix_ns": ns, "date": &at.to_string()[..10], "usage_basis": "inclusive",
           "service_tier": tier, "input_tokens": input, "cost": cost, "currency": "USD",
           "price_state": "priced"})
}

/// big-1 at $4 and small-1 at $1 a million tokens; provisioned big-1 is paid with $30 a month, and the
/// first 1,500,000 tokens of small-1 are free each month. Another tenant has a commitment, too.
async fn shop() -> World {
    let tier = json!({"service_tier": "provisioned"});
    let book = vec![
        row("big-1", "input_tokens", 1_000_000, "4"),
        row("small-1", "input_tokens", 1_000_000, "1"),
        own("default", "commitment", row("big-1", "any", 0, "30"), tier.clone()),
        own("default", "allowance", row("small-1", "input_tokens", 0, "1500000"), json!({})),
        own("other", "commitment", row("big-1", "any", 0, "7000"), tier),
    ];
    let calls = vec![
        call(1, "2026-11-02T00:00:00Z", "small-1", None, 1_000_000, "1"),
        call(2, "2026-11-24T10:00:00Z", "small-1", None, 2_000_000, "2"),
        call(3, "2026-11-24T11:00:00Z", "big-1", Some("provisioned"), 3_000_000, "0"),
        call(4, "2026-12-01T00:00:00Z", "small-1", None, 500_000, "0.5"),
    ];
    world(QuerySettings::default(), &[(&calls::TABLE, calls), (&prices::TABLE, book)]).await
}

async fn get(world: &World, path: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
    let request =
        reqwest::Client::new().get(format!("{}/api/v1/questions/{path}", world.http)).query(pairs);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The rows of an answer by the names of their columns.
fn rows(answer: &Value) -> Vec<Value> {
    let names: Vec<_> =
        answer["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    let named = |row: &Value| {
        let cells = row.as_array().unwrap().iter().cloned();
        Value::Object(names.iter().map(|n| (*n).to_owned()).zip(cells).collect())
    };
    answer["rows"].as_array().unwrap().iter().map(named).collect()
}

/// An amount without trailing zeros.
fn amount(cell: &Value) -> String {
    let text = cell.as_str().unwrap_or("unknown");
    if !text.contains('.') {
        return text.to_owned();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[tokio::test]
async fn commitments_and_allowances_answer_per_month_at_every_door() {
    let world = shop().await;
    // From the 20th, which is taken back to the 1st: what was free before it counts.
    let window = [("from", "2026-11-20"), ("to", "2026-12-01T00:00:01Z")];
    let (status, answer) = get(&world, "commitments", &window).await;
    assert_eq!(status, 200, "{answer}");
    let told = rows(&answer);
    let of = |kind: &str| told.iter().filter(|r| r["kind"] == kind).collect::<Vec<_>>();
    let [november, december] = of("commitment")[..] else { panic!("{told:?}") };
    // 3 × $4 = $12 of $30: 18 unused, 0.4 used; a million tokens came to 30 ÷ 3.
    assert_eq!(november["tenant"], "default");
    assert_eq!(november["unit"], "input_tokens");
    let amounts = ["paid", "list_value", "commitment_unused", "effective_price"];
    assert_eq!(amounts.map(|name| amount(&november[name])), ["30", "12", "18", "10"]);
    assert_eq!((&november["used_share"], &november["period_calls"]), (&json!(0.4), &json!(1)));
    assert_eq!(november["period_from"], "2026-11-01T00:00:00Z");
    // One second of the 31 days of December: 30 ÷ 2,678,400, half to even on the 18th digit.
    assert_eq!(amount(&december["paid"]), "0.000011200716845878");

    let [november, december] = of("allowance")[..] else { panic!("{told:?}") };
    // The second call uses up what is left: 500,000 of its 2,000,000 are free.
    let counts = ["quantity", "quota", "free_quantity", "quota_left"];
    let expected = [3_000_000, 1_500_000, 1_500_000, 0].map(|count| json!(count));
    assert_eq!(counts.map(|name| november[name].clone()), expected);
    assert_eq!(amount(&november["free_allowance"]), "1.5");
    assert_eq!(november["exhausted_at"], "2026-11-24T10:00:00Z");
    let call = november["exhausted_call"].as_str().unwrap();
    assert!(call.ends_with("/0000000000000002"), "{call}");
    assert_eq!(
        (&december["free_quantity"], &december["quota_left"]),
        (&json!(500_000), &json!(1_000_000))
    );
    let tables: Vec<_> = answer["tables"].as_object().unwrap().keys().collect();
    assert_eq!(tables, ["calls", "prices"]);

    // The SQL that is shown gives the same, and so does the function of SQL.
    let sql = |query: String| {
        let request = reqwest::Client::new().post(format!("{}/api/v1/sql", world.http));
        let request = request.json(&json!({"query": query}));
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let again = sql(answer["sql"].as_str().unwrap().to_owned()).await;
    assert_eq!(again["rows"], answer["rows"], "{again}");
    let function =
        "SELECT * FROM commitments(\"from\" => '2026-11-20', \"to\" => '2026-12-01T00:00:01Z')";
    assert_eq!(sql(function.to_owned()).await["rows"], answer["rows"]);
    let sums = "SELECT sum(paid) AS paid FROM commitments(\"from\" => '2026-11-01', \"to\" => '2026-12-01')";
    assert_eq!(amount(&sql(sums.to_owned()).await["rows"][0][0]), "30");
}

#[tokio::test]
async fn sums_over_calls_say_what_is_paid_beside() {
    let world = shop().await;
    let window = [("from", "2026-11-01"), ("to", "2026-11-16"), ("by", "")];
    let (_, answer) = get(&world, "spend", &window).await;
    // Half of November: 30 × 15 ÷ 30.
    let expected = json!([{"currency": "USD", "paid": "15", "commitments": 1}]);
    assert_eq!(answer["coverage"]["period_prices"], expected);
    assert_eq!(answer["coverage"]["allowances"], 1);
    let notes = answer["notes"].to_string();
    assert!(notes.contains("15 USD are paid from 2026-11-01T00:00:00Z to 2026-11-16T00:00:00Z"));
    assert!(notes.contains("1 allowance(s)"), "{notes}");
    // Without a beginning, from the first call on: 2 November to 1 December are 29 of 30 days.
    let (_, answer) = get(&world, "spend", &[("to", "2026-12-01")]).await;
    assert_eq!(answer["coverage"]["period_prices"][0]["paid"], "29");
    // Questions that sum no costs say nothing of it.
    let (_, answer) = get(&world, "latency", &[]).await;
    assert_eq!(answer["coverage"].get("period_prices"), None);
}

#[tokio::test]
async fn drafts_are_taken_as_csv_too() {
    let world = shop().await;
    let csv = "kind,provider,model,percent\ndiscount,openai,,25\n";
    let window = [("filter", "model=small-1"), ("by", "")];
    let what_if = |draft: &'static str| {
        let world = &world;
        async move {
            let mut pairs = window.to_vec();
            pairs.push(("draft", draft));
            get(world, "what-if", &pairs).await
        }
    };
    // 3.5 million tokens at $1: 3.5; a quarter less is 2.625.
    let (status, answer) = what_if(csv).await;
    assert_eq!((status, amount(&rows(&answer)[0]["what_if_cost"])), (200, "2.625".to_owned()));
    let (_, same) = what_if("[[discount]]\nprovider = \"openai\"\npercent = 25\n").await;
    assert_eq!(same["rows"], answer["rows"]);
    let (status, refused) = what_if("kind,provider,model,percent\ndiscount,openai,,many\n").await;
    assert_eq!(status, 400, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("line 2: percent is `many`"), "{refused}");

    // What a commitment would have come to: 3 × 4 = $12 of usage for $20 in November.
    let draft = "kind,provider,model,service_tier,amount,per\n\
                 commitment,openai,big-1,provisioned,20,month\n";
    let window = [("from", "2026-11-01"), ("to", "2026-12-01"), ("draft", draft)];
    let (_, answer) = get(&world, "commitments", &window).await;
    let told = rows(&answer);
    assert_eq!(told.len(), 1, "{answer}");
    assert_eq!(["paid", "list_value"].map(|name| amount(&told[0][name])), ["20", "12"]);
    // And spend under it says what is paid beside.
    let (_, answer) = get(&world, "what-if", &window).await;
    let notes = answer["notes"].to_string();
    assert!(notes.contains("under the draft, beside these costs 20 USD"), "{notes}");
}

#[tokio::test]
async fn whole_contracts_have_no_groups_and_no_filters() {
    let world = shop().await;
    for pair in [("by", "team"), ("filter", "team=a"), ("grain", "1d"), ("to_model", "x")] {
        let (status, refused) = get(&world, "commitments", &[pair]).await;
        assert_eq!((status, refused["title"].as_str()), (400, Some("invalid parameter")));
    }
    let (status, _) = get(&world, "commitments", &[("by", "")]).await;
    assert_eq!(status, 200);
}
