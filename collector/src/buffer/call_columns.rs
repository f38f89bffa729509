//! The columns of one model call that `spans` and `log_records` share, in the order of
//! `schemas::tables::call_facts`. Takes a normalised item, appends one value to each.

use std::borrow::Cow;

use arrow::array::{ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};

use super::columns::{Amounts, SharedTexts, Sparse};
use crate::normalise::{Basis, Normalised};

/// The currency of every reported cost: no library documents another.
const REPORTED_CURRENCY: &str = "USD";

/// The columns.
#[derive(Debug, Default)]
pub(super) struct CallColumns {
    dialect: Sparse<StringBuilder>,
    operation: Sparse<StringBuilder>,
    provider: Sparse<StringBuilder>,
    request_model: Sparse<StringBuilder>,
    response_model: Sparse<StringBuilder>,
    response_id: Sparse<StringBuilder>,
    service_tier: Sparse<StringBuilder>,
    streaming: Sparse<BooleanBuilder>,
    finish_reason: Sparse<StringBuilder>,
    error_type: Sparse<StringBuilder>,
    ttft_ms: Sparse<Float64Builder>,
    queue_ms: Sparse<Float64Builder>,
    retries: Sparse<Int64Builder>,
    server_address: Sparse<StringBuilder>,
    region: Sparse<StringBuilder>,
    agent_name: Sparse<StringBuilder>,
    workflow_name: Sparse<StringBuilder>,
    tool_name: Sparse<StringBuilder>,
    team: Sparse<StringBuilder>,
    user_id: Sparse<StringBuilder>,
    session_id: Sparse<StringBuilder>,
    feature: Sparse<StringBuilder>,
    column_sources: SharedTexts,
    usage_basis: Sparse<StringBuilder>,
    usage_reason: SharedTexts,
    reported_input_tokens: Sparse<Int64Builder>,
    reported_output_tokens: Sparse<Int64Builder>,
    input_tokens: Sparse<Int64Builder>,
    output_tokens: Sparse<Int64Builder>,
    input_uncached_tokens: Sparse<Int64Builder>,
    cache_read_tokens: Sparse<Int64Builder>,
    cache_write_tokens: Sparse<Int64Builder>,
    cache_write_5m_tokens: Sparse<Int64Builder>,
    cache_write_1h_tokens: Sparse<Int64Builder>,
    output_text_tokens: Sparse<Int64Builder>,
    reasoning_tokens: Sparse<Int64Builder>,
    input_audio_tokens: Sparse<Int64Builder>,
    output_audio_tokens: Sparse<Int64Builder>,
    input_image_tokens: Sparse<Int64Builder>,
    output_image_tokens: Sparse<Int64Builder>,
    web_searches: Sparse<Int64Builder>,
    rerank_searches: Sparse<Int64Builder>,
    tool_calls: Sparse<Int64Builder>,
    input_images: Sparse<Int64Builder>,
    output_images: Sparse<Int64Builder>,
    audio_seconds: Sparse<Float64Builder>,
    input_audio_seconds: Sparse<Float64Builder>,
    output_audio_seconds: Sparse<Float64Builder>,
    input_characters: Sparse<Int64Builder>,
    input_document_pages: Sparse<Int64Builder>,
    reported_cost: Sparse<Amounts>,
    reported_cost_currency: Sparse<StringBuilder>,
    reported_cost_kind: Sparse<StringBuilder>,
    gateway_cache_hit: Sparse<BooleanBuilder>,
}

/// What is said first.
pub(super) fn first<'t>(
    resource: &'t Option<Cow<'_, str>>,
    item: &'t Option<Cow<'_, str>>,
) -> Option<&'t str> {
    resource.as_deref().or(item.as_deref())
}

impl CallColumns {
    pub(super) fn append(&mut self, normal: &Normalised<'_>, sources: Option<&str>) {
        self.dialect.append_option(normal.dialect);
        self.operation.append_option(normal.operation.as_deref());
        self.provider.append_option(normal.provider.as_deref());
        self.request_model.append_option(normal.request_model.as_deref());
        self.response_model.append_option(normal.response_model.as_deref());
        self.response_id.append_option(normal.response_id.as_deref());
        self.service_tier.append_option(normal.service_tier.as_deref());
        self.streaming.append_option(normal.streaming);
        self.finish_reason.append_option(normal.finish_reason.as_deref());
        self.error_type.append_option(normal.error_type.as_deref());
        self.ttft_ms.append_option(normal.ttft_ms);
        self.queue_ms.append_option(normal.queue_ms);
        self.retries.append_option(normal.retries);
        self.server_address.append_option(normal.server_address.as_deref());
        self.region.append_option(normal.region.as_deref());
        self.agent_name.append_option(normal.agent.as_deref());
        self.workflow_name.append_option(normal.workflow.as_deref());
        self.tool_name.append_option(normal.tool.as_deref());
        self.team.append_option(normal.team.as_deref());
        self.user_id.append_option(normal.user.as_deref());
        self.session_id.append_option(normal.session.as_deref());
        self.feature.append_option(normal.feature.as_deref());
        self.column_sources.append_option(sources);
        self.usage(normal);
        self.reported_cost.append_option(normal.cost.map(|cost| cost.amount));
        self.reported_cost_currency.append_option(normal.cost.map(|_| REPORTED_CURRENCY));
        self.reported_cost_kind.append_option(normal.cost.map(|cost| cost.kind.word()));
        self.gateway_cache_hit.append_option(normal.gateway_cache_hit);
    }

