//! Tests of the user's own prices over the bundled book: which wins, what is converted, what is
//! covered. Each with its arithmetic; list prices are those of gpt-4o ($2.50 in, $1.25 read, $10 out,
//! batch $1.25 and $5) and of GPT-5.5.

use super::contract::{self, Form};
use super::{CallFacts, PriceBook, PriceRow, PriceState, Quote, bundled, history};
use crate::usage::{Basis, Unit, Usage};

/// 2026-11-20T12:00:00Z
const AT: i64 = 1_795_176_000_000_000;

fn book(contract: &str) -> std::sync::Arc<PriceBook> {
    static BOOKS: std::sync::OnceLock<Vec<PriceRow>> = std::sync::OnceLock::new();
    let mut rows = BOOKS.get_or_init(|| bundled::history().unwrap()).clone();
    let own = contract::read(contract.as_bytes(), Form::Toml, "default", "test", 1).unwrap();
    rows.extend(own.rows);
    let rows = history::discount(rows, &bundled::resells().unwrap(), 1);
    PriceBook::believed_at(rows, i64::MAX).unwrap()
}

#[derive(Clone, Copy)]
struct Call {
    tenant: &'static str,
    provider: &'static str,
    model: &'static str,
    tier: Option<&'static str>,
    region: Option<&'static str>,
    host: Option<&'static str>,
    at: i64,
    usage: &'static [(Unit, i64)],
}

/// A million tokens in, a hundred thousand out.
const GPT: Call = Call {
    tenant: "default",
    provider: "openai",
    model: "gpt-4o-2024-08-06",
    tier: None,
    region: None,
    host: None,
    at: AT,
    usage: &[(Unit::INPUT, 1_000_000), (Unit::OUTPUT, 100_000)],
};

fn quote(contract: &str, call: &Call) -> Quote {
    quote_by(&book(contract), call)
}

fn quote_by(book: &std::sync::Arc<PriceBook>, call: &Call) -> Quote {
    let usage = Usage::reported(Basis::Inclusive, call.usage).unwrap();
    book.quote(&CallFacts {
        tenant: Some(call.tenant),
        provider: Some(call.provider),
        request_model: Some(call.model),
        response_model: None,
        service_tier: call.tier,
        region: call.region,
        server_address: call.host,
        at: call.at,
        usage: &usage,
    })
}

fn check(contract: &str, call: &Call, state: PriceState, total: &str, reason: &str) -> Quote {
    let quote = quote(contract, call);
    let got = (quote.state, quote.total.to_string());
    assert_eq!(got, (state, total.to_owned()), "{quote:?}");
    assert!(quote.reason.contains(reason), "{quote:?}");
    quote
}

fn price(rest: &str) -> String {
    format!(
        "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nunit = \"input_tokens\"\n{rest}\n"
    )
}

#[test]
fn own_price_wins_unit_by_unit_and_for_its_tenant_alone() {
    let own = price("amount = 2");
    // 2 + 0.1 × 10 = 3: input by contract, output by the book; for others 2.5 + 1.
    check(&own, &GPT, PriceState::Priced, "3", "");
    check(&own, &Call { tenant: "other", ..GPT }, PriceState::Priced, "3.5", "");
    check("", &GPT, PriceState::Priced, "3.5", "");
}

#[test]
fn own_standard_price_gives_way_to_the_books_price_of_the_calls_tier() {
    let batch = Call { tier: Some("batch"), ..GPT };
    let own = price("amount = 2");
    // Batch by the book: 1.25 + 0.1 × 5 = 1.75; the standard contract is dearer than that.
    check(&own, &batch, PriceState::Priced, "1.75", "");
    // A contract that names the tier, or any, wins: 1 + 0.5.
    check(&price("amount = 1\nservice_tier = \"batch\""), &batch, PriceState::Priced, "1.5", "");
    check(&price("amount = 1\nservice_tier = \"*\""), &batch, PriceState::Priced, "1.5", "");
    // A contract for batch says nothing of standard calls.
    check(&price("amount = 1\nservice_tier = \"batch\""), &GPT, PriceState::Priced, "3.5", "");
}

