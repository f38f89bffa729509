//! What one item says of a model call: who served which model, how it ended, how long it took.
//! Takes the facts of the item, gives the columns of a call; owners and sources are added after.

use std::borrow::Cow;

use spanledger_schemas::running_sum::RunningSum;

use super::dialects::{Dialect, ServerTtft};
use super::facts::Reading;
use super::names::Fact;
use super::usage::{BEDROCK_STREAM, Reporter};
use super::{
    Fate, Item, Normalised, ScopeFacts, SpanRole, counts, events, kinds, provider, reported,
};
use crate::decode::Value;

/// What the item says of a model call.
pub(super) fn read<'a>(
    said: &mut Reading<'a, '_>,
    scope: &ScopeFacts<'a>,
    speaks: Option<&'static Dialect>,
    item: &Item<'_, 'a>,
) -> Normalised<'a> {
    let server_address = said.column(Fact::ServerAddress).or_else(|| {
        let url = said.text(Fact::ServerUrl, false)?;
        provider::host(&url).map(|host| Cow::Owned(host.to_owned()))
    });
    let kind_word = said.text(Fact::Kind, false);
    let asks_nobody =
        matches!(item, Item::Span(span) if speaks.is_some_and(|d| d.asks_nobody(span.name)));
    let operation_word = said.only_text(Fact::Operation).map(|(_, word)| word);
    let by_operation = speaks.is_some_and(|d| d.operation_beats_kind(scope.name))
        && operation_word.as_deref().is_some_and(kinds::asks_a_model);
    let kind = kind_word.as_deref().and_then(|word| match speaks {
        Some(dialect) if dialect.kind_is_class => Some(kinds::component(word)),
        _ => kinds::kind(word),
    });
    let kind = kind.filter(|_| !asks_nobody && !by_operation);
    let model_of_call = model_of_call(said, speaks, kind);
    let only = speaks.and_then(|d| d.only_provider(scope.name)).map(Cow::Borrowed);
    let in_model = |said: &Reading<'a, '_>| {
        let model = said.only_text(Fact::Model).or_else(|| said.only_text(Fact::RequestModel));
        provider::before_model(&model?.1).map(Cow::Borrowed)
    };
    let before_said =
        speaks.filter(|d| d.names_one_provider(scope.name)).and_then(|_| in_model(said));
    let provider = only
        .or(before_said)
        .or_else(|| provider_of(said, scope.name, server_address.as_deref()))
        .or_else(|| speaks.and_then(|d| d.provider).map(Cow::Borrowed))
        .or_else(|| {
            speaks.filter(|d| d.tells_provider_in_model(scope.name))?;
            in_model(said)
        })
        .or_else(|| provider::before_model(model_of_call?).map(Cow::Borrowed))
        .or_else(|| {
            let class = match item {
                _ if speaks?.kind_is_class => kind_word.as_deref()?,
                Item::Span(span) if speaks?.names_class(scope.name) => span.name,
                _ => return None,
            };
            provider::of_class(class).map(Cow::Borrowed)
        });
    let operation = operation(said, scope.name, speaks, kind);
    let ttft_ms = ttft_ms(said, speaks, item);
    let answer = said.attributes.iter().find_map(|a| {
        let answers = speaks?.answers;
        let Value::Text(text) = a.value else { return None };
        answers.contains(&a.key).then_some(text)
    });
    let method = aws_method(said, scope.name);
    // LangChain streams also where the parameters of the call do not say so.
    let of_langchain = speaks.is_some_and(|d| d.is_of_langchain(scope.name));
    let by_answer = answer.filter(|_| of_langchain).and_then(events::answer_streamed);
    // What it streams because the model is set to, it puts together as if it had not.
    let streaming = match said.truth(Fact::Streaming) {
        Some(true) => Some(true),
        set => by_answer.or(set),
    };
    let streaming = streaming
        .or_else(|| {
            let mut words = [&kind_word, &operation_word].into_iter().flatten();
            words.any(|word| kinds::streams(word)).then_some(true)
        })
        .or_else(|| (speaks?.client_functions && streams_by_function(said)).then_some(true))
        .or_else(|| matches!(method, BEDROCK_STREAM | "ConverseStream").then_some(true));
    // A span that began when the stream had ended: no answer begins after its end.
    let late = matches!(item, Item::Span(span) if ttft_ms.is_some_and(|ms| {
        ms > (span.end_unix_ns - span.start_unix_ns) as f64 / 1e6 + 1.0
    }));
    let ttft_ms =
        ttft_ms.filter(|_| speaks.is_none_or(|d| d.server_ttft != ServerTtft::NoneToBelieve));
    let streaming = streaming.or(ttft_ms.map(|_| true));
    let model = [Fact::ResponseModel, Fact::Model, Fact::RequestModel]
        .into_iter()
        .find_map(|fact| said.only_text(fact))
        .map(|(_, model)| model);
    let counts = counts::read(said, operation.as_deref());
    let partial = said.truth(Fact::Partial) == Some(true);
    let failed = matches!(item, Item::Span(span)
        if span.status_code == 2 || events::exception(span).is_some());
    let usage = reported::usage(
        said,
        &Reporter {
            scope: scope.name,
            version: version_of(said, scope, speaks),
            provider: provider::whose_api(
                provider.as_deref(),
                model.as_deref().or(model_of_call).unwrap_or_default(),
            ),
            model: model.as_deref().unwrap_or_default(),
            conventions: scope.conventions,
            dialect: speaks.map_or("", |d| d.name),
            streaming,
            finished: said.said(Fact::FinishReason).is_some() && !partial,
            failed: failed || partial,
            client_named: of_langchain
                && answer.is_some_and(|text| text.contains("\"model_provider\":")),
            litellm_of_old: speaks.is_some_and(|d| d.name == "litellm")
                && !said.has("litellm.call_id"),
            langchain_for_node: scope.node && said.has("langfuse.observation.metadata.ls_provider"),
            traced_function: speaks.is_some_and(|d| d.name == "langsmith")
                && (said.is("langsmith.metadata.ls_method", "traceable")
                    || answer.is_some_and(|text| text.starts_with("{\"message\":"))),
            packages: langchain_packages(said, scope, of_langchain),
            guessed: said.says_guessed(),
            provider_name: said.name(Fact::Provider),
            name: match item {
                Item::Span(span) => span.name,
                Item::Record(_) => "",
            },
            answer_named: said.said(Fact::ResponseId).is_some(),
            kind: kind_word.as_deref().unwrap_or_default(),
            operation: operation_word.as_deref().unwrap_or_default(),
            embeds: operation.as_deref().is_some_and(|operation| operation.starts_with("embed")),
            method,
            ..Reporter::default()
        },
    );
    let has_usage = usage.basis.is_some() || counts.measure_the_call();
    let endings = speaks.map_or(&[][..], |d| d.model_endings);
    let (request_model, response_model) = models(said, has_usage, endings.is_empty());
    let [request_model, response_model] =
        [request_model, response_model].map(|model| model.map(|m| without_ending(m, endings)));
    // The plugin's name before it is no part of it.
    let request_model = request_model.or_else(|| {
        let model = model_of_call?;
        Some(Cow::Borrowed(model.split_once('/').map_or(model, |(_, name)| name)))
    });
    let agent = said.column(Fact::Agent);
    let role = kinds::role(&kinds::Seen {
        ai: speaks.is_some(),
        kind,
        operation: operation.as_deref(),
        has_model: request_model.is_some()
            || response_model.is_some()
            || speaks.is_some_and(|d| d.usage_is_call),
        has_usage,
        has_agent: agent.is_some(),
        repeats: asks_nobody
            || speaks
                .is_some_and(|d| d.sums.iter().any(|sum| said.name(Fact::Input).starts_with(sum))),
        of_client: speaks.is_some_and(|d| d.is_of_client(scope.name)),
    });
    let response_id = said.column(Fact::ResponseId).or_else(|| {
        let answer = answer.filter(|_| role == SpanRole::Call)?;
        events::answer_id(answer, provider.as_deref()).map(Cow::Borrowed)
    });
    // A stream of which nothing is told but that it began was not followed to its end.
    let unfollowed = matches!(item, Item::Span(span) if span.status_code != 2)
        && streaming == Some(true)
        && !has_usage
        && ttft_ms.is_none()
        && said.said(Fact::FinishReason).is_none();
    let error_type = error_type(said, speaks.is_some(), item);
    let record_is_call = match item {
        Item::Record(name) => speaks.is_some_and(|d| events::is_call(d.name, name, said)),
        Item::Span(_) => false,
    };
    let finish_reason = reported::finish_reason(said);
    let running_sum = speaks.and_then(|d| d.shows_running_sum(scope.name)).and_then(|key| {
        let is_for_tools = |reason: &str| reason.to_ascii_lowercase().starts_with("tool");
        match role {
            SpanRole::Call if !said.has(key) => None,
            SpanRole::Call if finish_reason.as_deref().is_some_and(is_for_tools) => {
                Some(RunningSum::GoesOn)
            }
            SpanRole::Call => Some(RunningSum::Ends),
            // Whatever the reason of the call before it: Gemini and Ollama have none for tools.
            _ if operation.as_deref() == Some("execute_tool") => Some(RunningSum::GoesOn),
            _ => None,
        }
    });
    Normalised {
        dialect: speaks.map(|d| d.name),
        role,
        record_is_call,
        operation,
        provider,
        request_model,
        response_model,
        response_id,
        service_tier: said.column(Fact::ServiceTier),
        streaming,
        finish_reason,
        error_type,
        ttft_ms,
        queue_ms: said.filling(Fact::QueueSeconds).map(|seconds| seconds * 1e3),
        duration_ms: duration_ms(said, speaks, item),
        covers_call: (role == SpanRole::Call
            && (speaks.is_some_and(|d| d.is_part(scope.name, streaming)) || unfollowed || late))
            .then_some(false),
        stream_ns: stream_ns(said, role, item),
        running_sum,
        retries: reported::retries(said),
        server_address,
        agent,
        usage,
        counts,
        cost: reported::cost(said, speaks.is_some_and(|d| d.name == "litellm")),
        gateway_cache_hit: said.truth(Fact::CacheHit),
        region: None,
        service_name: None,
        service_version: None,
        environment: None,
        workflow: None,
        tool: None,
        team: None,
        user: None,
        session: None,
        feature: None,
        sources: None,
    }
}

