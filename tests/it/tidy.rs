//! The rules of the house that no compiler checks: which room may know which, one version of the
//! parts that must agree, headers on files, and paths that documents name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Who may know whom (ARCHITECTURE.md); `tests` and `cli` may know all.
const ARROWS: [(&str, &[&str]); 5] = [
    ("schemas", &[]),
    ("store", &["schemas"]),
    ("ledger", &["schemas", "store"]),
    ("collector", &["schemas", "store"]),
    ("query", &["schemas", "store", "ledger"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files below the rooms, by extension.
fn sources(extension: &str) -> Vec<PathBuf> {
    let rooms = ["schemas", "ledger", "store", "collector", "query", "cli", "tests"];
    let mut folders: Vec<_> = rooms.iter().map(|room| root().join(room)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn rooms_know_only_the_rooms_they_may() {
    for (room, may) in ARROWS {
        let manifest = read(format!("{room}/Cargo.toml"));
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
        let known: BTreeSet<_> = dependencies
            .lines()
            .filter_map(|line| line.strip_prefix("spanledger-")?.split(['.', ' ']).next())
            .collect();
        let may: BTreeSet<_> = may.iter().copied().collect();
        assert!(known.is_subset(&may), "`{room}` knows {known:?}, may know {may:?}");
    }
}

#[test]
fn only_the_store_knows_delta_rs() {
    for (room, _) in ARROWS.iter().filter(|(room, _)| *room != "store") {
        let manifest = read(format!("{room}/Cargo.toml"));
        for part in ["deltalake", "object_store"] {
            assert!(!manifest.contains(part), "`{room}` depends on `{part}`");
        }
    }
}

#[test]
fn one_version_of_what_must_agree() {
    let lock = read("Cargo.lock");
    for name in ["arrow", "parquet", "datafusion", "tonic", "axum", "object_store", "prost"] {
        let found = lock.matches(&format!("name = \"{name}\"\n")).count();
        assert_eq!(found, 1, "`{name}` is in Cargo.lock {found} times");
    }
}

#[test]
fn every_file_says_what_it_is() {
    let files = sources("rs");
    assert!(files.len() > 50, "only {} files were looked at", files.len());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no `//!` header", path.display());
    }
}

#[test]
fn paths_named_in_documents_exist() {
    let mut documents = vec!["README.md".into(), "ARCHITECTURE.md".into()];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            documents.push(path);
        }
    }
    let mut checked = 0;
    for document in documents {
        let text = read(&document);
        // Inline code that looks like a path of the project: it has a slash and starts at a room.
        for word in text.split('`').skip(1).step_by(2) {
            let first = word.split('/').next().unwrap_or_default();
            let is_path = word.contains('/')
                && !first.is_empty()
                && !word.contains([' ', '<', '*', ':'])
                && root().join(first).is_dir();
            if is_path {
                checked += 1;
                assert!(root().join(word).exists(), "{}: no `{word}`", document.display());
            }
        }
    }
    assert!(checked > 10, "only {checked} paths were found in the documents");
}