    fn usage(&mut self, normal: &Normalised<'_>) {
        let (usage, counts) = (&normal.usage, &normal.counts);
        self.usage_basis.append_option(usage.basis.map(Basis::word));
        self.usage_reason.append_option(usage.reason);
        self.reported_input_tokens.append_option(usage.reported_input);
        self.reported_output_tokens.append_option(usage.reported_output);
        self.input_tokens.append_option(usage.input);
        self.output_tokens.append_option(usage.output);
        self.input_uncached_tokens.append_option(usage.input_uncached);
        self.cache_read_tokens.append_option(usage.cache_read);
        self.cache_write_tokens.append_option(usage.cache_write);
        self.cache_write_5m_tokens.append_option(usage.cache_write_5m);
        self.cache_write_1h_tokens.append_option(usage.cache_write_1h);
        self.output_text_tokens.append_option(usage.output_text);
        self.reasoning_tokens.append_option(usage.reasoning);
        self.input_audio_tokens.append_option(usage.audio_in);
        self.output_audio_tokens.append_option(usage.audio_out);
        self.input_image_tokens.append_option(usage.image_in);
        self.output_image_tokens.append_option(usage.image_out);
        self.web_searches.append_option(counts.web_searches);
        self.rerank_searches.append_option(counts.rerank_searches);
        self.tool_calls.append_option(counts.tool_calls);
        self.input_images.append_option(counts.input_images);
        self.output_images.append_option(counts.output_images);
        self.audio_seconds.append_option(counts.audio_seconds);
        self.input_audio_seconds.append_option(counts.input_audio_seconds);
        self.output_audio_seconds.append_option(counts.output_audio_seconds);
        self.input_characters.append_option(counts.input_characters);
        self.input_document_pages.append_option(counts.input_document_pages);
    }

    pub(super) fn finish(&mut self) -> Vec<ArrayRef> {
        vec![
            self.dialect.finish(),
            self.operation.finish(),
            self.provider.finish(),
            self.request_model.finish(),
            self.response_model.finish(),
            self.response_id.finish(),
            self.service_tier.finish(),
            self.streaming.finish(),
            self.finish_reason.finish(),
            self.error_type.finish(),
            self.ttft_ms.finish(),
            self.queue_ms.finish(),
            self.retries.finish(),
            self.server_address.finish(),
            self.region.finish(),
            self.agent_name.finish(),
            self.workflow_name.finish(),
            self.tool_name.finish(),
            self.team.finish(),
            self.user_id.finish(),
            self.session_id.finish(),
            self.feature.finish(),
            self.column_sources.finish(),
            self.usage_basis.finish(),
            self.usage_reason.finish(),
            self.reported_input_tokens.finish(),
            self.reported_output_tokens.finish(),
            self.input_tokens.finish(),
            self.output_tokens.finish(),
            self.input_uncached_tokens.finish(),
            self.cache_read_tokens.finish(),
            self.cache_write_tokens.finish(),
            self.cache_write_5m_tokens.finish(),
            self.cache_write_1h_tokens.finish(),
            self.output_text_tokens.finish(),
            self.reasoning_tokens.finish(),
            self.input_audio_tokens.finish(),
            self.output_audio_tokens.finish(),
            self.input_image_tokens.finish(),
            self.output_image_tokens.finish(),
            self.web_searches.finish(),
            self.rerank_searches.finish(),
            self.tool_calls.finish(),
            self.input_images.finish(),
            self.output_images.finish(),
            self.audio_seconds.finish(),
            self.input_audio_seconds.finish(),
            self.output_audio_seconds.finish(),
            self.input_characters.finish(),
            self.input_document_pages.finish(),
            self.reported_cost.finish(),
            self.reported_cost_currency.finish(),
            self.reported_cost_kind.finish(),
            self.gateway_cache_hit.finish(),
        ]
    }
}
