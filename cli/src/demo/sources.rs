//! The public data inside the binary: bytes to rows. Owns the file names and their columns.
//! What a row becomes on the wire is the business of the modules beside this one; where each file
//! comes from, and under which licence, is told in `demo/README.md`.

use std::io::Read;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::DemoError;

macro_rules! embedded {
    ($name:literal) => {
        File { name: $name, bytes: include_bytes!(concat!("../../../demo/", $name)) }
    };
}

/// One file of the folder `demo`.
pub(super) struct File {
    name: &'static str,
    bytes: &'static [u8],
}

const AGENT_SPANS: File = embedded!("agent_spans.csv.gz");
const CLAUDE_CODE: File = embedded!("claude_code.csv.gz");
const VLLM_REQUESTS: File = embedded!("vllm_requests.csv.gz");
const VLLM_GPU: File = embedded!("vllm_gpu.csv.gz");
const VLLM_ENGINE: File = embedded!("vllm_engine.csv.gz");
const AZURE_CODE: File = embedded!("azure_code.csv.gz");
const FOCUS_SAMPLE: File = embedded!("focus_sample.csv.gz");

/// Exposition of eight H100 behind a DCGM exporter.
pub(super) const DCGM_EXPOSITION: &str = include_str!("../../../demo/dcgm_h100x8.prom");
/// Exposition of a vLLM V1 server.
pub(super) const VLLM_EXPOSITION: &str = include_str!("../../../demo/vllm_v1.prom");

/// A model call of an agent, recorded with OpenTelemetry.
#[derive(Debug, Deserialize)]
pub(super) struct AgentSpan {
    pub(super) session_id: String,
    /// 16 hex digits, as recorded.
    pub(super) span_id: String,
    pub(super) model: String,
    pub(super) start: jiff::Timestamp,
    pub(super) duration_ms: f64,
    pub(super) input_tokens: i64,
    pub(super) output_tokens: i64,
    pub(super) finish_reason: Option<String>,
    /// OTLP status: 1 ok, 2 error.
    pub(super) status_code: i32,
    pub(super) response_id: Option<String>,
}

/// A request of Claude Code; times are relative to the start of its session.
#[derive(Debug, Deserialize)]
pub(super) struct ClaudeCodeRequest {
    pub(super) session_id: String,
    pub(super) turn_index: u32,
    pub(super) model: String,
    pub(super) input_tokens: i64,
    pub(super) output_tokens: i64,
    pub(super) ttft_s: Option<f64>,
    /// The whole call.
    pub(super) api_time_s: f64,
    pub(super) arrival_s: f64,
}

/// A request to vLLM; `scale` is the load level and names the run.
#[derive(Debug, Deserialize)]
pub(super) struct VllmRequest {
    pub(super) scale: u32,
    pub(super) event_id: u32,
    /// Prompt tokens.
    pub(super) in_len: i64,
    /// Characters of the returned text, not tokens.
    pub(super) out_len: i64,
    pub(super) first_chunk_time: f64,
    pub(super) total_chunk_time: f64,
    /// End of the request, seconds of the run's monotonic clock.
    pub(super) record_time: f64,
}

/// What NVML said about the GPU, every half second.
#[derive(Debug, Deserialize)]
pub(super) struct GpuSample {
    pub(super) scale: u32,
    pub(super) record_time: f64,
    pub(super) used_mem_mib: i64,
    pub(super) total_mem_mib: i64,
    pub(super) utilization_percent: f64,
    pub(super) temperature_c: f64,
}

/// What vLLM's engine logged about itself.
#[derive(Debug, Deserialize)]
pub(super) struct EngineSample {
    pub(super) scale: u32,
    pub(super) timestamp: f64,
    /// Tokens per second.
    pub(super) prompt_throughput: f64,
    /// Tokens per second.
    pub(super) generation_throughput: f64,
    pub(super) num_running: f64,
    pub(super) num_swapped: f64,
    pub(super) num_pending: f64,
    /// 0 to 1.
    pub(super) gpu_kvcache_usage: f64,
}

/// An invocation of a code completion service: when, and how many tokens.
#[derive(Debug, Deserialize)]
pub(super) struct AzureInvocation {
    #[serde(rename = "TIMESTAMP")]
    pub(super) at: jiff::civil::DateTime,
    #[serde(rename = "ContextTokens")]
    pub(super) context_tokens: i64,
    #[serde(rename = "GeneratedTokens")]
    pub(super) generated_tokens: i64,
}

pub(super) fn agent_spans() -> Result<Vec<AgentSpan>, DemoError> {
    AGENT_SPANS.rows()
}

pub(super) fn claude_code() -> Result<Vec<ClaudeCodeRequest>, DemoError> {
    CLAUDE_CODE.rows()
}

pub(super) fn vllm_requests() -> Result<Vec<VllmRequest>, DemoError> {
    VLLM_REQUESTS.rows()
}

pub(super) fn vllm_gpu() -> Result<Vec<GpuSample>, DemoError> {
    VLLM_GPU.rows()
}

pub(super) fn vllm_engine() -> Result<Vec<EngineSample>, DemoError> {
    VLLM_ENGINE.rows()
}

pub(super) fn azure_code() -> Result<Vec<AzureInvocation>, DemoError> {
    AZURE_CODE.rows()
}

/// The FOCUS file as plain CSV, with its lines below the header.
pub(super) fn focus_sample() -> Result<(String, u64), DemoError> {
    let text = FOCUS_SAMPLE.text()?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut lines = 0;
    for record in reader.records() {
        record.map_err(|source| DemoError::Data { file: FOCUS_SAMPLE.name, source })?;
        lines += 1;
    }
    Ok((text, lines))
}

impl File {
    fn text(&self) -> Result<String, DemoError> {
        let mut text = String::new();
        GzDecoder::new(self.bytes)
            .read_to_string(&mut text)
            .map_err(|error| DemoError::Data { file: self.name, source: error.into() })?;
        Ok(text)
    }

    fn rows<T: DeserializeOwned>(&self) -> Result<Vec<T>, DemoError> {
        let text = self.text()?;
        csv::Reader::from_reader(text.as_bytes())
            .deserialize()
            .collect::<Result<_, _>>()
            .map_err(|source| DemoError::Data { file: self.name, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts and sums as the publishers' files have them (`demo/README.md`).
    #[test]
    fn every_row_of_every_file_is_read() {
        let agents = agent_spans().unwrap();
        assert_eq!(agents.len(), 1_190);
        assert_eq!(agents.iter().filter(|r| r.status_code == 2).count(), 72);
        assert_eq!(agents.iter().map(|r| r.input_tokens).sum::<i64>(), 34_736_113);
        assert_eq!(agents.iter().map(|r| r.output_tokens).sum::<i64>(), 258_013);
        let claude = claude_code().unwrap();
        assert_eq!(claude.len(), 2_069);
        assert_eq!(claude.iter().map(|r| r.input_tokens).sum::<i64>(), 332_664_357);
        assert_eq!(claude.iter().map(|r| r.output_tokens).sum::<i64>(), 1_648_704);
        assert_eq!(vllm_requests().unwrap().len(), 3_000);
        assert_eq!(vllm_gpu().unwrap().len(), 2_456);
        assert_eq!(vllm_engine().unwrap().len(), 1_937);
        assert_eq!(azure_code().unwrap().len(), 5_100);
        assert_eq!(focus_sample().unwrap().1, 445);
    }
}
