//! The description of the HTTP door, OpenAPI 3.1, made from the catalogue of questions, the
//! parameters and the formats that the code has. A test asks every path it names.

use serde_json::{Map, Value, json};

use crate::doctor::advice::Problem;
use crate::explain::Subject;
use crate::questions::{self, AskParams};
use crate::render::Format;

/// The document.
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "spanledger",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The ledger of an AI workload: SQL and questions over spans, calls, metrics and bills."
        },
        "paths": {
            "/api/v1/sql": {"post": {
                "summary": "Run one reading SQL statement",
                "requestBody": {"required": true, "content": {"application/json": {"schema": {
                    "type": "object",
                    "required": ["query"],
                    "additionalProperties": false,
                    "properties": {
                        "query": {"type": "string", "description": "SELECT, WITH, VALUES, EXPLAIN or SHOW; `$1` is the first of params"},
                        "params": {"type": "array", "items": {"type": ["string", "number", "boolean", "null"]}}
                    }
                }}}},
                "responses": responses(&json!({"$ref": "#/components/schemas/Rows"}))
            }},
            "/api/v1/questions": {"get": {
                "summary": "The catalogue of questions",
                "responses": {"200": {
                    "description": "names, columns, units and definitions",
                    "content": {"application/json": {"schema": {"type": "object"}}}
                }}
            }},
            "/api/v1/questions/{name}": {"get": {
                "summary": "Ask a question",
                "parameters": parameters(),
                "responses": responses(&json!({"$ref": "#/components/schemas/Answer"}))
            }},
            "/api/v1/explain/{subject}/{id}": {"get": {
                "summary": "How a span, a call or a billing line came to its figures, step by step",
                "parameters": [
                    {"name": "subject", "in": "path", "required": true,
                     "schema": {"type": "string", "enum": Subject::ALL.map(Subject::word)}},
                    {"name": "id", "in": "path", "required": true, "schema": {"type": "string"},
                     "description": "span id, trace_id/span_id or trace id; import_id/line_number of a line"}
                ],
                "responses": pages(&json!({"$ref": "#/components/schemas/Explanation"}), &["text/plain"])
            }},
            "/api/v1/doctor": {"get": {
                "summary": "What each service and library sends, what is missing, and what to set to mend it",
                "parameters": [window("from"), window("to")],
                "responses": pages(&json!({"$ref": "#/components/schemas/Report"}), &["text/csv", "text/plain"])
            }},
            "/api/v1/openapi.json": {"get": {
                "summary": "This document",
                "responses": {"200": {
                    "description": "OpenAPI 3.1",
                    "content": {"application/json": {"schema": {"type": "object"}}}
                }}
            }}
        },
        "components": {"schemas": schemas()}
    })
}

fn parameters() -> Value {
    let names: Vec<_> = questions::ALL.iter().map(|q| q.name).collect();
    let path = json!({
        "name": "name", "in": "path", "required": true,
        "schema": {"type": "string", "enum": names}
    });
    let query = |name: &&str| match *name {
        "filter" => json!({
            "name": name, "in": "query", "description": about(name),
            "schema": {"type": "array", "items": {"type": "string"}}, "explode": true
        }),
        name => json!({
            "name": name, "in": "query", "description": about(name), "schema": {"type": "string"}
        }),
    };
    std::iter::once(path).chain(AskParams::NAMES.iter().map(query)).collect()
}

/// A parameter of the doctor's window.
fn window(name: &str) -> Value {
    json!({"name": name, "in": "query", "description": about(name), "schema": {"type": "string"}})
}

/// Responses of an answer that is more than rows: as JSON, and as these texts.
fn pages(answer: &Value, texts: &[&str]) -> Value {
    let mut content = Map::new();
    content.insert("application/json".to_owned(), json!({"schema": answer}));
    for text in texts {
        content.insert((*text).to_owned(), json!({"schema": {"type": "string"}}));
    }
    let mut all = responses(answer);
    all["200"] = json!({"description": "the answer", "content": content});
    all["404"]["description"] = json!("nothing has that id");
    all
}

fn about(parameter: &str) -> &'static str {
    match parameter {
        "by" => "columns of calls to group by, comma-separated",
        "from" => "first instant: 2026-11-01, RFC 3339, -24h or now",
        "to" => "first instant after it, in the same forms",
        "grain" => "step of time: 5m, 1h, 1d, 1w or 1mo",
        "filter" => "column=value or column!=value; an empty value means unknown",
        "reference_from" => "drift only: first instant of the reference window",
        "reference_to" => "drift only: first instant after the reference window",
        "as_of" => {
            "spend, commitments, what-if and unmapped: by the prices that were believed at this instant"
        }
        "to_provider" => "what-if only: as if this provider had served the calls",
        "to_model" => "what-if only: as if this model had served the calls",
        "to_tier" => "what-if only: as if the calls had been served in this tier",
        "draft" => {
            "what-if and commitments: text of a prices.toml, or of the same as CSV, in place of what contracts state of the providers that it prices"
        }
        _ => "",
    }
}

