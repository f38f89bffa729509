//! Between the types of plans and those of the wire: parameters by their place in the query, and
//! columns that PostgreSQL's clients have no type for as JSON text.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ParamValues};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, ScalarUDF};
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use datafusion_postgres::arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use datafusion_postgres::arrow_pg::datatypes::{
    PG_OID_ALIAS_KEY, into_pg_type, pg_type_for_alias_kind,
};
use pgwire::api::Type;
use pgwire::api::portal::Portal;
use pgwire::error::PgWireResult;

use crate::error::QueryError;
use crate::session::functions::JsonText;

/// A parameter as the plan wants it, and as the client sends it unless it says otherwise.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    wanted: Option<DataType>,
    /// Type on the wire.
    pub(super) wire: Type,
}

/// The plan's parameters, `$1` first, and a null of each one's type to stand for it until a portal
/// brings a value. What the plan leaves open is of the type that the client says, else text.
pub(super) fn parameters(
    plan: &LogicalPlan,
    said: &[Option<Type>],
) -> Result<(Vec<Parameter>, Option<ParamValues>), QueryError> {
    let known = plan.get_parameter_types()?;
    let (casts, aliases) = hints(plan)?;
    let count = known.keys().filter_map(|id| position(id)).max().unwrap_or(0);
    let mut parameters = Vec::with_capacity(count);
    let mut nulls = Vec::with_capacity(count);
    for i in 1..=count {
        let id = format!("${i}");
        let wanted = known.get(&id).cloned().flatten().or_else(|| casts.get(&id).cloned());
        let said = said.get(i - 1).and_then(Option::as_ref);
        let wire = match (aliases.get(&id), &wanted, said) {
            (Some(alias), _, _) => alias.clone(),
            (None, Some(wanted), _) => into_pg_type(wanted)
                .map_err(|e| QueryError::Unsupported(format!("parameter ${i}: {e}")))?,
            (None, None, said) => said.cloned().unwrap_or(Type::TEXT),
        };
        let null = wanted.clone().unwrap_or_else(|| from_wire(&wire));
        nulls.push(ScalarValue::try_from(&null)?.into());
        parameters.push(Parameter { wanted, wire });
    }
    Ok((parameters, (count > 0).then_some(ParamValues::List(nulls))))
}

/// The type of a value that the client sends as this, when nothing else says what it is.
fn from_wire(wire: &Type) -> DataType {
    match *wire {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(38, 18),
        Type::DATE => DataType::Date32,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => DataType::Utf8,
    }
}

/// The values that a portal brings for the parameters.
pub(super) fn values<S: Clone>(
    portal: &Portal<S>,
    parameters: &[Parameter],
) -> PgWireResult<Option<ParamValues>> {
    if portal.parameter_len() == 0 {
        return Ok(None);
    }
    let wanted: Vec<_> = parameters.iter().map(|p| p.wanted.as_ref()).collect();
    let wire: Vec<_> = parameters.iter().map(|p| Some(&p.wire)).collect();
    deserialize_parameters_with_server_types(portal, &wanted, &wire).map(Some)
}

fn position(id: &str) -> Option<usize> {
    id.strip_prefix('$')?.parse().ok()
}

type Casts = HashMap<String, DataType>;
type Aliases = HashMap<String, Type>;

/// What `$1::type` says of parameters that nothing else tells the type of, and which are compared
/// with object ids of PostgreSQL's catalog.
fn hints(plan: &LogicalPlan) -> Result<(Casts, Aliases), QueryError> {
    let (mut casts, mut aliases) = (Casts::new(), Aliases::new());
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                match expr {
                    Expr::Cast(cast) => {
                        if let Expr::Placeholder(placeholder) = &*cast.expr {
                            let wanted = cast.field.data_type().clone();
                            casts.insert(placeholder.id.clone(), wanted);
                        }
                    }
                    Expr::Placeholder(placeholder) => {
                        let alias = placeholder.field.as_deref().and_then(object_id);
                        if let Some(alias) = alias {
                            aliases.insert(placeholder.id.clone(), alias);
                        }
                    }
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok((casts, aliases))
}

fn object_id(field: &Field) -> Option<Type> {
    let kind = field.metadata().get(PG_OID_ALIAS_KEY)?;
    pg_type_for_alias_kind(kind).filter(|_| field.data_type() == &DataType::Int32)
}

/// The plan with maps and structs as JSON text; lists too, but for those of PostgreSQL's own
/// catalog, which its clients read as arrays.
pub(super) fn shape(plan: LogicalPlan) -> Result<LogicalPlan, QueryError> {
    let ours = reads_tables(&plan);
    let as_json = |field: &Field| match field.data_type() {
        DataType::Map(..) | DataType::Struct(_) => true,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => ours,
        _ => false,
    };
    if !plan.schema().fields().iter().any(|field| as_json(field)) {
        return Ok(plan);
    }
    let json_text = ScalarUDF::new_from_impl(JsonText::new());
    let columns: Vec<_> = plan
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            let column = Expr::Column(Column::from((qualifier, field)));
            if as_json(field) {
                json_text.call(vec![column]).alias_qualified(qualifier.cloned(), field.name())
            } else {
                column
            }
        })
        .collect();
    Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
}

fn reads_tables(plan: &LogicalPlan) -> bool {
    let scan = |node: &LogicalPlan| match node {
        LogicalPlan::TableScan(scan) => {
            spanledger_schemas::tables::find(scan.table_name.table()).is_some()
        }
        _ => false,
    };
    plan.exists(|node| Ok(scan(node))).unwrap_or(false)
}
