//! What PostgreSQL calls the columns of a query that have no name of their own: by their function or
//! type, `?column?` else (`src/backend/parser/parse_target.c`, `FigureColname`). Drivers hand rows
//! out by these names; the planner's are the whole expression.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::sql::sqlparser::ast::{Expr, SelectItem, SetExpr, Statement};

use crate::session::rewrites::AGAIN;

/// What the parser's rewrites put before a name that stands twice.
const TWICE: &str = "__alias_";

/// The columns of a statement under PostgreSQL's names.
pub(super) fn titled(schema: &SchemaRef, statement: &Statement) -> SchemaRef {
    let titles = titles(statement).filter(|titles| titles.len() == schema.fields().len());
    let mut fields = Vec::with_capacity(schema.fields().len());
    for (at, field) in schema.fields().iter().enumerate() {
        let title = titles.as_ref().and_then(|titles| titles[at].clone());
        let title = title.or_else(|| field.name().strip_prefix(TWICE).map(str::to_owned));
        fields.push(match title {
            Some(title) => Arc::new(Field::clone(field).with_name(title)),
            None => Arc::clone(field),
        });
    }
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A title for each column that has no name; none when it is not known which column is which.
fn titles(statement: &Statement) -> Option<Vec<Option<String>>> {
    let Statement::Query(query) = statement else { return None };
    let mut body = &*query.body;
    let items = loop {
        body = match body {
            SetExpr::Select(select) => break &select.projection,
            SetExpr::Query(query) => &query.body,
            SetExpr::SetOperation { left, .. } => left,
            _ => return None,
        };
    };
    let title = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => Some(None),
        SelectItem::UnnamedExpr(expr) => Some(Some(title(expr).unwrap_or("?column?".to_owned()))),
        SelectItem::ExprWithAlias { expr, alias } if alias.value.starts_with(AGAIN) => {
            Some(Some(title(expr).unwrap_or("?column?".to_owned())))
        }
        SelectItem::ExprWithAlias { .. } => Some(None),
        _ => None,
    };
    items.iter().map(title).collect()
}

fn title(expr: &Expr) -> Option<String> {
    let name = match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(names) => names.last()?.value.clone(),
        Expr::Function(function) => function.name.0.last()?.as_ident()?.value.to_lowercase(),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => return title(inner),
        Expr::Cast { expr: inner, data_type, .. } => {
            return title(inner).or_else(|| {
                let name = data_type.to_string().to_lowercase();
                Some(name.split(['(', ' ', '[']).next()?.to_owned())
            });
        }
        Expr::Case { .. } => "case".to_owned(),
        Expr::Exists { .. } => "exists".to_owned(),
        Expr::Extract { .. } => "extract".to_owned(),
        Expr::Substring { .. } => "substring".to_owned(),
        Expr::Trim { .. } => "btrim".to_owned(),
        Expr::Position { .. } => "position".to_owned(),
        Expr::Ceil { .. } => "ceil".to_owned(),
        Expr::Floor { .. } => "floor".to_owned(),
        Expr::Array(_) => "array".to_owned(),
        Expr::AtTimeZone { .. } => "timezone".to_owned(),
        Expr::Interval(_) => "interval".to_owned(),
        Expr::TypedString(typed) => typed.data_type.to_string().to_lowercase(),
        Expr::Subquery(query) => {
            let all = titles(&Statement::Query(query.clone()))?;
            all.into_iter().next().flatten()?
        }
        _ => return None,
    };
    Some(name)
}
