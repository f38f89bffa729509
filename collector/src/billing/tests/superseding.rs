//! A bill in the store: counted once, however often it comes, and never mixed with others.

use std::path::Path;

use spanledger_schemas::tables::billing_lines::TABLE;
use spanledger_store::Store;
use tempfile::TempDir;

use super::{REAL, bill, bills, file};
use crate::billing::{
    Format, ImportError, ImportReport, ImportRequest, ImportSummary, Importer, Outcome,
};

struct Room {
    importer: Importer,
    store: Store,
    _folder: TempDir,
}

async fn room() -> Room {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    Room { importer: Importer::new(store.clone()), store, _folder: folder }
}

impl Room {
    async fn try_import(
        &self,
        tenant: &str,
        source: Option<&str>,
        bytes: &[u8],
    ) -> Result<ImportReport, ImportError> {
        let request = ImportRequest {
            tenant: tenant.to_owned(),
            source: source.map(str::to_owned),
            format: Format::Focus,
            file_name: "bill.csv".to_owned(),
        };
        Box::pin(self.importer.import(request, file(bytes))).await
    }

    async fn import(&self, source: &str, bytes: &[u8]) -> ImportReport {
        self.try_import("acme", Some(source), bytes).await.unwrap()
    }

    async fn list(&self, tenant: &str) -> Vec<ImportSummary> {
        Box::pin(self.importer.list(tenant)).await.unwrap()
    }

    /// Source, billing period, rows and billed sum of all that stands, in order.
    async fn standing(&self) -> Vec<(String, String, u64, String)> {
        let mut all = Vec::new();
        for import in self.list("acme").await {
            for period in import.periods {
                let month = period.billing_period_start.to_string()[..7].to_owned();
                let billed = period.sums.into_iter().map(|s| s.billed_cost).collect::<Vec<_>>();
                all.push((import.source.clone(), month, period.rows, billed.join(" ")));
            }
        }
        all.sort();
        all
    }

    async fn version(&self) -> i64 {
        self.store.snapshot().await.unwrap().versions()[TABLE.name]
    }
}

fn stands(source: &str, month: &str, rows: u64, billed: &str) -> (String, String, u64, String) {
    (source.to_owned(), month.to_owned(), rows, billed.to_owned())
}

const SEPTEMBER: [(&str, &str); 3] = [
    ("BillingPeriodStart", "2026-09-01T00:00:00Z"),
    ("BillingPeriodEnd", "2026-10-01T00:00:00Z"),
    ("BilledCost", "7"),
];

#[tokio::test]
async fn the_real_bill_stands_with_the_sums_of_its_texts() {
    let room = room().await;
    let report = room.try_import("acme", None, REAL).await.unwrap();
    assert_eq!(report.outcome, Outcome::Imported);
    assert_eq!(report.source, "AWS + Microsoft + Oracle");
    let warnings: Vec<_> = report.warnings.iter().map(|w| (w.code.as_str(), w.count)).collect();
    assert_eq!(warnings, [("unknown-columns", 1), ("several-providers", 3)]);
    let listed = room.list("acme").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].periods, report.periods);
    assert_eq!((listed[0].rows, &listed[0].import_id), (445, &report.import_id));
    let sums = &listed[0].periods[0].sums[0];
    assert_eq!(sums.billed_cost, "5.69001013875");
    assert_eq!(sums.effective_cost.as_deref(), Some("3.22785159715"));
}

#[tokio::test]
async fn the_same_content_again_writes_nothing() {
    let room = room().await;
    let first = room.import("a", &bill(&[])).await;
    let version = room.version().await;
    let zipped = zstd::encode_all(&bill(&[])[..], 1).unwrap();
    for bytes in [bill(&[]), zipped] {
        let again = room.import("a", &bytes).await;
        assert_eq!(again.outcome, Outcome::Unchanged);
        assert_eq!(again.import_id, first.import_id);
    }
    assert_eq!(room.version().await, version);
    assert_eq!(room.standing().await, [stands("a", "2026-10", 1, "1.5")]);
}

#[tokio::test]
async fn a_new_snapshot_supersedes_its_key_and_no_other() {
    let room = room().await;
    // All lines fall on one day and so, by the store's partitions, near each other.
    let both = bills(&[&SEPTEMBER, &[SEPTEMBER[0], SEPTEMBER[1], ("BilledCost", "8")]]);
    let old = room.import("a", &bill(&[("BilledCost", "1")])).await;
    room.import("a", &both).await;
    room.import("b", &bill(&[("BilledCost", "2")])).await;
    room.try_import("other", Some("a"), &bill(&[("BilledCost", "3")])).await.unwrap();
    room.store.maintain().await.unwrap();

    let new = room.import("a", &bills(&[&[("BilledCost", "4")], &[("BilledCost", "0.25")]])).await;
    assert_eq!(new.superseded, [old.import_id]);
    assert_eq!(
        room.standing().await,
        [
            stands("a", "2026-09", 2, "15"),
            stands("a", "2026-10", 2, "4.25"),
            stands("b", "2026-10", 1, "2")
        ]
    );
    let other = room.list("other").await;
    assert_eq!(other[0].periods[0].sums[0].billed_cost, "3");

    // What was superseded can be brought back: the hash alone does not decide.
    let back = room.import("a", &bill(&[("BilledCost", "1")])).await;
    assert_eq!((back.outcome, &back.superseded), (Outcome::Imported, &vec![new.import_id]));
    assert_eq!(room.standing().await[1], stands("a", "2026-10", 1, "1"));
}