fn responses(answer: &Value) -> Value {
    let mut content = Map::new();
    for format in Format::ALL {
        let schema = match format {
            Format::Json => answer.clone(),
            Format::Csv => json!({"type": "string"}),
            Format::Arrow | Format::Parquet => json!({"type": "string", "format": "binary"}),
        };
        content.insert(format.media_type().to_owned(), json!({"schema": schema}));
    }
    let problem = json!({"application/problem+json": {
        "schema": {"$ref": "#/components/schemas/Problem"}
    }});
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({"description": "the rows", "content": content}));
    for (status, description) in [
        ("400", "not SQL, unknown table or column, or a parameter without a usable value"),
        ("403", "a statement that does more than read"),
        ("404", "no such question"),
        ("406", "no format that is accepted"),
        ("422", "too many rows, too large an answer, or too much memory"),
        ("500", "a fault of the server"),
        ("503", "too many queries are running; Retry-After says when to come back"),
        ("504", "the query ran longer than its deadline"),
    ] {
        responses.insert(
            status.to_owned(),
            json!({"description": description, "content": problem.clone()}),
        );
    }
    Value::Object(responses)
}

fn schemas() -> Value {
    let rows = json!({
        "columns": {"type": "array", "items": {
            "type": "object",
            "required": ["name", "type"],
            "properties": {
                "name": {"type": "string"},
                "type": {"type": "string"},
                "unit": {"type": "string"}
            }
        }},
        "rows": {"type": "array", "items": {"type": "array"}, "description":
            "decimals are strings, instants RFC 3339 in UTC, 64-bit integers numbers, maps objects"},
        "tables": {"type": "object", "additionalProperties": {"type": "integer"},
            "description": "versions of the tables the rows were read from"},
        "elapsed_ms": {"type": "number"}
    });
    let mut answer = rows.clone();
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("question".to_owned(), json!({"type": "string"}));
        answer.insert("sql".to_owned(), json!({"type": "string"}));
        answer.insert("notes".to_owned(), json!({"type": "array", "items": {"type": "string"}}));
        let share = json!({"type": ["number", "null"]});
        answer.insert(
            "coverage".to_owned(),
            json!({"type": "object", "properties": {
                "calls": {"type": "integer"},
                "priced_calls_share": share,
                "priced_tokens_share": share,
                "usage_calls_share": share,
                "estimated_calls": {"type": "integer"},
                "perhaps_estimated_calls": {"type": "integer"},
                "team_share": share,
                "user_share": share,
                "team_cost_share": share,
                "user_cost_share": share,
                "settled_until": {"type": ["string", "null"], "format": "date-time"},
                "allowances": {"type": "integer", "description": "left out without any"},
                "period_prices": {"type": "array", "description":
                    "what is paid for periods beside the costs of calls; left out without any",
                    "items": {"type": "object", "properties": {
                        "currency": {"type": "string"},
                        "paid": {"type": ["string", "null"]},
                        "commitments": {"type": "integer"}
                    }}
                }
            }}),
        );
    }
    json!({
        "Rows": {"type": "object", "properties": rows},
        "Answer": {"type": "object", "properties": answer},
        "Explanation": {"type": "object", "properties": {
            "subject": {"type": "string"},
            "id": {"type": "string"},
            "title": {"type": "string"},
            "steps": {"type": "array", "items": {"type": "object", "properties": {
                "step": {"type": "string"},
                "says": {"type": "string"},
                "rule": {"type": ["string", "null"]},
                "facts": {"type": "array", "items": {"type": "object", "properties": {
                    "name": {"type": "string"}, "value": {}, "from": {"type": ["string", "null"]}
                }}},
                "rows": {"type": "array", "items": {"type": "object"}}
            }}},
            "unknown": {"type": "array", "items": {"type": "object", "properties": {
                "what": {"type": "string"}, "why": {"type": "string"},
                "mend": {"type": ["string", "null"]}
            }}},
            "matches": {"type": "array", "items": {"type": "object"}, "description":
                "in place of steps when the id may mean several things"},
            "more": {"type": "boolean"},
            "tables": {"type": "object", "additionalProperties": {"type": "integer"}},
            "settled_until": {"type": ["string", "null"], "format": "date-time"},
            "elapsed_ms": {"type": "number"}
        }},
        "Report": {"type": "object", "properties": {
            "columns": rows["columns"],
            "rows": rows["rows"],
            "findings": {"type": "array", "items": {"type": "object", "properties": {
                "service": {"type": ["string", "null"]},
                "dialect": {"type": ["string", "null"]},
                "library": {"type": ["string", "null"]},
                "version": {"type": ["string", "null"]},
                "problem": {"type": "string", "enum": Problem::ALL.map(Problem::word)},
                "says": {"type": "string"},
                "count": {"type": "integer"},
                "of": {"type": "integer"},
                "reason": {"type": ["string", "null"]},
                "advice": {"type": "string"}
            }}},
            "notes": {"type": "array", "items": {"type": "string"}},
            "sql": {"type": "array", "items": {"type": "string"}},
            "tables": rows["tables"],
            "settled_until": {"type": ["string", "null"], "format": "date-time"},
            "elapsed_ms": {"type": "number"}
        }},
        "Problem": {"type": "object", "properties": {
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "hint": {"type": "string"}
        }}
    })
}