fn provider_of<'a>(
    said: &mut Reading<'a, '_>,
    scope: &str,
    server_address: Option<&str>,
) -> Option<Cow<'a, str>> {
    // Strands for node names the service, after which it names its scope, too.
    let (at, name) = said.only_text(Fact::Provider)?;
    if name == scope && !provider::is_known(&name) {
        return None;
    }
    let spelled = match name {
        Cow::Borrowed(name) => provider::spelled(name, server_address)?,
        Cow::Owned(name) => Cow::Owned(provider::spelled(&name, server_address)?.into_owned()),
    };
    if let Some(i) = at
        && matches!(said.attributes[i].value, Value::Text(t) if t == spelled)
    {
        said.fates[i] = Fate::InColumn;
    }
    said.tell(Fact::Provider);
    Some(spelled)
}

fn operation<'a>(
    said: &mut Reading<'a, '_>,
    scope: &str,
    speaks: Option<&Dialect>,
    kind: Option<kinds::Kind>,
) -> Option<Cow<'a, str>> {
    if let Some(word) = said.text(Fact::Operation, false) {
        let own = speaks.and_then(|d| d.operation(scope, &word));
        let (operation, changed) = kinds::operation(word, own);
        if !changed {
            said.in_full(Fact::Operation);
        }
        return Some(operation);
    }
    kind.map(|kind| kind.operation).filter(|o| !o.is_empty()).map(Cow::Borrowed)
}

