//! Every bound of the ledger, each with its reason (I-9).

/// Digits after the point of a published price. With 12, a price per million tokens divides into
/// a price per token without rounding: 12 + 6 = 18, the scale of money.
pub const PRICE_DECIMALS_MAX: u32 = 12;

/// Distinct (provider, models, tier, region, host) combinations whose prices a pricer remembers.
/// Beyond it the memory is emptied and fills again: a client that invents model names costs time,
/// never memory.
pub const PRICE_MATCHES_MAX: usize = 10_000;

/// Distinct model names in the metric of unpriced calls; later ones count under `other`.
pub const UNPRICED_MODEL_LABELS_MAX: usize = 50;
