//! Parameters of questions: as texts from a door, then checked and resolved to columns and
//! instants, and from there into the parts of SQL that all questions share.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use spanledger_ledger::prices::deciding_columns;
use spanledger_schemas::{Kind, tables};

use super::Question;
use super::time::{Grain, instant, month_start};
use crate::error::QueryError;
use crate::limits;

/// Parameters as they come: all optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskParams {
    /// Columns of `calls` to group by, comma-separated; empty text: one row for all.
    pub by: Option<String>,
    /// First instant: `2026-11-01`, RFC 3339, `-24h`, `now`, or milliseconds since the epoch.
    pub from: Option<String>,
    /// First instant after it, in the same forms.
    pub to: Option<String>,
    /// Step of time: `5m`, `1h`, `1d`, `1w`, `1mo`.
    pub grain: Option<String>,
    /// `column=value` or `column!=value`; several on one column with `=` mean any of them; an
    /// empty value means unknown.
    pub filter: Vec<String>,
    /// Drift only: first instant of the reference.
    pub reference_from: Option<String>,
    /// Drift only: first instant after the reference.
    pub reference_to: Option<String>,
    /// Questions about money: prices as they were believed at this instant.
    pub as_of: Option<String>,
    /// What-if only: as if this provider had served the calls.
    pub to_provider: Option<String>,
    /// What-if only: as if this model had served the calls.
    pub to_model: Option<String>,
    /// What-if only: as if the calls had been served in this tier.
    pub to_tier: Option<String>,
    /// What-if and commitments: text of a `prices.toml`, or of the same as CSV, in place of the
    /// contracts there are.
    pub draft: Option<String>,
}

/// Parameters that some questions alone have.
const ONLY: [(&str, &[&str]); 7] = [
    ("reference_from", &["drift"]),
    ("reference_to", &["drift"]),
    ("as_of", &["spend", "commitments", "what-if", "unmapped"]),
    ("to_provider", &["what-if"]),
    ("to_model", &["what-if"]),
    ("to_tier", &["what-if"]),
    ("draft", &["what-if", "commitments"]),
];

impl AskParams {
    /// Names of the parameters, in the order of positional arguments in SQL.
    pub const NAMES: [&'static str; 12] = [
        "by",
        "from",
        "to",
        "grain",
        "filter",
        "reference_from",
        "reference_to",
        "as_of",
        "to_provider",
        "to_model",
        "to_tier",
        "draft",
    ];

    /// Sets a parameter by name; `filter` adds one.
    ///
    /// # Errors
    /// When there is no such parameter.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), QueryError> {
        let slot = match name {
            "by" => &mut self.by,
            "from" => &mut self.from,
            "to" => &mut self.to,
            "grain" => &mut self.grain,
            "reference_from" => &mut self.reference_from,
            "reference_to" => &mut self.reference_to,
            "as_of" => &mut self.as_of,
            "to_provider" => &mut self.to_provider,
            "to_model" => &mut self.to_model,
            "to_tier" => &mut self.to_tier,
            "draft" => &mut self.draft,
            "filter" => {
                self.filter.push(value.to_owned());
                return Ok(());
            }
            _ => {
                return Err(QueryError::Parameter {
                    what: "parameter".to_owned(),
                    found: name.to_owned(),
                    expected: format!("one of {}", Self::NAMES.join(", ")),
                });
            }
        };
        *slot = Some(value.to_owned());
        Ok(())
    }

    /// The first parameter that was given and that a question does not have.
    fn not_of(&self, question: &str) -> Option<&'static str> {
        let given = |name: &str| match name {
            "as_of" => self.as_of.is_some(),
            "to_provider" => self.to_provider.is_some(),
            "to_model" => self.to_model.is_some(),
            "to_tier" => self.to_tier.is_some(),
            "draft" => self.draft.is_some(),
            // Always ignored where they mean nothing; dashboards send them with every question.
            _ => false,
        };
        let odd = |(name, questions): &&(&'static str, &[&str])| {
            given(name) && !questions.contains(&question)
        };
        ONLY.iter().find(odd).map(|(name, _)| *name)
    }
}

