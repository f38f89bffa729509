//! The way in, killed again and again: a child process takes requests, is stopped at a seeded
//! moment (SIGKILL, or an abort at a named place of the log or the store), starts again on the
//! same folder, and gets everything that was not acknowledged once more, byte for byte. In the
//! end every span is in the tables once. The seed is printed; `SPANLEDGER_CRASH_SEED` repeats a run.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use prost::Message;
use spanledger_collector::wal::WalSettings;
use spanledger_collector::{Collector, CollectorSettings, fault};
use spanledger_schemas::tables;
use spanledger_store::Store;
use tokio::net::TcpListener;

use crate::harness::{Harness, hex, traces};

/// Kills of one run; the whole binary is killed more often in the product's own crash test.
const KILLS: usize = 57;
const WORKERS: usize = 4;
/// A fault that was not met by then (upkeep may have nothing to do) ends in a SIGKILL.
const LOAD_MAX: Duration = Duration::from_millis(1500);

fn settings() -> CollectorSettings {
    CollectorSettings {
        flush_interval: Duration::from_millis(20),
        wal: WalSettings { segment_bytes_max: 16 << 10, ..Default::default() },
        ..Default::default()
    }
}

/// The process under test: does nothing unless the parent calls it.
#[test]
fn child() {
    let Some(dir) = std::env::var_os("SPANLEDGER_CRASH_DIR") else { return };
    if let Some(spec) = std::env::var_os("SPANLEDGER_FAULT") {
        fault::arm(spec.to_str().unwrap()).unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let dir = Path::new(&dir);
        let store = Store::open(&dir.join("store")).await.unwrap();
        let collector = Collector::start(settings(), store.clone(), dir).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("\nlistening {}", listener.local_addr().unwrap());
        collector.serve_http(listener);
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            store.maintain().await.unwrap();
        }
    });
}

struct Process(Child);

impl Process {
    fn start(dir: &Path, fault: Option<&str>) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "crash::child", "--nocapture"]);
        command.env("SPANLEDGER_CRASH_DIR", dir).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(spec) = fault {
            command.env("SPANLEDGER_FAULT", spec);
        }
        Process(command.spawn().unwrap())
    }

    /// Where it listens; none when a fault met it before.
    fn ready(&mut self) -> Option<String> {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        lines.map_while(Result::ok).find_map(|line| {
            line.strip_prefix("listening ").map(|address| format!("http://{address}/v1/traces"))
        })
    }

    /// Whether it had ended by itself.
    fn kill(mut self) -> bool {
        let aborted = self.0.try_wait().unwrap().is_some();
        // Fails only when it has ended.
        let _ = self.0.kill();
        self.0.wait().unwrap();
        aborted
    }
}

/// What the client knows.
#[derive(Default)]
struct Client {
    next_id: u64,
    tokens: u64,
    acknowledged: Vec<(Vec<u8>, usize)>,
    spans: usize,
    unanswered: VecDeque<(Vec<u8>, usize)>,
}

