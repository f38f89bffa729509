//! Values on the PostgreSQL wire: exact numbers, arrays, JSON, as both protocols carry them, and the
//! same types in the catalog. Expected bytes follow PostgreSQL's own formats.

use bytes::{BufMut, BytesMut};
use serde_json::json;
use spanledger_query::QuerySettings;
use spanledger_schemas::tables::calls;
use tokio_postgres::Client;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::fixture::{World, small, world};
use crate::pg::{Raw, code, connect, texts};

/// A number in binary form, as the words of [`numeric_send`].
#[derive(Debug)]
struct Words(&'static [u16]);

impl ToSql for Words {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.iter().for_each(|word| out.put_u16(*word));
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::NUMERIC
    }

    to_sql_checked!();
}

/// 10¹² + 10⁻¹⁸ = 1 · 10000³ + 100 · 10000⁻⁵: nine digits of base 10,000, of weight 3, 18 shown.
const BIG: Words = Words(&[9, 3, 0, 18, 1, 0, 0, 0, 0, 0, 0, 0, 100]);

async fn expensive() -> World {
    let call = |id: &str, cost: &str| {
        json!({"span_id": id, "model": "m", "started_at": "2026-11-24T10:00:00Z", "cost": cost,
               "currency": "USD", "price_state": "priced"})
    };
    let rows = vec![
        call("00000000000000c1", "1000000000000.000000000000000001"),
        call("00000000000000c2", "-1000000000000.000000000000000001"),
        call("00000000000000c3", "99999999999999999999.999999999999999999"),
    ];
    world(QuerySettings::default(), &[(&calls::TABLE, rows)]).await
}

#[tokio::test]
async fn exact_numbers_of_any_size_come_whole() {
    let world = expensive().await;
    let client = connect(&world).await;
    let query = "SELECT cost FROM calls ORDER BY span_id";
    let texts = texts(&client, query).await.unwrap();
    let texts: Vec<_> = texts.iter().map(|row| row[0].as_deref().unwrap()).collect();
    assert_eq!(
        texts,
        [
            "1000000000000.000000000000000001",
            "-1000000000000.000000000000000001",
            "99999999999999999999.999999999999999999"
        ]
    );
    let rows = client.query(query, &[]).await.unwrap();
    let Raw(first) = rows[0].get(0);
    let expect: Vec<u8> = BIG.0.iter().flat_map(|word| word.to_be_bytes()).collect();
    assert_eq!(first, expect);
    let Raw(second) = rows[1].get(0);
    assert_eq!(second[4..6], [0x40, 0]);
}

