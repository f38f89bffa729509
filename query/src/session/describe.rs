//! What our tables and columns mean, as PostgreSQL's clients ask for it: `pg_description`,
//! `col_description`, `obj_description`, `to_regclass`, `pg_table_is_visible`. The words are those of `schemas`; the object
//! ids those that the catalog gives out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, AsArray, BooleanArray, Int32Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::{Expr, SessionContext};
use spanledger_schemas::{Table, tables};

use super::catalog;

/// Our tables by object id; known once something was asked.
#[derive(Debug, Default)]
pub(super) struct Tables(OnceLock<Ids>);

/// The object ids that matter here.
#[derive(Debug, Default)]
struct Ids {
    tables: BTreeMap<i32, &'static Table>,
    /// Those found without naming their schema: our tables and PostgreSQL's catalog.
    visible: BTreeSet<i32>,
    /// Of `pg_class` itself, by which the catalog says that an object is a table.
    pg_class: Option<i32>,
}

impl Tables {
    /// Reads the object ids from the catalog, the first time.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(super) async fn load(&self, pg_class: Arc<dyn TableProvider>) -> Result<()> {
        if self.0.get().is_some() {
            return Ok(());
        }
        let rows = SessionContext::new().read_table(pg_class)?;
        let rows = rows.select_columns(&["oid", "relname", "relnamespace"])?.collect().await?;
        let mut found = Ids::default();
        let (mut all, mut searched) = (Vec::new(), BTreeSet::new());
        for batch in rows {
            let ids = cast(batch.column(0), &DataType::Int32)?;
            let names = cast(batch.column(1), &DataType::Utf8)?;
            let schemas = cast(batch.column(2), &DataType::Int32)?;
            let ids = ids.as_primitive::<Int32Type>();
            let schemas = schemas.as_primitive::<Int32Type>();
            for row in 0..batch.num_rows() {
                let (id, schema) = (ids.value(row), schemas.value(row));
                all.push((id, schema));
                let name = names.as_string::<i32>().value(row);
                if let Some(table) = tables::find(name) {
                    found.tables.insert(id, table);
                    searched.insert(schema);
                } else if name == "pg_class" {
                    found.pg_class = Some(id);
                    searched.insert(schema);
                }
            }
        }
        let visible = all.into_iter().filter(|(_, schema)| searched.contains(schema));
        found.visible = visible.map(|(id, _)| id).collect();
        // Whoever came first has read the same.
        let _ = self.0.set(found);
        Ok(())
    }

    fn get(&self, id: i32) -> Option<&'static Table> {
        self.0.get()?.tables.get(&id).copied()
    }

    fn visible(&self, id: i32) -> Option<bool> {
        Some(self.0.get()?.visible.contains(&id))
    }

    /// The object id of a table by its name, with or without its schema, quoted or not.
    fn id(&self, name: &str) -> Option<i32> {
        let plain = name.replace('"', "");
        let name = plain.strip_prefix("public.").unwrap_or(&plain);
        self.0.get()?.tables.iter().find(|(_, table)| table.name == name).map(|(id, _)| *id)
    }

    /// The rows of `pg_description`.
    ///
    /// # Errors
    /// When the shape is not that of the catalog's own.
    pub(super) fn rows(&self, schema: &SchemaRef) -> Result<MemTable> {
        let mut said: Vec<(i32, i32, String)> = Vec::new();
        let pg_class = self.0.get().and_then(|ids| ids.pg_class);
        for (id, table) in self.0.get().iter().flat_map(|ids| &ids.tables) {
            said.push((*id, 0, table.row.to_owned()));
            for (field, position) in catalog::shape(table)?.fields().iter().zip(1..) {
                said.extend(meaning(table, field.name()).map(|text| (*id, position, text)));
            }
        }
        let column = |name: &str| -> Arc<dyn Array> {
            match name {
                "objoid" => Arc::new(said.iter().map(|s| Some(s.0)).collect::<Int32Array>()),
                "classoid" => Arc::new(said.iter().map(|_| pg_class).collect::<Int32Array>()),
                "objsubid" => Arc::new(said.iter().map(|s| Some(s.1)).collect::<Int32Array>()),
                _ => Arc::new(said.iter().map(|s| Some(s.2.as_str())).collect::<StringArray>()),
            }
        };
        let columns = schema.fields().iter().map(|f| Ok(cast(&column(f.name()), f.data_type())?));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = RecordBatch::try_new(Arc::clone(schema), columns)?;
        MemTable::try_new(Arc::clone(schema), vec![vec![rows]])
    }
}