#[test]
fn band_leaves_what_is_below_it_to_the_next_price() {
    let small = Call { usage: &[(Unit::INPUT, 200_000), (Unit::OUTPUT, 100_000)], ..GPT };
    // Below the band it is the book's: 0.2 × 2.5 + 1; above 3 + 1.
    let band = price("amount = 3\ncontext_from = 200000");
    check(&band, &small, PriceState::Priced, "1.5", "");
    check(&band, &GPT, PriceState::Priced, "4", "");
    // A base of its own that began earlier: 0.2 × 2 + 1, and 3 + 1.
    let banded = price("amount = 2\nvalid_from = 2026-01-01")
        + &price("amount = 3\ncontext_from = 200000\nvalid_from = 2026-11-01");
    check(&banded, &small, PriceState::Priced, "1.4", "");
    check(&banded, &GPT, PriceState::Priced, "4", "");
    // Where nobody prices what is below, that is unknown, and not zero.
    let alone = "[[price]]\nprovider = \"shadow\"\nmodel = \"ctx\"\nunit = \"input_tokens\"\n\
                 amount = 3\ncontext_from = 200000";
    let of = Call { provider: "shadow", model: "ctx", usage: &[(Unit::INPUT, 200_000)], ..GPT };
    let reason = "no price for input_tokens up to 200000 input tokens";
    check(alone, &of, PriceState::Unpriced, "0", reason);
    let over = Call { usage: &[(Unit::INPUT, 200_001)], ..of };
    // 200,001 × 3 ÷ 10^6
    check(alone, &over, PriceState::Priced, "0.600003", "");
}

#[test]
fn narrower_own_price_wins_wherever_it_stands() {
    let batch_in_eu = Call { tier: Some("batch"), region: Some("eu"), ..GPT };
    let regional = price("amount = 9\nregion = \"eu\"");
    // A price that names no tier gives way to the book's batch price: 1.25 + 0.1 × 5.
    check(&regional, &batch_in_eu, PriceState::Priced, "1.75", "");
    let batch = regional.clone() + &price("amount = 1\nservice_tier = \"batch\"");
    check(&batch, &batch_in_eu, PriceState::Priced, "1.5", "");
    let both = batch + &price("amount = 0.8\nservice_tier = \"batch\"\nregion = \"eu\"");
    check(&both, &batch_in_eu, PriceState::Priced, "1.3", "");
    check(&both, &Call { region: Some("eu"), ..GPT }, PriceState::Priced, "10", "");
    // A model by its name before a pattern: 2 + 1.
    let pattern = price("amount = 7").replace("gpt-4o", "gpt*") + &price("amount = 2");
    check(&pattern, &GPT, PriceState::Priced, "3", "");
    // What is for the standard tier is for calls without one, too.
    let standard = price("amount = 2\nservice_tier = \"standard\"");
    check(&standard, &GPT, PriceState::Priced, "3", "");
    check(&standard, &Call { tier: Some("batch"), ..GPT }, PriceState::Priced, "1.75", "");
}

#[test]
fn draft_takes_the_place_of_what_is_stated_of_its_providers() {
    let rows = |text: &str, name: &str| {
        contract::read(text.as_bytes(), Form::Toml, "default", name, 1).unwrap()
    };
    let mut all = bundled::history().unwrap();
    let other = "[[price]]\nprovider = \"anthropic\"\nmodel = \"claude-sonnet-4-5\"\n\
                 unit = \"input_tokens\"\namount = 1\n";
    all.extend(rows(&(price("amount = 2") + other), "now").rows);
    let draft = rows(&price("amount = 1"), "draft");
    let book = PriceBook::under(all, &draft, i64::MAX).unwrap();
    let usage = &[(Unit::INPUT, 1_000_000)];
    let cost = |provider, model| {
        quote_by(&book, &Call { provider, model, usage, ..GPT }).total.to_string()
    };
    assert_eq!(cost("openai", "gpt-4o"), "1");
    assert_eq!(cost("anthropic", "claude-sonnet-4-5"), "1");
}

