//! What is read of prices, as SQL over table `prices`: what holds, what was ever believed, what
//! changed. Takes flags, gives queries, which run at any door; it sends none.

use crate::args::ListPrices;

use super::instant;

/// A text as SQL.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn believed(at: &str) -> String {
    format!("known_from <= {at} AND (known_to IS NULL OR known_to > {at})")
}

/// The prices that hold, of those believed.
pub fn list(flags: &ListPrices) -> anyhow::Result<String> {
    let literal = |text: Option<&str>| -> anyhow::Result<String> {
        Ok(match text {
            Some(text) => format!("TIMESTAMP '{}'", instant(text)?),
            None => "now()".to_owned(),
        })
    };
    let mut conditions = vec![believed(&literal(flags.as_of.as_deref())?)];
    if flags.at.as_deref() != Some("any") {
        let at = literal(flags.at.as_deref())?;
        conditions.push(format!("(valid_from IS NULL OR valid_from <= {at})"));
        conditions.push(format!("(valid_to IS NULL OR {at} < valid_to)"));
    }
    if let Some(provider) = &flags.provider {
        conditions.push(format!("provider = {}", text(&provider.to_lowercase())));
    }
    if let Some(model) = &flags.model {
        conditions.push(format!("strpos(lower(model_name), {}) > 0", text(&model.to_lowercase())));
    }
    if flags.own {
        conditions.push("starts_with(source, 'contract ')".to_owned());
    }
    Ok(format!(
        "SELECT provider, model_name AS model, unit, coalesce(kind, 'price') AS kind, amount, currency, \
         per_quantity, context_from, service_tier, region, time_from, time_to, valid_from, valid_to, \
         source, note, price_id\nFROM prices\nWHERE {}\n\
         ORDER BY provider, model_name, kind, unit, service_tier NULLS FIRST, context_from NULLS FIRST, \
         priority",
        conditions.join(" AND ")
    ))
}

/// Everything ever believed of a model or a price, in the order in which it was learned.
pub fn show(what: &str) -> String {
    let what = text(&what.to_lowercase());
    format!(
        "SELECT provider, model_name AS model, unit, coalesce(kind, 'price') AS kind, amount, currency, \
         per_quantity, context_from, service_tier, region, time_from, time_to, valid_from, valid_to, \
         known_from, known_to, source, note, model_match, price_id\nFROM prices\n\
         WHERE price_id = {what} OR lower(model_name) = {what}\n\
         ORDER BY provider, model_name, unit, service_tier NULLS FIRST, context_from NULLS FIRST, \
         valid_from NULLS FIRST, known_from"
    )
}

/// What is believed differently at two instants. An instant is also the name of a source: when its
/// first row became known.
pub fn diff(before: &str, after: Option<&str>) -> String {
    let at = |what: &str| match instant(what) {
        Ok(at) => format!("TIMESTAMP '{at}'"),
        Err(_) => format!(
            "(SELECT min(known_from) FROM prices WHERE source = {0} OR source = 'contract ' || {0} \
             OR source = 'genai-prices ' || {0})",
            text(what)
        ),
    };
    let after = after.map_or_else(|| "now()".to_owned(), at);
    let side = |at: &str| {
        // One row per thing that is priced, of several the one that wins; the key keeps unknowns apart
        // from empty texts.
        format!(
            "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY thing ORDER BY priority) AS place \
             FROM (SELECT *, concat_ws('|', tenant, provider, model_name, unit, \
             coalesce(kind, 'price'), coalesce(service_tier, '-'), coalesce(region, '-'), \
             coalesce(CAST(context_from AS VARCHAR), '-'), coalesce(time_from, '-'), \
             coalesce(CAST(valid_from AS VARCHAR), '-')) AS thing\n  FROM prices WHERE {}) AS things) \
             AS places WHERE place = 1",
            believed(at)
        )
    };
    format!(
        "WITH before AS (\n  {}\n), after AS (\n  {}\n)\n\
         SELECT CASE WHEN before.thing IS NULL THEN 'added' WHEN after.thing IS NULL THEN 'removed' \
         ELSE 'changed' END AS change, coalesce(after.provider, before.provider) AS provider, \
         coalesce(after.model_name, before.model_name) AS model, \
         coalesce(after.unit, before.unit) AS unit, \
         coalesce(after.service_tier, before.service_tier) AS service_tier, \
         coalesce(after.context_from, before.context_from) AS context_from, \
         coalesce(after.valid_from, before.valid_from) AS valid_from, \
         before.amount AS amount_before, after.amount AS amount_after, \
         before.valid_to AS valid_to_before, after.valid_to AS valid_to_after, \
         coalesce(after.currency, before.currency) AS currency, \
         before.source AS source_before, after.source AS source_after\n\
         FROM before FULL JOIN after ON before.thing = after.thing\n\
         WHERE (before.amount IS DISTINCT FROM after.amount) \
         OR (before.valid_to IS DISTINCT FROM after.valid_to) \
         OR (before.currency IS DISTINCT FROM after.currency)\n\
         ORDER BY provider, model, unit, service_tier NULLS FIRST, context_from NULLS FIRST, valid_from",
        side(&at(before)),
        side(&after),
    )
}
