//! The PostgreSQL wire through tokio-postgres: both protocols, parameters, binary values.

use std::time::{Duration, Instant};

use spanledger_query::QuerySettings;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::fixture::{World, small, world};

pub async fn connect(world: &World) -> Client {
    connect_with(world, "user=reader dbname=spanledger").await.unwrap()
}

async fn connect_with(world: &World, login: &str) -> Result<Client, tokio_postgres::Error> {
    let address = format!("host=127.0.0.1 port={} {login}", world.pg.port());
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// All values of a simple query, row by row.
pub async fn texts(
    client: &Client,
    query: &str,
) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
    let messages = client.simple_query(query).await?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect())
        }
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

pub fn code(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("", |code| code.code())
}

/// A value's bytes as they came.
pub struct Raw(pub Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[tokio::test]
async fn simple_queries_answer_in_text() {
    let world = small().await;
    let client = connect(&world).await;
    let rows = texts(&client, "SELECT model, cost, started_at FROM calls ORDER BY span_id").await;
    let row = |cells: [Option<&str>; 3]| cells.map(|c| c.map(str::to_owned)).to_vec();
    assert_eq!(
        rows.unwrap(),
        [
            row([
                Some("gpt-4o"),
                Some("0.000000000000000001"),
                Some("2026-11-24 10:00:00.000000+00")
            ]),
            row([
                Some("gpt-4o"),
                Some("0.100000000000000000"),
                Some("2026-11-24 11:00:00.000000+00")
            ]),
            row([Some("local"), None, Some("2026-11-25 10:00:00.000000+00")]),
        ]
    );
    assert_eq!(texts(&client, "SELECT 1; SELECT 2;").await.unwrap().len(), 2);
    assert!(texts(&client, "").await.unwrap().is_empty());
}

#[tokio::test]
async fn prepared_statements_take_parameters_and_answer_in_binary() {
    let world = small().await;
    let client = connect(&world).await;
    let statement = client
        .prepare(
            "SELECT span_id, input_tokens, duration_ms, cost, started_at, streaming FROM calls \
             WHERE model = $1 AND input_tokens >= $2 AND duration_ms < $3 AND started_at < $4",
        )
        .await
        .unwrap();
    assert_eq!(statement.params(), [Type::TEXT, Type::INT8, Type::FLOAT8, Type::TIMESTAMPTZ]);
    let types: Vec<_> = statement.columns().iter().map(|c| c.type_().clone()).collect();
    assert_eq!(
        types,
        [Type::TEXT, Type::INT8, Type::FLOAT8, Type::NUMERIC, Type::TIMESTAMPTZ, Type::BOOL]
    );
    // 1_795_557_600 s is 2026-11-24T22:00:00Z
    let before = std::time::UNIX_EPOCH + Duration::from_secs(1_795_557_600);
    let rows = client.query(&statement, &[&"gpt-4o", &600i64, &200.0f64, &before]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, &str>(0), "00000000000000b1");
    assert_eq!(rows[0].get::<_, i64>(1), 1000);
    assert_eq!(rows[0].get::<_, f64>(2), 100.0);
    assert_eq!(rows[0].get::<_, Option<bool>>(5), None);
    // numeric, PostgreSQL's binary form: digits of base 10,000, here one, `100`, of weight -5:
    // 100 · 10000⁻⁵ = 10⁻¹⁸; sign 0; display scale 18.
    let Raw(cost) = rows[0].get(3);
    assert_eq!(cost, [0, 1, 0xff, 0xfb, 0, 0, 0, 18, 0, 100]);
    // timestamptz: microseconds since 2000-01-01; 2026-11-24T10:00:00Z is 848_829_600 s after it.
    let Raw(at) = rows[0].get(4);
    assert_eq!(at, 848_829_600_000_000i64.to_be_bytes());
}

#[tokio::test]
async fn a_prepared_statement_reads_what_came_after_it_was_prepared() {
    let world = small().await;
    let client = connect(&world).await;
    let statement = client.prepare("SELECT count(*) FROM calls").await.unwrap();
    let count = async || client.query_one(&statement, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(count().await, 3);
    let table = &spanledger_schemas::tables::calls::TABLE;
    let more = crate::fixture::batch(table, &crate::fixture::small_calls()[..1]);
    world.store.append(table, more, None).await.unwrap();
    assert_eq!(count().await, 4);
}

#[tokio::test]
async fn sessions_take_the_settings_that_clients_send() {
    let world = small().await;
    let client = connect(&world).await;
    for set in [
        "SET application_name = 'psql'",
        "SET extra_float_digits = 3",
        "SET search_path TO public",
        "SET TIME ZONE 'UTC'",
        "SET client_encoding TO 'UTF8'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "DISCARD ALL",
        "BEGIN",
        "COMMIT",
        "BEGIN READ ONLY",
        "ROLLBACK",
    ] {
        client.simple_query(set).await.unwrap_or_else(|e| panic!("{set}: {e:?}"));
    }
    let show = async |name: &str| {
        texts(&client, &format!("SHOW {name}")).await.unwrap()[0][0].clone().unwrap()
    };
    assert_eq!(show("server_version").await, "16.6");
    assert_eq!(show("server_version_num").await, "160006");
    assert_eq!(show("transaction_isolation").await, "repeatable read");
    assert_eq!(show("TRANSACTION ISOLATION LEVEL").await, "repeatable read");
    let version = texts(&client, "SELECT version()").await.unwrap();
    assert!(version[0][0].as_ref().unwrap().starts_with("PostgreSQL 16.6"));
    let asked = texts(&client, "SELECT current_setting('server_version_num')::int / 100").await;
    assert_eq!(asked.unwrap()[0][0].as_deref(), Some("1600"));
    let row = client.query_one("SHOW server_version", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "16.6");

    let refused = client.simple_query("SET datafusion.execution.batch_size = 1").await.unwrap_err();
    assert_eq!(code(&refused), "42704");
    assert_eq!(code(&client.simple_query("SHOW nothing").await.unwrap_err()), "42704");
}

#[tokio::test]
async fn a_failed_transaction_takes_only_its_end() {
    let world = small().await;
    let client = connect(&world).await;
    client.simple_query("BEGIN").await.unwrap();
    assert_eq!(code(&client.simple_query("SELECT nothing").await.unwrap_err()), "42703");
    assert_eq!(code(&client.simple_query("SELECT 1").await.unwrap_err()), "25P02");
    client.simple_query("ROLLBACK").await.unwrap();
    client.simple_query("SELECT 1").await.unwrap();

    // Some drivers set a savepoint before each statement and go back to it after a failure.
    assert_eq!(code(&client.simple_query("SAVEPOINT a").await.unwrap_err()), "25P01");
    client.simple_query("BEGIN; SAVEPOINT a").await.unwrap();
    assert_eq!(code(&client.simple_query("SELECT nothing").await.unwrap_err()), "42703");
    client.simple_query("ROLLBACK TO SAVEPOINT a").await.unwrap();
    client.simple_query("SELECT 1").await.unwrap();
    client.simple_query("COMMIT").await.unwrap();
}

#[tokio::test]
async fn a_statement_timeout_stops_the_running_statement() {
    let world = small().await;
    let client = connect(&world).await;
    client.simple_query("SET statement_timeout = '300ms'").await.unwrap();
    let started = Instant::now();
    let error = client.simple_query(crate::limits::ENDLESS).await.unwrap_err();
    assert_eq!(code(&error), "57014");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    client.simple_query("SET statement_timeout = 0").await.unwrap();
    client.simple_query("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_cancel_request_stops_the_running_statement() {
    let world = small().await;
    let client = connect(&world).await;
    let cancel = client.cancel_token();
    let started = Instant::now();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel_query(NoTls).await.unwrap();
    });
    // Not the last of its text: the cancellation is of the text, not of one statement.
    let text = format!("SELECT 1; {}; SELECT 2", crate::limits::ENDLESS);
    let error = client.simple_query(&text).await.unwrap_err();
    assert_eq!(code(&error), "57014");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    client.simple_query("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_stops_its_statement() {
    let settings = QuerySettings { concurrent_max: 1, ..QuerySettings::default() };
    let world = world(settings, &[]).await;
    let two = connect(&world).await;
    let address = format!("host=127.0.0.1 port={} user=reader", world.pg.port());
    let (one, connection) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    let socket = tokio::spawn(connection);
    tokio::spawn(async move { one.simple_query(crate::limits::ENDLESS).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    socket.abort();
    // The only place among the running queries is free again before the wait for it ends.
    two.simple_query("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_login_must_be_proven() {
    let mut settings = QuerySettings::default();
    settings.pg.login = Some(spanledger_query::settings::PgLogin {
        user: "reader".to_owned(),
        password: "s3cret".to_owned(),
    });
    let world = world(settings, &[]).await;
    let good = connect_with(&world, "user=reader password=s3cret dbname=spanledger").await.unwrap();
    good.simple_query("SELECT 1").await.unwrap();
    for login in ["user=reader password=wrong", "user=other password=s3cret"] {
        let Err(error) = connect_with(&world, login).await else { panic!("{login} got in") };
        assert_eq!(code(&error), "28P01", "{login}: {error:?}");
    }
    assert!(connect_with(&world, "user=reader").await.is_err());
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused() {
    let mut settings = QuerySettings::default();
    settings.pg.connections_max = 1;
    let world = world(settings, &[]).await;
    let first = connect(&world).await;
    let Err(error) = connect_with(&world, "user=reader").await else { panic!("got in") };
    assert_eq!(code(&error), "53300");
    first.simple_query("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn questions_are_table_functions() {
    let world = small().await;
    let client = connect(&world).await;
    let named = "SELECT model, calls, cost FROM spend(by => 'model', \"from\" => '2026-11-24', \
                 \"to\" => '2026-11-25') ORDER BY model";
    let rows = texts(&client, named).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][1].as_deref(), Some("2"));
    let positional = "SELECT s.calls FROM spend('team', '2026-11-24', '2026-11-26', '1d') AS s";
    assert_eq!(texts(&client, positional).await.unwrap().len(), 3);
    assert_eq!(client.query("SELECT * FROM latency()", &[]).await.unwrap().len(), 2);
    let error = client.simple_query("SELECT * FROM spend(by => 'cost')").await.unwrap_err();
    assert_eq!(code(&error), "22023");
}