impl Client {
    /// The next request to send and its spans: what was not answered, a fresh one, or now and
    /// then one that was acknowledged before.
    fn next(&mut self, rng: &mut fastrand::Rng) -> (Vec<u8>, usize, bool) {
        if let Some((bytes, spans)) = self.unanswered.pop_front() {
            return (bytes, spans, true);
        }
        if !self.acknowledged.is_empty() && rng.u8(..10) == 0 {
            let (bytes, spans) = rng.choice(&self.acknowledged).unwrap().clone();
            return (bytes, spans, false);
        }
        let count = rng.u64(1..=20);
        let ids: Vec<u64> = (self.next_id + 1..=self.next_id + count).collect();
        self.next_id += count;
        let mut request = traces(&ids);
        for span in &mut request.resource_spans[0].scope_spans[0].spans {
            let tokens = rng.u32(1..10_000);
            self.tokens += u64::from(tokens);
            span.attributes = vec![
                attribute("gen_ai.operation.name", Value::StringValue("chat".into())),
                attribute("gen_ai.provider.name", Value::StringValue("openai".into())),
                attribute("gen_ai.usage.input_tokens", Value::IntValue(tokens.into())),
            ];
        }
        (request.encode_to_vec(), ids.len(), true)
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

/// Sends until the time is over or nobody answers; with `drain` until all is acknowledged.
async fn load(client: &Arc<Mutex<Client>>, url: &str, seed: u64, until: Instant, drain: bool) {
    let http = reqwest::Client::new();
    let worker = |number: u64| {
        let (client, http, url) = (client.clone(), http.clone(), url.to_owned());
        async move {
            let mut rng = fastrand::Rng::with_seed(seed ^ number);
            while Instant::now() < until {
                if drain && client.lock().unwrap().unanswered.is_empty() {
                    return;
                }
                let (bytes, spans, counts) = client.lock().unwrap().next(&mut rng);
                let request = http.post(&url).header("content-type", "application/x-protobuf");
                let answer = request.body(bytes.clone()).send().await;
                let mut client = client.lock().unwrap();
                match answer {
                    Ok(answer) if answer.status() == 200 => {
                        if counts {
                            client.acknowledged.push((bytes, spans));
                            client.spans += spans;
                        }
                    }
                    Ok(_) if counts => client.unanswered.push_back((bytes, spans)),
                    Ok(_) => {}
                    Err(_) => {
                        if counts {
                            client.unanswered.push_back((bytes, spans));
                        }
                        return;
                    }
                }
            }
        }
    };
    futures::future::join_all((0..WORKERS as u64).map(worker)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_span_is_stored_once_over_many_kills() {
    let seed = std::env::var_os("SPANLEDGER_CRASH_SEED")
        .and_then(|seed| seed.to_str()?.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("SPANLEDGER_CRASH_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let client = Arc::new(Mutex::new(Client::default()));
    let places: Vec<&str> = fault::ALL.into_iter().chain(spanledger_store::fault::POINTS).collect();
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rows_before = 0;

    for kill in 0..KILLS {
        // A third by SIGKILL, the rest at each place in turn.
        let place = (kill % 3 != 0).then(|| places[(kill * 2 / 3) % places.len()]);
        let spec = place.map(|place| format!("{place}:{}", rng.u32(1..=3)));
        let mut process = Process::start(dir.path(), spec.as_deref());
        let address = tokio::task::block_in_place(|| process.ready());
        if let Some(url) = address {
            let time = match place {
                Some(_) => LOAD_MAX,
                None => Duration::from_millis(rng.u64(1..200)),
            };
            let started = Instant::now();
            load(&client, &url, rng.u64(..), started + time, false).await;
        }
        if process.kill() {
            *met.entry(place.unwrap_or("by itself")).or_default() += 1;
        }
        let now = client.lock().unwrap().spans;
        assert!(now >= rows_before);
        rows_before = now;
    }
    println!("ended by a fault at {met:?}");

    let mut process = Process::start(dir.path(), None);
    let url = tokio::task::block_in_place(|| process.ready()).expect("it starts");
    let until = Instant::now() + Duration::from_secs(30);
    load(&client, &url, 0, until, true).await;
    process.kill();

    let harness = Harness::start_in(dir, settings()).await;
    let (spans, next_id, tokens) = {
        let client = client.lock().unwrap();
        assert!(client.unanswered.is_empty(), "the last process takes everything");
        (client.spans as u64, client.next_id, client.tokens)
    };
    assert_eq!(spans, next_id, "all that was made was acknowledged");
    let stored = harness.column(&tables::spans::TABLE, "input_tokens").await;
    let sum: u64 = stored.iter().map(|tokens| tokens.parse::<u64>().unwrap()).sum();
    let ids: Vec<u64> = (1..=next_id).collect();
    assert_eq!(harness.finish().await, hex(&ids));
    assert_eq!(sum, tokens);
    println!("{KILLS} kills, {next_id} spans");
    assert_eq!(met.get("by itself"), None, "it never ends without a fault");
    for place in fault::ALL {
        assert!(met.contains_key(place), "{place} was never met: {met:?}");
    }
}