#[tokio::test]
async fn exact_numbers_of_any_size_are_taken_as_parameters() {
    let world = expensive().await;
    let client = connect(&world).await;
    let count = async |condition: &str| {
        let query = format!("SELECT count(*) FROM calls WHERE {condition}");
        client.query_one(&query, &[&BIG]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(count("cost = $1").await, 1);
    assert_eq!(count("cost > $1").await, 1);
    assert_eq!(count("cost < $1").await, 1);
    let nonsense = Words(&[1, 0, 0xc000, 0, 1]);
    let query = "SELECT count(*) FROM calls WHERE cost = $1";
    let error = client.query(query, &[&nonsense]).await.unwrap_err();
    assert_eq!(code(&error), "22P02", "{error:?}");
}

#[tokio::test]
async fn lists_are_parameters_of_any_and_all() {
    let world = small().await;
    let client = connect(&world).await;
    let find = async |condition: &str, list: &(dyn ToSql + Sync)| {
        let query = format!("SELECT span_id FROM calls WHERE {condition} ORDER BY span_id");
        let rows = client.query(&query, &[list]).await;
        let rows = rows.unwrap_or_else(|e| panic!("{condition}: {e:?}"));
        rows.iter().map(|row| row.get::<_, String>(0).split_off(14)).collect::<Vec<_>>()
    };
    assert_eq!(find("model = ANY($1)", &vec!["gpt-4o", "none"]).await, ["b1", "b2"]);
    assert_eq!(find("model = ANY($1)", &vec!["a,b", "\"local\"", "local"]).await, ["b3"]);
    assert_eq!(find("model <> ALL($1)", &vec!["gpt-4o"]).await, ["b3"]);
    assert_eq!(find("NOT model = ANY($1)", &vec!["gpt-4o"]).await, ["b3"]);
    assert_eq!(find("input_tokens = ANY($1)", &vec![1000i64, 350]).await, ["b1", "b3"]);
    assert_eq!(find("duration_ms = ANY($1)", &vec![300.0f64]).await, ["b2"]);
    assert!(find("model = ANY($1)", &Vec::<&str>::new()).await.is_empty());
    let statement = client.prepare("SELECT 1 FROM calls WHERE model = ANY($1)").await.unwrap();
    assert_eq!(statement.params(), [Type::TEXT_ARRAY]);
    // As drivers that write lists themselves do.
    for (condition, found) in [
        ("model = ANY('{gpt-4o,none}')", 2),
        ("model = ANY(ARRAY['local'])", 1),
        ("input_tokens = ANY('{500,350}'::bigint[])", 2),
    ] {
        let query = format!("SELECT span_id FROM calls WHERE {condition}");
        assert_eq!(texts(&client, &query).await.unwrap().len(), found, "{condition}");
    }
}

#[tokio::test]
async fn lists_of_plain_values_are_arrays() {
    let world = small().await;
    let client = connect(&world).await;
    let query = "SELECT array_agg(input_tokens ORDER BY input_tokens) FROM calls";
    let row = client.query_one(query, &[]).await.unwrap();
    assert_eq!(row.get::<_, Vec<i64>>(0), [350, 500, 1000]);
    assert_eq!(texts(&client, query).await.unwrap()[0][0].as_deref(), Some("{350,500,1000}"));
}

#[tokio::test]
async fn maps_are_json() {
    let world = small().await;
    let client = connect(&world).await;
    let rows =
        client.query("SELECT span_attributes FROM spans ORDER BY span_id", &[]).await.unwrap();
    assert_eq!(rows[0].columns()[0].type_(), &Type::JSON);
    let Raw(bytes) = rows[0].get(0);
    assert_eq!(bytes, br#"{"gpu":"H100"}"#);
    let rows =
        texts(&client, "SELECT * FROM spans WHERE span_id = '00000000000000a1'").await.unwrap();
    assert!(rows[0].contains(&Some(r#"{"gpu":"H100"}"#.to_owned())));
    for operator in ["span_attributes ->> 'gpu'", "span_attributes['gpu']"] {
        let query = format!("SELECT span_id FROM spans WHERE {operator} = 'H100'");
        assert_eq!(texts(&client, &query).await.unwrap().len(), 1, "{operator}");
    }
}

async fn column(client: &Client, query: &str) -> Vec<String> {
    let rows = texts(client, query).await.unwrap_or_else(|e| panic!("{query}: {e:?}"));
    rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

#[tokio::test]
async fn the_catalog_tells_the_types_of_the_wire() {
    let world = small().await;
    let client = connect(&world).await;
    for (table, name, udt, sql) in [
        ("calls", "cost", "numeric", "numeric(38,18)"),
        ("calls", "input_tokens", "int8", "bigint"),
        ("calls", "started_at", "timestamptz", "timestamp with time zone"),
        ("spans", "span_attributes", "json", "json"),
        ("metric_points", "bucket_counts", "_int8", "bigint[]"),
    ] {
        let described = format!(
            "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c \
             ON c.oid = a.attrelid WHERE c.relname = '{table}' AND a.attname = '{name}'"
        );
        assert_eq!(column(&client, &described).await, [sql], "{name}");
        let described = format!(
            "SELECT udt_name FROM information_schema.columns WHERE table_name = '{table}' \
             AND column_name = '{name}'"
        );
        assert_eq!(column(&client, &described).await, [udt], "{name}");
        let query = format!("SELECT {name} FROM {table}");
        let statement = client.prepare(&query).await.unwrap();
        assert_eq!(statement.columns()[0].type_().name(), udt, "{name}");
    }
    let schemas = "SELECT schema_name FROM information_schema.schemata ORDER BY 1";
    assert_eq!(column(&client, schemas).await, ["information_schema", "pg_catalog", "public"]);
}
