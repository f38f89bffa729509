//! Commands whose output nobody reads to its end, as in `spanledger … | head`: they end without a word.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::binary::start;

/// What a shell says of a process that SIGPIPE ended.
const OUTPUT_CLOSED: i32 = 141;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanledger"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.args(arguments).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
    command
}

fn ends_quietly(arguments: &[&str]) {
    let output = command(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*said), (Some(OUTPUT_CLOSED), ""), "{arguments:?}");
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_command_ends_quietly_when_its_output_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, _, api) = start(folder.path(), "flush_interval = \"20ms\"\n");
    let data = folder.path().join("data");
    let (server, offline) = (["--url", &api], ["--data-dir", data.to_str().unwrap()]);
    let contract = written(folder.path(), "prices.toml", "contract = \"acme\"\n");
    let map = r#"{"gpt-4o": {"litellm_provider": "openai", "output_cost_per_token": 2e-05}}"#;
    let map = written(folder.path(), "litellm.json", map);

    for alone in [&["schema"][..], &["config", "reference"], &["serve", "--print-config"]] {
        ends_quietly(alone);
    }
    let many = "SELECT * FROM prices";
    for asked in [
        &["sql", many][..],
        &["sql", many, "--format", "csv"],
        &["sql", many, "--format", "json"],
        &["ask", "--list"],
        &["ask", "spend"],
        &["ask", "commitments", "--format", "csv"],
        &["doctor"],
        &["prices", "list"],
        &["prices", "show", "gpt-4o"],
        &["prices", "diff", "2026-08-21"],
        &["prices", "check", "--against", &map],
        &["prices", "check", "--against", &map, "--format", "csv"],
        &["prices", "import", "--dry-run", &contract],
        &["prices", "reprice", "--dry-run"],
    ] {
        ends_quietly(&[asked, &server].concat());
    }
    for read in [&["sql", many][..], &["prices", "list"], &["prices", "list", "--format", "csv"]] {
        ends_quietly(&[read, &offline].concat());
    }
    // What fails otherwise says so, whoever reads the output.
    let refused = command(&["sql", "SELECT", "--url", &api]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.starts_with(b"error: "));
}

#[test]
fn server_stays_when_nobody_reads_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut serve = command(&["serve", "--data-dir", data.to_str().unwrap()]);
    serve.args(["--otlp-grpc-addr", "off", "--otlp-http-addr", "off", "--pg-addr", "off"]);
    // The log is closed, too.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = serve.args(["--http-addr", "127.0.0.1:0"]).stderr(writer).spawn().unwrap();
    let asked = Instant::now();
    while !data.join("addresses.json").exists() {
        assert!(asked.elapsed() < Duration::from_secs(30), "it did not open its doors");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let ended = child.try_wait().unwrap();
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!(ended, None, "it ended by itself");
}
