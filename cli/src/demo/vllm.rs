//! Six load tests of one vLLM server: its requests become sessions, one per run; its GPU and its
//! engine become metrics on the same clock. The source knows times only within a run, so each run
//! is given an end: the k-th from the last ends k × 20 hours before the demo.

use super::DemoError;
use super::otlp::{Instrument, Series};
use super::sessions::{Call, Owner, Session, grouped, nanos, span_id, trace_id};
use super::sources::{self, EngineSample, GpuSample, VllmRequest};

/// Name of the service.
pub(super) const SERVICE: &str = "vllm-burstgpt";

const MODEL: &str = "Llama-3.2-1B";
/// From the end of one run to the end of the one before: 20 hours.
const STEP_NS: i64 = 20 * 3_600 * 1_000_000_000;
const MIB: f64 = 1_048_576.0;

/// A run: its load level, and what turns its monotonic clock into wall-clock nanoseconds.
struct Run {
    scale: u32,
    shift_ns: i64,
}

impl Run {
    fn unix_ns(&self, monotonic_s: f64) -> i64 {
        nanos(monotonic_s) + self.shift_ns
    }
}

/// One session per run, the last ending at `end_unix_ns`.
pub(super) fn sessions(end_unix_ns: i64) -> Result<Vec<Session>, DemoError> {
    let groups = grouped(sources::vllm_requests()?, |r| r.scale);
    let runs = runs(&groups, end_unix_ns);
    let session = |(run, (scale, rows)): (Run, (u32, Vec<VllmRequest>))| Session {
        trace_id: trace_id(&format!("{SERVICE}/{scale}")),
        name: format!("burstgpt replay at scale {scale}"),
        agent: None,
        owner: Owner { team: "inference", feature: "load-test", user: None, session: None },
        calls: rows.into_iter().map(|row| call(row, &run)).collect(),
    };
    Ok(runs.into_iter().zip(groups).map(session).collect())
}

/// The series of GPU and engine, on the clock of [`sessions`].
pub(super) fn series(end_unix_ns: i64) -> Result<Vec<Series>, DemoError> {
    let runs = runs(&grouped(sources::vllm_requests()?, |r| r.scale), end_unix_ns);
    let gpu = sources::vllm_gpu()?;
    let engine = sources::vllm_engine()?;
    Ok(runs
        .iter()
        .flat_map(|run| gpu_series(run, &gpu).chain(engine_series(run, &engine)))
        .collect())
}

fn runs(groups: &[(u32, Vec<VllmRequest>)], end_unix_ns: i64) -> Vec<Run> {
    let run = |(k, (scale, rows)): (usize, &(u32, Vec<VllmRequest>))| {
        let last = rows.iter().map(|r| nanos(r.record_time)).max().unwrap_or_default();
        let before = (groups.len() - 1 - k) as i64 * STEP_NS;
        Run { scale: *scale, shift_ns: end_unix_ns - before - last }
    };
    groups.iter().enumerate().map(run).collect()
}

fn call(row: VllmRequest, run: &Run) -> Call {
    let end_unix_ns = run.unix_ns(row.record_time);
    Call {
        span_id: span_id(&format!("{SERVICE}/{}/{}", row.scale, row.event_id)),
        start_unix_ns: end_unix_ns - nanos(row.total_chunk_time),
        end_unix_ns,
        operation: "text_completion",
        provider: "vllm",
        model: MODEL.to_owned(),
        input_tokens: row.in_len,
        output_tokens: None,
        time_to_first_chunk_s: Some(row.first_chunk_time),
        finish_reason: None,
        response_id: None,
        failed: false,
        more: vec![
            ("burstgpt.scale", i64::from(row.scale)),
            ("burstgpt.returned_characters", row.out_len),
        ],
    }
}

/// NVML's numbers under OpenTelemetry's hardware names.
fn gpu_series<'a>(run: &'a Run, samples: &'a [GpuSample]) -> impl Iterator<Item = Series> + 'a {
    type Column = (&'static str, &'static str, Instrument, fn(&GpuSample) -> f64);
    const COLUMNS: [Column; 4] = [
        ("hw.gpu.utilization", "1", Instrument::Gauge, |s| s.utilization_percent / 100.0),
        ("hw.gpu.memory.usage", "By", Instrument::UpDownCounter, |s| s.used_mem_mib as f64 * MIB),
        ("hw.gpu.memory.limit", "By", Instrument::UpDownCounter, |s| s.total_mem_mib as f64 * MIB),
        ("hw.temperature", "Cel", Instrument::Gauge, |s| s.temperature_c),
    ];
    COLUMNS.into_iter().map(move |(name, unit, instrument, value)| Series {
        name,
        unit,
        instrument,
        attributes: vec![
            ("hw.id", "gpu-0".to_owned()),
            ("hw.type", "gpu".to_owned()),
            ("burstgpt.scale", run.scale.to_string()),
        ],
        points: samples
            .iter()
            .filter(|s| s.scale == run.scale)
            .map(|s| (run.unix_ns(s.record_time), value(s)))
            .collect(),
    })
}

/// The engine's numbers under the names vLLM gives them on `/metrics`.
fn engine_series<'a>(
    run: &'a Run,
    samples: &'a [EngineSample],
) -> impl Iterator<Item = Series> + 'a {
    type Column = (&'static str, &'static str, fn(&EngineSample) -> f64);
    const COLUMNS: [Column; 6] = [
        ("vllm:num_requests_running", "{request}", |s| s.num_running),
        ("vllm:num_requests_swapped", "{request}", |s| s.num_swapped),
        ("vllm:num_requests_waiting", "{request}", |s| s.num_pending),
        ("vllm:gpu_cache_usage_perc", "1", |s| s.gpu_kvcache_usage),
        ("vllm:avg_prompt_throughput_toks_per_s", "{token}/s", |s| s.prompt_throughput),
        ("vllm:avg_generation_throughput_toks_per_s", "{token}/s", |s| s.generation_throughput),
    ];
    COLUMNS.into_iter().map(move |(name, unit, value)| Series {
        name,
        unit,
        instrument: Instrument::Gauge,
        attributes: vec![
            ("model_name", MODEL.to_owned()),
            ("burstgpt.scale", run.scale.to_string()),
        ],
        points: samples
            .iter()
            .filter(|s| s.scale == run.scale)
            .map(|s| (run.unix_ns(s.timestamp), value(s)))
            .collect(),
    })
}
