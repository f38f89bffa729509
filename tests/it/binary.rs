//! The running binary on a temporary folder with free ports, killed at the end, and SQL on it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the binary; gives its OTLP and API addresses.
pub fn start(folder: &Path, settings: &str) -> (Server, String, String) {
    let config = folder.join("spanledger.toml");
    std::fs::write(&config, settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanledger"));
    command.arg("serve").arg("--data-dir").arg(folder.join("data")).arg("--config").arg(config);
    command.args(["--otlp-grpc-addr", "off", "--otlp-http-addr", "127.0.0.1:0"]);
    command.args(["--http-addr", "127.0.0.1:0", "--pg-addr", "off"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut doors = std::collections::BTreeMap::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["listening", name, address] => doors.insert(name.to_owned(), address.to_owned()),
            ["ready"] => break,
            _ => panic!("`{line}` on standard output"),
        };
    }
    let url = |name: &str| format!("http://{}", doors[name]);
    (Server(child), url("otlp-http"), url("http"))
}

/// The rows of a query.
pub async fn rows(api: &str, query: &str) -> Vec<Value> {
    let request = reqwest::Client::new().post(format!("{api}/api/v1/sql"));
    let answer: Value =
        request.json(&json!({"query": query})).send().await.unwrap().json().await.unwrap();
    answer["rows"].as_array().cloned().unwrap_or_default()
}
