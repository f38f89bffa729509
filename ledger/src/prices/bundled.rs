//! The books that come with the binary: genai-prices at two dates, so that history is real.
//! Gives their rows as one bitemporal history and the rules by which the newest recognises
//! providers. It does not read or write tables (that is `import`).

use std::io::Read;
use std::sync::{Arc, OnceLock};

use super::PriceError;
use super::genai::{self, Book, Edition, ProviderRule};
use super::history::learn;
use super::row::{Micros, PriceRow};

/// A bundled book.
#[derive(Debug)]
pub struct BundledBook {
    /// Name and version, as in column `source`.
    pub source: &'static str,
    /// The day it is dated, midnight UTC, in microseconds: when its prices became known.
    pub known_from: Micros,
    gzip: &'static [u8],
}

/// Every bundled book, oldest first. Origin, licence and hashes: `prices/genai-prices/README.md`.
pub static BOOKS: [BundledBook; 2] = [
    BundledBook {
        source: "genai-prices 2026-08-21",
        // 2026-08-21T00:00:00Z
        known_from: 1_787_270_400_000_000,
        gzip: include_bytes!("../../../prices/genai-prices/data_2026-08-21_git.json.gz"),
    },
    BundledBook {
        source: "genai-prices 0.2.3",
        // 2026-11-04T00:00:00Z, the newest day the book itself speaks of.
        known_from: 1_793_750_400_000_000,
        gzip: include_bytes!("../../../prices/genai-prices/data_0.2.3_pypi.json.gz"),
    },
];

/// Every source name of ours begins so; rows of other sources are never touched by an import.
pub(super) const SOURCE_PREFIX: &str = "genai-prices ";

impl BundledBook {
    /// What the book alone says.
    ///
    /// # Errors
    /// When the bundled bytes are not the book we expect.
    pub fn read(&self) -> Result<Book, PriceError> {
        let mut json = Vec::new();
        flate2::read::GzDecoder::new(self.gzip).read_to_end(&mut json).map_err(|e| {
            PriceError::Book { place: self.source.to_owned(), reason: e.to_string() }
        })?;
        genai::read(&json, &Edition { source: self.source, known_from: self.known_from })
    }
}

/// All bundled books as one history, each learned at its date.
///
/// # Errors
/// As [`BundledBook::read`].
pub(super) fn history() -> Result<Vec<PriceRow>, PriceError> {
    let mut history = Vec::new();
    for book in &BOOKS {
        history = learn(history, book.read()?.rows, book.known_from);
    }
    Ok(history)
}

/// How the newest book recognises providers; read once per process.
///
/// # Errors
/// As [`BundledBook::read`].
pub(super) fn provider_rules() -> Result<Arc<[ProviderRule]>, PriceError> {
    static RULES: OnceLock<Arc<[ProviderRule]>> = OnceLock::new();
    if let Some(rules) = RULES.get() {
        return Ok(Arc::clone(rules));
    }
    let newest = &BOOKS[BOOKS.len() - 1];
    let rules: Arc<[ProviderRule]> = newest.read()?.providers.into();
    Ok(Arc::clone(RULES.get_or_init(|| rules)))
}

/// A provider, with those whose prices it takes.
pub(super) type Reseller = (Arc<str>, Vec<Arc<str>>);

/// Whose prices a provider takes for models that it does not list itself.
///
/// # Errors
/// As [`BundledBook::read`].
pub(super) fn resells() -> Result<Vec<Reseller>, PriceError> {
    let rules = provider_rules()?;
    let resellers = rules.iter().filter(|rule| !rule.fallback.is_empty());
    Ok(resellers.map(|rule| (Arc::clone(&rule.id), rule.fallback.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_books_are_what_their_comments_say() {
        let days: Vec<_> = BOOKS
            .iter()
            .map(|b| jiff::Timestamp::from_microsecond(b.known_from).unwrap().to_string())
            .collect();
        assert_eq!(days, ["2026-08-21T00:00:00Z", "2026-11-04T00:00:00Z"]);
    }

    #[test]
    fn every_price_of_both_books_is_read() {
        // Counted in the JSON by a script of another language: every price key of `prices` and
        // `price_variants`, one per band, two for each model called `…:free` without prices.
        // The newer book's two variants by `search_type` are not ours to express.
        let expected = [(3_441, 9, 0), (8_315, 18, 2)];
        for (book, (prices, without_prices, variants)) in BOOKS.iter().zip(expected) {
            let read = book.read().unwrap();
            assert_eq!(read.rows.len(), prices, "{}", book.source);
            let (empty, other): (Vec<_>, Vec<_>) =
                read.skipped.iter().partition(|s| s.ends_with("listed without prices"));
            assert_eq!(empty.len(), without_prices, "{empty:?}");
            assert_eq!(other.len(), variants, "{other:?}");
            assert!(other.iter().all(|s| s.contains("variant for search_type")), "{other:?}");
        }
    }

    #[test]
    fn cancelled_increase_is_known_to_be_cancelled() {
        // The older book announces Claude Sonnet 5 at $3 for input from 2026-09-01; the newer
        // says the increase was cancelled and $2 stays.
        let rows = history().unwrap();
        let input = |at: Micros| -> Vec<_> {
            rows.iter()
                .filter(|r| &*r.provider == "anthropic" && &*r.model_name == "claude-sonnet-5")
                .filter(|r| r.unit == crate::usage::Unit::INPUT && r.service_tier.is_none())
                .filter(|r| r.believed_at(at))
                .map(|r| (r.amount.to_string(), r.valid_from.is_some()))
                .collect()
        };
        let told = |amount: &str, later| (amount.to_owned(), later);
        assert_eq!(input(BOOKS[0].known_from), [told("2", false), told("3", true)]);
        assert_eq!(input(BOOKS[1].known_from), [told("2", false)]);
    }
}
