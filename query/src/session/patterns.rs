//! Patterns of dates and times, from PostgreSQL's (9.8, table 9.31) to those of the planner's
//! functions (strftime): `to_timestamp`, `to_date` and `to_char`, in which BI tools write every
//! range of time.

/// PostgreSQL's words, longest first, and what they are there; none for what has no counterpart.
const WORDS: [(&str, Option<&str>); 49] = [
    ("SS.US", Some("%S%.f")),
    ("SS.MS", Some("%S%.3f")),
    ("SSSSS", None),
    ("Y,YYY", None),
    ("HH24", Some("%H")),
    ("HH12", Some("%I")),
    ("YYYY", Some("%Y")),
    ("IYYY", Some("%G")),
    ("SSSS", None),
    ("MONTH", None),
    ("Month", None),
    ("month", None),
    ("a.m.", None),
    ("p.m.", None),
    ("A.M.", None),
    ("P.M.", None),
    ("DDD", Some("%j")),
    ("DAY", None),
    ("Day", None),
    ("day", None),
    ("MON", None),
    ("Mon", Some("%b")),
    ("mon", None),
    ("TZH", None),
    ("TZM", None),
    ("YYY", None),
    ("IYY", None),
    ("YY", Some("%y")),
    ("IY", None),
    ("MM", Some("%m")),
    ("DD", Some("%d")),
    ("ID", Some("%u")),
    ("IW", Some("%V")),
    ("WW", None),
    ("HH", Some("%I")),
    ("MI", Some("%M")),
    ("SS", Some("%S")),
    ("MS", Some("%3f")),
    ("US", Some("%6f")),
    ("AM", Some("%p")),
    ("PM", Some("%p")),
    ("am", Some("%P")),
    ("pm", Some("%P")),
    ("Dy", Some("%a")),
    ("DY", None),
    ("OF", None),
    ("TZ", Some("%Z")),
    ("Q", None),
    ("J", None),
];

/// The pattern in the planner's form; unchanged when it is in that form already.
///
/// # Errors
/// The word that has no counterpart.
pub(super) fn planners(pattern: &str) -> Result<String, &'static str> {
    if pattern.contains('%') {
        return Ok(pattern.to_owned());
    }
    let mut out = String::with_capacity(2 * pattern.len());
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        // Text in double quotes stands for itself.
        if first == '"' {
            let (quoted, after) = rest[1..].split_once('"').unwrap_or((&rest[1..], ""));
            out.push_str(quoted);
            rest = after;
            continue;
        }
        // The blanks that names would be padded with, and leading zeros.
        if let Some(after) = rest.strip_prefix("FM").or_else(|| rest.strip_prefix("TM")) {
            rest = after;
            continue;
        }
        match WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, Some(planners))) => {
                out.push_str(planners);
                rest = &rest[word.len()..];
            }
            Some((word, None)) => return Err(word),
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_bi_tools_are_read() {
        for (postgresqls, expect) in [
            ("YYYY-MM-DD HH24:MI:SS.US", "%Y-%m-%d %H:%M:%S%.f"),
            ("YYYY-MM-DD", "%Y-%m-%d"),
            ("IYYY-\"W\"IW", "%G-W%V"),
            ("HH12:MI AM", "%I:%M %p"),
            ("YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"", "%Y-%m-%dT%H:%M:%SZ"),
            ("Dy, DD Mon YYYY", "%a, %d %b %Y"),
            ("%Y-%m", "%Y-%m"),
        ] {
            assert_eq!(planners(postgresqls).as_deref(), Ok(expect), "{postgresqls}");
        }
        assert_eq!(planners("YYYY-Q"), Err("Q"));
        assert_eq!(planners("Month"), Err("Month"));
    }
}
