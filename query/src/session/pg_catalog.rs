//! PostgreSQL's catalog with the types that the wire truly sends and the meaning of our columns: the
//! crate that describes our tables says `text` of what it has no type for, and nothing of precision,
//! scale and meaning.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::common::metadata::FieldMetadata;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{TableType, ViewTable, provider_as_source};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::string::expr_fn::btrim;
use datafusion::functions_nested::expr_fn::string_to_array;
use datafusion::logical_expr::{LogicalPlanBuilder, cast, ident, lit, when};
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use pgwire::api::Type;
use spanledger_schemas::tables;

use super::activity::{self, Activity};
use super::describe::{Tables, descriptions};
use super::functions::PG_SETTINGS;
use super::{catalog, pg_types};

/// The crate's catalog, mended, as one tenant sees it.
#[derive(Debug)]
pub(super) struct PgCatalog {
    crates: Arc<dyn SchemaProvider>,
    described: Arc<Tables>,
    activity: Activity,
    tenant: String,
}

impl PgCatalog {
    /// The catalog of no tenant yet.
    pub(super) fn new(crates: Arc<dyn SchemaProvider>, described: Arc<Tables>) -> Self {
        Self { crates, described, activity: Activity::default(), tenant: String::new() }
    }

    /// The catalog of a tenant.
    pub(super) fn of(&self, tenant: &str) -> Self {
        Self {
            crates: Arc::clone(&self.crates),
            described: Arc::clone(&self.described),
            activity: self.activity.clone(),
            tenant: tenant.to_owned(),
        }
    }

    /// The statements that run, of all tenants.
    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }
}

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.crates.table_names();
        names.push(activity::NAME.to_owned());
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if name == activity::NAME {
            return Ok(Some(Arc::new(self.activity.rows(&self.tenant)?)));
        }
        match self.crates.table(name).await? {
            Some(attributes) if name == "pg_attribute" => Ok(Some(Arc::new(mended(attributes)?))),
            Some(classes) if name == "pg_class" => Ok(Some(Arc::new(with_rights(classes)?))),
            Some(crates) if name == "pg_settings" => {
                Ok(Some(Arc::new(settings(&crates.schema())?)))
            }
            Some(keys) if name == "pg_constraint" => Ok(Some(Arc::new(with_lists(keys)?))),
            Some(indexes) if name == "pg_index" => {
                Ok(Some(Arc::new(EmptyTable::new(no_indexes(&indexes.schema())))))
            }
            Some(none) if name == "pg_description" => {
                descriptions(&self.described, self.crates.as_ref(), &none.schema()).await
            }
            table => Ok(table),
        }
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>, DataFusionError> {
        if name == activity::NAME {
            return Ok(Some(TableType::View));
        }
        self.crates.table_type(name).await
    }

    fn table_exist(&self, name: &str) -> bool {
        name == activity::NAME || self.crates.table_exist(name)
    }
}

