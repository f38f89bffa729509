//! One request from its bytes to its acknowledgement: check, recognise a retry, make durable,
//! queue for the tables. Takes decompressed protobuf from the doors and the scraper; gives an
//! [`Ack`] only once the data is fsynced (I-1). It does not know the wire, nor the tables.

use std::sync::Arc;

use bytes::Bytes;
use metrics::counter;
use tokio::sync::oneshot;

use crate::budget::Budget;
use crate::decode::{self, DecodeLimits};
use crate::dedup::{self, Dedup, Verdict};
use crate::flush::Queue;
use crate::frame::{Frame, Signal};
use crate::limits;
use crate::refusal::Refusal;
use crate::wal::{Record, Wal};

/// What became of a request that was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ack {
    /// Spans, data points or log records that are durable.
    pub accepted: u64,
    /// Those that are not taken.
    pub rejected: u64,
    /// Why not.
    pub message: Option<String>,
    /// Whether the same request was taken before.
    pub duplicate: bool,
}

/// The way to the log.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) limits: DecodeLimits,
    pub(crate) dedup: Dedup,
    pub(crate) log: Arc<Wal>,
    pub(crate) queue: Arc<Queue>,
    /// Bytes of requests being received and decoded.
    pub(crate) in_flight: Budget,
    pub(crate) message_bytes_max: u64,
    pub(crate) clock: fn() -> i64,
}

impl Intake {
    /// Takes one request. The outcome holds also when the caller does not wait for it: what was
    /// handed to the log is queued, or forgotten as a whole.
    pub(crate) async fn submit(
        &self,
        tenant: Arc<str>,
        signal: Signal,
        body: Bytes,
    ) -> Result<Ack, Refusal> {
        let ack = self.take(tenant, signal, body).await;
        let signal = signal.name();
        match &ack {
            Ok(Ack { duplicate: true, accepted, .. }) => {
                counter!("spanledger_duplicate_requests_total", "signal" => signal).increment(1);
                counter!("spanledger_duplicate_items_total", "signal" => signal)
                    .increment(*accepted);
            }
            Ok(ack) => {
                counter!("spanledger_accepted_requests_total", "signal" => signal).increment(1);
                counter!("spanledger_accepted_items_total", "signal" => signal)
                    .increment(ack.accepted);
                counter!("spanledger_rejected_items_total", "signal" => signal)
                    .increment(ack.rejected);
            }
            Err(refusal) => refused(signal, refusal),
        }
        ack
    }

    #[tracing::instrument(
        level = "debug",
        name = "receive",
        skip_all,
        fields(otel.kind = "server", signal = signal.name(), bytes = body.len(), items)
    )]
    async fn take(&self, tenant: Arc<str>, signal: Signal, body: Bytes) -> Result<Ack, Refusal> {
        if body.len() as u64 > self.message_bytes_max {
            return Err(Refusal::TooLarge { bytes_max: self.message_bytes_max });
        }
        if tenant.len() > limits::TENANT_BYTES_MAX {
            let found = tenant.len();
            let most = limits::TENANT_BYTES_MAX;
            return Err(Refusal::Malformed(format!("tenant of {found} bytes, at most {most}")));
        }
        let received_unix_ns = (self.clock)();

        let (checked, hash) = {
            let (tenant, body, limits) = (tenant.clone(), body.clone(), self.limits);
            offload(body.len(), move || {
                let checked = decode::check(signal, &body, received_unix_ns, &limits)?;
                Ok::<_, Refusal>((checked, dedup::request_hash(&tenant, signal, &body)))
            })
            .await??
        };
        tracing::Span::current().record("items", checked.accepted);
        let mut ack = Ack {
            accepted: checked.accepted,
            rejected: checked.rejected,
            message: checked.partial_success_message(),
            duplicate: false,
        };
        if ack.accepted == 0 {
            return Ok(ack);
        }

        let claim = match self.dedup.claim(hash, received_unix_ns) {
            Verdict::First(claim) => claim,
            Verdict::Durable => {
                ack.duplicate = true;
                return Ok(ack);
            }
            Verdict::InFlight(first) => {
                ack.duplicate = true;
                return match first.durable().await {
                    true => Ok(ack),
                    false => Err(Refusal::Unavailable("the same request failed just now".into())),
                };
            }
        };
        let room = self.queue.room(body.len())?;

        let record =
            Record { tenant: tenant.clone(), signal, received_unix_ns, hash, body: body.clone() };
        let (answer, durable) = oneshot::channel();
        let (queue, items) = (self.queue.clone(), checked.accepted);
        // Runs on the log's thread, in the order of the sequences: a flush that ends at a
        // sequence has everything before it.
        self.log.append(
            record,
            Box::new(move |logged| {
                if let Ok(seq) = logged {
                    let frame = Frame { seq, tenant, signal, received_unix_ns, body };
                    queue.push(frame, items, room);
                    claim.durable();
                }
                // The client may have gone; its data is safe all the same.
                let _ = answer.send(logged.map(|_| ()));
            }),
        );
        match durable.await {
            Ok(logged) => logged?,
            Err(_) => return Err(Refusal::Unavailable("the log is closed".into())),
        }
        Ok(ack)
    }
}

/// Counts a request that was not taken.
pub(crate) fn refused(signal: &'static str, refusal: &Refusal) {
    let reason = refusal.label();
    counter!("spanledger_refused_requests_total", "signal" => signal, "reason" => reason)
        .increment(1);
}

/// Runs work on `bytes` bytes here when it is short, else on a thread of its own.
pub(crate) async fn offload<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    if bytes <= limits::INLINE_BYTES_MAX {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Refusal::Unavailable(format!("decoding the request: {error}")))
}
