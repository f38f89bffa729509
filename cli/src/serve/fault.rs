//! Lets a crash test end the process at a named point: `SPANLEDGER_FAULT=POINT:N` aborts it at the
//! N-th time the point is passed. Without the variable nothing is installed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use spanledger_collector::fault as collector;
use spanledger_store::fault as store;

struct Fault {
    point: String,
    passes_left: AtomicU64,
}

static FAULT: OnceLock<Fault> = OnceLock::new();

/// Installs the fault that a text such as `log.before-ack:3` names.
///
/// # Errors
/// When the point is not known, or the count is no number from 1.
pub fn install(text: &str) -> anyhow::Result<()> {
    let (point, count) = text.rsplit_once(':').context("SPANLEDGER_FAULT: expected POINT:N")?;
    let mut known = collector::ALL.iter().chain(&store::POINTS);
    if !known.any(|name| *name == point) {
        bail!("SPANLEDGER_FAULT: no point `{point}`");
    }
    let passes: u64 = count.parse().context("SPANLEDGER_FAULT: N is no number")?;
    if passes == 0 {
        bail!("SPANLEDGER_FAULT: N starts at 1");
    }
    let fault = Fault { point: point.to_owned(), passes_left: AtomicU64::new(passes) };
    if FAULT.set(fault).is_ok() {
        collector::set(pass);
        store::set(pass);
    }
    Ok(())
}

/// Counts a pass and ends the process, without unwinding or flushing, at the last one.
fn pass(point: &'static str) {
    if let Some(fault) = FAULT.get()
        && fault.point == point
        && fault.passes_left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}