/// `pg_attribute` with the types of the wire. A column's name has one type in all our tables.
fn mended(attributes: Arc<dyn TableProvider>) -> Result<ViewTable> {
    let mut types = Vec::new();
    let mut modifiers = Vec::new();
    for table in tables::ALL.into_iter().chain(tables::VIEWS) {
        for field in catalog::shape(table)?.fields() {
            let modifier = pg_types::modifier(field.data_type());
            match pg_types::of(field.data_type()) {
                Some(kind @ Type::JSON) => types.push((field.name().clone(), kind)),
                Some(kind) if kind.name().starts_with('_') => {
                    types.push((field.name().clone(), kind));
                }
                _ if modifier >= 0 => modifiers.push((field.name().clone(), modifier)),
                _ => {}
            }
        }
    }
    let named = |name: &str| ident("attname").eq(lit(name));
    let schema = attributes.schema();
    let columns = schema.fields().iter().map(|field| {
        let column = ident(field.name());
        let replaced = match field.name().as_str() {
            "atttypid" => {
                let told = ident("atttypid").eq(lit(Type::TEXT.oid() as i32));
                instead(
                    column,
                    types.iter().map(|(name, kind)| {
                        (named(name).and(told.clone()), lit(kind.oid() as i32))
                    }),
                )?
            }
            "atttypmod" => {
                let numeric = ident("atttypid").eq(lit(Type::NUMERIC.oid() as i32));
                instead(
                    column,
                    modifiers
                        .iter()
                        .map(|(name, modifier)| (named(name).and(numeric.clone()), lit(*modifier))),
                )?
            }
            _ => return Ok(column),
        };
        let metadata = Some(FieldMetadata::from(field.metadata()));
        Ok(replaced.alias_with_metadata(field.name(), metadata))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let rows = LogicalPlanBuilder::scan("pg_attribute", provider_as_source(attributes), None)?;
    Ok(ViewTable::new(rows.project(columns)?.build()?, None))
}

/// `pg_class` with the columns of rights and options, of which none are given: the crate has neither.
fn with_rights(classes: Arc<dyn TableProvider>) -> Result<ViewTable> {
    let schema = classes.schema();
    let mut columns: Vec<_> = schema.fields().iter().map(|field| ident(field.name())).collect();
    let none = [
        ("relacl", ScalarValue::Utf8(None)),
        ("reloptions", ScalarValue::new_null_list(DataType::Utf8, true, 1)),
    ];
    for (name, null) in none {
        if schema.column_with_name(name).is_none() {
            columns.push(lit(null).alias(name));
        }
    }
    let rows = LogicalPlanBuilder::scan("pg_class", provider_as_source(classes), None)?;
    Ok(ViewTable::new(rows.project(columns)?.build()?, None))
}

/// `pg_settings` with what SHOW shows.
fn settings(schema: &SchemaRef) -> Result<MemTable> {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| Arc::new(Field::clone(field).with_nullable(true)))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = schema.fields().iter().map(|field| {
        let texts: ArrayRef = match field.name().as_str() {
            "name" => Arc::new(StringArray::from_iter_values(PG_SETTINGS.map(|(name, _)| name))),
            "setting" | "reset_val" | "boot_val" => {
                Arc::new(StringArray::from_iter_values(PG_SETTINGS.map(|(_, value)| value)))
            }
            _ => return Ok(new_null_array(field.data_type(), PG_SETTINGS.len())),
        };
        Ok(arrow::compute::cast(&texts, field.data_type())?)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    MemTable::try_new(schema, vec![vec![rows]])
}

/// `pg_index`, of which there are no rows, with lists that are lists; the crate has them as texts.
fn no_indexes(schema: &Schema) -> SchemaRef {
    let list = |field: &Arc<Field>| match field.name().as_str() {
        "indkey" | "indoption" | "indclass" | "indcollation" => {
            Field::new_list(field.name(), Field::new_list_field(DataType::Int16, true), true)
        }
        _ => field.as_ref().clone(),
    };
    Arc::new(Schema::new(schema.fields().iter().map(list).collect::<Vec<_>>()))
}

/// `pg_constraint` with lists of columns that are lists; the crate has them as texts, `[1, 2]`.
fn with_lists(keys: Arc<dyn TableProvider>) -> Result<ViewTable> {
    let schema = keys.schema();
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| {
            let column = ident(field.name());
            match field.name().as_str() {
                "conkey" | "confkey" if field.data_type() == &DataType::Utf8 => {
                    let inside = btrim(vec![column, lit("[]")]);
                    let list = string_to_array(inside, lit(", "), lit(""));
                    cast(list, DataType::new_list(DataType::Int16, true)).alias(field.name())
                }
                _ => column,
            }
        })
        .collect();
    let rows = LogicalPlanBuilder::scan("pg_constraint", provider_as_source(keys), None)?;
    Ok(ViewTable::new(rows.project(columns)?.build()?, None))
}

/// The column, or what the first case that holds says instead.
fn instead(column: Expr, cases: impl Iterator<Item = (Expr, Expr)>) -> Result<Expr> {
    let mut cases = cases;
    let Some((first, value)) = cases.next() else { return Ok(column) };
    let mut all = when(first, value);
    for (case, value) in cases {
        all = all.when(case, value);
    }
    all.otherwise(column)
}
