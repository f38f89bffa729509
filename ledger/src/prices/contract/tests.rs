//! Tests of the reader of contracts: what it takes, what it refuses, and how it says so.

use super::*;

fn toml(text: &str) -> Result<Contract, PriceError> {
    read(text.as_bytes(), Form::Toml, "default", "prices.toml", 7)
}

#[test]
fn example_of_the_header_is_read() {
    let header = include_str!("../contract.rs");
    let lines = header.lines().map_while(|l| l.strip_prefix("//!"));
    let example: Vec<&str> = lines
        .skip_while(|l| *l != " ```toml")
        .skip(1)
        .take_while(|l| *l != " ```")
        .map(|l| l.strip_prefix(' ').unwrap_or(l))
        .collect();
    let contract = toml(&example.join("\n")).unwrap();
    let (stated, prices): (Vec<_>, Vec<_>) =
        contract.rows.iter().partition(|r| &*r.provider == "acme");
    let facts: Vec<_> = stated.iter().map(|r| (r.kind.word(), &*r.model_name)).collect();
    let expected = [
        ("provider-name", "acme"),
        ("provider-name", "acme-llm"),
        ("provider-name", "acme.*"),
        ("provider-host", "llm.acme.example"),
        ("provider-host", "*.acme.internal"),
        ("resells", "openai"),
    ];
    assert_eq!(facts, expected);
    let kinds: Vec<_> = prices.iter().map(|r| r.kind.word()).collect();
    assert_eq!(kinds, ["price", "discount", "commitment", "allowance", "exchange-rate"]);
    assert_eq!(&*contract.source, "contract acme 2026");
    let price = prices[0];
    assert_eq!((price.amount.to_string(), &*price.currency), ("2.1".to_owned(), "EUR"));
    // 2026-01-01T00:00:00Z is 1,767,225,600 s after the epoch.
    assert_eq!(price.valid_from, Some(1_767_225_600_000_000));
    assert_eq!(prices[2].per_quantity, 3_600);
}

#[test]
fn amounts_are_read_from_their_text_and_csv_says_the_same_as_toml() {
    // As a float 0.1 + 0.2 would not be 0.3; the text is.
    let from_toml = toml(
        "[[price]]\nprovider = \"OpenAI\"\nmodel = \"GPT-4o\"\nunit = \"input_tokens\"\n\
         amount = 0.30000000001\nvalid_from = 2026-01-01\n",
    )
    .unwrap();
    let csv = "provider,model,unit,amount,valid_from\n\
               openai,gpt-4o,input_tokens,0.30000000001,2026-01-01\n";
    let from_csv = read(csv.as_bytes(), Form::Csv, "default", "prices.toml", 7).unwrap();
    assert_eq!(from_toml.rows, from_csv.rows);
    assert_eq!(from_csv.rows[0].amount, Money::parse("0.30000000001").unwrap());
}

#[test]
fn providers_of_ones_own_are_the_same_in_csv() {
    let from_toml = toml(
        "[[provider]]\nprovider = \"Acme\"\naliases = [\"acme-llm\", \"acme.*\"]\n\
         hosts = [\"llm.acme.example\"]\nresells = [\"azure_openai\"]\n",
    )
    .unwrap();
    // Written by a spreadsheet, with its byte order mark.
    let csv = "\u{feff}kind,provider,aliases,hosts,resells\n\
               provider,acme,acme-llm acme.*,llm.acme.example,azure\n";
    let from_csv = read(csv.as_bytes(), Form::Csv, "default", "prices.toml", 7).unwrap();
    assert_eq!(from_toml.rows, from_csv.rows);
    assert_eq!(Form::of(csv), Form::Csv);
}

#[test]
fn form_of_a_text_is_that_of_its_first_line() {
    for text in ["[[price]]\n", "# a,b\n\ncontract = \"x\"\n", "", "# nothing\n"] {
        assert_eq!(Form::of(text), Form::Toml, "{text}");
    }
    for text in ["kind,provider,percent\ndiscount,openai,5\n", "provider\n"] {
        assert_eq!(Form::of(text), Form::Csv, "{text}");
    }
}

#[test]
fn what_means_nothing_is_refused_and_named() {
    let check = |text: &str, says: &str| {
        let error = toml(text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    let price = "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nunit = \"input_tokens\"\n";
    check(&format!("{price}amount = -1"), "amount is -1, expected zero or more");
    check(&format!("{price}amount = nan"), "\"nan\", expected a JSON number");
    check(price, "`amount` is missing");
    check(&format!("{price}amount = 1\npercent = 2"), "`percent` means nothing in a price");
    check(&format!("{price}amount = 1\ntyer = 2"), "tyer");
    check(&format!("{price}amount = 1\nvalid_from = \"soon\""), "valid_from is `soon`");
    check("[[discount]]\nprovider = \"x\"\npercent = 101", "percent is 101");
    check(
        "[[price]]\nprovider = \"x\"\nmodel = \"y\"\nunit = \"any\"\namount = 1",
        "unit is `any`",
    );
    check("[[provider]]\nprovider = \"a\"\nmodel = \"b\"", "`model` means nothing in a provider");
    check("[[provider]]\nprovider = \"a\"\naliases = [\"*\"]", "expected a name");
    check("[[rate]]\nfrom = \"USD\"\nto = \"euro\"\nrate = 1", "currency is `euro`");
}