/// Checked parameters. Instants are in microseconds since the epoch.
#[derive(Debug, Clone)]
pub struct Ask {
    pub(super) by: Vec<&'static str>,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    pub(super) grain: Option<Grain>,
    filters: Vec<Filter>,
    pub(super) reference_from: Option<Timestamp>,
    pub(super) reference_to: Option<Timestamp>,
    pub(super) as_of: Option<Timestamp>,
    pub(super) to_provider: Option<String>,
    pub(super) to_model: Option<String>,
    pub(super) to_tier: Option<String>,
    pub(super) draft: Option<String>,
    pub(super) now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Filter {
    column: &'static str,
    equal: bool,
    value: String,
}

impl Ask {
    pub(super) fn resolve(
        question: &Question,
        params: &AskParams,
        now: Timestamp,
    ) -> Result<Self, QueryError> {
        let at = |what: &str, text: &Option<String>| {
            text.as_deref().map(|text| instant(what, text, now)).transpose()
        };
        let by = match params.by.as_deref() {
            None => question.by.to_vec(),
            Some(list) => columns_of(list)?,
        };
        let (mut from, mut to) = (at("from", &params.from)?, at("to", &params.to)?);
        if question.whole {
            from = from.map(month_start);
            to = to.or(Some(now));
        }
        let grain = params.grain.as_deref().filter(|g| !g.is_empty()).map(Grain::parse);
        let ask = Ask {
            by,
            from,
            to,
            grain: grain.transpose()?,
            filters: params.filter.iter().map(|f| Filter::parse(f)).collect::<Result<_, _>>()?,
            reference_from: at("reference_from", &params.reference_from)?,
            reference_to: at("reference_to", &params.reference_to)?,
            as_of: at("as_of", &params.as_of)?,
            to_provider: params.to_provider.clone().filter(|text| !text.is_empty()),
            to_model: params.to_model.clone().filter(|text| !text.is_empty()),
            to_tier: params.to_tier.clone().filter(|text| !text.is_empty()),
            draft: params.draft.clone().filter(|text| !text.is_empty()),
            now,
        };
        let wrong = |what: &str, found: &str, expected: &str| {
            Err(QueryError::Parameter {
                what: what.to_owned(),
                found: found.to_owned(),
                expected: expected.to_owned(),
            })
        };
        if let Some(name) = params.not_of(question.name) {
            let none = format!("none: {} does not have it", question.name);
            return wrong(name, "given", &none);
        }
        if let (Some(from), Some(to)) = (ask.from, ask.to)
            && from >= to
        {
            return wrong("from", &from.to_string(), &format!("an instant before to, {to}"));
        }
        if let Some(grain) = params.grain.as_deref()
            && ask.grain.is_some()
            && !question.grain
        {
            return wrong("grain", grain, &format!("none: {} has no steps of time", question.name));
        }
        let odd = [("by", ask.by.len()), ("filter", ask.filters.len())];
        if let Some((what, _)) = odd.iter().find(|(_, given)| question.whole && *given > 0) {
            let none = format!("none: {} is about whole contracts", question.name);
            return wrong(what, "given", &none);
        }
        if params.filter.len() > limits::FILTERS_MAX {
            let most = format!("at most {}", limits::FILTERS_MAX);
            return wrong("number of filters", &params.filter.len().to_string(), &most);
        }
        Ok(ask)
    }

    /// The grouping expressions with their names: the step of time first, then `by`.
    pub(super) fn keys(&self) -> Vec<(String, &'static str)> {
        let step = self.grain.map(|grain| (grain.sql(), "time"));
        step.into_iter().chain(self.by.iter().map(|by| ((*by).to_owned(), *by))).collect()
    }

    /// Conditions on `calls` for the window and the filters, for WHERE; `true` without any.
    pub(super) fn conditions(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> String {
        let from = from.map(|at| format!("started_at >= '{at}'"));
        let to = to.map(|at| format!("started_at < '{at}'"));
        let all: Vec<_> = from.into_iter().chain(to).chain(self.filter_conditions()).collect();
        if all.is_empty() { "true".to_owned() } else { all.join(" AND ") }
    }

    /// What to read in place of `calls`: they themselves, or with what they would have cost by the
    /// prices that were believed at `as_of`.
    pub(super) fn calls(&self) -> String {
        if self.as_of.is_none() {
            return "calls".to_owned();
        }
        let columns = tables::calls::TABLE.columns.iter().map(|column| match column.name {
            name if PRICED.contains(&name) => format!("priced['{name}'] AS {name}"),
            name => name.to_owned(),
        });
        format!(
            "(SELECT {} FROM (SELECT *, {} AS priced FROM calls) AS calls) AS calls",
            columns.collect::<Vec<_>>().join(", "),
            self.price(&[]),
        )
    }

    /// A call's price, with some of its columns in place of its own.
    pub(super) fn price(&self, instead: &[(&str, String)]) -> String {
        let fields = deciding_columns().filter(|name| *name != "tenant").map(|name| {
            let own = instead.iter().find(|(column, _)| *column == name);
            format!("'{name}', {}", own.map_or(name, |(_, value)| value))
        });
        let fields = fields.collect::<Vec<_>>().join(", ");
        let as_of = self.as_of.map(|at| format!("TIMESTAMP '{at}'"));
        let draft = self.draft.as_deref().map(text);
        let rest = match (as_of, draft) {
            (None, None) => String::new(),
            (Some(at), None) => format!(", {at}"),
            (at, Some(draft)) => format!(", {}, {draft}", at.unwrap_or_else(|| "NULL".to_owned())),
        };
        format!("price(named_struct({fields}){rest})")
    }

    /// Conditions of the filters alone, for WHERE; `true` without any.
    pub(super) fn filters(&self) -> String {
        match self.filter_conditions().as_slice() {
            [] => "true".to_owned(),
            all => all.join(" AND "),
        }
    }

    /// The columns that are filtered.
    pub(super) fn filter_columns(&self) -> Vec<&'static str> {
        self.filters.iter().map(|filter| filter.column).collect()
    }