/// The version of the library: its scope's, else what its dialect lets the library say of itself to
/// the provider.
fn version_of<'a>(
    said: &Reading<'a, '_>,
    scope: &ScopeFacts<'a>,
    speaks: Option<&Dialect>,
) -> &'a str {
    let agent = || {
        let (key, product) = speaks?.user_agent?;
        let agent = said.attributes.iter().find(|a| a.key == key)?;
        let Value::Text(agent) = agent.value else { return None };
        agent.split_ascii_whitespace().find_map(|part| part.strip_prefix(product))
    };
    match scope.version {
        "" => agent().unwrap_or_default(),
        version => version,
    }
}

/// The versions of its packages that LangChain 1 puts among the metadata of a run.
fn langchain_packages<'a>(
    said: &Reading<'a, '_>,
    scope: &ScopeFacts<'_>,
    of_langchain: bool,
) -> &'a str {
    const WORD: &str = "lc_versions";
    if !of_langchain && !scope.name.contains("langchain") {
        return "";
    }
    let told = said.attributes.iter().find_map(|a| match a.value {
        Value::Text(text) if a.key.ends_with(WORD) => Some(text),
        Value::Text(text) if a.key == "metadata" => text.find(WORD).map(|at| &text[at..]),
        _ => None,
    });
    told.unwrap_or_default()
}