#[tokio::test]
async fn a_file_of_two_periods_supersedes_both_in_one_commit() {
    let room = room().await;
    let october: [(&str, &str); 3] = [
        ("BillingPeriodStart", "2026-10-01T00:00:00Z"),
        ("BillingPeriodEnd", "2026-11-01T00:00:00Z"),
        ("BilledCost", "5"),
    ];
    let first = room.import("a", &bill(&[("BilledCost", "1")])).await;
    let second = room.import("a", &bill(&SEPTEMBER)).await;
    let version = room.version().await;
    let both = room.import("a", &bills(&[&SEPTEMBER, &october])).await;
    let mut expected = [first.import_id, second.import_id];
    expected.sort();
    assert_eq!(both.superseded, expected);
    assert_eq!(room.version().await, version + 1);
    assert_eq!(
        room.standing().await,
        [stands("a", "2026-09", 1, "7"), stands("a", "2026-10", 1, "5")]
    );
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let room = room().await;
    room.import("a", &bill(&[])).await;
    let version = room.version().await;
    let broken = bills(&[&[("BilledCost", "9")], &[("BilledCost", "x")]]);
    let error = room.try_import("acme", Some("a"), &broken).await.unwrap_err();
    assert!(matches!(error, ImportError::Rejected { .. }), "{error}");
    assert_eq!(room.version().await, version);
    assert_eq!(room.standing().await, [stands("a", "2026-10", 1, "1.5")]);
}

#[tokio::test]
async fn the_same_accounts_under_another_source_are_warned_about() {
    let room = room().await;
    let codes = |report: ImportReport| -> Vec<String> {
        let of_accounts = report.warnings.into_iter().filter(|w| w.code == "shared-accounts");
        of_accounts.map(|w| w.message).collect()
    };
    assert_eq!(codes(room.import("a", &bill(&[("BillingAccountId", "1")])).await).len(), 0);
    assert_eq!(codes(room.import("b", &bill(&[("BillingAccountId", "2")])).await).len(), 0);
    let twice = codes(room.import("c", &bill(&[("BillingAccountId", "1")])).await);
    assert!(twice[0].contains("stand under `a`:"), "{twice:?}");
}

#[tokio::test]
async fn the_source_is_asked_for_when_the_file_does_not_say() {
    let room = room().await;
    let nameless = bill(&[("ProviderName", "")]);
    let error = room.try_import("acme", None, &nameless).await.unwrap_err();
    assert!(matches!(error, ImportError::Request { .. }), "{error}");
    let issuer = bill(&[("ProviderName", ""), ("InvoiceIssuerName", "Acme Inc.")]);
    assert_eq!(room.try_import("acme", None, &issuer).await.unwrap().source, "Acme Inc.");
    assert_eq!(room.try_import("acme", None, &bill(&[])).await.unwrap().source, "Acme");
}

#[tokio::test]
async fn imports_at_the_same_moment_count_once() {
    let room = room().await;
    let one = bill(&[("BilledCost", "1")]);
    let two = bill(&[("BilledCost", "2")]);
    let _ = tokio::join!(
        room.import("a", &one),
        room.import("a", &two),
        room.import("a", &one),
        room.store.maintain()
    );
    let standing = room.standing().await;
    assert_eq!(standing.len(), 1, "{standing:?}");
    assert_eq!(standing[0].2, 1);
}

/// The generated files, if the data folder is beside the project: three providers, four files
/// each under its own name, of which 1.4 supersedes 1.3.
#[tokio::test]
async fn generated_bills_of_three_versions_stand_side_by_side() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/billing/focus_generated");
    let room = room().await;
    for (source, name) in [
        ("aws-1.2", "focus_1_2_cost_and_usage_aws.seed1202"),
        ("aws", "focus_1_3_cost_and_usage_aws.seed1202"),
        ("aws", "focus_1_4_cost_and_usage_aws.from_1.3_seed1202"),
    ] {
        let path = folder.join(format!("{name}.csv.gz"));
        let Ok(bytes) = std::fs::read(&path) else {
            eprintln!("skipped: {} is not there", path.display());
            return;
        };
        room.import(source, &bytes).await;
    }
    assert_eq!(
        room.standing().await,
        [
            stands("aws", "2026-05", 3_000, "61691.399858351561476"),
            stands("aws-1.2", "2026-05", 3_000, "64080.2025343574525"),
        ]
    );
}
