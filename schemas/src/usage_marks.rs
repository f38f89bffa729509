//! Marks in `usage_reason`: what a rule knows to be missing from the numbers it let through. One
//! that reads a call acts upon the mark; the words around it are for people and may change. Owns
//! their spelling; which rule has which is `normalise`'s matter.

/// The library tells no cached tokens: uncached input, and so the price, is an upper bound, or,
/// where cached tokens stand beside input, all input is not known and the price a lower one.
pub const CACHED_UNTOLD: &str = "[cached-untold]";

/// The library guesses the usage of streams, or counts it wrong, and does not say which calls were
/// streams: the numbers may not be the provider's.
pub const PERHAPS_ESTIMATED: &str = "[perhaps-estimated]";
