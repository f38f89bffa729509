//! Between the types of plans and those of the wire: parameters by their place in the query, and
//! columns that PostgreSQL has no type for as JSON.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, TimeUnit};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ParamValues};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF};
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use datafusion_postgres::arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use datafusion_postgres::arrow_pg::datatypes::{
    PG_OID_ALIAS_KEY, into_pg_type, pg_type_for_alias_kind,
};
use pgwire::api::Type;
use pgwire::api::portal::{Format, Portal};
use pgwire::error::PgWireResult;

use super::handlers::Prepared;
use super::numeric::Numeric;
use super::rows::{failure, violation};
use crate::error::QueryError;
use crate::session::functions::JsonText;
use crate::session::pg_types::{JSON, is_json};

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
    let hints = hints(plan)?;
    let count = known.keys().filter_map(|id| position(id)).max().unwrap_or(0);
    let mut parameters = Vec::with_capacity(count);
    let mut nulls = Vec::with_capacity(count);
    for i in 1..=count {
        let id = format!("${i}");
        let wanted = known.get(&id).cloned().flatten().or_else(|| hints.types.get(&id).cloned());
        let said = said.get(i - 1).and_then(Option::as_ref);
        let wire = match (hints.ids.get(&id), &wanted, said) {
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
///
/// # Errors
/// When they are not as many as the statement takes, or one cannot be read as its type.
pub(super) fn values(
    portal: &Portal<Prepared>,
    parameters: &[Parameter],
) -> PgWireResult<Option<ParamValues>> {
    let (brought, taken) = (portal.parameter_len(), parameters.len());
    if brought != taken {
        let message = format!("bind message supplies {brought} parameters, but prepared statement");
        return Err(violation(format!("{message} \"{}\" requires {taken}", portal.statement.id)));
    }
    if let Format::Individual(formats) = &portal.parameter_format
        && formats.len() != brought
    {
        let formats = formats.len();
        let message = format!("bind message has {formats} parameter formats but {brought} values");
        return Err(violation(message));
    }
    if brought == 0 {
        return Ok(None);
    }
    // Numbers are read here: the crate's own decimal is too small for them.
    let mut others = Portal::new_cursor(portal.name.clone(), Arc::clone(&portal.statement));
    others.parameter_format = portal.parameter_format.clone();
    others.parameters.clone_from(&portal.parameters);
    let mut numbers = Vec::new();
    for (i, parameter) in parameters.iter().enumerate() {
        let said = portal.statement.parameter_types.get(i).cloned().flatten();
        let decimal = matches!(parameter.wanted, None | Some(DataType::Decimal128(..)));
        if said.as_ref().unwrap_or(&parameter.wire) == &Type::NUMERIC && decimal {
            numbers.push((i, number(portal, i)?));
            others.parameters[i] = None;
        }
    }
    let wanted: Vec<_> = parameters.iter().map(|p| p.wanted.as_ref()).collect();
    let wire: Vec<_> = parameters.iter().map(|p| Some(&p.wire)).collect();
    let mut values = deserialize_parameters_with_server_types(&others, &wanted, &wire)?;
    if let ParamValues::List(values) = &mut values {
        for (i, number) in numbers {
            values[i] = number.into();
        }
    }
    Ok(Some(values))
}

/// An exact number that a portal brings, with as many digits as it was sent with.
fn number(portal: &Portal<Prepared>, i: usize) -> PgWireResult<ScalarValue> {
    let Some(raw) = &portal.parameters[i] else {
        return Ok(ScalarValue::Decimal128(None, DECIMAL128_MAX_PRECISION, 18));
    };
    let read = if portal.parameter_format.is_binary(i) {
        Numeric::from_binary(raw)
    } else {
        let text = std::str::from_utf8(raw).map_err(|e| e.to_string());
        text.and_then(Numeric::from_text)
    };
    let number = read.map_err(|why| {
        failure(
            "22P02",
            format!("parameter ${}: {why}", i + 1),
            "send a decimal number of at most 38 digits",
        )
    })?;
    Ok(ScalarValue::Decimal128(Some(number.unscaled), DECIMAL128_MAX_PRECISION, number.scale))
}

fn position(id: &str) -> Option<usize> {
    id.strip_prefix('$')?.parse().ok()
}

/// What a query says of parameters that nothing else tells the type of, by parameter.
#[derive(Default)]
struct Hints {
    /// `$1::type`, `$1 = ANY(list)`, `x = ANY($1)`.
    types: HashMap<String, DataType>,
    /// Compared with object ids of PostgreSQL's catalog.
    ids: HashMap<String, Type>,
}

fn hints(plan: &LogicalPlan) -> Result<Hints, QueryError> {
    let mut hints = Hints::default();
    plan.apply_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                hints.note(expr, &schema);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(hints)
}

impl Hints {
    fn note(&mut self, expr: &Expr, schema: &DFSchema) {
        match expr {
            Expr::Cast(cast) => {
                if let Expr::Placeholder(placeholder) = &*cast.expr {
                    let wanted = cast.field.data_type().clone();
                    self.types.insert(placeholder.id.clone(), wanted);
                }
            }
            Expr::Placeholder(placeholder) => {
                if let Some(alias) = placeholder.field.as_deref().and_then(object_id) {
                    self.ids.insert(placeholder.id.clone(), alias);
                }
            }
            // What `= ANY` and `<> ALL` are read as.
            Expr::ScalarFunction(call) if call.func.name() == "array_has" => {
                let (id, wanted) = match call.args.as_slice() {
                    [Expr::Placeholder(list), element] => {
                        let element = element.get_type(schema).ok();
                        (&list.id, element.map(|e| DataType::new_list(e, true)))
                    }
                    [list, Expr::Placeholder(element)] => {
                        let element_type = match list.get_type(schema) {
                            Ok(DataType::List(field) | DataType::LargeList(field)) => {
                                Some(field.data_type().clone())
                            }
                            _ => None,
                        };
                        (&element.id, element_type)
                    }
                    _ => return,
                };
                let known = wanted.filter(|wanted| !contains_null_type(wanted));
                if let Some(wanted) = known {
                    self.types.insert(id.clone(), wanted);
                }
            }
            _ => {}
        }
    }
}

/// Whether nothing is known of a type, or of its elements.
fn contains_null_type(kind: &DataType) -> bool {
    match kind {
        DataType::Null => true,
        DataType::List(field) => field.data_type().is_null(),
        _ => false,
    }
}

fn object_id(field: &Field) -> Option<Type> {
    let kind = field.metadata().get(PG_OID_ALIAS_KEY)?;
    pg_type_for_alias_kind(kind).filter(|_| field.data_type() == &DataType::Int32)
}

/// The plan with maps, structs and lists of such as JSON. Lists of PostgreSQL's own catalog stay
/// what they are, and so do those of plain values, which its clients read as arrays.
pub(super) fn shape(plan: LogicalPlan) -> Result<LogicalPlan, QueryError> {
    if !plan.schema().fields().iter().any(|field| is_json(field.data_type())) {
        return Ok(plan);
    }
    let json_text = ScalarUDF::new_from_impl(JsonText::new());
    let mark = FieldMetadata::from(BTreeMap::from([(JSON.to_owned(), String::new())]));
    let columns: Vec<_> = plan
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            let column = Expr::Column(Column::from((qualifier, field)));
            if !is_json(field.data_type()) {
                return column;
            }
            let (text, mark) = (json_text.call(vec![column]), Some(mark.clone()));
            text.alias_qualified_with_metadata(qualifier.cloned(), field.name(), mark)
        })
        .collect();
    Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
}
