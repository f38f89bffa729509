//! The captured suites: which there are, and their bodies as they came over the wire. It sends
//! them; it does not know what is in them, but for the number of spans.

use std::fs;
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value;

/// The folder that `SPANLEDGER_CAPTURES` names, else `shared/data/otlp` beside the project, or
/// beside one of the folders it lies in.
pub(super) fn captures() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("SPANLEDGER_CAPTURES") {
        return Some(PathBuf::from(folder));
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|a| a.join("shared/data/otlp")).find(|p| p.is_dir());
    if found.is_none() {
        println!("skipped: no folder shared/data/otlp beside the project");
    }
    found
}

/// A suite with its truth.
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) bodies: Vec<Body>,
    /// Spans in the bodies.
    pub(super) spans: usize,
    /// Requests whose client was told the usage, and whose spans say none, as the README has it.
    pub(super) without_tokens: usize,
    pub(super) truth: Vec<Value>,
}

/// One export request.
pub(super) struct Body {
    /// `traces`, `logs` or `metrics`.
    pub(super) signal: String,
    json: bool,
    gzip: bool,
    bytes: Vec<u8>,
}

impl Suite {
    /// Those that have a truth, by name.
    pub(super) fn all(folder: &Path) -> Vec<Suite> {
        let folders = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        let mut folders: Vec<_> = folders.filter(|f| f.join("truth.jsonl").is_file()).collect();
        folders.sort();
        folders.iter().map(|f| Suite::of(f)).collect()
    }

    fn of(folder: &Path) -> Suite {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let (mut bodies, mut spans) = (Vec::new(), 0);
        for path in &files {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let parts: Vec<&str> = name.split('.').collect();
            let [_, signal, form @ ..] = &parts[..] else { continue };
            if !["traces", "logs", "metrics"].contains(signal) {
                continue;
            }
            let bytes = fs::read(path).unwrap();
            if *signal == "traces" && (form == ["pb"] || form == ["json"]) {
                spans += spans_in(&bytes, form == ["json"]);
            }
            // As it came: where there is a compressed form, that one.
            let twin = path.with_file_name(format!("{name}.gz"));
            if matches!(form, ["pb" | "json"] if !twin.exists()) || form.last() == Some(&"gz") {
                let (json, gzip) = (form[0] == "json", form.last() == Some(&"gz"));
                bodies.push(Body { signal: (*signal).to_owned(), json, gzip, bytes });
            }
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let without_tokens = without_tokens(&folder.join("README.md"));
        let truth = super::lines(&folder.join("truth.jsonl"));
        Suite { name, bodies, spans, without_tokens, truth }
    }
}

/// Reads “Answered calls with no span that carries input tokens: 4 (responses ×3, chat.completions
/// stream (no usage sent) ×1).”; those that were cut, or told the client nothing, are not meant.
fn without_tokens(readme: &Path) -> usize {
    let text = fs::read_to_string(readme).unwrap();
    let line = text.lines().find(|line| line.contains("no span that carries input tokens"));
    let kinds = line.and_then(|line| line.split_once(" (")).map_or("", |(_, kinds)| kinds);
    let told = kinds.split(", ").filter(|k| !k.contains("(no usage") && !k.contains("(connection"));
    told.filter_map(|kind| {
        kind.rsplit_once('×')?.1.trim_end_matches([')', '.']).parse::<usize>().ok()
    })
    .sum()
}

fn spans_in(bytes: &[u8], json: bool) -> usize {
    if json {
        let body: Value = serde_json::from_slice(bytes).unwrap();
        let list = |v: &Value, key: &str| v[key].as_array().cloned().unwrap_or_default();
        let resources = list(&body, "resourceSpans");
        let scopes = resources.iter().flat_map(|r| list(r, "scopeSpans"));
        return scopes.map(|s| list(&s, "spans").len()).sum();
    }
    let body = ExportTraceServiceRequest::decode(bytes).unwrap();
    let scopes = body.resource_spans.iter().flat_map(|r| &r.scope_spans);
    scopes.map(|s| s.spans.len()).sum()
}

impl Body {
    /// Sends it as its client did.
    pub(super) async fn send(&self, door: &str) {
        let url = format!("http://{door}/v1/{}", self.signal);
        let kind = if self.json { "application/json" } else { "application/x-protobuf" };
        let mut request = reqwest::Client::new().post(url).header("content-type", kind);
        if self.gzip {
            request = request.header("content-encoding", "gzip");
        }
        let answer = request.body(self.bytes.clone()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}: {}", self.signal, answer.status());
    }
}
