//! What a call used. Takes counts as a provider or library reports them, gives counts that say
//! how they contain each other, and disjoint leaves of them. Nothing is clamped: a part that is
//! larger than its whole is an error. It does not know prices.

mod unit;

pub use unit::{Direction, UNITS, Unit};

/// Whether reported input contains the tokens read from and written to a cache. It says nothing
/// of audio, images and reasoning: those are always parts of their totals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// `input_tokens` contains cached tokens (OpenAI, Gemini, OpenTelemetry since 1.40).
    Inclusive,
    /// `input_tokens` is what was neither read from nor written to a cache (Anthropic, Bedrock).
    Exclusive,
}

/// Why counts cannot be what a call used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A count below zero.
    #[error("{unit} is {count}, expected zero or more")]
    Negative {
        /// The unit.
        unit: Unit,
        /// The count.
        count: i64,
    },
    /// Parts that do not fit into their whole.
    #[error("parts of {whole} sum to {parts}, more than its {count}")]
    PartsExceedWhole {
        /// The unit that contains the parts.
        whole: Unit,
        /// Count of the whole.
        count: i64,
        /// Sum of its disjoint parts.
        parts: i64,
    },
    /// A sum outside 64 bits.
    #[error("{unit} is too large to add up")]
    TooLarge {
        /// The unit.
        unit: Unit,
    },
}

/// Counts of one call. They contain each other as [`Unit::contains`] says: `input_tokens` is all
/// input, cached or not. A unit that was not reported counts nothing and is not known.
#[derive(Clone, PartialEq, Eq)]
pub struct Usage {
    counts: [i64; UNITS],
    known: u128,
}

// `known` has one bit per unit.
const _: () = assert!(UNITS <= 128);

impl Default for Usage {
    fn default() -> Self {
        Usage { counts: [0; UNITS], known: 0 }
    }
}

impl Usage {
    /// Usage from reported counts. Cache writes told apart by lifetime only are summed, and so is
    /// audio that is heard and spoken; under [`Basis::Exclusive`] the cached tokens are added to the
    /// input.
    ///
    /// # Errors
    /// When a count is negative, or a part alone exceeds its whole.
    pub fn reported(basis: Basis, counts: &[(Unit, i64)]) -> Result<Usage, UsageError> {
        let mut usage = Usage::default();
        for &(unit, count) in counts {
            if count < 0 {
                return Err(UsageError::Negative { unit, count });
            }
            usage.set(unit, count);
        }
        for (whole, parts) in [
            (Unit::CACHE_WRITE, [Unit::CACHE_WRITE_5M, Unit::CACHE_WRITE_1H]),
            (Unit::AUDIO_SECONDS, [Unit::INPUT_AUDIO_SECONDS, Unit::OUTPUT_AUDIO_SECONDS]),
        ] {
            if !usage.knows(whole) && parts.iter().any(|&u| usage.knows(u)) {
                let sum = usage.sum(&parts, whole)?;
                usage.set(whole, sum);
            }
        }
        if basis == Basis::Exclusive {
            let parts = [Unit::INPUT, Unit::CACHE_READ, Unit::CACHE_WRITE];
            if parts.iter().any(|&u| usage.knows(u)) {
                let sum = usage.sum(&parts, Unit::INPUT)?;
                usage.set(Unit::INPUT, sum);
            }
        }
        usage.check_parts()?;
        Ok(usage)
    }

    /// Sets a count that is known to be right, such as one read back from a table.
    pub fn set(&mut self, unit: Unit, count: i64) {
        self.counts[unit.index()] = count;
        self.known |= 1 << unit.index();
    }

    /// The count of a unit; zero when it was not reported.
    pub fn count(&self, unit: Unit) -> i64 {
        self.counts[unit.index()]
    }

    /// Whether the unit was reported.
    pub fn knows(&self, unit: Unit) -> bool {
        self.known & 1 << unit.index() != 0
    }

    /// Whether nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.known == 0
    }

    /// The units with a count above zero.
    pub fn used(&self) -> impl Iterator<Item = Unit> {
        Units(self.known).filter(|u| self.count(*u) > 0)
    }

    /// Splits the usage into disjoint leaves, one per unit of `units`: what each counts beyond
    /// the units of the list that it contains. A unit off the list stays within the ones around
    /// it. `units` must be sorted from specific to general ([`Unit::depth`] descending); the
    /// leaves come in the same order and sum to the counts of the outermost units.
    ///
    /// This is the exclusive-leaf rule of genai-prices (`specs/data-driven-unit-registry`): with
    /// it no token is priced twice and none is lost, however the units of a price list overlap.
    ///
    /// # Errors
    /// [`UsageError::PartsExceedWhole`] when a leaf would be negative.
    pub fn leaves(&self, units: &[Unit], leaves: &mut Vec<i64>) -> Result<(), UsageError> {
        leaves.clear();
        for (place, &unit) in units.iter().enumerate() {
            let mut parts = 0i64;
            for (&part, &leaf) in units[..place].iter().zip(leaves.iter()) {
                if unit.contains(part) {
                    parts = parts.checked_add(leaf).ok_or(UsageError::TooLarge { unit })?;
                }
            }
            let count = self.count(unit);
            if parts > count {
                return Err(UsageError::PartsExceedWhole { whole: unit, count, parts });
            }
            leaves.push(count - parts);
        }
        Ok(())
    }

    /// Refuses a part that alone exceeds a reported whole. Whether several parts together fit
    /// can only be said of units that are known to be disjoint, which [`Usage::leaves`] checks.
    fn check_parts(&self) -> Result<(), UsageError> {
        for part in self.used() {
            for whole in Units(self.known).filter(|w| *w != part && w.contains(part)) {
                if self.count(part) > self.count(whole) {
                    let (count, parts) = (self.count(whole), self.count(part));
                    return Err(UsageError::PartsExceedWhole { whole, count, parts });
                }
            }
        }
        Ok(())
    }

    fn sum(&self, parts: &[Unit], whole: Unit) -> Result<i64, UsageError> {
        parts
            .iter()
            .try_fold(0i64, |sum, &u| sum.checked_add(self.count(u)))
            .ok_or(UsageError::TooLarge { unit: whole })
    }
}

