//! `prices check`: our book beside LiteLLM's map. Takes the map as a file, the book and what was
//! used from the tables; prints where they differ. The comparison is the ledger's.

use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use serde_json::json;
use spanledger_ledger::prices::{
    DEFAULT_TENANT, Difference, PriceBook, PriceRow, Standing, Used, check, read_litellm,
};
use spanledger_ledger::usage::Unit;

use super::answer;
use crate::args::{Format, Target};
use crate::client::out;
use crate::client::table::Answer;

const ARROW: &str = "application/vnd.apache.arrow.stream";

/// Units whose use is known per model: the leaves of `calls`, and what it counts beside tokens.
const LEAVES: [(&str, Unit); 14] = [
    ("input_uncached_tokens", Unit::INPUT),
    ("cache_read_tokens", Unit::CACHE_READ),
    ("cache_write_tokens", Unit::CACHE_WRITE),
    ("output_tokens", Unit::OUTPUT),
    ("input_audio_tokens", Unit::INPUT_AUDIO),
    ("output_audio_tokens", Unit::OUTPUT_AUDIO),
    ("input_image_tokens", Unit::INPUT_IMAGE),
    ("web_searches", Unit::WEB_SEARCHES),
    ("rerank_searches", Unit::RERANK_SEARCHES),
    ("input_images", Unit::INPUT_IMAGES),
    ("output_images", Unit::OUTPUT_IMAGES),
    ("input_audio_seconds", Unit::INPUT_AUDIO_SECONDS),
    ("input_characters", Unit::INPUT_CHARACTERS),
    ("input_document_pages", Unit::INPUT_PAGES),
];

/// Compares and prints.
pub async fn run(
    against: &Path,
    at: Option<jiff::Timestamp>,
    limit: usize,
    format: Format,
    target: &Target,
) -> anyhow::Result<()> {
    let at = at.unwrap_or_else(jiff::Timestamp::now).as_microsecond();
    let map = file(against)?;
    let (theirs, skipped) = read_litellm(&map)?;
    let mut rows = Vec::new();
    for batch in batches("SELECT * FROM prices WHERE known_to IS NULL", target).await? {
        rows.extend(PriceRow::of_batch(&batch)?);
    }
    // Two books are compared: what a contract says is no book's.
    rows.retain(|row| !row.own());
    let book = PriceBook::believed_at(rows, i64::MAX)?;
    let sums: Vec<_> = LEAVES
        .iter()
        .map(|(name, _)| format!("CAST(round(sum({name})) AS BIGINT) AS {name}"))
        .collect();
    // Where some price of a band begins.
    let mut bands: Vec<i64> = book.rows().iter().filter_map(|row| row.context_from).collect();
    bands.sort_unstable();
    bands.dedup();
    let over = bands.iter().rev().map(|band| format!("WHEN input_tokens > {band} THEN {band}"));
    let over = match over.collect::<Vec<_>>() {
        whens if whens.is_empty() => "0".to_owned(),
        whens => format!("CASE {} ELSE 0 END", whens.join(" ")),
    };
    let query = format!(
        "SELECT provider, model, service_tier, CAST({over} AS BIGINT) AS context_over, {} FROM calls \
         WHERE model IS NOT NULL GROUP BY 1, 2, 3, 4",
        sums.join(", ")
    );
    let mut used = Vec::new();
    for batch in batches(&query, target).await? {
        used.extend(uses(&batch)?);
    }
    let checked = check(&book, &theirs, &used, DEFAULT_TENANT, at);
    let shown = &checked.differences[..checked.differences.len().min(limit)];
    let mut out = out::stdout();
    match format {
        Format::Table | Format::Json => {
            let body = body(shown);
            if format == Format::Json {
                writeln!(out, "{body}")?;
            } else {
                let answer: Answer = serde_json::from_value(body)?;
                out.write_all(answer.table().as_bytes())?;
            }
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            csv.write_record(COLUMNS)?;
            for difference in shown {
                csv.write_record(cells(difference))?;
            }
            csv.flush()?;
        }
    }
    if format == Format::Table {
        let unknown = |d: &&Difference| d.standing == Standing::PerhapsUnknown;
        let unknown = checked.differences.iter().filter(unknown).count();
        writeln!(
            out,
            "{} prices equal, {} differ, {unknown} zeros of theirs are perhaps unknown ({} shown); {} units \
             or tiers and {} models are only theirs; {} keys of theirs have no unit of ours",
            checked.equal,
            checked.differences.len() - unknown,
            shown.len(),
            checked.only_theirs,
            checked.models_unknown,
            skipped.len()
        )?;
        writeln!(
            out,
            "perhaps-unknown: the map writes 0 for what is free and for what nobody looked up; such a zero \
             has no effect, and is no price to take over unless the provider says so"
        )?;
    }
    Ok(())
}

