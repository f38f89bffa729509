//! `prices`: dated prices, bitemporal: when a price holds, and when we knew it.

use super::{TENANT, date};
use crate::table::Kind::{Decimal, Instant, Int, Text};
use crate::table::{Column, Table, optional, required};

/// The table.
pub static TABLE: Table = Table {
    name: "prices",
    row: "one price of one usage unit of a model, with when it holds and when it was known",
    written_by: "ledger (price import)",
    columns: COLUMNS,
    sort_by: &["provider", "model_name", "unit"],
    bloom: &[],
    key: &["tenant", "price_id"],
};

const COLUMNS: &[Column] = &[
    date("known_from"),
    TENANT,
    required(
        "price_id",
        Text,
        "",
        "id of the row, a hash of what it says: the same price imported twice has one id",
        "book",
    ),
    required("provider", Text, "", "provider the price is of, in the book's spelling", "book"),
    required("model_name", Text, "", "the book's id of the model", "book"),
    required(
        "model_match",
        Text,
        "JSON",
        "which model names it holds for: equals, starts_with, ends_with, contains, regex, and, or",
        "book",
    ),
    required(
        "unit",
        Text,
        "",
        "usage it prices, such as input_tokens, cache_read_tokens, output_tokens, requests",
        "book",
    ),
    required(
        "per_quantity",
        Int,
        "units",
        "quantity the amount is for; 1000000 for tokens",
        "book",
    ),
    required("amount", Decimal, "currency", "price of that quantity", "book"),
    required("currency", Text, "ISO 4217", "currency of the amount", "book"),
    optional(
        "context_from",
        Int,
        "input tokens",
        "the whole call takes this price when its input exceeds this number",
        "book tiers",
    ),
    optional("time_from", Text, "HH:MM UTC", "start of the daily window it holds in", "book"),
    optional("time_to", Text, "HH:MM UTC", "end of the daily window it holds in", "book"),
    optional("service_tier", Text, "", "tier it holds for; null for the standard one", "book"),
    optional("region", Text, "", "region it holds for; null for any", "book"),
    required(
        "priority",
        Int,
        "",
        "position in the book: of the rows that hold, the lowest number wins",
        "book order",
    ),
    optional("valid_from", Instant, "", "first instant it holds; null without a beginning", "book"),
    optional(
        "valid_to",
        Instant,
        "",
        "first instant it no longer holds; null without an end",
        "book",
    ),
    required(
        "known_from",
        Instant,
        "",
        "when it was learned",
        "date of the book, or of the import",
    ),
    optional(
        "known_to",
        Instant,
        "",
        "when it was replaced by a correction; null while believed",
        "later import",
    ),
    optional(
        "kind",
        Text,
        "",
        "null: a price; discounted: a price made by a discount; discount: percent off in amount; commitment: price of a period of per_quantity seconds, 0 for a calendar month, whose calls cost nothing beside; allowance: the first amount units of each period of per_quantity seconds are free, 0 for a calendar month; exchange-rate: units of currency for one unit of the currency in model_name; provider-name, provider-host: calls whose provider's name or whose host model_match matches are the provider's; resells: the provider takes the prices of the one in model_name",
        "import",
    ),
    required("source", Text, "", "book, contract or import, with its name and version", "import"),
    optional("note", Text, "", "remark", "book"),
];
