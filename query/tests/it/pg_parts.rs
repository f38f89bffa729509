//! Rows in parts and rows as files on the PostgreSQL wire: portals, cursors, COPY. Each is stopped
//! like any query, and none holds a place among the running ones beyond its deadline.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use spanledger_query::QuerySettings;
use tokio_postgres::{Client, NoTls};

use crate::fixture::{small, world};
use crate::pg::{code, connect, texts};

const FIVE: &str = "SELECT value FROM generate_series(1, 5) ORDER BY value";
/// More rows than wait between a query and its reader.
const MANY: &str = "SELECT value FROM generate_series(1, 500000)";

async fn firsts(client: &Client, text: &str) -> Vec<String> {
    let rows = texts(client, text).await.unwrap_or_else(|e| panic!("{text}: {e:?}"));
    rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

async fn refusal(client: &Client, text: &str) -> String {
    code(&client.simple_query(text).await.unwrap_err()).to_owned()
}

#[tokio::test]
async fn portals_give_rows_in_parts() {
    let world = small().await;
    let mut client = connect(&world).await;
    let transaction = client.transaction().await.unwrap();
    let statement = "SELECT value FROM generate_series(1, 5) ORDER BY value";
    let portal = transaction.bind(statement, &[]).await.unwrap();
    let mut parts = Vec::new();
    for _ in 0..3 {
        let part = transaction.query_portal(&portal, 2).await.unwrap();
        parts.push(part.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>());
    }
    assert_eq!(parts, [vec![1, 2], vec![3, 4], vec![5]]);
}

#[tokio::test]
async fn a_part_of_a_portal_may_be_as_long_as_can_be_said() {
    let world = small().await;
    let mut client = connect(&world).await;
    let transaction = client.transaction().await.unwrap();
    for most in [i32::MAX, -1, i32::MIN] {
        let portal = transaction.bind(FIVE, &[]).await.unwrap();
        assert_eq!(transaction.query_portal(&portal, most).await.unwrap().len(), 5, "{most}");
        assert_eq!(transaction.query_portal(&portal, most).await.unwrap().len(), 0, "{most}");
    }
}

#[tokio::test]
async fn cursors_give_rows_in_parts() {
    let world = small().await;
    let client = connect(&world).await;
    // As psqlODBC sends it.
    let text = format!("BEGIN; DECLARE c CURSOR FOR {FIVE}; FETCH 2 IN c");
    assert_eq!(firsts(&client, &text).await, ["1", "2"]);
    assert_eq!(firsts(&client, "FETCH FORWARD 2 FROM C").await, ["3", "4"]);
    assert_eq!(firsts(&client, "FETCH ALL FROM c").await, ["5"]);
    assert!(firsts(&client, "FETCH ALL FROM c").await.is_empty());
    client.simple_query("CLOSE c; COMMIT").await.unwrap();

    // Prepared, with a parameter, as psycopg sends it; its columns are those of a portal.
    client.simple_query("BEGIN").await.unwrap();
    let declare = "DECLARE \"C\" NO SCROLL CURSOR FOR SELECT span_id, input_tokens FROM calls \
                   WHERE input_tokens > $1 ORDER BY span_id";
    client.execute(declare, &[&400i64]).await.unwrap();
    let fetch = client.prepare("FETCH FORWARD 1 FROM \"C\"").await.unwrap();
    assert_eq!(fetch.columns()[1].type_(), &tokio_postgres::types::Type::INT8);
    for tokens in [1000i64, 500] {
        assert_eq!(client.query_one(&fetch, &[]).await.unwrap().get::<_, i64>(1), tokens);
    }
    assert!(client.query(&fetch, &[]).await.unwrap().is_empty());
    client.simple_query("ROLLBACK").await.unwrap();
    assert_eq!(refusal(&client, "FETCH 1 FROM \"C\"").await, "34000");
}

#[tokio::test]
async fn cursors_end_with_their_transaction_unless_they_are_held() {
    let world = small().await;
    let client = connect(&world).await;
    assert_eq!(refusal(&client, &format!("DECLARE c CURSOR FOR {FIVE}")).await, "25P01");
    client.simple_query(&format!("DECLARE h CURSOR WITH HOLD FOR {FIVE}")).await.unwrap();
    let again = format!("DECLARE h CURSOR WITH HOLD FOR {FIVE}");
    assert_eq!(refusal(&client, &again).await, "42P03");
    client.simple_query(&format!("BEGIN; DECLARE c CURSOR FOR {FIVE}; COMMIT")).await.unwrap();
    assert_eq!(refusal(&client, "FETCH 1 FROM c").await, "34000");
    assert_eq!(firsts(&client, "FETCH 1 FROM h").await, ["1"]);
    client.simple_query("CLOSE ALL").await.unwrap();
    assert_eq!(refusal(&client, "CLOSE h").await, "34000");
    client.simple_query(&format!("DECLARE h CURSOR WITH HOLD FOR {FIVE}")).await.unwrap();
    assert_eq!(refusal(&client, "FETCH BACKWARD 1 FROM h").await, "55000");
    assert_eq!(refusal(&client, "FETCH ABSOLUTE 2 FROM h").await, "55000");
    client.simple_query("DISCARD ALL").await.unwrap();
    assert_eq!(refusal(&client, "FETCH 1 FROM h").await, "34000");
    for i in 0..8 {
        client.simple_query(&format!("DECLARE h{i} CURSOR WITH HOLD FOR {FIVE}")).await.unwrap();
    }
    let more = format!("DECLARE h8 CURSOR WITH HOLD FOR {FIVE}");
    assert_eq!(refusal(&client, &more).await, "53400");
}

#[tokio::test]
async fn a_fetch_is_stopped_and_takes_its_cursor_with_it() {
    let world = small().await;
    let client = connect(&world).await;
    let endless = format!("DECLARE c CURSOR WITH HOLD FOR {}", crate::limits::ENDLESS);
    client.simple_query(&endless).await.unwrap();
    let cancel = client.cancel_token();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel_query(NoTls).await.unwrap();
    });
    let started = Instant::now();
    assert_eq!(refusal(&client, "FETCH 1 FROM c").await, "57014");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // What is left is not known: it is not said to be nothing.
    assert!(client.simple_query("FETCH 1 FROM c").await.is_err());

    client.simple_query("CLOSE c; SET statement_timeout = '300ms'").await.unwrap();
    client.simple_query(&endless).await.unwrap();
    assert_eq!(refusal(&client, "FETCH 1 FROM c").await, "57014");
    // The timeout is of each FETCH, not of the cursor.
    client.simple_query(&format!("DECLARE d CURSOR WITH HOLD FOR {MANY}")).await.unwrap();
    assert_eq!(firsts(&client, "FETCH 1 FROM d").await.len(), 1);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(firsts(&client, "FETCH 20000 FROM d").await.len(), 20_000);
}