/// How long the call took, where an attribute says it. On events of a stream Codex writes under the
/// same name how long it waited for that event alone.
fn duration_ms(
    said: &mut Reading<'_, '_>,
    speaks: Option<&Dialect>,
    item: &Item<'_, '_>,
) -> Option<f64> {
    if let Item::Record(event) = item
        && speaks.is_some_and(|d| d.waits.contains(event))
    {
        return None;
    }
    said.filling(Fact::DurationMillis)
}

/// How long the stream took whose end is told by a span of a call that has no length.
fn stream_ns(said: &mut Reading<'_, '_>, role: SpanRole, item: &Item<'_, '_>) -> Option<i64> {
    let Item::Span(span) = item else { return None };
    if role != SpanRole::Call || span.start_unix_ns != span.end_unix_ns {
        return None;
    }
    let seconds = said.filling(Fact::StreamSeconds)?;
    Some((seconds * 1e9) as i64).filter(|ns| *ns >= 0)
}

/// The model that a dialect names by the span's own name, where the span is a call.
fn model_of_call<'a>(
    said: &Reading<'a, '_>,
    speaks: Option<&Dialect>,
    kind: Option<kinds::Kind>,
) -> Option<&'a str> {
    let key = speaks?.model_of_calls.filter(|_| kind.is_some_and(kinds::Kind::is_call))?;
    match said.attributes.iter().find(|a| a.key == key)?.value {
        Value::Text(name) => Some(name).filter(|n| !n.is_empty()),
        _ => None,
    }
}

/// Whether the client's function that was called is one that streams: OpenTelemetry's google-genai
/// names it (`google.genai.Models.generate_content_stream`), and no other sign of a stream.
fn streams_by_function(said: &Reading<'_, '_>) -> bool {
    let function = said.attributes.iter().find(|a| a.key == "code.function.name");
    function.is_some_and(|f| matches!(f.value, Value::Text(name) if name.ends_with("_stream")))
}

/// The method of AWS that was called, where an instrumentation of its SDK says so.
fn aws_method<'a>(said: &Reading<'a, '_>, scope: &str) -> &'a str {
    if !scope.contains("aws-sdk") && !scope.contains("botocore") {
        return "";
    }
    match said.attributes.iter().find(|a| a.key == "rpc.method").map(|a| &a.value) {
        Some(Value::Text(method)) => method,
        _ => "",
    }
}