impl std::fmt::Debug for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(Units(self.known).map(|u| (u, self.count(u)))).finish()
    }
}

/// The units whose bits are set, ascending.
struct Units(u128);

impl Iterator for Units {
    type Item = Unit;
    fn next(&mut self) -> Option<Unit> {
        let unit = Unit::at(self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(mut units: Vec<Unit>) -> Vec<Unit> {
        units.sort_by_key(|u| (std::cmp::Reverse(u.depth()), *u));
        units
    }

    #[test]
    fn exclusive_input_gains_what_the_cache_held() {
        // Anthropic: input 4, read 14,714, written 379 → 4 + 14,714 + 379 = 15,097 in all.
        let counts = [(Unit::INPUT, 4), (Unit::CACHE_READ, 14_714), (Unit::CACHE_WRITE_5M, 379)];
        let usage = Usage::reported(Basis::Exclusive, &counts).unwrap();
        assert_eq!(usage.count(Unit::INPUT), 15_097);
        assert_eq!(usage.count(Unit::CACHE_WRITE), 379);
    }

    #[test]
    fn negative_counts_and_oversized_parts_are_refused() {
        assert_eq!(
            Usage::reported(Basis::Inclusive, &[(Unit::INPUT, -1)]),
            Err(UsageError::Negative { unit: Unit::INPUT, count: -1 })
        );
        assert_eq!(
            Usage::reported(Basis::Inclusive, &[(Unit::INPUT, 10), (Unit::CACHE_READ, 11)]),
            Err(UsageError::PartsExceedWhole { whole: Unit::INPUT, count: 10, parts: 11 })
        );
    }

    #[test]
    fn tokens_that_are_cached_and_audio_are_taken_out_once() {
        // The spec's three-way overlap, with 100 input, 40 cached, 30 audio, 10 both:
        // cached audio 10, audio 30 - 10 = 20, cached 40 - 10 = 30, rest 100 - 10 - 20 - 30 = 40.
        let both = Unit::named("cache_audio_read_tokens").unwrap();
        let units = sorted(vec![Unit::INPUT, Unit::CACHE_READ, Unit::INPUT_AUDIO, both]);
        let counts =
            [(Unit::INPUT, 100), (Unit::CACHE_READ, 40), (Unit::INPUT_AUDIO, 30), (both, 10)];
        let usage = Usage::reported(Basis::Inclusive, &counts).unwrap();
        let mut leaves = Vec::new();
        usage.leaves(&units, &mut leaves).unwrap();
        assert_eq!(units, [both, Unit::CACHE_READ, Unit::INPUT_AUDIO, Unit::INPUT]);
        assert_eq!(leaves, [10, 30, 20, 40]);
    }

    #[test]
    fn disjoint_parts_that_overflow_their_whole_are_refused() {
        let units = [Unit::CACHE_READ, Unit::CACHE_WRITE, Unit::INPUT];
        let counts = [(Unit::INPUT, 10), (Unit::CACHE_READ, 6), (Unit::CACHE_WRITE, 5)];
        let usage = Usage::reported(Basis::Inclusive, &counts).unwrap();
        assert_eq!(
            usage.leaves(&units, &mut Vec::new()),
            Err(UsageError::PartsExceedWhole { whole: Unit::INPUT, count: 10, parts: 11 })
        );
    }

    proptest! {
        #[test]
        fn leaves_sum_to_the_total_under_each_basis(
            plain in 0..1_000_000i64, read in 0..1_000_000i64,
            short in 0..1_000_000i64, long in 0..1_000_000i64,
        ) {
            let written = short + long;
            let all = plain + read + written;
            let units = sorted(vec![
                Unit::INPUT, Unit::CACHE_READ, Unit::CACHE_WRITE, Unit::CACHE_WRITE_1H,
            ]);
            for (basis, input) in [(Basis::Inclusive, all), (Basis::Exclusive, plain)] {
                let usage = Usage::reported(basis, &[
                    (Unit::INPUT, input), (Unit::CACHE_READ, read),
                    (Unit::CACHE_WRITE_5M, short), (Unit::CACHE_WRITE_1H, long),
                ]).unwrap();
                let mut leaves = Vec::new();
                usage.leaves(&units, &mut leaves).unwrap();
                prop_assert_eq!(leaves.iter().sum::<i64>(), all);
                prop_assert_eq!(leaves, vec![long, read, short, plain]);
            }
        }
    }
}