#[tokio::test]
async fn a_portal_is_stopped_in_any_of_its_parts() {
    let world = small().await;
    let mut client = connect(&world).await;
    let cancel = client.cancel_token();
    let slow =
        format!("SELECT value FROM generate_series(1, 20000) UNION ALL {}", crate::limits::ENDLESS);
    for by_timeout in [true, false] {
        let transaction = client.transaction().await.unwrap();
        let patience = if by_timeout { "3s" } else { "0" };
        transaction.simple_query(&format!("SET statement_timeout = '{patience}'")).await.unwrap();
        let portal = transaction.bind(slow.as_str(), &[]).await.unwrap();
        for _ in 0..4 {
            assert_eq!(transaction.query_portal(&portal, 5_000).await.unwrap().len(), 5_000);
        }
        let cancel = cancel.clone();
        let canceller = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if !by_timeout {
                cancel.cancel_query(NoTls).await.unwrap();
            }
        });
        let started = Instant::now();
        let error = transaction.query_portal(&portal, 5_000).await.unwrap_err();
        assert_eq!(code(&error), "57014");
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
        canceller.await.unwrap();
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn rows_that_wait_hold_no_place_beyond_the_deadline() {
    let settings = QuerySettings {
        concurrent_max: 1,
        deadline: Duration::from_secs(1),
        ..QuerySettings::default()
    };
    let world = world(settings, &[]).await;
    let (one, two) = (connect(&world).await, connect(&world).await);
    one.simple_query(&format!("BEGIN; DECLARE c CURSOR FOR {MANY}")).await.unwrap();
    // A cursor that is declared alone holds none.
    two.simple_query("SELECT 1").await.unwrap();
    assert_eq!(firsts(&one, "FETCH 1 FROM c").await.len(), 1);
    // Once its time is over its place is free again.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    two.simple_query("SELECT 1").await.unwrap();
    // What was read ahead is still there; beyond it nothing is computed any more.
    assert_eq!(refusal(&one, "FETCH ALL FROM c").await, "57014");
}

