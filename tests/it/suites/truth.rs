//! The comparison of settled calls with what the providers billed. A call is matched with a request
//! by the id of the answer or the request, else by its numbers and its time; then every leaf that
//! the call tells as counted must be the one that was billed. Where a library does not tell a fact
//! the call may leave it open, and the table says how often.

use std::fmt;

use serde_json::Value;
use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

use super::capture::Suite;

/// The columns of a [`Call`], of calls that say any usage.
pub(super) const QUERY: &str = "\
    SELECT span_id, response_id, usage_basis, start_unix_ns, duration_ms, input_tokens, \
           cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, \
           coalesce(dialect, '') || ' ' || coalesce(model, ''), \
           usage_reason, ttft_ms, input_uncached_tokens \
    FROM calls ORDER BY start_unix_ns";

/// The leaves that a truth has, as it names them.
const LEAVES: [&str; 6] =
    ["input_total", "cache_read", "cache_write", "output_total", "reasoning", "input_uncached"];

/// By how much two processes of one machine may read its clock apart.
const CLOCKS_APART_MS: f64 = 3.0;

/// A row of `calls`.
#[derive(Debug)]
pub(super) struct Call {
    span: String,
    response: Option<String>,
    /// The numbers are counted and it is clear what they contain.
    sure: bool,
    start: i64,
    took_ms: Option<f64>,
    ttft_ms: Option<f64>,
    /// In the order of [`LEAVES`]; uncached input only where it is no bound.
    leaves: [Option<i64>; 6],
    what: String,
}

impl Call {
    pub(super) fn of(row: &Value) -> Call {
        let text = |i: usize| row[i].as_str().map(str::to_owned);
        let reason = text(11).unwrap_or_default();
        let uncached = number(&row[13]).filter(|_| !reason.contains(CACHED_UNTOLD));
        let [input, read, written, output, reasoning] = [5, 6, 7, 8, 9].map(|i| number(&row[i]));
        Call {
            span: text(0).unwrap(),
            response: text(1),
            // Where a library marks no guess of its own, the reason says that it may be one.
            sure: !matches!(row[2].as_str(), Some("unknown" | "estimated") | None)
                && !reason.contains(PERHAPS_ESTIMATED),
            start: number(&row[3]).unwrap(),
            took_ms: row[4].as_f64(),
            ttft_ms: row[12].as_f64(),
            leaves: [input, read, written, output, reasoning, uncached],
            what: text(10).unwrap_or_default(),
        }
    }

    fn end(&self) -> i64 {
        self.start + (self.took_ms.unwrap_or_default() * 1e6) as i64
    }

    fn tells_usage(&self) -> bool {
        [0, 3].iter().any(|i| self.leaves[*i].is_some_and(|n| n > 0))
    }
}

/// A whole number; 64-bit ones may come as text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A request as the provider saw it.
struct Request<'a> {
    truth: &'a Value,
    /// Whether the client was told its usage.
    told: bool,
    leaves: [i64; 6],
    start: i64,
    end: i64,
    /// From the request to the first byte of its answer.
    first_byte_ms: f64,
}

impl<'a> Request<'a> {
    fn of(truth: &'a Value) -> Request<'a> {
        let left = truth["client_disconnected"].as_bool().unwrap_or_default();
        let whole = truth["error"].is_null() && truth["status"] == 200 && !left;
        Request {
            truth,
            told: whole && truth["usage_sent"].as_bool().unwrap_or(true),
            leaves: LEAVES.map(|l| number(&truth["billed"][l]).unwrap_or_default()),
            start: number(&truth["start_unix_nano"]).unwrap_or_default(),
            end: number(&truth["end_unix_nano"]).unwrap_or_default(),
            first_byte_ms: truth["ttfb_ms"].as_f64().unwrap_or_default(),
        }
    }

    /// What of a call's latency cannot be: the client waits at least as long as the provider works.
    fn too_fast(&self, call: &Call) -> Option<String> {
        let worked = (self.end - self.start) as f64 / 1e6;
        let pairs = [("took", call.took_ms, worked), ("ttft", call.ttft_ms, self.first_byte_ms)];
        pairs.into_iter().find_map(|(what, said, at_least)| {
            let said = said.filter(|ms| ms + CLOCKS_APART_MS < at_least)?;
            Some(format!("{what} {said} ms, of the provider {at_least}"))
        })
    }

    /// Whether a call carries one of its ids.
    fn same_id(&self, call: &Call) -> bool {
        let ids = [&self.truth["response_id"], &self.truth["request_id"]];
        call.response.as_ref().is_some_and(|id| ids.iter().any(|i| i.as_str() == Some(id)))
    }

    /// Whether a call has its numbers and its time; the client sees it a little longer.
    fn same_numbers(&self, call: &Call) -> bool {
        let near =
            call.start <= self.end + 2_000_000_000 && self.start <= call.end() + 2_000_000_000;
        let uncached = self.leaves[0] - self.leaves[1] - self.leaves[2];
        let input = call.leaves[0].is_none_or(|n| n == self.leaves[0] || n == uncached);
        // Of an answer that was cut the client may have counted a part.
        let output = call.leaves[3].is_none_or(|n| match self.told {
            true => n == self.leaves[3] || n == self.leaves[3] - self.leaves[4],
            false => n <= self.leaves[3],
        });
        near && input && output && call.leaves[0].or(call.leaves[3]).is_some()
    }
}

/// How a suite came out.
pub(super) struct Tally {
    name: String,
    requests: usize,
    told: usize,
    calls: usize,
    with_usage: usize,
    exact: usize,
    /// Told in part: some leaf is left open, or the basis is unknown.
    open: usize,
    estimated: usize,
    /// Usage of a request whose client was not told: part of a stream that was cut.
    beyond: usize,
    missing: usize,
    input: (i64, i64),
    output: (i64, i64),
    pub(super) complaints: Vec<String>,
}

impl Tally {
    pub(super) const HEAD: &'static str = "suite | requests | told | calls | with usage | exact | \
        leaf open | unsure | untold, part | told, no call | input truth/calls | output truth/calls | wrong";