#[test]
fn own_price_has_bands_windows_regions_and_dates() {
    let banded = price("amount = 2") + &price("amount = 3\ncontext_from = 200000");
    // 1,000,000 > 200,000: 3 + 1; 200,000 is not above: 0.2 × 2 + 1.
    check(&banded, &GPT, PriceState::Priced, "4", "");
    let small = &[(Unit::INPUT, 200_000), (Unit::OUTPUT, 100_000)];
    check(&banded, &Call { usage: small, ..GPT }, PriceState::Priced, "1.4", "");

    // From 22:00 to 06:00 it is $1; at noon $2.
    let nightly =
        price("amount = 2") + &price("amount = 1\ntime_from = \"22:00\"\ntime_to = \"06:00\"");
    check(&nightly, &GPT, PriceState::Priced, "3", "");
    let night = AT + 11 * 3_600_000_000;
    check(&nightly, &Call { at: night, ..GPT }, PriceState::Priced, "2", "");

    let regional = price("amount = 2.2\nregion = \"eu\"");
    check(&regional, &Call { region: Some("EU"), ..GPT }, PriceState::Priced, "3.2", "");
    check(&regional, &Call { region: Some("us"), ..GPT }, PriceState::Priced, "3.5", "");

    // A contract that begins at midnight UTC of the 21st, with calls on both sides.
    let dated = price("amount = 2\nvalid_from = 2026-11-21");
    let midnight = AT + 12 * 3_600_000_000;
    check(&dated, &Call { at: midnight - 1, ..GPT }, PriceState::Priced, "3.5", "");
    check(&dated, &Call { at: midnight, ..GPT }, PriceState::Priced, "3", "");
}

#[test]
fn discount_reduces_every_unit_and_tier_and_what_is_resold() {
    let off = |provider: &str| format!("[[discount]]\nprovider = \"{provider}\"\npercent = 20\n");
    // 0.8 × 3.5 and, in batch, 0.8 × 1.75.
    check(&off("openai"), &GPT, PriceState::Priced, "2.8", "");
    check(&off("openai"), &Call { tier: Some("batch"), ..GPT }, PriceState::Priced, "1.4", "");
    check(&off("anthropic"), &GPT, PriceState::Priced, "3.5", "");
    // A stated price is not reduced once more: 2 + 0.8 × 1.
    check(&(price("amount = 2") + &off("openai")), &GPT, PriceState::Priced, "2.8", "");
    // A model's own discount goes before that of its provider, and they are not added: half of 3.5.
    let both =
        off("openai") + "[[discount]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\npercent = 50\n";
    check(&both, &GPT, PriceState::Priced, "1.75", "");
    // Azure sells GPT-5.5 at the price of openai where the book lists none of its own; either way
    // the discount of Azure holds: 0.8 × what it costs without.
    let azure = Call { provider: "azure", model: "gpt-5.5", ..GPT };
    let list = quote("", &azure);
    let reduced = quote(&off("azure"), &azure);
    assert_eq!(reduced.total.0 * 10, list.total.0 * 8, "{list:?} {reduced:?}");
}

#[test]
fn currencies_are_converted_at_the_rate_of_the_day_or_not_at_all() {
    let rate = |amount: &str, from: &str| {
        format!("[[rate]]\nfrom = \"USD\"\nto = \"EUR\"\nrate = {amount}\nvalid_from = {from}\n")
    };
    let euros = price("amount = 2\ncurrency = \"EUR\"");
    // Input €2; output 0.1 × $10 = $1 at 0.9 = €0.90.
    let rates = rate("0.8", "2026-01-01") + &rate("0.9", "2026-11-20") + &rate("0.7", "2026-11-21");
    let quote = check(&(euros.clone() + &rates), &GPT, PriceState::Priced, "2.9", "");
    assert_eq!((quote.currency.as_deref(), quote.beside.len()), (Some("EUR"), 1));
    check(&euros, &GPT, PriceState::PartPriced, "2", "no exchange rate from USD to EUR");
}

#[test]
fn commitment_covers_its_calls_and_no_others() {
    let units = "[[commitment]]\nprovider = \"azure\"\nmodel = \"gpt-4o\"\n\
                 service_tier = \"provisioned\"\namount = 36\nper = \"hour\"\n";
    let azure = Call { provider: "azure", tier: Some("provisioned"), ..GPT };
    let quote = check(units, &azure, PriceState::Priced, "0", "covered by a commitment");
    assert_eq!((quote.currency.as_deref(), quote.beside.len()), (Some("USD"), 1));
    let standard = Call { provider: "azure", ..GPT };
    assert!(self::quote(units, &standard).total.0 > 0);
}

