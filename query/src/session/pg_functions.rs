//! Functions that PostgreSQL's clients call beside those of their queries: `format`, in which they
//! write names, and what they ask or tell the server of itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, SimpleScalarUDF,
    TypeSignature, Volatility, create_udf,
};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

use super::functions::pg_setting;
use super::json_build::JsonBuildObject;

/// Adds the functions.
pub(super) fn register(context: &SessionContext) {
    let signature = Signature::variadic_any(Volatility::Immutable);
    context.register_udf(ScalarUDF::new_from_impl(FormatText { signature }));
    context.register_udf(ScalarUDF::new_from_impl(JsonBuildObject::new()));
    context.register_udf(set_config());
    context.register_udf(expand_array());
    context.register_udf(generate_subscripts());
    for name in DEFINITIONS {
        context.register_udf(ScalarUDF::new_from_impl(SimpleScalarUDF::new_with_signature(
            name,
            Signature::variadic_any(Volatility::Stable),
            DataType::Utf8,
            Arc::new(|_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)))),
        )));
    }
    for (name, takes, answer) in ANSWERS {
        let takes = if takes == 0 { TypeSignature::Nullary } else { TypeSignature::Any(takes) };
        let signature = Signature::new(takes, Volatility::Stable);
        context.register_udf(ScalarUDF::new_from_impl(SimpleScalarUDF::new_with_signature(
            name,
            signature,
            DataType::Boolean,
            Arc::new(move |_: &[ColumnarValue]| {
                Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(answer))))
            }),
        )));
    }
}

/// Functions with one answer, and how many arguments they take: everything of the catalog but the
/// information schema is found without naming its schema, and this server follows no other.
const ANSWERS: [(&str, usize, bool); 7] = [
    ("pg_is_in_recovery", 0, false),
    ("pg_collation_is_visible", 1, true),
    ("pg_conversion_is_visible", 1, true),
    ("pg_function_is_visible", 1, true),
    ("pg_opclass_is_visible", 1, true),
    ("pg_operator_is_visible", 1, true),
    ("pg_type_is_visible", 1, true),
];

/// Functions that write down how an object was made: of none is it known.
const DEFINITIONS: [&str; 9] = [
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_function_result",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_triggerdef",
    "pg_get_viewdef",
];

/// `_pg_expandarray(list)` of the information schema, a row per element: drivers ask it of the columns
/// of indexes and keys. There are none of either, so it is null for every list.
fn expand_array() -> ScalarUDF {
    let fields = Fields::from(vec![
        Field::new("x", DataType::Int32, true),
        Field::new("n", DataType::Int32, true),
    ]);
    let kind = DataType::Struct(fields);
    let none = kind.clone();
    let signature = Signature::any(1, Volatility::Immutable);
    let expand = move |args: &[ColumnarValue]| Ok(nulls(&none, args));
    ScalarUDF::new_from_impl(SimpleScalarUDF::new_with_signature(
        "_pg_expandarray",
        signature,
        kind,
        Arc::new(expand),
    ))
}

/// Null for each row of the arguments.
fn nulls(kind: &DataType, args: &[ColumnarValue]) -> ColumnarValue {
    let rows = args.iter().find_map(|arg| match arg {
        ColumnarValue::Array(array) => Some(array.len()),
        ColumnarValue::Scalar(_) => None,
    });
    ColumnarValue::Array(new_null_array(kind, rows.unwrap_or(1)))
}

/// `generate_subscripts(list, dimension)`, which drivers ask of the same lists, likewise.
fn generate_subscripts() -> ScalarUDF {
    let none = |args: &[ColumnarValue]| Ok(nulls(&DataType::Int32, args));
    ScalarUDF::new_from_impl(SimpleScalarUDF::new_with_signature(
        "generate_subscripts",
        Signature::any(2, Volatility::Immutable),
        DataType::Int32,
        Arc::new(none),
    ))
}

/// `set_config(name, value, is_local)` (PostgreSQL 9.28) of settings that change nothing here; SET is
/// there for the others.
fn set_config() -> ScalarUDF {
    let set = |args: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(args)?;
        for name in arrays[0].as_string::<i32>().iter().flatten() {
            if pg_setting(name).is_none() || name.eq_ignore_ascii_case("statement_timeout") {
                return exec_err!("set_config: `{name}` is not set by a function, use SET");
            }
        }
        Ok(ColumnarValue::Array(Arc::clone(&arrays[1])))
    };
    let takes = vec![DataType::Utf8, DataType::Utf8, DataType::Boolean];
    create_udf("set_config", takes, DataType::Utf8, Volatility::Volatile, Arc::new(set))
}

