//! Attacks on both doors: nothing that writes, reads a file or changes the server gets through,
//! by whichever protocol.

use serde_json::json;

use crate::fixture::small;
use crate::http::sql;
use crate::pg::connect;

const ATTACKS: [&str; 43] = [
    "INSERT INTO calls SELECT * FROM calls",
    "UPDATE calls SET cost = 0",
    "DELETE FROM calls",
    "TRUNCATE calls",
    "MERGE INTO calls USING spans ON true WHEN MATCHED THEN DELETE",
    "CREATE TABLE t (a INT)",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMPORARY TABLE t (a INT)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE OR REPLACE VIEW calls AS SELECT 1",
    "CREATE SCHEMA s",
    "CREATE DATABASE d",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE FUNCTION f() RETURNS INT LANGUAGE SQL RETURN 1",
    "DROP TABLE calls",
    "DROP VIEW calls",
    "ALTER TABLE calls ADD COLUMN a INT",
    "COPY calls TO '/tmp/spanledger-attack.csv'",
    "COPY (SELECT 1) TO PROGRAM 'touch /tmp/spanledger-attack.csv'",
    "COPY (DELETE FROM calls RETURNING *) TO STDOUT",
    "COPY (WITH gone AS (DELETE FROM calls RETURNING *) SELECT * FROM gone) TO STDOUT",
    "COPY (SELECT * INTO t FROM calls) TO STDOUT",
    "COPY calls FROM '/etc/passwd'",
    "COPY calls FROM STDIN",
    "COPY calls FROM PROGRAM 'cat /etc/passwd'",
    "DECLARE c CURSOR WITH HOLD FOR DELETE FROM calls RETURNING *",
    "DECLARE c CURSOR WITH HOLD FOR WITH a AS (DELETE FROM calls RETURNING *) SELECT * FROM a",
    "DECLARE c CURSOR WITH HOLD FOR SELECT * INTO t FROM calls",
    "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM '/etc/passwd'",
    "EXPLAIN ANALYZE DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "SELECT * INTO t FROM calls",
    "WITH gone AS (DELETE FROM calls RETURNING *) SELECT * FROM gone",
    "WITH new AS (INSERT INTO calls VALUES (1) RETURNING *) SELECT * FROM new",
    "EXPLAIN ANALYZE DELETE FROM calls",
    "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
    "SET datafusion.execution.target_partitions = 64",
    "SET datafusion.runtime.memory_limit = '100G'",
    "PREPARE p AS DELETE FROM calls",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM pg_catalog.pg_read_binary_file('/etc/passwd')",
    "SELECT getenv('PATH')",
];

#[tokio::test]
async fn nothing_but_reading_gets_through_http() {
    let world = small().await;
    let before = world.store.snapshot().await.unwrap().versions();
    for attack in ATTACKS {
        let (status, body) = sql(&world, json!({"query": attack})).await;
        assert!(matches!(status, 400 | 403), "{attack}: {status} {body}");
        let (status, body) = sql(&world, json!({"query": format!("SELECT 1; {attack}")})).await;
        assert!(matches!(status, 400 | 403), "after a query, {attack}: {status} {body}");
    }
    // What the other door has for its protocol is not for this one.
    for other in ["COPY calls TO STDOUT", "DECLARE c CURSOR FOR SELECT 1", "FETCH 1 FROM c"] {
        let (status, body) = sql(&world, json!({"query": other})).await;
        assert_eq!(status, 403, "{other}: {body}");
    }
    assert_eq!(before, world.store.snapshot().await.unwrap().versions());
}

#[tokio::test]
async fn nothing_but_reading_gets_through_the_postgresql_wire() {
    let world = small().await;
    let client = connect(&world).await;
    let before = world.store.snapshot().await.unwrap().versions();
    for attack in ATTACKS {
        let refused = client.simple_query(attack).await.expect_err(attack);
        let refused = refused.as_db_error().expect("an answer, not the end of the connection");
        assert!(!refused.code().code().starts_with("XX"), "{attack}: {refused:?}");
        assert_eq!(refused.severity(), "ERROR", "{attack}");
        assert!(
            client.simple_query(&format!("SELECT 1; {attack}")).await.is_err(),
            "simple, after a query: {attack}"
        );
        assert!(client.prepare(attack).await.is_err(), "extended: {attack}");
    }
    assert_eq!(before, world.store.snapshot().await.unwrap().versions());
    assert!(!std::path::Path::new("/tmp/spanledger-attack.csv").exists());
    client.simple_query("SELECT count(*) FROM calls").await.unwrap();
}

#[tokio::test]
async fn one_connection_changes_nothing_for_another() {
    let world = small().await;
    let (one, two) = (connect(&world).await, connect(&world).await);
    one.simple_query("SET statement_timeout = '1ms'").await.unwrap();
    one.simple_query("SET search_path = 'elsewhere'").await.unwrap();
    let shown = crate::pg::texts(&two, "SHOW statement_timeout").await.unwrap();
    assert_eq!(shown[0][0].as_deref(), Some("0"));
    two.simple_query("SELECT count(*) FROM calls").await.unwrap();
}
