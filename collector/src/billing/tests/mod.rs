//! Tests of the billing import, by what they look at: reading files, superseding in a store, the
//! HTTP door.

mod door;
mod reading;
mod superseding;

use std::fs::File;
use std::io::Write;

/// A real bill; see `fixtures/README.md`.
const REAL: &[u8] = include_bytes!("../fixtures/focus-1.0-real.csv.gz");

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A line of FOCUS with what money needs, as changed by `change` (column, text).
fn bill(change: &[(&str, &str)]) -> Vec<u8> {
    bills(&[change])
}

/// Several such lines; all change the same columns.
fn bills(changes: &[&[(&str, &str)]]) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    for (i, change) in changes.iter().enumerate() {
        let mut cells = vec![
            ("BilledCost", "1.50"),
            ("BillingCurrency", "USD"),
            ("BillingPeriodStart", "2026-10-01T00:00:00Z"),
            ("BillingPeriodEnd", "2026-11-01T00:00:00Z"),
            ("ChargePeriodStart", "2026-10-07T23:00:00Z"),
            ("ServiceName", "Inference"),
            ("ProviderName", "Acme"),
        ];
        for (column, text) in *change {
            match cells.iter_mut().find(|(name, _)| name == column) {
                Some(cell) => cell.1 = text,
                None => cells.push((column, text)),
            }
        }
        if i == 0 {
            out.write_record(cells.iter().map(|cell| cell.0)).unwrap();
        }
        out.write_record(cells.iter().map(|cell| cell.1)).unwrap();
    }
    out.into_inner().unwrap()
}