    pub(super) fn of(suite: &Suite, calls: &[Call]) -> Tally {
        let requests: Vec<Request<'_>> = suite.truth.iter().map(Request::of).collect();
        let told = requests.iter().filter(|r| r.told);
        let sum = |leaf: usize| told.clone().map(|r| r.leaves[leaf]).sum::<i64>();
        let mut tally = Tally {
            name: suite.name.clone(),
            requests: requests.len(),
            told: told.clone().count(),
            calls: calls.len(),
            with_usage: calls.iter().filter(|c| c.tells_usage()).count(),
            exact: 0,
            open: 0,
            estimated: 0,
            beyond: 0,
            missing: 0,
            input: (sum(0), 0),
            output: (sum(3), 0),
            complaints: Vec::new(),
        };
        let mut taken: Vec<Option<&Call>> = requests.iter().map(|_| None).collect();
        let telling: Vec<&Call> = calls.iter().filter(|c| c.tells_usage()).collect();
        let with_id = |c: &&&Call| requests.iter().any(|r| r.same_id(c));
        let (by_id, by_number): (Vec<&Call>, Vec<&Call>) =
            telling.iter().partition::<Vec<&Call>, _>(with_id);
        for call in by_id.into_iter().chain(by_number) {
            tally.place(call, &requests, &mut taken);
        }
        tally.missing = requests.iter().zip(&taken).filter(|(r, t)| r.told && t.is_none()).count();
        if tally.missing > suite.without_tokens {
            let (found, known) = (tally.missing, suite.without_tokens);
            tally.complaints.push(format!(
                "{}: {found} told requests are in no call, expected at most {known}",
                suite.name
            ));
        }
        if calls.len() > requests.len() {
            let (calls, requests) = (calls.len(), requests.len());
            tally.complaints.push(format!("{}: {calls} calls of {requests} requests", suite.name));
        }
        tally
    }

    fn place<'a>(&mut self, call: &'a Call, all: &[Request<'_>], taken: &mut [Option<&'a Call>]) {
        let same = |by: &dyn Fn(&Request<'_>) -> bool, free: bool| {
            let found = (0..all.len()).filter(|i| by(&all[*i]) && !(free && taken[*i].is_some()));
            // What was told before what was not, then the nearest in time.
            found.min_by_key(|i| (!all[*i].told, all[*i].start.abs_diff(call.start)))
        };
        let by_id = same(&|r| r.same_id(call), false);
        let Some(i) = by_id.or_else(|| same(&|r| r.same_numbers(call), true)) else {
            if call.sure {
                self.complain(call, "is no request of the truth");
            }
            self.estimated += usize::from(!call.sure);
            return;
        };
        if let Some(other) = taken[i] {
            self.complain(call, &format!("is counted already as span {}", other.span));
            return;
        }
        taken[i] = Some(call);
        let request = &all[i];
        if !request.told {
            self.beyond += 1;
            // The client may know the input, and the output as far as it came; more is a guess.
            let [input, _, _, output, ..] = call.leaves;
            let more = input.is_some_and(|n| n != request.leaves[0])
                || output.is_some_and(|n| n > request.leaves[3]);
            if more && call.sure {
                self.complain(call, &format!("is a guess, billed {:?}", request.leaves));
            }
            return;
        }
        if let Some(wrong) = by_id.and_then(|_| request.too_fast(call)) {
            self.complain(call, &wrong);
        }
        self.input.1 += call.leaves[0].unwrap_or_default();
        self.output.1 += call.leaves[3].unwrap_or_default();
        let pairs = call.leaves.iter().zip(request.leaves).zip(LEAVES);
        let wrong: Vec<String> = pairs
            .clone()
            .filter_map(|((said, billed), leaf)| {
                let said = (*said)?;
                (said != billed).then(|| format!("{leaf} {said}, billed {billed}"))
            })
            .collect();
        let open = pairs.clone().any(|((said, billed), _)| said.is_none() && billed > 0);
        match (wrong.is_empty(), call.sure) {
            (true, true) if !open => self.exact += 1,
            (true, true) => self.open += 1,
            (_, false) => self.estimated += 1,
            (false, true) => self.complain(call, &wrong.join("; ")),
        }
    }

    fn complain(&mut self, call: &Call, what: &str) {
        let Tally { name, .. } = self;
        let Call { span, leaves, what: speaks, response, .. } = call;
        self.complaints
            .push(format!("{name}: call {span} ({speaks}, {response:?}, {leaves:?}) {what}"));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {}/{} | {}/{} | {}",
            self.name,
            self.requests,
            self.told,
            self.calls,
            self.with_usage,
            self.exact,
            self.open,
            self.estimated,
            self.beyond,
            self.missing,
            self.input.0,
            self.input.1,
            self.output.0,
            self.output.1,
            self.complaints.len()
        )
    }
}
