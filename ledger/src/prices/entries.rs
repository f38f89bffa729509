//! The entries of a file of the user's own prices: TOML and CSV into the same structs. Takes bytes,
//! gives entries with the texts of their numbers and dates (I-4). What an entry means, and which keys
//! it may have, is `contract`'s.

use serde::Deserialize;
use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use super::contract::Form;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) contract: Option<String>,
    pub(super) currency: Option<String>,
    #[serde(default)]
    pub(super) price: Vec<Entry>,
    #[serde(default)]
    pub(super) discount: Vec<Entry>,
    #[serde(default)]
    pub(super) commitment: Vec<Entry>,
    #[serde(default)]
    pub(super) allowance: Vec<Entry>,
    #[serde(default)]
    pub(super) rate: Vec<Entry>,
    #[serde(default)]
    pub(super) provider: Vec<Entry>,
}

/// One table of the file, or one line; which keys it may have depends on its kind.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) provider: Option<String>,
    pub(super) model: Option<String>,
    #[serde(rename = "match")]
    pub(super) clause: Option<Value>,
    pub(super) unit: Option<String>,
    pub(super) amount: Option<Number>,
    pub(super) percent: Option<Number>,
    pub(super) rate: Option<Number>,
    pub(super) quantity: Option<Number>,
    pub(super) per: Option<Value>,
    pub(super) currency: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) region: Option<String>,
    pub(super) context_from: Option<i64>,
    pub(super) time_from: Option<String>,
    pub(super) time_to: Option<String>,
    pub(super) valid_from: Option<String>,
    pub(super) valid_to: Option<String>,
    pub(super) note: Option<String>,
    pub(super) aliases: Option<Texts>,
    pub(super) hosts: Option<Texts>,
    pub(super) resells: Option<Texts>,
    /// Where it stands in a file of lines.
    #[serde(skip)]
    pub(super) line: Option<usize>,
}

impl Entry {
    /// Where it stands: its line, or its number (from zero) among those of its kind.
    pub(super) fn place(&self, source: &str, kind: &str, at: usize) -> String {
        match self.line {
            Some(line) => format!("{source}, line {line}"),
            None => format!("{source}, {kind} {}", at + 1),
        }
    }

    /// The keys that name something, as far as they are there.
    pub(super) fn names(&mut self) -> impl Iterator<Item = (&'static str, &mut String)> {
        let names = [
            ("provider", &mut self.provider),
            ("model", &mut self.model),
            ("unit", &mut self.unit),
            ("currency", &mut self.currency),
            ("from", &mut self.from),
            ("to", &mut self.to),
            ("service_tier", &mut self.service_tier),
            ("region", &mut self.region),
        ];
        names.into_iter().filter_map(|(key, text)| Some((key, text.as_mut()?)))
    }
}

/// Several texts: a list, or one text (a cell of CSV) in which they stand apart by spaces.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Texts {
    List(Vec<String>),
    Words(String),
}

impl Texts {
    /// Each of them, in lower case.
    pub(super) fn each(&self) -> Vec<String> {
        match self {
            Texts::List(list) => list.iter().map(|text| text.trim().to_lowercase()).collect(),
            Texts::Words(words) => words.split_whitespace().map(str::to_lowercase).collect(),
        }
    }
}

/// What spreadsheets write before the first name of a CSV file.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a file; the error says what it is not.
pub(super) fn read(bytes: &[u8], form: Form) -> Result<File, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let text = text.trim_start_matches(BYTE_ORDER_MARK);
    match form {
        Form::Toml => {
            let table = DeTable::parse(text).map_err(|e| e.to_string().trim().to_owned())?;
            let json = Value::Object(object(table.get_ref()));
            // With the entry and key that it is about: `price[1].amount: …`.
            serde_path_to_error::deserialize(json).map_err(|e| e.to_string())
        }
        Form::Csv => lines(text),
    }
}

/// TOML as JSON, with numbers and dates as their texts say them.
fn object(table: &DeTable<'_>) -> Map<String, Value> {
    let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        (key.to_string(), json(value.get_ref()))
    };
    table.iter().map(entry).collect()
}

fn json(value: &DeValue<'_>) -> Value {
    let number = |text: &str| {
        let plain: String = text.trim_start_matches('+').chars().filter(|c| *c != '_').collect();
        // What is no JSON number (nan, inf, hexadecimal) stays text, and is refused where a number
        // is expected.
        serde_json::from_str::<Number>(&plain).map_or(Value::String(plain), Value::Number)
    };
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(whole) => number(whole.as_str()),
        DeValue::Float(float) => number(float.as_str()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(at) => Value::String(at.to_string()),
        DeValue::Array(list) => list.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(object(table)),
    }
}

/// CSV lines as the tables of the file.
fn lines(text: &str) -> Result<File, String> {
    const NUMBERS: [&str; 5] = ["amount", "percent", "rate", "quantity", "context_from"];
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| e.to_string())?.clone();
    if headers.len() == 1 && headers[0].contains([';', '\t']) {
        let head = &headers[0];
        return Err(format!("line 1: the columns are `{head}`, expected commas between them"));
    }
    let mut file = File {
        contract: None,
        currency: None,
        price: Vec::new(),
        discount: Vec::new(),
        commitment: Vec::new(),
        allowance: Vec::new(),
        rate: Vec::new(),
        provider: Vec::new(),
    };
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let line = record.position().map_or(0, |at| at.line() as usize);
        if record.iter().all(str::is_empty) {
            continue;
        }
        let mut entry = Map::new();
        let mut kind = "price";
        for (name, cell) in headers.iter().zip(&record).filter(|(_, cell)| !cell.is_empty()) {
            let number = || {
                serde_json::from_str::<Number>(cell)
                    .map(Value::Number)
                    .map_err(|_| format!("line {line}: {name} is `{cell}`, expected a number"))
            };
            match name {
                "kind" => kind = cell,
                "match" => {
                    let clause = serde_json::from_str(cell).map_err(|e| {
                        format!("line {line}: match is `{cell}`, expected JSON: {e}")
                    })?;
                    entry.insert(name.to_owned(), clause);
                }
                _ if NUMBERS.contains(&name) => {
                    entry.insert(name.to_owned(), number()?);
                }
                _ => {
                    entry.insert(name.to_owned(), Value::String(cell.to_owned()));
                }
            }
        }
        let entry: Entry = serde_json::from_value(Value::Object(entry))
            .map_err(|e| format!("line {line}: {e}"))?;
        let entry = Entry { line: Some(line), ..entry };
        match kind {
            "price" => file.price.push(entry),
            "discount" => file.discount.push(entry),
            "commitment" => file.commitment.push(entry),
            "allowance" => file.allowance.push(entry),
            "rate" | "exchange-rate" => file.rate.push(entry),
            "provider" => file.provider.push(entry),
            other => {
                return Err(format!(
                    "line {line}: kind is `{other}`, expected price, discount, commitment, allowance, \
                     rate or provider"
                ));
            }
        }
    }
    Ok(file)
}