#[test]
fn providers_and_engines_of_ones_own_can_be_priced() {
    let own = "[[price]]\nprovider = \"vllm\"\nmodel = \"llama*\"\nunit = \"input_tokens\"\n\
               amount = 0.1\n[[price]]\nprovider = \"vllm\"\nmodel = \"llama*\"\n\
               unit = \"output_tokens\"\namount = 0.4\n";
    // 0.1 + 0.1 × 0.4 = 0.14
    let call = Call { provider: "vllm", model: "llama-3.3-70b", ..GPT };
    check(own, &call, PriceState::Priced, "0.14", "");
    check("", &call, PriceState::Unpriced, "0", "vllm serves models of one's own");
}

/// A provider of one's own, known by other names and hosts, with a price for one model.
const ACME: &str = "[[provider]]\nprovider = \"acme\"\naliases = [\"acme-llm\", \"acme.*\"]\n\
    hosts = [\"llm.acme.example\", \"*.acme.internal\"]\n\
    [[price]]\nprovider = \"acme\"\nmodel = \"llama*\"\nunit = \"input_tokens\"\namount = 0.1\n\
    [[price]]\nprovider = \"acme\"\nmodel = \"llama*\"\nunit = \"output_tokens\"\namount = 0.4\n";

#[test]
fn provider_of_ones_own_is_known_by_its_aliases_and_hosts() {
    let llama = Call { model: "llama-3.3-70b", ..GPT };
    // 0.1 + 0.1 × 0.4 = 0.14, whatever name or host tells that it is theirs.
    for provider in ["acme", "Acme-LLM", "acme.eu-1"] {
        check(ACME, &Call { provider, ..llama }, PriceState::Priced, "0.14", "");
    }
    for host in ["https://llm.acme.example:8443/v1", "gpu7.acme.internal"] {
        let call = Call { host: Some(host), provider: "openai", ..llama };
        check(ACME, &call, PriceState::Priced, "0.14", "");
    }
    // A host like it is not it; and another tenant has no such provider.
    let elsewhere = Call { host: Some("llm.acme.example.org"), ..llama };
    check(ACME, &elsewhere, PriceState::Unpriced, "0", "openai lists no `llama-3.3-70b`");
    let other = Call { tenant: "other", provider: "acme-llm", ..llama };
    check(ACME, &other, PriceState::Unpriced, "0", "unknown provider `acme-llm`");
}

#[test]
fn provider_of_ones_own_costs_what_it_states_or_resells_and_nothing_else() {
    let gpt = Call { provider: "acme-llm", ..GPT };
    check(ACME, &gpt, PriceState::Unpriced, "0", "acme lists no `gpt-4o-2024-08-06`");
    // The same behind a client that says openai: it is not OpenAI's.
    let host = Some("llm.acme.example");
    check(ACME, &Call { host, ..GPT }, PriceState::Unpriced, "0", "acme lists no `gpt-4o");
    // At the list price of openai, 2.5 + 1; its own prices stay.
    let resells = ACME.replacen("hosts =", "resells = [\"openai\"]\nhosts =", 1);
    check(&resells, &gpt, PriceState::Priced, "3.5", "acme at the price of openai");
    let llama = Call { model: "llama-3.3-70b", ..gpt };
    check(&resells, &llama, PriceState::Priced, "0.14", "");
    // A discount of the reseller: 0.8 × 3.5.
    let off = resells + "[[discount]]\nprovider = \"acme\"\npercent = 20\n";
    check(&off, &gpt, PriceState::Priced, "2.8", "");
}

#[test]
fn alias_may_lead_to_a_provider_of_the_book() {
    let alias = "[[provider]]\nprovider = \"openai\"\naliases = [\"corp-gateway\"]\n";
    // Without the alias the model alone decides, which is said.
    let call = Call { provider: "corp-gateway", ..GPT };
    check("", &call, PriceState::Priced, "3.5", "unknown provider `corp-gateway`");
    let quote = check(alias, &call, PriceState::Priced, "3.5", "");
    assert_eq!(quote.reason, "");
}

#[test]
fn price_for_one_model_takes_none_from_others() {
    // Nobody states the provider: its gpt-4o is priced as before.
    let own = "[[price]]\nprovider = \"litellm\"\nmodel = \"ours\"\nunit = \"input_tokens\"\n\
               amount = 1\n";
    let call = Call { provider: "litellm", ..GPT };
    for tenant in ["default", "other"] {
        check(own, &Call { tenant, ..call }, PriceState::Priced, "3.5", "openai's own model");
    }
}
