//! The binary, killed again and again under load: by SIGKILL at seeded moments, or by an abort at
//! a named place of the log, the flush, the tables or their upkeep. After each kill it starts on
//! the same folder, and the client sends what was not acknowledged once more, byte for byte. In
//! the end the auditor asks SQL: every span once, sums of tokens equal, every call settled once.
//!
//! The seed is printed; `SPANLEDGER_CRASH_SEED` repeats its choices, `SPANLEDGER_CRASH_KILLS` sets
//! how often it is killed.

mod audit;
mod client;
pub(crate) mod process;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use client::Client;
use process::{Process, SETTINGS};
use spanledger_collector::fault as way_in;
use spanledger_store::fault as tables;

/// Kills of one run (issue 2: at least 200).
const KILLS: usize = 210;
/// How long a fault may take to be met; what is not met by then ends by SIGKILL.
const LOAD_MAX: Duration = Duration::from_millis(1500);
/// The same for a place that is passed seldom.
const SELDOM_LOAD_MAX: Duration = Duration::from_secs(5);
/// How long the last process may take to commit and settle everything on a busy machine.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

/// Where it is stopped, each in turn. What deletes files of the tables is not among them: they
/// are kept for ten minutes.
const PLACES: [&str; 12] = [
    way_in::LOG_HALF_WRITTEN,
    way_in::LOG_BEFORE_FSYNC,
    way_in::LOG_BEFORE_ACK,
    way_in::LOG_BEFORE_RENAME,
    way_in::FLUSH_COMMITTED,
    way_in::LOG_TRIM,
    tables::AFTER_PARQUET,
    tables::AFTER_COMMIT_BEFORE_FSYNC,
    tables::AFTER_COMMIT,
    tables::IN_CHECKPOINT,
    tables::IN_COMPACTION_BEFORE_COMMIT,
    tables::AFTER_COMPACTION_COMMIT,
];

/// Those of them that not every flush passes, but the turn of a log file or upkeep.
const SELDOM: [&str; 5] = [
    way_in::LOG_BEFORE_RENAME,
    way_in::LOG_TRIM,
    tables::IN_CHECKPOINT,
    tables::IN_COMPACTION_BEFORE_COMMIT,
    tables::AFTER_COMPACTION_COMMIT,
];

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_span_is_stored_once_over_many_kills() {
    let seed = number("SPANLEDGER_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..));
    let kills = number("SPANLEDGER_CRASH_KILLS").map_or(KILLS, |kills| kills as usize);
    say(&format!("SPANLEDGER_CRASH_SEED={seed}"));
    let mut rng = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spanledger.toml"), SETTINGS).unwrap();
    let client = Client::default();
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let started = Instant::now();

    for kill in 0..kills {
        client.begin(kill);
        // A third by SIGKILL, the rest at each place in turn.
        let place = (kill % 3 != 0).then(|| PLACES[(kill * 2 / 3) % PLACES.len()]);
        // What is passed seldom is met the first time and waited for longer.
        let seldom = place.is_some_and(|place| SELDOM.contains(&place));
        let (passes, longest) = if seldom { (1, SELDOM_LOAD_MAX) } else { (3, LOAD_MAX) };
        let fault = place.map(|place| format!("{place}:{}", rng.u32(1..=passes)));
        let mut process = Process::start(folder.path(), fault.as_deref());
        let pause = Duration::from_millis(rng.u64(0..400));
        if place.is_none() && rng.u8(..4) == 0 {
            // While it starts and reads back its log.
            tokio::time::sleep(pause).await;
        } else if let Some(doors) = process.doors() {
            let time = if place.is_some() { longest } else { pause };
            client.load(&doors, rng.u64(..), Instant::now() + time).await;
        }
        if process.kill() {
            *met.entry(place.unwrap_or("nowhere")).or_default() += 1;
        }
    }
    say(&format!("{kills} kills in {} s, stopped at {met:?}", started.elapsed().as_secs()));
    assert_eq!(met.get("nowhere"), None, "it ended without a fault");
    if kills >= KILLS {
        for place in PLACES {
            assert!(met.contains_key(place), "`{place}` was never met: {met:?}");
        }
    }

    let mut process = Process::start(folder.path(), None);
    let doors = process.doors().expect("it starts after the last kill");
    let until = Instant::now() + SETTLED_WITHIN;
    client.drain(&doors, until).await;
    audit::audit(&doors, &client, until).await;
    process.kill();
}

/// Past the test runner, which keeps what passing tests print to itself.
#[expect(clippy::explicit_write, reason = "the runner holds back what the macro prints")]
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}
