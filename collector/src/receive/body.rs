//! The body of a request: read piece by piece and decompressed, both within the message limit and
//! the budget that all requests share (I-9). Takes an HTTP body, gives its bytes and the hold on
//! the budget; a zip bomb ends at the limit. It does not know what the bytes are.

use std::io::Read;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use crate::budget::Hold;
use crate::intake::offload;
use crate::limits;
use crate::refusal::Refusal;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not at all.
    Identity,
    /// RFC 1952
    Gzip,
    /// RFC 8878
    Zstd,
    /// RFC 1950, what HTTP calls `deflate`
    Zlib,
}

/// Names of the compressions taken, as clients are told.
pub(super) const COMPRESSIONS: &str = "identity, gzip, zstd or deflate";

/// Memory of one zstd stream: 8 MiB, what RFC 8878 (3.1.1.1.2) wants every decoder to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// First size of the output, and how it grows at least.
const STEP_BYTES: usize = 64 * limits::KIB as usize;

impl Compression {
    /// The compression of that name in HTTP and gRPC.
    pub(super) fn from_name(name: &str) -> Option<Compression> {
        match name.trim() {
            "" | "identity" => Some(Compression::Identity),
            name if name.eq_ignore_ascii_case("gzip") => Some(Compression::Gzip),
            name if name.eq_ignore_ascii_case("zstd") => Some(Compression::Zstd),
            name if name.eq_ignore_ascii_case("deflate") => Some(Compression::Zlib),
            _ => None,
        }
    }
}

/// Reads a body of at most `bytes_max` bytes.
pub(super) async fn read(
    mut body: Body,
    hold: &mut Hold,
    bytes_max: u64,
) -> Result<Bytes, Refusal> {
    // Room for all of it at once where its length is told: growing by doubles leaves a third of it
    // empty for as long as the request waits for its commit.
    let told = body.size_hint().exact().unwrap_or(0);
    let room = usize::try_from(told).unwrap_or(usize::MAX).min(limits::BODY_ROOM_BYTES_MAX);
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    let mut size = 0;
    loop {
        let frame = tokio::time::timeout(limits::BODY_PAUSE_MAX, body.frame()).await;
        let piece = match frame.map_err(|_| Refusal::Slow)? {
            None => break,
            Some(Err(error)) => {
                return Err(Refusal::Malformed(format!("reading the body: {error}")));
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => piece,
                Err(_trailers) => continue,
            },
        };
        size += piece.len();
        if size as u64 > bytes_max {
            return Err(Refusal::TooLarge { bytes_max });
        }
        grow(hold, piece.len())?;
        match first.take() {
            // Most small bodies come in one piece and are not copied.
            None if all.is_empty() => first = Some(piece),
            None => all.extend_from_slice(&piece),
            Some(before) => {
                all.reserve(room);
                all.extend_from_slice(&before);
                all.extend_from_slice(&piece);
            }
        }
    }
    Ok(first.unwrap_or_else(|| all.freeze()))
}

/// Undoes a compression; the result has at most `bytes_max` bytes.
pub(super) async fn decompress(
    compression: Compression,
    body: Bytes,
    mut hold: Hold,
    bytes_max: u64,
) -> Result<(Bytes, Hold), Refusal> {
    if compression == Compression::Identity {
        return Ok((body, hold));
    }
    // A compressed byte is worth several: the work is bounded by what comes out.
    let work = body.len().saturating_mul(8);
    offload(work, move || {
        let whole = match compression {
            Compression::Identity => return Ok((body, hold)),
            Compression::Gzip => {
                inflate(flate2::read::MultiGzDecoder::new(&body[..]), &mut hold, bytes_max)
            }
            Compression::Zlib => {
                inflate(flate2::read::ZlibDecoder::new(&body[..]), &mut hold, bytes_max)
            }
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(&body[..])
                    .map_err(|e| Refusal::Malformed(format!("zstd: {e}")))?;
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG_MAX)
                    .map_err(|e| Refusal::Malformed(format!("zstd: {e}")))?;
                inflate(decoder, &mut hold, bytes_max)
            }
        };
        Ok((whole?, hold))
    })
    .await?
}

fn inflate(mut from: impl Read, hold: &mut Hold, bytes_max: u64) -> Result<Bytes, Refusal> {
    let mut out: Vec<u8> = Vec::new();
    let mut size = 0;
    loop {
        if size == out.len() {
            // One byte past the limit is enough to know that it is passed.
            let left = usize::try_from(bytes_max).unwrap_or(usize::MAX).saturating_add(1) - size;
            let more = out.len().max(STEP_BYTES).min(left);
            grow(hold, more)?;
            out.resize(size + more, 0);
        }
        let read = from
            .read(&mut out[size..])
            .map_err(|error| Refusal::Malformed(format!("decompressing the body: {error}")))?;
        if read == 0 {
            break;
        }
        size += read;
        if size as u64 > bytes_max {
            return Err(Refusal::TooLarge { bytes_max });
        }
    }
    out.truncate(size);
    out.shrink_to_fit();
    Ok(Bytes::from(out))
}

/// Holds more of the shared budget.
pub(super) fn grow(hold: &mut Hold, bytes: usize) -> Result<(), Refusal> {
    hold.grow(bytes)
        .map_err(|_| Refusal::Busy("too many bytes of requests are being received".into()))
}
