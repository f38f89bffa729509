//! Measures settle alone, in this process: what a core settles in a second, what a million open
//! spans take, and how long a trace of 100,000 spans keeps others waiting. All spans are model
//! calls, the dearest there are: each becomes a row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use spanledger_collector::frame::Signal;
use spanledger_collector::{Collector, CollectorSettings};
use spanledger_ledger::prices;
use spanledger_ledger::settle::{Round, SettleSettings, Settler};
use spanledger_store::Store;

use crate::BATCH;
use crate::load::Template;

/// No trace of these runs is quiet before it is told to be.
const QUIET: Duration = Duration::from_secs(3_600);
/// Spans of the long trace, and of each of the short ones beside it.
const LONG_TRACE: usize = 100_000;

struct House {
    _folder: tempfile::TempDir,
    collector: Collector,
    settler: Settler,
}

impl House {
    /// An empty store whose settle has done its first round.
    async fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).await.unwrap();
        prices::import_bundled(&store).await.unwrap();
        let settings = SettleSettings { quiet: QUIET, ..SettleSettings::default() };
        let settler = Settler::new(store.clone(), settings, Timestamp::now);
        settler.run_once(Timestamp::now()).await.unwrap();
        let collector = CollectorSettings::default();
        let collector = Collector::start(collector, store, folder.path()).await.unwrap();
        House { _folder: folder, collector, settler }
    }

    async fn send(&self, requests: impl Iterator<Item = Bytes>) {
        for body in requests {
            while let Err(refusal) = self.submit(body.clone()).await {
                assert!(refusal.contains("full") || refusal.contains("later"), "{refusal}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        self.collector.shutdown().await;
    }

    async fn submit(&self, body: Bytes) -> Result<(), String> {
        let taken = self.collector.submit(Arc::from("default"), Signal::Traces, body).await;
        taken.map(|_| ()).map_err(|refusal| refusal.to_string())
    }

    /// One round; also its CPU-seconds and its duration.
    async fn round(&self, at: Timestamp) -> (Round, f64, Duration) {
        let (cpu, started) = (own_cpu_seconds(), Instant::now());
        let round = self.settler.run_once(at).await.unwrap();
        (round, own_cpu_seconds() - cpu, started.elapsed())
    }
}

/// Runs both measurements with so many spans.
pub async fn run(spans: usize) {
    let template = Template::new(BATCH);
    let later = || Timestamp::now() + 2 * QUIET;

    let house = House::new().await;
    house.send((0..spans.div_ceil(BATCH)).map(|number| template.request(number))).await;
    let rss_before = own_rss_mib();
    let (round, cpu, _) = house.round(Timestamp::now()).await;
    println!("read {} spans: {:.0} spans per CPU-second", round.spans, round.spans as f64 / cpu);
    let status = house.settler.status();
    println!(
        "{} spans open in {} traces: {} MiB counted, {} MiB more resident; settled early: {}",
        round.spans,
        status.open_traces,
        status.open_bytes >> 20,
        own_rss_mib().saturating_sub(rss_before),
        round.written
    );
    let (settled, more, took) = house.round(later()).await;
    println!(
        "settled {} calls: {:.0} per CPU-second; read and settled: {:.0} spans per CPU-second; \
         {:.1} s",
        settled.written,
        settled.written as f64 / more,
        round.spans as f64 / (cpu + more),
        took.as_secs_f64()
    );

    let house = House::new().await;
    let long = (0..LONG_TRACE.div_ceil(BATCH)).map(|number| template.request_of_one_trace(number));
    let short = (LONG_TRACE..LONG_TRACE + 100).map(|number| template.request(number));
    house.send(long.chain(short)).await;
    house.round(Timestamp::now()).await;
    let (settled, cpu, took) = house.round(later()).await;
    println!(
        "a trace of {LONG_TRACE} spans among {} others: {} calls settled in {:.2} s, {cpu:.2} CPU-s",
        settled.traces - 1,
        settled.written,
        took.as_secs_f64()
    );
}

/// User and system time of this process so far.
fn own_cpu_seconds() -> f64 {
    crate::server::cpu_seconds_of("self")
}

fn own_rss_mib() -> u64 {
    crate::server::status_mib_of("self", "VmRSS:")
}