const COLUMNS: [&str; 13] = [
    "state",
    "provider",
    "model",
    "their_model",
    "unit",
    "service_tier",
    "context_from",
    "ours",
    "theirs",
    "used",
    "effect",
    "currency",
    "price_id",
];

fn cells(d: &Difference) -> [String; 13] {
    let ours = &d.ours;
    [
        d.standing.word().to_owned(),
        ours.provider.to_string(),
        ours.model_name.to_string(),
        d.model.clone(),
        ours.unit.to_string(),
        ours.service_tier.as_deref().unwrap_or_default().to_owned(),
        ours.context_from.map(|from| from.to_string()).unwrap_or_default(),
        ours.amount.to_string(),
        d.theirs.to_string(),
        d.quantity.to_string(),
        d.effect.map(|effect| effect.to_string()).unwrap_or_default(),
        ours.currency.to_string(),
        ours.id(),
    ]
}

/// The differences in the shape of an answer of the HTTP API.
fn body(differences: &[Difference]) -> serde_json::Value {
    let columns: Vec<_> =
        COLUMNS.iter().map(|name| json!({"name": name, "type": "text"})).collect();
    let rows: Vec<_> = differences.iter().map(|d| json!(cells(d))).collect();
    json!({"columns": columns, "rows": rows})
}

fn file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::read(path).with_context(|| format!("reading `{}`", path.display()))?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice())
        .read_to_end(&mut plain)
        .with_context(|| format!("unpacking `{}`", path.display()))?;
    Ok(plain)
}

async fn batches(query: &str, target: &Target) -> anyhow::Result<Vec<RecordBatch>> {
    let body = answer(query, ARROW, target).await?;
    let reader = StreamReader::try_new(body.as_slice(), None).context("reading the answer")?;
    reader.collect::<Result<_, _>>().context("reading the answer")
}

fn uses(batch: &RecordBatch) -> anyhow::Result<Vec<Used>> {
    let text = |name: &str| -> anyhow::Result<_> {
        let column = batch.column_by_name(name).context("reading the answer")?;
        Ok(arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8)?)
    };
    let (provider, model) = (text("provider")?, text("model")?);
    let (provider, model) = (provider.as_string::<i32>(), model.as_string::<i32>());
    let tier = text("service_tier")?;
    let tier = tier.as_string::<i32>();
    let over = batch.column_by_name("context_over").context("reading the answer")?;
    let over = over.as_primitive::<Int64Type>();
    let mut used = Vec::new();
    for (name, unit) in LEAVES {
        let column = batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int64Type>());
        let column = column.with_context(|| format!("column `{name}` is missing"))?;
        for i in (0..batch.num_rows()).filter(|&i| column.is_valid(i) && column.value(i) > 0) {
            used.push(Used {
                provider: provider.is_valid(i).then(|| provider.value(i).to_owned()),
                model: model.value(i).to_owned(),
                service_tier: tier.is_valid(i).then(|| tier.value(i).to_owned()),
                context_over: over.value(i),
                unit,
                quantity: column.value(i),
            });
        }
    }
    Ok(used)
}