    fn filter_conditions(&self) -> Vec<String> {
        let mut conditions: Vec<String> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for filter in &self.filters {
            if !filter.equal {
                conditions.push(filter.sql());
            } else if !seen.contains(&filter.column) {
                seen.push(filter.column);
                let same = self.filters.iter().filter(|f| f.equal && f.column == filter.column);
                let any: Vec<_> = same.map(Filter::sql).collect();
                conditions.push(match any.as_slice() {
                    [one] => one.clone(),
                    _ => format!("({})", any.join(" OR ")),
                });
            }
        }
        conditions
    }
}

/// The columns of `calls` that follow from prices.
const PRICED: [&str; 7] =
    ["cost", "input_cost", "output_cost", "currency", "price_state", "price_reason", "price_ids"];

/// A text as SQL.
pub(super) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

impl Filter {
    fn parse(text: &str) -> Result<Self, QueryError> {
        let wrong = || QueryError::Parameter {
            what: "filter".to_owned(),
            found: text.to_owned(),
            expected: "`column=value` or `column!=value`".to_owned(),
        };
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        let (name, equal) = name.strip_suffix('!').map_or((name, true), |name| (name, false));
        Ok(Self { column: dimension(name.trim())?, equal, value: value.to_owned() })
    }

    fn sql(&self) -> String {
        let column = self.column;
        match (self.value.is_empty(), self.equal) {
            (true, true) => format!("{column} IS NULL"),
            (true, false) => format!("{column} IS NOT NULL"),
            (false, true) => format!("{column} = {}", text(&self.value)),
            // Unknown is not that value either: it stays.
            (false, false) => {
                // Without parentheses the parser takes what follows for the right side.
                format!("({column} IS DISTINCT FROM {})", text(&self.value))
            }
        }
    }
}

/// The columns of a comma-separated list.
fn columns_of(list: &str) -> Result<Vec<&'static str>, QueryError> {
    let names: Vec<_> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = dimension(name)?;
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    if columns.len() > limits::BY_COLUMNS_MAX {
        return Err(QueryError::Parameter {
            what: "by".to_owned(),
            found: list.to_owned(),
            expected: format!("at most {} columns", limits::BY_COLUMNS_MAX),
        });
    }
    Ok(columns)
}

/// A column of `calls` that rows can be grouped and filtered by: text or boolean.
fn dimension(name: &str) -> Result<&'static str, QueryError> {
    let columns = tables::calls::TABLE.columns.iter();
    let mut fit = columns.filter(|c| matches!(c.kind, Kind::Text | Kind::Bool)).map(|c| c.name);
    fit.clone().find(|column| *column == name).ok_or_else(|| QueryError::Parameter {
        what: "column".to_owned(),
        found: name.to_owned(),
        expected: format!("one of {}", fit.by_ref().collect::<Vec<_>>().join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::questions::spend;

    const NOW: &str = "2026-11-25T10:30:00Z";

    fn ask(pairs: &[(&str, &str)]) -> Result<Ask, QueryError> {
        let mut params = AskParams::default();
        for (name, value) in pairs {
            params.set(name, value)?;
        }
        spend::QUESTION.resolve(&params, NOW.parse().unwrap())
    }

    #[test]
    fn filters_quote_what_they_are_given() {
        let ask = ask(&[
            ("filter", "model=gpt-4o"),
            ("filter", "model=o'brien"),
            ("filter", "team!=ops"),
            ("filter", "user_id="),
        ])
        .unwrap();
        assert_eq!(
            ask.conditions(None, None),
            "(model = 'gpt-4o' OR model = 'o''brien') AND (team IS DISTINCT FROM 'ops') AND user_id IS NULL"
        );
    }

    #[test]
    fn only_columns_of_calls_are_taken() {
        assert!(ask(&[("by", "model, team,model")]).is_ok_and(|a| a.by == ["model", "team"]));
        assert!(ask(&[("by", "")]).is_ok_and(|a| a.by.is_empty()));
        for by in ["cost", "model; DROP TABLE calls", "nothing"] {
            assert!(ask(&[("by", by)]).is_err(), "{by}");
        }
        assert!(ask(&[("filter", "1=1 OR model=x")]).is_err());
        assert!(ask(&[("from", "2026-11-02"), ("to", "2026-11-01")]).is_err());
        assert!(ask(&[("grain", "2mo")]).is_err());
    }
}
