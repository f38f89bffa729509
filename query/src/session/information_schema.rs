//! The information schema as PostgreSQL has it, of which BI tools read tables and columns: the
//! planner's own names its types by Arrow. What else the planner looks for there stays its own.

use std::sync::{Arc, LazyLock, Weak};

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{CatalogProviderList, MemTable, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use pgwire::api::Type;
use spanledger_schemas::tables;

use super::{CATALOG, SCHEMA, catalog, pg_types};

/// Name of the schema.
pub(super) const NAME: &str = "information_schema";

/// Tables that PostgreSQL describes there and we have none of, by their columns.
const EMPTY: [(&str, &[&str]); 6] = [
    (
        "table_constraints",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_type",
            "is_deferrable",
            "initially_deferred",
            "enforced",
        ],
    ),
    (
        "key_column_usage",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "ordinal_position",
            "position_in_unique_constraint",
        ],
    ),
    (
        "constraint_column_usage",
        &[
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
        ],
    ),
    (
        "referential_constraints",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "unique_constraint_catalog",
            "unique_constraint_schema",
            "unique_constraint_name",
            "match_option",
            "update_rule",
            "delete_rule",
        ],
    ),
    ("views", &["table_catalog", "table_schema", "table_name", "view_definition"]),
    ("sequences", &["sequence_catalog", "sequence_schema", "sequence_name", "data_type"]),
];

/// The tables of ours, which are the same for every query.
static OURS: LazyLock<Vec<(&str, Option<RecordBatch>)>> = LazyLock::new(|| {
    let mut all = vec![
        ("tables", tables_table().ok()),
        ("columns", columns_table().ok()),
        ("schemata", schemata_table().ok()),
        ("character_sets", character_sets_table().ok()),
    ];
    for (name, columns) in EMPTY {
        let none = texts(Vec::<Option<&str>>::new());
        let columns = columns.iter().map(|column| (*column, Arc::clone(&none), true));
        all.push((name, RecordBatch::try_from_iter_with_nullable(columns).ok()));
    }
    all
});

/// The schema of one session.
#[derive(Debug)]
pub(super) struct InformationSchema {
    /// What the session sees; it holds this schema, too.
    catalogs: Weak<dyn CatalogProviderList>,
}

impl InformationSchema {
    pub(super) fn new(catalogs: Weak<dyn CatalogProviderList>) -> Self {
        Self { catalogs }
    }

    fn planners(&self) -> Option<InformationSchemaProvider> {
        Some(InformationSchemaProvider::new(self.catalogs.upgrade()?))
    }
}

#[async_trait]
impl SchemaProvider for InformationSchema {
    fn table_names(&self) -> Vec<String> {
        OURS.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match OURS.iter().find(|(ours, _)| *ours == name) {
            Some((_, Some(rows))) => {
                Ok(Some(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows.clone()]])?)))
            }
            Some((_, None)) => Ok(None),
            None => match self.planners() {
                Some(planners) => planners.table(name).await,
                None => Ok(None),
            },
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        OURS.iter().any(|(ours, _)| *ours == name)
            || self.planners().is_some_and(|planners| planners.table_exist(name))
    }
}

fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

/// The same text in every row.
fn same(text: Option<&str>, rows: usize) -> ArrayRef {
    texts(std::iter::repeat_n(text, rows))
}

fn numbers(values: impl IntoIterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int32Array>())
}

fn schemata_table() -> Result<RecordBatch> {
    let names = [SCHEMA, "pg_catalog", NAME];
    let columns = [
        ("catalog_name", same(Some(CATALOG), names.len())),
        ("schema_name", texts(names.map(Some))),
        ("schema_owner", same(Some(CATALOG), names.len())),
        ("default_character_set_catalog", same(None, names.len())),
        ("default_character_set_schema", same(None, names.len())),
        ("default_character_set_name", same(None, names.len())),
        ("sql_path", same(None, names.len())),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))?)
}

fn character_sets_table() -> Result<RecordBatch> {
    let columns = [
        ("character_set_catalog", same(None, 1)),
        ("character_set_schema", same(None, 1)),
        ("character_set_name", same(Some("UTF8"), 1)),
        ("character_repertoire", same(Some("UCS"), 1)),
        ("form_of_use", same(Some("UTF8"), 1)),
        ("default_collate_catalog", same(None, 1)),
        ("default_collate_schema", same(None, 1)),
        ("default_collate_name", same(None, 1)),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))?)
}

