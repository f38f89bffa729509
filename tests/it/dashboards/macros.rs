//! The macros of Grafana's PostgreSQL data source, expanded as it does (grafana/grafana,
//! pkg/tsdb/grafana-postgresql-datasource/macros.go and sqleng/sql_engine.go), as far as
//! dashboards of ours may use them; any other macro is an error, as there.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The time range of a dashboard or panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    from: Timestamp,
    to: Timestamp,
}

impl Range {
    /// The range from a relative instant such as `now-7d` to `now`.
    pub(super) fn of(from: &str, now: Timestamp) -> Range {
        let back = from.strip_prefix("now-").unwrap_or_else(|| panic!("range from `{from}`"));
        let back = SignedDuration::try_from(interval(back).unwrap()).unwrap();
        Range { from: now - back, to: now }
    }
}

/// A number with one unit, as `gtime.ParseInterval` reads it.
fn interval(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "y" => 365 * 86_400,
        _ => return Err(format!("interval `{text}`")),
    };
    let count: u64 = digits.parse().map_err(|_| format!("interval `{text}`"))?;
    Ok(Duration::from_secs(count * seconds))
}

/// The query that Grafana sends for a panel's SQL.
pub(super) fn expand(sql: &str, range: &Range, interval_ms: u64) -> Result<String, String> {
    let sql = sql
        .replace("$__interval_ms", &interval_ms.to_string())
        .replace("$__interval", &format!("{}s", interval_ms / 1_000));
    let mut out = String::new();
    let mut rest = sql.as_str();
    while let Some(start) = rest.find("$__") {
        out.push_str(&rest[..start]);
        let call = &rest[start + 1..];
        let open =
            call.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(call.len());
        let Some(inside) = call[open..].strip_prefix('(') else {
            return Err(format!("`${}` is no call of a macro", &call[..open]));
        };
        let close = inside.find(')').ok_or_else(|| format!("`${call}` is not closed"))?;
        let arguments: Vec<_> = inside[..close].split(',').map(str::trim).collect();
        rest = &inside[close + 1..];
        // Without an alias of its own, a group that is followed by a comma gets one.
        let name = match &call[..open] {
            "__timeGroup" if rest.starts_with(',') => "__timeGroupAlias",
            name => name,
        };
        out.push_str(&expanded(name, &arguments, range)?);
    }
    out.push_str(rest);
    Ok(out)
}

fn expanded(name: &str, arguments: &[&str], range: &Range) -> Result<String, String> {
    let Range { from, to } = range;
    let column = arguments[0];
    let group = || {
        let text = arguments.get(1).ok_or("a group needs an interval")?.trim_matches('\'');
        let seconds = interval(text)?.as_secs();
        Ok::<_, String>(format!("floor(extract(epoch from {column})/{seconds})*{seconds}"))
    };
    Ok(match name {
        "__time" => format!("{column} AS \"time\""),
        "__timeFilter" => format!("{column} BETWEEN '{from}' AND '{to}'"),
        "__timeFrom" => format!("'{from}'"),
        "__timeTo" => format!("'{to}'"),
        "__timeGroup" => group()?,
        "__timeGroupAlias" => format!("{} AS \"time\"", group()?),
        _ => return Err(format!("unknown macro `{name}`")),
    })
}

/// The cases of Grafana's own `macros_test.go`.
#[test]
fn macros_expand_as_in_grafana() {
    let from: Timestamp = "2018-04-12T18:00:00Z".parse().unwrap();
    let range = Range { from, to: from + SignedDuration::from_mins(5) };
    let check = |sql: &str, expected: &str| {
        assert_eq!(expand(sql, &range, 60_000).unwrap(), expected);
    };
    check("select $__time(time_column)", "select time_column AS \"time\"");
    check(
        "WHERE $__timeFilter(time_column)",
        "WHERE time_column BETWEEN '2018-04-12T18:00:00Z' AND '2018-04-12T18:05:00Z'",
    );
    check("select $__timeFrom()", "select '2018-04-12T18:00:00Z'");
    check("select $__timeTo()", "select '2018-04-12T18:05:00Z'");
    check(
        "SELECT $__timeGroup(time_column,'5m'), value",
        "SELECT floor(extract(epoch from time_column)/300)*300 AS \"time\", value",
    );
    check(
        "SELECT $__timeGroup(time_column,'5m') as time, value",
        "SELECT floor(extract(epoch from time_column)/300)*300 as time, value",
    );
    check(
        "$__timeGroupAlias(time_column , '5m')",
        "floor(extract(epoch from time_column)/300)*300 AS \"time\"",
    );
    check("select $__interval_ms ", "select 60000 ");
    assert!(expand("select $__unknown(a)", &range, 60_000).is_err());
}
