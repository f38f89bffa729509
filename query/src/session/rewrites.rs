//! Rewrites that clients' catalog queries need beside those of the parser that we take: before it has
//! read a text, and after.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Select, SelectItem, Statement, TableAliasColumnDef,
    TableFactor, Value, VisitMut, VisitorMut,
};
use regex::Regex;

use super::{activity, patterns};
use crate::error::QueryError;

/// What a column is called that stands in a query a second time, with its number behind it.
pub(crate) const AGAIN: &str = "__again_";

/// What is looked for, a word that a text must hold to be searched, and what stands instead.
struct Rewrite {
    word: &'static str,
    pattern: &'static str,
    instead: &'static str,
}

const TEXTS: [Rewrite; 5] = [
    // Grafana's question for the schemas of the search path, which the parser's own rewrites answer
    // by none, so that its query builder lists no tables: here it is the one schema there is.
    Rewrite {
        word: "search_path",
        pattern: concat!(
            r#"(?is)SELECT\s+CASE\s+WHEN\s+trim\(s\[i\]\)\s*=\s*'"\$user"'\s+THEN\s+user\s+"#,
            r#"ELSE\s+trim\(s\[i\]\)\s+END\s+FROM\s+generate_series\(.*?\)\s+as\s+i\s*,\s*"#,
            r#"string_to_array\(current_setting\('search_path'\)\s*,\s*','\)\s+s\b"#,
        ),
        instead: "'public'",
    },
    // psycopg's question for the types of extensions; the cast is what the parser knows.
    Rewrite {
        word: "to_regtype",
        pattern: r"(?i)\b(?:pg_catalog\.)?to_regtype\(\s*(\$\d+|'(?:[^']|'')*')\s*\)",
        instead: "${1}::regtype",
    },
    // psql's `\\d+`: options of storage, which no table here has.
    Rewrite {
        word: "toast.",
        pattern: concat!(
            r"(?is)pg_catalog\.array_to_string\(c\.reloptions\s*\|\|\s*array\(\s*select\s+'toast\.'",
            r"\s*\|\|\s*x\s+from\s+pg_catalog\.unnest\(tc\.reloptions\)\s+x\s*\),\s*', '\)",
        ),
        instead: "NULL::text",
    },
    // Functions that types are read by stand in the catalog by their names, not by their ids.
    Rewrite {
        word: "regproc",
        pattern: r"(?i)'(?:pg_catalog\.)?([a-z_]\w*)'::(?:pg_catalog\.)?regproc\b",
        instead: "'${1}'",
    },
    Rewrite {
        word: "typreceive",
        pattern: r"(?i)\b(\w+)\.oid\s*=\s*(\w+)\.typreceive\b",
        instead: "${1}.proname = ${2}.typreceive",
    },
];

/// The text with what its reader would not understand in other words.
pub(super) fn of_text(text: &str) -> Cow<'_, str> {
    static PATTERNS: LazyLock<Vec<Option<Regex>>> =
        LazyLock::new(|| TEXTS.iter().map(|rewrite| Regex::new(rewrite.pattern).ok()).collect());
    let mut text = Cow::Borrowed(text);
    for (rewrite, pattern) in TEXTS.iter().zip(PATTERNS.iter()) {
        if let Some(pattern) = pattern.as_ref().filter(|_| text.contains(rewrite.word)) {
            text = Cow::Owned(pattern.replace_all(&text, rewrite.instead).into_owned());
        }
    }
    text
}

