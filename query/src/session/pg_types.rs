//! The type that PostgreSQL's clients see of a column: what its catalog and information schema tell
//! is what the wire sends. Takes Arrow types, gives names, object ids and modifiers.

use arrow::datatypes::DataType;
use datafusion_postgres::arrow_pg::datatypes::into_pg_type;
use pgwire::api::Type;

/// Marks a column of text that is JSON, in its field's metadata.
pub(crate) const JSON: &str = "pg.json";

/// Whether a column is JSON there: what PostgreSQL has no type for that its clients know.
pub(crate) fn is_json(kind: &DataType) -> bool {
    match kind {
        DataType::Map(..) | DataType::Struct(_) => true,
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            // Exact numbers, too: the crate that writes arrays has too small a decimal for them.
            field.data_type().is_nested() || matches!(field.data_type(), DataType::Decimal128(..))
        }
        _ => false,
    }
}

/// The type of a column; none where there is no such type.
pub(crate) fn of(kind: &DataType) -> Option<Type> {
    if is_json(kind) { Some(Type::JSON) } else { into_pg_type(kind).ok() }
}

/// What PostgreSQL stores of `numeric(precision, scale)`: both in one integer, beside the four
/// bytes of a length that it counts in (`src/backend/utils/adt/numeric.c`, `make_numeric_typmod`);
/// -1 for what has no modifier.
pub(crate) fn modifier(kind: &DataType) -> i32 {
    match kind {
        DataType::Decimal128(precision, scale @ 0..) => {
            (i32::from(*precision) << 16 | i32::from(*scale)) + 4
        }
        _ => -1,
    }
}

/// The type's name in SQL, as `information_schema.columns.data_type` has it.
pub(crate) fn sql_name(kind: &Type) -> &str {
    match *kind {
        Type::BOOL => "boolean",
        Type::INT2 => "smallint",
        Type::INT4 => "integer",
        Type::INT8 => "bigint",
        Type::FLOAT4 => "real",
        Type::FLOAT8 => "double precision",
        Type::TIMESTAMP => "timestamp without time zone",
        Type::TIMESTAMPTZ => "timestamp with time zone",
        Type::TIME => "time without time zone",
        _ if kind.name().starts_with('_') => "ARRAY",
        _ => kind.name(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, Fields, TimeUnit};

    use super::*;

    #[test]
    fn types_have_postgresqls_names() {
        let list = |kind| DataType::List(Arc::new(Field::new("element", kind, true)));
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for (kind, udt, sql, oid) in [
            (DataType::Utf8, "text", "text", 25),
            (DataType::Int64, "int8", "bigint", 20),
            (DataType::Float64, "float8", "double precision", 701),
            (DataType::Decimal128(38, 18), "numeric", "numeric", 1700),
            (instant, "timestamptz", "timestamp with time zone", 1184),
            (list(DataType::Int64), "_int8", "ARRAY", 1016),
            (list(DataType::Decimal128(38, 18)), "json", "json", 114),
            (DataType::Struct(Fields::empty()), "json", "json", 114),
        ] {
            let found = of(&kind).unwrap();
            assert_eq!((found.name(), sql_name(&found), found.oid()), (udt, sql, oid), "{kind}");
        }
    }

    #[test]
    fn a_modifier_holds_precision_and_scale() {
        // 38 · 65,536 + 18 + 4
        assert_eq!(modifier(&DataType::Decimal128(38, 18)), 2_490_390);
        assert_eq!(modifier(&DataType::Utf8), -1);
    }
}