fn tables_table() -> Result<RecordBatch> {
    let mut names: Vec<_> = tables::ALL.iter().chain(&tables::VIEWS).map(|t| t.name).collect();
    names.sort_unstable();
    let rows = names.len();
    let columns = [
        ("table_catalog", same(Some(CATALOG), rows)),
        ("table_schema", same(Some(SCHEMA), rows)),
        ("table_name", texts(names.into_iter().map(Some))),
        ("table_type", same(Some("BASE TABLE"), rows)),
        ("self_referencing_column_name", same(None, rows)),
        ("reference_generation", same(None, rows)),
        ("user_defined_type_catalog", same(None, rows)),
        ("user_defined_type_schema", same(None, rows)),
        ("user_defined_type_name", same(None, rows)),
        ("is_insertable_into", same(Some("NO"), rows)),
        ("is_typed", same(Some("NO"), rows)),
        ("commit_action", same(None, rows)),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))?)
}

/// One column of one table.
struct Described {
    table: &'static str,
    name: String,
    position: i32,
    nullable: bool,
    kind: Type,
    /// Precision and scale of an exact number.
    decimal: Option<(i32, i32)>,
}

fn columns_table() -> Result<RecordBatch> {
    let mut all = Vec::new();
    for table in tables::ALL.into_iter().chain(tables::VIEWS) {
        for (field, position) in catalog::shape(table)?.fields().iter().zip(1..) {
            let decimal = match field.data_type() {
                arrow::datatypes::DataType::Decimal128(precision, scale) => {
                    Some((i32::from(*precision), i32::from(*scale)))
                }
                _ => None,
            };
            all.push(Described {
                table: table.name,
                name: field.name().clone(),
                position,
                nullable: field.is_nullable(),
                kind: pg_types::of(field.data_type()).unwrap_or(Type::TEXT),
                decimal,
            });
        }
    }
    let rows = all.len();
    let yes = |truth: bool| Some(if truth { "YES" } else { "NO" });
    // Bits of a binary number, digits of an exact one (SQL:2016, part 11, 5.20).
    let precision = |column: &Described| match column.kind {
        Type::INT2 => Some(16),
        Type::INT4 => Some(32),
        Type::INT8 => Some(64),
        Type::FLOAT4 => Some(24),
        Type::FLOAT8 => Some(53),
        _ => column.decimal.map(|(precision, _)| precision),
    };
    let radix = |column: &Described| match column.decimal {
        Some(_) => Some(10),
        None => precision(column).map(|_| 2),
    };
    let scale = |column: &Described| match column.kind {
        Type::INT2 | Type::INT4 | Type::INT8 => Some(0),
        _ => column.decimal.map(|(_, scale)| scale),
    };
    let instant = |column: &Described| match column.kind {
        Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME => Some(6),
        Type::DATE => Some(0),
        _ => None,
    };
    let named = |column: &'static str| (column, same(None, rows));
    let columns = [
        ("table_catalog", same(Some(CATALOG), rows)),
        ("table_schema", same(Some(SCHEMA), rows)),
        ("table_name", texts(all.iter().map(|c| Some(c.table)))),
        ("column_name", texts(all.iter().map(|c| Some(c.name.as_str())))),
        ("ordinal_position", numbers(all.iter().map(|c| Some(c.position)))),
        named("column_default"),
        ("is_nullable", texts(all.iter().map(|c| yes(c.nullable)))),
        ("data_type", texts(all.iter().map(|c| Some(pg_types::sql_name(&c.kind))))),
        ("character_maximum_length", numbers(vec![None; rows])),
        ("character_octet_length", numbers(vec![None; rows])),
        ("numeric_precision", numbers(all.iter().map(precision))),
        ("numeric_precision_radix", numbers(all.iter().map(radix))),
        ("numeric_scale", numbers(all.iter().map(scale))),
        ("datetime_precision", numbers(all.iter().map(instant))),
        named("interval_type"),
        ("interval_precision", numbers(vec![None; rows])),
        named("character_set_catalog"),
        named("character_set_schema"),
        named("character_set_name"),
        named("collation_catalog"),
        named("collation_schema"),
        named("collation_name"),
        named("domain_catalog"),
        named("domain_schema"),
        named("domain_name"),
        ("udt_catalog", same(Some(CATALOG), rows)),
        ("udt_schema", same(Some("pg_catalog"), rows)),
        ("udt_name", texts(all.iter().map(|c| Some(c.kind.name())))),
        ("is_self_referencing", same(Some("NO"), rows)),
        ("is_identity", same(Some("NO"), rows)),
        named("identity_generation"),
        named("identity_start"),
        named("identity_increment"),
        named("identity_maximum"),
        named("identity_minimum"),
        ("identity_cycle", same(Some("NO"), rows)),
        ("is_generated", same(Some("NEVER"), rows)),
        named("generation_expression"),
        ("is_updatable", same(Some("NO"), rows)),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))?)
}