#[tokio::test]
async fn a_connection_keeps_few_portals_open() {
    let world = small().await;
    let mut client = connect(&world).await;
    let transaction = client.transaction().await.unwrap();
    let mut portals = Vec::new();
    for _ in 0..8 {
        let portal = transaction.bind(FIVE, &[]).await.unwrap();
        assert_eq!(transaction.query_portal(&portal, 1).await.unwrap().len(), 1);
        portals.push(portal);
    }
    // One that is read to its end waits no more.
    transaction.query_portal(&portals[0], 0).await.unwrap();
    let ninth = transaction.bind(FIVE, &[]).await.unwrap();
    transaction.query_portal(&ninth, 1).await.unwrap();
    let tenth = transaction.bind(FIVE, &[]).await.unwrap();
    let error = transaction.query_portal(&tenth, 1).await.unwrap_err();
    assert_eq!(code(&error), "53400");
}

async fn copied(client: &Client, text: &str) -> Vec<u8> {
    let rows = client.copy_out(text).await.unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let parts: Vec<_> = rows.try_collect().await.unwrap_or_else(|e| panic!("{text}: {e:?}"));
    parts.concat()
}

/// PostgreSQL's own words for what stands between the commas: COPY, "File Formats".
#[tokio::test]
async fn queries_are_copied_as_files() {
    let world = small().await;
    let client = connect(&world).await;
    let rows = "SELECT * FROM (VALUES (1, 'a,b'), (2, NULL), (3, ''), (4, E'tab\\t\\\\ \"q\"')) \
                AS t(n, \"the text\") ORDER BY n";
    let check = async |options: &str, expect: &str| {
        let file = copied(&client, &format!("COPY ({rows}) TO STDOUT {options}")).await;
        assert_eq!(String::from_utf8(file).unwrap(), expect, "{options}");
    };
    check("", "1\ta,b\n2\t\\N\n3\t\n4\ttab\\t\\\\ \"q\"\n").await;
    let csv = "n,the text\n1,\"a,b\"\n2,\n3,\"\"\n4,\"tab\t\\ \"\"q\"\"\"\n";
    check("(FORMAT csv, HEADER true)", csv).await;
    check("WITH CSV HEADER", csv).await;
    check(
        "(FORMAT csv, DELIMITER ';', NULL 'none')",
        "1;a,b\n2;none\n3;\n4;\"tab\t\\ \"\"q\"\"\"\n",
    )
    .await;

    let table = copied(&client, "COPY calls (span_id, cost) TO STDOUT").await;
    let expect = "00000000000000b1\t0.000000000000000001\n00000000000000b2\t0.100000000000000000\n\
                  00000000000000b3\t\\N\n";
    let mut lines: Vec<_> = String::from_utf8(table).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, expect.lines().collect::<Vec<_>>());

    // Signature, flags, extension; per row the number of columns, each with its length (-1: null).
    let mut binary = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    let none = copied(&client, "COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT binary)").await;
    assert_eq!(none, [&binary[..], &[0xff, 0xff]].concat());
    binary.extend([0, 2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    let one = "COPY (SELECT CAST(7 AS BIGINT), CAST(NULL AS TEXT)) TO STDOUT WITH BINARY";
    assert_eq!(copied(&client, one).await, binary);
}

#[tokio::test]
async fn a_copy_is_stopped_like_a_query() {
    let world = small().await;
    let client = connect(&world).await;
    client.simple_query("SET statement_timeout = '300ms'").await.unwrap();
    let endless = format!("COPY ({}) TO STDOUT", crate::limits::ENDLESS);
    let rows = client.copy_out(&endless).await;
    let error = match rows {
        Ok(rows) => rows.try_collect::<Vec<_>>().await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(code(&error), "57014");
    client.simple_query("SELECT 1").await.unwrap();
}
