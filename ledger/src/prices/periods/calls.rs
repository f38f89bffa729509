//! The columns of calls that periods are reckoned from, row by row: takes a batch, gives what decides a
//! call's price, what it used, and what tells it from others.

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch, StringViewArray};

use crate::prices::columns::{int, text};
use crate::prices::counts::CountColumns;
use crate::prices::{CallFacts, PriceError};
use crate::usage::Usage;

/// The columns of a batch of calls.
pub(super) struct Columns {
    texts: [StringViewArray; 6],
    ids: [StringViewArray; 2],
    pub(super) start: Int64Array,
    counts: CountColumns,
    pub(super) cache_hit: Option<BooleanArray>,
}

impl Columns {
    pub(super) fn of(calls: &RecordBatch) -> Result<Columns, PriceError> {
        let names = [
            "provider",
            "request_model",
            "response_model",
            "service_tier",
            "region",
            "server_address",
        ];
        let mut texts = Vec::with_capacity(names.len());
        for name in names {
            texts.push(text(calls, name)?);
        }
        let texts = <[StringViewArray; 6]>::try_from(texts)
            .map_err(|_| PriceError::Column { column: "provider".to_owned() })?;
        let cache_hit = calls.column_by_name("gateway_cache_hit").and_then(|c| c.as_boolean_opt());
        Ok(Columns {
            texts,
            ids: [text(calls, "trace_id")?, text(calls, "span_id")?],
            start: int(calls, "start_unix_ns")?.clone(),
            counts: CountColumns::of(calls)?,
            cache_hit: cache_hit.cloned(),
        })
    }

    pub(super) fn usage(&self, i: usize) -> Usage {
        self.counts.usage(i)
    }

    pub(super) fn facts<'a>(&'a self, i: usize, usage: &'a Usage) -> CallFacts<'a> {
        let at = |column: &'a StringViewArray| column.is_valid(i).then(|| column.value(i));
        let [provider, request_model, response_model, tier, region, host] = &self.texts;
        CallFacts {
            tenant: None,
            provider: at(provider),
            request_model: at(request_model),
            response_model: at(response_model),
            service_tier: at(tier),
            region: at(region),
            server_address: at(host),
            at: self.start.value(i).div_euclid(1_000),
            usage,
        }
    }

    /// Trace and span id; zero where there is none.
    pub(super) fn ids(&self, i: usize) -> (u128, u64) {
        let hex = |column: &StringViewArray| {
            let valid = column.is_valid(i).then(|| column.value(i));
            valid.and_then(|text| u128::from_str_radix(text, 16).ok()).unwrap_or_default()
        };
        (hex(&self.ids[0]), u64::try_from(hex(&self.ids[1])).unwrap_or_default())
    }
}
