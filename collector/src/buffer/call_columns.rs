//! The columns of one model call that `spans` and `log_records` share, in the order of
//! `schemas::tables::call_facts`. Takes a normalised item, appends one value to each.

use std::borrow::Cow;

use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, Float64Builder, Int64Builder, StringBuilder,
};
use spanledger_schemas::Kind;

use super::columns::{SharedTexts, done};
use crate::normalise::{Basis, Normalised};

/// The currency of every reported cost: no library documents another.
const REPORTED_CURRENCY: &str = "USD";

/// The columns.
#[derive(Debug)]
pub(super) struct CallColumns {
    dialect: StringBuilder,
    operation: StringBuilder,
    provider: StringBuilder,
    request_model: StringBuilder,
    response_model: StringBuilder,
    response_id: StringBuilder,
    service_tier: StringBuilder,
    streaming: BooleanBuilder,
    finish_reason: StringBuilder,
    error_type: StringBuilder,
    ttft_ms: Float64Builder,
    queue_ms: Float64Builder,
    retries: Int64Builder,
    server_address: StringBuilder,
    region: StringBuilder,
    agent_name: StringBuilder,
    workflow_name: StringBuilder,
    tool_name: StringBuilder,
    team: StringBuilder,
    user_id: StringBuilder,
    session_id: StringBuilder,
    feature: StringBuilder,
    column_sources: SharedTexts,
    usage_basis: StringBuilder,
    usage_reason: SharedTexts,
    reported_input_tokens: Int64Builder,
    reported_output_tokens: Int64Builder,
    input_tokens: Int64Builder,
    output_tokens: Int64Builder,
    input_uncached_tokens: Int64Builder,
    cache_read_tokens: Int64Builder,
    cache_write_tokens: Int64Builder,
    cache_write_5m_tokens: Int64Builder,
    cache_write_1h_tokens: Int64Builder,
    output_text_tokens: Int64Builder,
    reasoning_tokens: Int64Builder,
    input_audio_tokens: Int64Builder,
    output_audio_tokens: Int64Builder,
    input_image_tokens: Int64Builder,
    output_image_tokens: Int64Builder,
    web_searches: Int64Builder,
    rerank_searches: Int64Builder,
    tool_calls: Int64Builder,
    input_images: Int64Builder,
    output_images: Int64Builder,
    audio_seconds: Float64Builder,
    input_audio_seconds: Float64Builder,
    output_audio_seconds: Float64Builder,
    input_characters: Int64Builder,
    input_document_pages: Int64Builder,
    reported_cost: Decimal128Builder,
    reported_cost_currency: StringBuilder,
    reported_cost_kind: StringBuilder,
    gateway_cache_hit: BooleanBuilder,
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
        self.reported_cost.append_option(normal.cost.map(|cost| cost.amount.0));
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
            done(&mut self.dialect),
            done(&mut self.operation),
            done(&mut self.provider),
            done(&mut self.request_model),
            done(&mut self.response_model),
            done(&mut self.response_id),
            done(&mut self.service_tier),
            done(&mut self.streaming),
            done(&mut self.finish_reason),
            done(&mut self.error_type),
            done(&mut self.ttft_ms),
            done(&mut self.queue_ms),
            done(&mut self.retries),
            done(&mut self.server_address),
            done(&mut self.region),
            done(&mut self.agent_name),
            done(&mut self.workflow_name),
            done(&mut self.tool_name),
            done(&mut self.team),
            done(&mut self.user_id),
            done(&mut self.session_id),
            done(&mut self.feature),
            self.column_sources.finish(),
            done(&mut self.usage_basis),
            self.usage_reason.finish(),
            done(&mut self.reported_input_tokens),
            done(&mut self.reported_output_tokens),
            done(&mut self.input_tokens),
            done(&mut self.output_tokens),
            done(&mut self.input_uncached_tokens),
            done(&mut self.cache_read_tokens),
            done(&mut self.cache_write_tokens),
            done(&mut self.cache_write_5m_tokens),
            done(&mut self.cache_write_1h_tokens),
            done(&mut self.output_text_tokens),
            done(&mut self.reasoning_tokens),
            done(&mut self.input_audio_tokens),
            done(&mut self.output_audio_tokens),
            done(&mut self.input_image_tokens),
            done(&mut self.output_image_tokens),
            done(&mut self.web_searches),
            done(&mut self.rerank_searches),
            done(&mut self.tool_calls),
            done(&mut self.input_images),
            done(&mut self.output_images),
            done(&mut self.audio_seconds),
            done(&mut self.input_audio_seconds),
            done(&mut self.output_audio_seconds),
            done(&mut self.input_characters),
            done(&mut self.input_document_pages),
            done(&mut self.reported_cost),
            done(&mut self.reported_cost_currency),
            done(&mut self.reported_cost_kind),
            done(&mut self.gateway_cache_hit),
        ]
    }
}

impl Default for CallColumns {
    fn default() -> Self {
        let text = StringBuilder::new;
        let int = Int64Builder::new;
        let float = Float64Builder::new;
        Self {
            dialect: text(),
            operation: text(),
            provider: text(),
            request_model: text(),
            response_model: text(),
            response_id: text(),
            service_tier: text(),
            streaming: BooleanBuilder::new(),
            finish_reason: text(),
            error_type: text(),
            ttft_ms: float(),
            queue_ms: float(),
            retries: int(),
            server_address: text(),
            region: text(),
            agent_name: text(),
            workflow_name: text(),
            tool_name: text(),
            team: text(),
            user_id: text(),
            session_id: text(),
            feature: text(),
            column_sources: SharedTexts::default(),
            usage_basis: text(),
            usage_reason: SharedTexts::default(),
            reported_input_tokens: int(),
            reported_output_tokens: int(),
            input_tokens: int(),
            output_tokens: int(),
            input_uncached_tokens: int(),
            cache_read_tokens: int(),
            cache_write_tokens: int(),
            cache_write_5m_tokens: int(),
            cache_write_1h_tokens: int(),
            output_text_tokens: int(),
            reasoning_tokens: int(),
            input_audio_tokens: int(),
            output_audio_tokens: int(),
            input_image_tokens: int(),
            output_image_tokens: int(),
            web_searches: int(),
            rerank_searches: int(),
            tool_calls: int(),
            input_images: int(),
            output_images: int(),
            audio_seconds: float(),
            input_audio_seconds: float(),
            output_audio_seconds: float(),
            input_characters: int(),
            input_document_pages: int(),
            reported_cost: Decimal128Builder::new().with_data_type(Kind::Decimal.arrow()),
            reported_cost_currency: text(),
            reported_cost_kind: text(),
            gateway_cache_hit: BooleanBuilder::new(),
        }
    }
}