/// What PostgreSQL says otherwise than the planner: computed names as `regclass`, which the parser's
/// own rewrites leave to a cast that takes numbers only; patterns of times; the column of a series,
/// which has the name of its alias; columns that stand twice; and statistics without their schema.
///
/// # Errors
/// [`QueryError::Unsupported`] for a pattern that the planner cannot write.
pub(super) fn of_statements(statements: &mut Vec<Statement>) -> Result<(), QueryError> {
    match statements.visit(&mut Rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = QueryError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        match expr {
            Expr::Cast { expr: inner, data_type, .. }
                if matches!(**inner, Expr::Function(_))
                    && data_type.to_string().eq_ignore_ascii_case("regclass") =>
            {
                let name = std::mem::replace(&mut **inner, Expr::value(Value::Null));
                *expr = call("to_regclass", vec![name]);
            }
            Expr::Function(function) => return in_planners_pattern(function),
            // The planner knows the backslash alone as what takes a sign's meaning.
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                if let Some(Value::SingleQuotedString(sign)) =
                    escape_char.as_ref().map(|e| &e.value)
                    && sign != "\\"
                {
                    let text = |text: &str| Expr::value(Value::SingleQuotedString(text.to_owned()));
                    let said = std::mem::replace(&mut **pattern, Expr::value(Value::Null));
                    let plain = call("replace", vec![said, text("\\"), text("\\\\")]);
                    **pattern = call("replace", vec![plain, text(sign), text("\\")]);
                    *escape_char = None;
                }
            }
            // `(row).field`: the planner takes the field's name as a text.
            Expr::CompoundFieldAccess { root, access_chain }
                if !matches!(**root, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) =>
            {
                for step in access_chain {
                    if let AccessExpr::Dot(field) = step
                        && let Expr::Identifier(name) = field
                    {
                        let name = Value::SingleQuotedString(name.value.clone());
                        *field = Expr::value(name);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Columns that stand twice without a name of their own, which the planner refuses.
    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<QueryError> {
        let mut seen = BTreeSet::new();
        for (at, item) in select.projection.iter_mut().enumerate() {
            if let SelectItem::UnnamedExpr(expr) = item
                && !seen.insert(expr.to_string())
            {
                let alias = Ident::new(format!("{AGAIN}{at}"));
                let expr = std::mem::replace(expr, Expr::value(Value::Null));
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
        }
        ControlFlow::Continue(())
    }

    /// Statistics of the server, which are found without their schema as the catalog is.
    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<QueryError> {
        if relation.to_string().eq_ignore_ascii_case(activity::NAME) {
            *relation =
                ObjectName::from(vec![Ident::new("pg_catalog"), Ident::new(activity::NAME)]);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<QueryError> {
        if let TableFactor::Table { name, alias: Some(alias), args: Some(_), .. } = factor
            && alias.columns.is_empty()
            && name.to_string().eq_ignore_ascii_case("generate_series")
        {
            let name = alias.name.clone();
            alias.columns.push(TableAliasColumnDef { name, data_type: None });
        }
        ControlFlow::Continue(())
    }
}

/// Puts the pattern of a time, when it is written out, in the planner's form.
fn in_planners_pattern(function: &mut Function) -> ControlFlow<QueryError> {
    let name = function.name.to_string().to_lowercase();
    let takes = matches!(name.as_str(), "to_char" | "to_timestamp" | "to_date");
    if let FunctionArguments::List(list) = &mut function.args
        && takes
        && let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(pattern)))] =
            list.args.as_mut_slice()
        && let Value::SingleQuotedString(text) = &mut pattern.value
    {
        match patterns::planners(text) {
            Ok(planners) => *text = planners,
            Err(word) => {
                let message =
                    format!("{name}: `{word}` of the pattern `{text}` is not written here");
                return ControlFlow::Break(QueryError::Unsupported(message));
            }
        }
    }
    ControlFlow::Continue(())
}

/// A call of a function.
fn call(name: &str, args: Vec<Expr>) -> Expr {
    let arg = |arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into_iter().map(arg).collect(),
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        for rewrite in &TEXTS {
            assert!(Regex::new(rewrite.pattern).unwrap().captures_len() <= 3);
        }
    }

    #[test]
    fn questions_of_clients_are_put_in_other_words() {
        // postgresMetaQuery.ts of Grafana's data source.
        let asked = "quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '\"$user\"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )";
        let read = of_text(asked);
        assert_eq!(
            read.split_whitespace().collect::<String>(),
            "quote_ident(table_schema)IN('public')"
        );
        // psycopg's TypeInfo.
        let asked = "SELECT oid FROM pg_type t WHERE t.oid = to_regtype($1) ORDER BY 1";
        assert_eq!(
            of_text(asked),
            "SELECT oid FROM pg_type t WHERE t.oid = $1::regtype ORDER BY 1"
        );
        assert_eq!(of_text("SELECT 1"), "SELECT 1");
    }
}