/// Requested and served model, `verbatim` where the columns hold them as they are said. A library that has one name for both writes the served one over
/// the requested one as soon as there is an answer.
fn models<'a>(
    said: &mut Reading<'a, '_>,
    answered: bool,
    verbatim: bool,
) -> (Option<Cow<'a, str>>, Option<Cow<'a, str>>) {
    let (request, response) =
        (said.text(Fact::RequestModel, verbatim), said.text(Fact::ResponseModel, verbatim));
    // Parameters with an id are the whole answer, as OpenInference's OpenAI agents write them there:
    // the model among them is the one that served, and nothing tells the requested one.
    let answer = said.name(Fact::RequestModel) == "model" && said.name(Fact::ResponseId) == "id";
    let (request, response) =
        if answer { (None, response.or(request)) } else { (request, response) };
    if response.is_some() {
        return (request, response);
    }
    let Some(model) = said.text(Fact::Model, false) else { return (request, response) };
    match request {
        Some(request) if request == model => (Some(request), None),
        Some(request) => (Some(request), Some(model)),
        None if answered => (None, Some(model)),
        None => (Some(model), None),
    }
}

/// The name of a model without what a library writes behind it, and then before it.
fn without_ending<'a>(model: Cow<'a, str>, endings: &[&str]) -> Cow<'a, str> {
    let Some(bare) = endings.iter().find_map(|ending| model.strip_suffix(ending)) else {
        return model;
    };
    Cow::Owned(bare.split_once('/').map_or(bare, |(_, name)| name).to_owned())
}

/// Time to first token in whichever unit its name means in the dialect; else from the first event
/// of a chunk. A time of zero is a clock that did not tick.
fn ttft_ms(
    said: &mut Reading<'_, '_>,
    speaks: Option<&Dialect>,
    item: &Item<'_, '_>,
) -> Option<f64> {
    let duration_ms = match item {
        Item::Span(span) => Some((span.end_unix_ns - span.start_unix_ns) as f64 / 1e6),
        Item::Record(_) => None,
    };
    let of_server = said.name(Fact::TtftSeconds) == "gen_ai.server.time_to_first_token";
    let unit = speaks.map_or(ServerTtft::Seconds, |d| d.server_ttft);
    let millis = of_server && unit == ServerTtft::Millis;
    let unsure = of_server && unit == ServerTtft::Seconds;
    let seconds = said.number(Fact::TtftSeconds).map(|number| match duration_ms {
        _ if millis => number,
        // No answer begins after its end: as seconds it would, as milliseconds it does not.
        Some(ms) if unsure && number * 1e3 > ms && number <= ms => number,
        _ => number * 1e3,
    });
    let positive = |ms: &f64| ms.is_finite() && *ms > 0.0;
    let attribute = match seconds.filter(positive) {
        Some(ms) => Some((ms, Fact::TtftSeconds)),
        None => said.number(Fact::TtftMillis).filter(positive).map(|ms| (ms, Fact::TtftMillis)),
    };
    if let Some((ms, fact)) = attribute {
        said.tell(fact);
        return Some(ms);
    }
    let (Item::Span(span), Some(_)) = (item, speaks) else { return None };
    let at = said.text(Fact::FirstTokenAt, false).and_then(|date| {
        let at = date.trim_matches('"').parse::<jiff::Timestamp>().ok()?;
        let ns = i64::try_from(at.as_nanosecond()).ok()? - span.start_unix_ns;
        Some(ns as f64 / 1e6).filter(positive)
    });
    at.or_else(|| events::first_chunk_ms(span))
}

/// Class of an error: as said, else that of the exception of a failed span, else that there was
/// one at all, where only a level says it.
fn error_type<'a>(
    said: &mut Reading<'a, '_>,
    ai: bool,
    item: &Item<'_, 'a>,
) -> Option<Cow<'a, str>> {
    said.column(Fact::ErrorType).or_else(|| {
        let Item::Span(span) = item else {
            // Codex names no class beside the status.
            let status = events::failed_status(said).filter(|_| ai)?;
            return Some(Cow::Owned(status.to_string()));
        };
        if ai && span.status_code == 2 {
            return events::exception(span).map(Cow::Borrowed);
        }
        // The word of the conventions for an error whose class is not known.
        let level = said.text(Fact::Level, false)?;
        (level == "ERROR").then_some(Cow::Borrowed("_OTHER"))
    })
}