/// What a column means, and its unit; none where nothing is said.
fn meaning(table: &Table, name: &str) -> Option<String> {
    let said = table.column(name).map(|column| column.meaning).filter(|said| !said.is_empty());
    match (said, catalog::unit(table.name, name)) {
        (Some(said), Some(unit)) => Some(format!("{said} ({unit})")),
        (Some(said), None) => Some(said.to_owned()),
        (None, unit) => unit.map(|unit| format!("({unit})")),
    }
}

/// The catalog's table of descriptions, with ours.
///
/// # Errors
/// When the catalog cannot be read.
pub(super) async fn descriptions(
    tables: &Tables,
    pg_catalog: &dyn SchemaProvider,
    schema: &SchemaRef,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let Some(pg_class) = pg_catalog.table("pg_class").await? else { return Ok(None) };
    tables.load(pg_class).await?;
    Ok(Some(Arc::new(tables.rows(schema)?)))
}

/// Adds the functions.
pub(super) fn register(context: &SessionContext, tables: &Arc<Tables>) {
    for what in What::ALL {
        let signature = Signature::variadic_any(Volatility::Stable);
        let function = Describe { what, tables: Arc::clone(tables), signature };
        context.register_udf(ScalarUDF::new_from_impl(function));
    }
}

/// Whether a plan calls a function that needs the object ids.
pub(super) fn needed_by(plan: &LogicalPlan) -> bool {
    let calls = |expr: &Expr| match expr {
        Expr::ScalarFunction(call) => What::ALL.iter().any(|what| what.name() == call.func.name()),
        _ => false,
    };
    let mut found = false;
    let looked = plan.apply_with_subqueries(|node| {
        found |= node.expressions().iter().any(|e| e.exists(|e| Ok(calls(e))).unwrap_or(true));
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    });
    debug_assert!(looked.is_ok(), "the visitor never fails");
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    /// `col_description(table, column)`.
    Column,
    /// `obj_description(object [, catalog])`.
    Object,
    /// `shobj_description(object, catalog)`: databases and roles, of which nothing is said.
    Shared,
    /// `to_regclass(name)`.
    Id,
    /// `pg_table_is_visible(table)`.
    Visible,
}

impl What {
    const ALL: [Self; 5] = [Self::Column, Self::Object, Self::Shared, Self::Id, Self::Visible];

    fn name(self) -> &'static str {
        match self {
            Self::Column => "col_description",
            Self::Object => "obj_description",
            Self::Shared => "shobj_description",
            Self::Id => "to_regclass",
            Self::Visible => "pg_table_is_visible",
        }
    }
}

#[derive(Debug)]
struct Describe {
    what: What,
    tables: Arc<Tables>,
    signature: Signature,
}

impl PartialEq for Describe {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl Eq for Describe {}

impl std::hash::Hash for Describe {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.what.hash(state);
    }
}

impl ScalarUDFImpl for Describe {
    fn name(&self) -> &str {
        self.what.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.what {
            What::Id => DataType::Int32,
            What::Visible => DataType::Boolean,
            What::Column | What::Object | What::Shared => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(first) = arrays.first() else {
            return datafusion::common::exec_err!("{} takes an argument", self.name());
        };
        if self.what == What::Id {
            let names = cast(first, &DataType::Utf8)?;
            let ids = names.as_string::<i32>().iter().map(|name| self.tables.id(name?));
            return Ok(ColumnarValue::Array(Arc::new(ids.collect::<Int32Array>())));
        }
        let ids = cast(first, &DataType::Int32)?;
        let ids = ids.as_primitive::<Int32Type>();
        if self.what == What::Visible {
            let visible = ids.iter().map(|id| self.tables.visible(id?));
            return Ok(ColumnarValue::Array(Arc::new(visible.collect::<BooleanArray>())));
        }
        let columns = match (self.what, arrays.get(1)) {
            (What::Column, Some(columns)) => Some(cast(columns, &DataType::Int32)?),
            _ => None,
        };
        let column = |row: usize| {
            let columns = columns.as_ref()?.as_primitive::<Int32Type>();
            columns.is_valid(row).then(|| columns.value(row))
        };
        let say = |row: usize| -> Result<Option<String>> {
            let table = ids.is_valid(row).then(|| self.tables.get(ids.value(row))).flatten();
            let Some(table) = table else { return Ok(None) };
            match self.what {
                What::Object => Ok(Some(table.row.to_owned())),
                What::Column => {
                    let shape = catalog::shape(table)?;
                    let position = column(row).and_then(|n| usize::try_from(n - 1).ok());
                    let field = position.and_then(|at| shape.fields().get(at));
                    Ok(field.and_then(|field| meaning(table, field.name())))
                }
                What::Shared | What::Id | What::Visible => Ok(None),
            }
        };
        let said = (0..ids.len()).map(say).collect::<Result<StringArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(said)))
    }
}
