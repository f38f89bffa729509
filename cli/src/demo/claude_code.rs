//! Claude Code at work: rows to sessions. The source knows times only within a session, so each
//! session is given an end: session k, in the source's order, ends k × 10 hours before the demo.

use super::DemoError;
use super::sessions::{Call, Owner, Session, grouped, nanos, span_id, trace_id};
use super::sources::{self, ClaudeCodeRequest};

/// Name of the service.
pub(super) const SERVICE: &str = "claude-code";

/// From the end of one session to the end of the one before: 10 hours.
const STEP_NS: i64 = 10 * 3_600 * 1_000_000_000;

/// Teams that sessions are given to in turn.
const TEAMS: [&str; 3] = ["payments", "search", "mobile"];

/// The sessions, the first ending at `end_unix_ns`.
pub(super) fn sessions(end_unix_ns: i64) -> Result<Vec<Session>, DemoError> {
    let groups = grouped(sources::claude_code()?, |r| r.session_id.clone());
    let session = |(k, (id, rows)): (usize, (String, Vec<ClaudeCodeRequest>))| {
        let last = rows.iter().map(|r| nanos(r.arrival_s + r.api_time_s)).max().unwrap_or_default();
        let start_unix_ns = end_unix_ns - k as i64 * STEP_NS - last;
        Session {
            trace_id: trace_id(&format!("{SERVICE}/{id}")),
            name: "invoke_agent claude_code".to_owned(),
            agent: Some("claude_code"),
            owner: Owner {
                team: TEAMS[k % TEAMS.len()],
                feature: "coding",
                user: Some(format!("developer-{:02}", k + 1)),
                session: Some(id),
            },
            calls: rows.into_iter().map(|row| call(row, start_unix_ns)).collect(),
        }
    };
    Ok(groups.into_iter().enumerate().map(session).collect())
}

fn call(row: ClaudeCodeRequest, session_start_unix_ns: i64) -> Call {
    let start_unix_ns = session_start_unix_ns + nanos(row.arrival_s);
    Call {
        span_id: span_id(&format!("{SERVICE}/{}/{}", row.session_id, row.turn_index)),
        start_unix_ns,
        end_unix_ns: start_unix_ns + nanos(row.api_time_s),
        operation: "chat",
        provider: "anthropic",
        model: row.model,
        input_tokens: row.input_tokens,
        output_tokens: Some(row.output_tokens),
        time_to_first_chunk_s: row.ttft_s,
        finish_reason: None,
        response_id: None,
        failed: false,
        more: Vec::new(),
    }
}
