//! The SQL in `slt/*.slt`, through the HTTP door, on the small store of the fixture.

use std::path::PathBuf;

use serde_json::{Value, json};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

use crate::fixture::small;

/// A client of the HTTP door.
struct Http(String);

#[derive(Debug)]
struct Problem(String);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

#[async_trait::async_trait]
impl AsyncDB for Http {
    type Error = Problem;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, query: &str) -> Result<DBOutput<DefaultColumnType>, Problem> {
        let request = reqwest::Client::new().post(&self.0).json(&json!({"query": query}));
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        if let Some(detail) = body["detail"].as_str() {
            return Err(Problem(detail.to_owned()));
        }
        let text = |value: &Value| match value {
            Value::Null => "NULL".to_owned(),
            Value::String(text) if text.is_empty() => "(empty)".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let row = |row: &Value| row.as_array().unwrap().iter().map(text).collect();
        let rows: Vec<Vec<String>> = body["rows"].as_array().unwrap().iter().map(row).collect();
        let kind = |column: &Value| match column["type"].as_str().unwrap() {
            "bigint" | "integer" | "unsigned" => DefaultColumnType::Integer,
            "double" => DefaultColumnType::FloatingPoint,
            _ => DefaultColumnType::Text,
        };
        let types = body["columns"].as_array().unwrap().iter().map(kind).collect();
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}
}

#[tokio::test]
async fn the_files_hold() {
    let world = small().await;
    let url = format!("{}/api/v1/sql", world.http);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/slt");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let mut runner = Runner::new(|| async { Ok(Http(url.clone())) });
        runner.run_file_async(&file).await.unwrap_or_else(|e| panic!("{}", e.display(false)));
    }
}
