//! Agents at work on SWE-bench, recorded with OpenTelemetry: rows to sessions. The whole set is
//! shifted so that its last call ends when the demo starts; everything between stays as it was.

use spanledger_schemas::ids::SpanId;

use super::DemoError;
use super::sessions::{Call, Owner, Session, grouped, trace_id};
use super::sources::{self, AgentSpan};

/// Name of the service.
pub(super) const SERVICE: &str = "swe-bench-agents";

/// The sessions, the last call ending at `end_unix_ns`.
pub(super) fn sessions(end_unix_ns: i64) -> Result<Vec<Session>, DemoError> {
    let rows = sources::agent_spans()?;
    let last = rows.iter().map(|r| recorded(r).1).max().unwrap_or_default();
    let shift = end_unix_ns - last;
    let session = |(id, rows): (String, Vec<AgentSpan>)| {
        Ok(Session {
            trace_id: trace_id(&format!("{SERVICE}/{id}")),
            name: "invoke_agent claude_code".to_owned(),
            agent: Some("claude_code"),
            owner: Owner {
                team: "evals",
                feature: "swe-bench",
                user: Some("benchmark-runner".to_owned()),
                session: Some(id),
            },
            calls: rows.into_iter().map(|row| call(row, shift)).collect::<Result<_, _>>()?,
        })
    };
    grouped(rows, |r| r.session_id.clone()).into_iter().map(session).collect()
}

/// Start and end as recorded.
fn recorded(row: &AgentSpan) -> (i64, i64) {
    // Microseconds, as in the source, reach to the year 294,000.
    let start = row.start.as_microsecond() * 1_000;
    (start, start + (row.duration_ms * 1e6).round() as i64)
}

fn call(row: AgentSpan, shift: i64) -> Result<Call, DemoError> {
    let (start, end) = recorded(&row);
    Ok(Call {
        span_id: SpanId::from_hex(&row.span_id)?,
        start_unix_ns: start + shift,
        end_unix_ns: end + shift,
        operation: "chat",
        provider: "azure.ai.inference",
        model: row.model,
        input_tokens: row.input_tokens,
        output_tokens: Some(row.output_tokens),
        time_to_first_chunk_s: None,
        finish_reason: row.finish_reason,
        response_id: row.response_id,
        failed: row.status_code == 2,
        more: Vec::new(),
    })
}
