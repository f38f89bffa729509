//! Telemetry of our own: the log on standard error, the numbers behind `/metrics`, and our own
//! spans by OTLP where an endpoint is set.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::settings::{LogFormat, Telemetry};

/// Upper bounds of every `*_seconds` histogram: from a fast fsync to a slow query.
const SECONDS_BUCKETS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

/// Standard error for the log. A line that nobody reads any more is lost, and nothing else with it:
/// the subscriber would tell of its failure on standard error, too, and end the thread with it.
struct Unread(std::io::Stderr);

impl std::io::Write for Unread {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What must live as long as the process, and be flushed at its end.
pub struct Running {
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    tracer: Option<SdkTracerProvider>,
}

/// Starts logging, metrics and, where an endpoint is set, the export of our own spans. Call once,
/// inside the tokio runtime.
///
/// # Errors
/// When the log filter does not parse, or a recorder or exporter cannot be set up.
pub fn start(settings: &Telemetry) -> anyhow::Result<Running> {
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|why| anyhow::anyhow!("setting `telemetry.log` is `{}`: {why}", settings.log))?;
    let log = tracing_subscriber::fmt::layer().with_writer(|| Unread(std::io::stderr()));
    let log = match settings.log_format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().boxed(),
    };
    let tracer = settings.otlp_endpoint.as_deref().map(exporter).transpose()?;
    // Only our own spans go out: those of the export itself would feed on themselves.
    let spans = tracer.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer("spanledger")).with_filter(
            tracing_subscriber::filter::filter_fn(|meta| meta.target().starts_with("spanledger")),
        )
    });
    tracing_subscriber::registry().with(log.with_filter(filter)).with(spans).try_init()?;
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS_BUCKETS)?
        .install_recorder()?;
    Ok(Running { metrics, tracer })
}

fn exporter(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|why| {
            anyhow::anyhow!("setting `telemetry.otlp_endpoint` is `{endpoint}`: {why}")
        })?;
    let resource = Resource::builder().with_service_name("spanledger").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

impl Running {
    /// Sends what our own spans still wait.
    pub fn stop(self) {
        if let Some(Err(error)) = self.tracer.map(|tracer| tracer.shutdown()) {
            tracing::warn!(%error, "own spans were not all sent");
        }
    }
}
