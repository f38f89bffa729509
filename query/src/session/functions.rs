//! The functions queries have beyond DataFusion's, and those they do not have: what reads nothing
//! but its arguments, and what cannot make a small query allocate without bound.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, create_udf,
};
use datafusion::prelude::{Expr, SessionContext};
use datafusion::scalar::ScalarValue;

use super::bins::{CountsByQuantile, CountsByValue};
use super::quantiles::Quantiles;
use super::series::SeriesId;
use crate::limits;

/// The PostgreSQL that clients are told they talk to: the version whose catalog we show.
pub(crate) const SERVER_VERSION: &str = "16.6";
/// The same as a number.
pub(crate) const SERVER_VERSION_NUM: &str = "160006";

/// Values of `current_setting` and SHOW: what PostgreSQL's clients ask for when they connect.
pub(crate) const PG_SETTINGS: [(&str, &str); 21] = [
    ("server_version", SERVER_VERSION),
    ("server_version_num", SERVER_VERSION_NUM),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("search_path", "public"),
    ("timezone", "UTC"),
    ("datestyle", "ISO, YMD"),
    ("intervalstyle", "postgres"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("integer_datetimes", "on"),
    ("jit", "off"),
    ("is_superuser", "off"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("transaction_isolation", "repeatable read"),
    ("transaction_read_only", "on"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_isolation", "repeatable read"),
];

/// Functions that queries do not have, because their result is as long as an argument says, in
/// memory that no pool counts: two or three of them, nested, take the process down.
const REMOVED: [&str; 5] = ["repeat", "array_repeat", "array_resize", "range", "generate_series"];

/// Adds ours, takes out what is not for queries.
pub(crate) fn register(context: &SessionContext) {
    for name in REMOVED {
        context.deregister_udf(name);
    }
    context.register_udaf(AggregateUDF::new_from_impl(CountsByQuantile::new()));
    context.register_udaf(AggregateUDF::new_from_impl(CountsByValue::new()));
    context.register_udaf(AggregateUDF::new_from_impl(Quantiles::new()));
    context.register_udf(ScalarUDF::new_from_impl(JsonText::new()));
    context.register_udf(ScalarUDF::new_from_impl(SeriesId::new()));
    context.register_udf(constant(
        "version",
        format!("PostgreSQL {SERVER_VERSION} (spanledger {})", env!("CARGO_PKG_VERSION")),
    ));
    context.register_udf(ScalarUDF::new_from_impl(CurrentSetting::new()));
}

/// Refuses `lpad` and `rpad` to a length that is not a small constant.
pub(crate) fn check_sizes(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else {
                    return Ok(TreeNodeRecursion::Continue);
                };
                let fills = matches!(func.name(), "lpad" | "rpad");
                match args.get(1).filter(|_| fills) {
                    Some(Expr::Literal(ScalarValue::Int64(Some(length)), _))
                        if *length <= limits::TEXT_FILL_MAX => {}
                    Some(length) => {
                        return plan_err!(
                            "{}: the length is `{length}`, expected a constant of at most {}",
                            func.name(),
                            limits::TEXT_FILL_MAX
                        );
                    }
                    None => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })
    .map(|_| ())
}

/// A function without arguments that says one text.
fn constant(name: &str, value: String) -> ScalarUDF {
    let value = ColumnarValue::Scalar(ScalarValue::Utf8(Some(value)));
    let say = move |_: &[ColumnarValue]| Ok(value.clone());
    create_udf(name, vec![], DataType::Utf8, Volatility::Stable, Arc::new(say))
}

/// `json_text(x)`: any value as JSON text; maps become objects.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct JsonText {
    signature: Signature,
}

impl JsonText {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for JsonText {
    fn name(&self) -> &str {
        "json_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(crate::render::json::texts(&array)?))
    }
}

/// `current_setting(name [, missing_ok])` (PostgreSQL 9.28).
#[derive(Debug, PartialEq, Eq, Hash)]
struct CurrentSetting {
    signature: Signature,
}

impl CurrentSetting {
    fn new() -> Self {
        use datafusion::logical_expr::TypeSignature::{Exact, OneOf};
        let forms = OneOf(vec![
            Exact(vec![DataType::Utf8]),
            Exact(vec![DataType::Utf8, DataType::Boolean]),
        ]);
        Self { signature: Signature::new(forms, Volatility::Stable) }
    }
}

impl ScalarUDFImpl for CurrentSetting {
    fn name(&self) -> &str {
        "current_setting"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let missing_ok = matches!(
            args.args.get(1),
            Some(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
        );
        let names = args.args[0].to_array(args.number_rows)?;
        let value = |name: Option<&str>| {
            let Some(name) = name else { return Ok(None) };
            match pg_setting(name) {
                None if !missing_ok => exec_err!("unrecognized configuration parameter \"{name}\""),
                value => Ok(value),
            }
        };
        let values: StringArray =
            names.as_string::<i32>().iter().map(value).collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
}

/// The value of a setting by its name, in any case.
pub(crate) fn pg_setting(name: &str) -> Option<&'static str> {
    PG_SETTINGS.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}