/// `format(text, …)` (PostgreSQL 9.4.1): `%s` a text, `%I` an identifier, `%L` a literal, `%%`; each
/// takes the next argument or that of `%n$`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FormatText {
    signature: Signature,
}

impl ScalarUDFImpl for FormatText {
    fn name(&self) -> &str {
        "format"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = arrays.iter().map(|array| Ok(cast(array, &DataType::Utf8)?));
        let texts = texts.collect::<Result<Vec<ArrayRef>>>()?;
        let Some((form, values)) = texts.split_first() else {
            return exec_err!("format takes at least one argument");
        };
        let form = form.as_string::<i32>();
        let value = |row: usize, at: usize| -> Result<Option<&str>> {
            let Some(array) = values.get(at) else {
                return exec_err!("too few arguments for format()");
            };
            let array = array.as_string::<i32>();
            Ok(array.is_valid(row).then(|| array.value(row)))
        };
        let written = (0..form.len()).map(|row| {
            if form.is_null(row) {
                return Ok(None);
            }
            write(form.value(row), |at| value(row, at)).map(Some)
        });
        let written = written.collect::<Result<StringArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(written)))
    }
}

fn write<'v>(form: &str, value: impl Fn(usize) -> Result<Option<&'v str>>) -> Result<String> {
    let mut out = String::with_capacity(form.len());
    let (mut rest, mut next) = (form, 0);
    while let Some((text, after)) = rest.split_once('%') {
        out.push_str(text);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let named = match after[digits..].strip_prefix('$') {
            Some(kind) if digits > 0 => after[..digits].parse::<usize>().ok().map(|n| (n, kind)),
            _ => None,
        };
        let (at, kind) = match named {
            Some((n @ 1.., kind)) => (n - 1, kind),
            _ => (next, after),
        };
        let mut letters = kind.chars();
        match letters.next() {
            Some('%') => out.push('%'),
            Some('s') => out.push_str(value(at)?.unwrap_or_default()),
            Some('I') => match value(at)? {
                Some(name) => out.push_str(&identifier(name)),
                None => return exec_err!("null values cannot be formatted as an SQL identifier"),
            },
            Some('L') => match value(at)? {
                Some(text) => out.push_str(&format!("'{}'", text.replace('\'', "''"))),
                None => out.push_str("NULL"),
            },
            other => {
                let found = other.map_or(String::new(), |c| format!(" \"{c}\""));
                return exec_err!("unrecognized format() type specifier{found}");
            }
        }
        if kind.starts_with(['s', 'I', 'L']) {
            next = at + 1;
        }
        rest = letters.as_str();
    }
    out.push_str(rest);
    Ok(out)
}

/// A name as it stands in SQL: in quotes unless it is small letters, digits and underscores.
fn identifier(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(form: &str, values: &[Option<&str>]) -> Result<String> {
        write(form, |at| match values.get(at) {
            Some(value) => Ok(*value),
            None => exec_err!("too few"),
        })
    }

    /// The examples of PostgreSQL's documentation, 9.4.1.
    #[test]
    fn texts_are_formatted_as_postgresql_does() {
        let check = |form: &str, values: &[Option<&str>], expect: &str| {
            assert_eq!(format(form, values).unwrap(), expect, "{form}");
        };
        check("Hello %s", &[Some("World")], "Hello World");
        check(
            "Testing %s, %s, %s, %%",
            &[Some("one"), Some("two"), Some("three")],
            "Testing one, two, three, %",
        );
        check(
            "INSERT INTO %I VALUES(%L)",
            &[Some("Foo bar"), Some("O'Reilly")],
            "INSERT INTO \"Foo bar\" VALUES('O''Reilly')",
        );
        check(
            "Testing %3$s, %2$s, %1$s",
            &[Some("one"), Some("two"), Some("three")],
            "Testing three, two, one",
        );
        check(
            "Testing %3$s, %2$s, %s",
            &[Some("one"), Some("two"), Some("three")],
            "Testing three, two, three",
        );
        check("%I.%I", &[Some("public"), Some("calls")], "public.calls");
        check("%L %s|", &[None, None], "NULL |");
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for (form, values) in [("%s", &[][..]), ("%x", &[Some("a")]), ("%", &[]), ("%I", &[None])] {
            assert!(format(form, values).is_err(), "{form}");
        }
    }
}
