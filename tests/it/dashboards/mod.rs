//! The Grafana dashboards against a running demo: every panel's SQL, its macros expanded as
//! Grafana does, over the PostgreSQL wire in both protocols. It does not draw anything.

mod demo;
mod macros;

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, SimpleQueryMessage};

use demo::Demo;
use macros::{Range, expand};

/// Bins of an hour: what Grafana chooses for a range of days on a panel of ordinary width.
const INTERVAL_MS: u64 = 3_600_000;

/// A dashboard file as it lies in `dashboards/grafana/dashboards`.
struct Dashboard {
    file: String,
    json: Value,
}

fn dashboards() -> Vec<Dashboard> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards/grafana/dashboards");
    let mut files: Vec<_> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| Dashboard {
        file: path.file_name().unwrap().to_string_lossy().into_owned(),
        json: serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap(),
    };
    files.iter().map(read).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Template variables with a query: name and query.
fn variables(dashboard: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = list(dashboard, "/templating/list").iter();
    all.filter(|v| text(v, "/type") == "query").map(|v| (text(v, "/name"), text(v, "/query")))
}

#[test]
fn the_three_dashboards_are_there() {
    let titles: Vec<_> = dashboards().iter().map(|d| text(&d.json, "/title").to_owned()).collect();
    assert_eq!(titles, ["Drift", "Latency", "Spend"]);
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_of_which_time() {
    for Dashboard { file, json } in dashboards() {
        assert!(!list(&json, "/panels").is_empty(), "{file} has no panels");
        for panel in list(&json, "/panels") {
            let title = text(panel, "/title");
            assert!(!title.is_empty(), "{file}: a panel has no title");
            assert!(text(panel, "/description").len() > 20, "{file}: `{title}` is not described");
            assert!(
                !text(panel, "/fieldConfig/defaults/unit").is_empty(),
                "{file}: `{title}`: unit"
            );
            assert_eq!(text(panel, "/datasource/uid"), "${datasource}", "{file}: `{title}`");
            assert_eq!(list(panel, "/targets").len(), 1, "{file}: `{title}`");
            let sql = text(panel, "/targets/0/rawSql");
            let filtered = sql.contains("$__timeFilter(")
                || (sql.contains("$__timeFrom()") && sql.contains("$__timeTo()"));
            assert!(filtered, "{file}: `{title}` does not follow the time range");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_answers_on_the_demo() {
    let demo = Demo::start().await;
    let client = demo.connect().await;
    for Dashboard { file, json } in dashboards() {
        let range = Range::of(text(&json, "/time/from"), Timestamp::now());
        let mut values = Vec::new();
        for (name, query) in variables(&json) {
            let query = expand(query, &range, INTERVAL_MS).unwrap();
            let rows = client
                .query(&query, &[])
                .await
                .unwrap_or_else(|e| panic!("{file}: {name}: {e:?}\n{query}"));
            assert!(!rows.is_empty(), "{file}: variable `{name}` has no values");
            values.push((name, rows.iter().map(|row| row.get::<_, String>(0)).collect()));
        }
        for panel in list(&json, "/panels") {
            let range = match text(panel, "/timeFrom") {
                "" => range,
                own => Range::of(&format!("now-{own}"), Timestamp::now()),
            };
            let sql = with_values(text(panel, "/targets/0/rawSql"), &values);
            let sql = expand(&sql, &range, INTERVAL_MS).unwrap();
            let place = format!("{file}: `{}`", text(panel, "/title"));
            check(&client, panel, &sql, &place).await;
        }
    }
}

/// Puts in all values of each variable, as Grafana does for `All` in the format `sqlstring`.
fn with_values(sql: &str, values: &[(&str, Vec<String>)]) -> String {
    values.iter().fold(sql.to_owned(), |sql, (name, values)| {
        let quoted: Vec<_> =
            values.iter().map(|v| format!("'{}'", v.replace('\'', "''"))).collect();
        sql.replace(&format!("${{{name}:sqlstring}}"), &quoted.join(","))
    })
}

/// Runs the panel's query in both protocols: rows come back, as many in each, and a time series
/// starts with an instant called `time` and has a number.
async fn check(client: &Client, panel: &Value, sql: &str, place: &str) {
    let rows = client.query(sql, &[]).await.unwrap_or_else(|e| panic!("{place}: {e:?}\n{sql}"));
    let first = rows.first().unwrap_or_else(|| panic!("{place}: no rows\n{sql}"));
    let messages =
        client.simple_query(sql).await.unwrap_or_else(|e| panic!("{place}, simple: {e:?}\n{sql}"));
    let simple: Vec<_> = messages
        .iter()
        .filter_map(|m| match m {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect();
    assert_eq!(simple.len(), rows.len(), "{place}: the protocols differ\n{sql}");
    assert!(
        (0..simple[0].len()).any(|i| simple[0].get(i).is_some()),
        "{place}: the first row has no value\n{sql}"
    );
    if text(panel, "/targets/0/format") == "time_series" {
        let columns = first.columns();
        assert_eq!(columns[0].name(), "time", "{place}");
        let instant = [Type::TIMESTAMPTZ, Type::TIMESTAMP].contains(columns[0].type_());
        assert!(instant, "{place}: `time` is {}", columns[0].type_());
        let number = |t: &Type| [Type::INT8, Type::FLOAT8, Type::NUMERIC].contains(t);
        assert!(columns[1..].iter().any(|c| number(c.type_())), "{place}: no number");
        assert!(rows.len() > 1, "{place}: a series of one point");
    }
}
