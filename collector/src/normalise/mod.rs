//! From a span in whichever dialect to one record: what the columns of `spans` hold, and for each
//! attribute whether it is kept, said by a column, or content. Takes the views of `decode`,
//! gives [`Normalised`]; it reads one span at a time and decides nothing that needs the trace
//! (that is `settle`).
//!
//! A new dialect is a file beside this one and a line in [`DIALECTS`].

use std::borrow::Cow;
use std::sync::LazyLock;

mod content;
mod leaves;
mod names;
mod otel_genai;
mod owner;
mod provider;
mod usage;

use spanledger_schemas::semconv;

use crate::decode::{Attribute, Resource, Scope, SpanView, Value};
pub use content::ContentKind;
pub(crate) use content::of_event;
pub use leaves::{Reported, Usage, leaves};
use names::{FACTS, Fact, GENERAL, Index, Meaning, Name};
pub use usage::{Basis, Reporter};

/// Whose attribute names a span speaks.
#[derive(Debug)]
struct Dialect {
    /// The word of the column `dialect`.
    name: &'static str,
    /// Beginnings of the scope names that speak it.
    scopes: &'static [&'static str],
    /// Else: the beginning of an attribute name that only it has.
    attribute_prefix: &'static str,
    names: &'static [Name],
}

/// All dialects, most particular first.
static DIALECTS: &[&Dialect] = &[&otel_genai::DIALECT];

static INDEXES: LazyLock<Vec<Index>> = LazyLock::new(|| {
    let over = |d: &&Dialect| Index::over(&[d.names, GENERAL, owner::NAMES]);
    DIALECTS.iter().map(over).collect()
});

/// For spans of no dialect, resources and log records.
static PLAIN: LazyLock<Index> = LazyLock::new(|| Index::over(&[GENERAL, owner::NAMES]));

/// What a resource says about all its items; worked out once per group.
#[derive(Debug, Default)]
pub struct ResourceFacts<'a> {
    /// `service.name`
    pub service_name: Option<Cow<'a, str>>,
    /// `service.version`
    pub service_version: Option<Cow<'a, str>>,
    /// `deployment.environment.name`
    pub environment: Option<Cow<'a, str>>,
    /// `host.name`
    pub host: Option<Cow<'a, str>>,
    /// `cloud.region`
    region: Option<Cow<'a, str>>,
    team: Option<Cow<'a, str>>,
    user: Option<Cow<'a, str>>,
    session: Option<Cow<'a, str>>,
    feature: Option<Cow<'a, str>>,
}

impl<'a> ResourceFacts<'a> {
    /// The facts of a resource.
    pub fn of(resource: &Resource<'a>) -> Self {
        let mut facts = Facts::default();
        for (i, attribute) in resource.attributes.iter().enumerate() {
            if let Some(Meaning::Fact(fact, rank)) = PLAIN.meaning(attribute.key) {
                facts.note(fact, rank, i);
            }
        }
        let named = |key: &str| {
            resource.attributes.iter().find(|a| a.key == key).and_then(|a| text(a.value))
        };
        let owner = |fact| facts.text(fact, &resource.attributes);
        Self {
            service_name: named(semconv::SERVICE_NAME),
            service_version: named(semconv::SERVICE_VERSION),
            environment: named(semconv::DEPLOYMENT_ENVIRONMENT_NAME)
                .or_else(|| named(semconv::DEPLOYMENT_ENVIRONMENT)),
            host: named("host.name"),
            region: owner(Fact::Region),
            team: owner(Fact::Team),
            user: owner(Fact::User),
            session: owner(Fact::Session),
            feature: owner(Fact::Feature),
        }
    }
}

/// What a scope says about all its items; worked out once per group.
#[derive(Debug, Default)]
pub struct ScopeFacts<'a> {
    /// Name of the scope.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    own_content: bool,
    conventions: Option<(u32, u32)>,
    dialect: Option<usize>,
}

impl<'a> ScopeFacts<'a> {
    /// The facts of a scope; `resource` gives the version of the conventions where the scope does
    /// not.
    pub fn of(scope: &Scope<'a>, resource: &Resource<'a>) -> Self {
        let speaks = |d: &&Dialect| d.scopes.iter().any(|s| scope.name.starts_with(s));
        Self {
            name: scope.name,
            version: scope.version,
            own_content: content::scope_has_own(scope.name),
            conventions: conventions(scope.schema_url).or_else(|| conventions(resource.schema_url)),
            dialect: DIALECTS.iter().position(speaks),
        }
    }
}

/// The version in `https://opentelemetry.io/schemas/1.40.0`.
fn conventions(schema_url: &str) -> Option<(u32, u32)> {
    version(schema_url.strip_prefix("https://opentelemetry.io/schemas/")?)
}

/// Major and minor of `1.3b0`, `0.62.4`, `2.12.0`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part[..digits].parse().ok()
    });
    Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
}

/// What a span is in its trace, as seen on the span alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanRole {
    /// A model inference.
    Call,
    /// An agent or workflow span that repeats the usage below it.
    Rollup,
    /// Neither.
    Other,
}

impl SpanRole {
    /// The word of the column `span_role`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Rollup => "rollup",
            Self::Other => "other",
        }
    }
}

/// What becomes of one attribute of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays an attribute.
    Kept,
    /// A typed column says the same.
    InColumn,
    /// It is content.
    Content(ContentKind),
}

/// One span, normalised. Text that the span spells as the column does is borrowed.
#[derive(Debug)]
pub struct Normalised<'a> {
    /// Whose names the span speaks; none when it is no AI span.
    pub dialect: Option<&'static str>,
    /// What the span is.
    pub role: SpanRole,
    /// What is done.
    pub operation: Option<Cow<'a, str>>,
    /// Provider in OpenTelemetry's spelling.
    pub provider: Option<Cow<'a, str>>,
    /// Model asked for.
    pub request_model: Option<Cow<'a, str>>,
    /// Model that served.
    pub response_model: Option<Cow<'a, str>>,
    /// The provider's id of the answer.
    pub response_id: Option<Cow<'a, str>>,
    /// Served tier, else the requested one.
    pub service_tier: Option<Cow<'a, str>>,
    /// Whether the answer was streamed.
    pub streaming: Option<bool>,
    /// First finish reason.
    pub finish_reason: Option<Cow<'a, str>>,
    /// Class of the error.
    pub error_type: Option<Cow<'a, str>>,
    /// Time to first token in milliseconds.
    pub ttft_ms: Option<f64>,
    /// Host that answered.
    pub server_address: Option<Cow<'a, str>>,
    /// Region of the call, else of the service.
    pub region: Option<Cow<'a, str>>,
    /// Agent.
    pub agent: Option<Cow<'a, str>>,
    /// Tool.
    pub tool: Option<Cow<'a, str>>,
    /// Team.
    pub team: Option<Cow<'a, str>>,
    /// End user.
    pub user: Option<Cow<'a, str>>,
    /// Session or conversation.
    pub session: Option<Cow<'a, str>>,
    /// Product feature.
    pub feature: Option<Cow<'a, str>>,
    /// Token usage.
    pub usage: Usage,
}

/// Normalises a span. `fates` is cleared and filled with one entry per attribute of the span.
pub fn span<'a>(
    resource: &ResourceFacts<'a>,
    scope: &ScopeFacts<'a>,
    span: &SpanView<'a, '_>,
    fates: &mut Vec<Fate>,
) -> Normalised<'a> {
    let attributes = span.attributes;
    let dialect = scope.dialect.or_else(|| speaks(attributes));
    let index = dialect.map_or(&*PLAIN, |d| &INDEXES[d]);
    let mut facts = Facts::default();
    fates.clear();
    for (i, attribute) in attributes.iter().enumerate() {
        let fate = match index.meaning(attribute.key) {
            Some(Meaning::Content(kind)) => Fate::Content(kind),
            Some(Meaning::Fact(fact, rank)) => {
                facts.note(fact, rank, i);
                Fate::Kept
            }
            None if scope.own_content => {
                content::by_scope(scope.name, attribute.key).map_or(Fate::Kept, Fate::Content)
            }
            None => Fate::Kept,
        };
        fates.push(fate);
    }

    let mut said = Said { facts: &facts, attributes, fates };
    let server_address = said.column(Fact::ServerAddress);
    let provider = facts.first(Fact::Provider, attributes).and_then(|(i, name)| {
        let spelled = provider::spelled(name, server_address.as_deref())?;
        if spelled == name {
            said.fates[i] = Fate::InColumn;
        }
        Some(spelled)
    });
    let usage = said.usage(&Reporter {
        scope: scope.name,
        version: scope.version,
        provider: provider.as_deref(),
        conventions: scope.conventions,
    });
    let ttft_ms = said.ttft_ms();
    let streaming = said.streaming().or(ttft_ms.map(|_| true));
    let operation = said.column(Fact::Operation);
    let request_model = said.column(Fact::RequestModel);
    let response_model = said.column(Fact::ResponseModel);
    let has_model = request_model.is_some() || response_model.is_some();
    Normalised {
        dialect: dialect.map(|d| DIALECTS[d].name),
        role: role(dialect.is_some(), operation.as_deref(), has_model, usage.basis.is_some()),
        operation,
        provider,
        request_model,
        response_model,
        response_id: said.column(Fact::ResponseId),
        service_tier: said.column(Fact::ServiceTier),
        streaming,
        finish_reason: said.finish_reason(),
        error_type: said.column(Fact::ErrorType),
        ttft_ms,
        server_address,
        region: said.column(Fact::Region).or_else(|| resource.region.clone()),
        agent: said.column(Fact::Agent),
        tool: said.column(Fact::Tool),
        team: said.column(Fact::Team).or_else(|| resource.team.clone()),
        user: said.column(Fact::User).or_else(|| resource.user.clone()),
        session: said.column(Fact::Session).or_else(|| resource.session.clone()),
        feature: said.column(Fact::Feature).or_else(|| resource.feature.clone()),
        usage,
    }
}

/// What content an attribute outside a span's own list is: of an event of that kind, or of a log
/// record; none when it is no content.
pub fn content_of(
    scope: &ScopeFacts<'_>,
    event: Option<ContentKind>,
    key: &str,
) -> Option<ContentKind> {
    match PLAIN.meaning(key) {
        Some(Meaning::Content(kind)) => Some(kind),
        Some(Meaning::Fact(..)) => None,
        None if event.is_some() && content::is_event_payload(key) => event,
        None if scope.own_content => content::by_scope(scope.name, key),
        None => None,
    }
}

/// The dialect that an attribute's name gives away.
fn speaks(attributes: &[Attribute<'_>]) -> Option<usize> {
    let has = |d: &&Dialect| attributes.iter().any(|a| a.key.starts_with(d.attribute_prefix));
    DIALECTS.iter().position(has)
}

/// The role that operation, model and usage give a span. A failed or cut inference has no usage
/// and is a call all the same.
fn role(ai: bool, operation: Option<&str>, has_model: bool, has_usage: bool) -> SpanRole {
    match operation {
        _ if !ai => SpanRole::Other,
        Some(
            "chat"
            | "text_completion"
            | "generate_content"
            | "embeddings"
            | "completion"
            | "response"
            | "image_generation"
            | "audio_transcription"
            | "rerank",
        ) => SpanRole::Call,
        Some("invoke_agent" | "invoke_workflow" | "create_agent" | "agent" | "workflow")
            if has_usage =>
        {
            SpanRole::Rollup
        }
        Some(
            "invoke_agent" | "invoke_workflow" | "create_agent" | "agent" | "workflow"
            | "execute_tool" | "tool" | "task" | "retrieval" | "plan",
        ) => SpanRole::Other,
        // An operation that is not known, or none: usage of a model makes it a call.
        _ if has_model && has_usage => SpanRole::Call,
        _ => SpanRole::Other,
    }
}

/// Text of a column from an attribute; none for what is no single value, or empty.
fn text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Array(_) | Value::Map(_) | Value::Bytes(_) => None,
        single => single.text().filter(|t| !t.is_empty()),
    }
}

/// For each fact the attribute that says it best.
#[derive(Debug)]
struct Facts([Option<(u8, usize)>; FACTS]);

impl Default for Facts {
    fn default() -> Self {
        Self([None; FACTS])
    }
}

impl Facts {
    fn note(&mut self, fact: Fact, rank: u8, attribute: usize) {
        let best = &mut self.0[fact as usize];
        if best.is_none_or(|(known, _)| rank < known) {
            *best = Some((rank, attribute));
        }
    }

    fn at(&self, fact: Fact) -> Option<usize> {
        self.0[fact as usize].map(|(_, attribute)| attribute)
    }

    fn first<'a>(&self, fact: Fact, attributes: &[Attribute<'a>]) -> Option<(usize, &'a str)> {
        let i = self.at(fact)?;
        match attributes[i].value {
            Value::Text(name) if !name.is_empty() => Some((i, name)),
            _ => None,
        }
    }

    fn text<'a>(&self, fact: Fact, attributes: &[Attribute<'a>]) -> Option<Cow<'a, str>> {
        text(attributes[self.at(fact)?].value)
    }
}

/// What a span says, turned into columns; notes which attributes a column says verbatim.
struct Said<'a, 's> {
    facts: &'s Facts,
    attributes: &'s [Attribute<'a>],
    fates: &'s mut Vec<Fate>,
}

impl<'a> Said<'a, '_> {
    fn column(&mut self, fact: Fact) -> Option<Cow<'a, str>> {
        let i = self.facts.at(fact)?;
        let said = text(self.attributes[i].value)?;
        self.fates[i] = Fate::InColumn;
        Some(said)
    }

    fn value(&self, fact: Fact) -> Option<(usize, Value<'a>)> {
        let i = self.facts.at(fact)?;
        Some((i, self.attributes[i].value))
    }

    fn streaming(&mut self) -> Option<bool> {
        let (i, value) = self.value(Fact::Streaming)?;
        let streaming = match value {
            Value::Bool(streaming) => streaming,
            Value::Text("true" | "True") => true,
            Value::Text("false" | "False") => false,
            _ => return None,
        };
        self.fates[i] = Fate::InColumn;
        Some(streaming)
    }

    /// In whichever unit its name says; the attribute is kept, since the column changes it.
    fn ttft_ms(&self) -> Option<f64> {
        let number = |fact| match self.value(fact)?.1 {
            Value::Double(number) => Some(number),
            Value::Int(number) => Some(number as f64),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        number(Fact::TtftSeconds)
            .map(|seconds| seconds * 1e3)
            .or_else(|| number(Fact::TtftMillis))
            .filter(|ms| ms.is_finite() && *ms >= 0.0)
    }

    /// The first of a list, of a list written as JSON, or the text itself.
    fn finish_reason(&mut self) -> Option<Cow<'a, str>> {
        let (i, value) = self.value(Fact::FinishReason)?;
        let first = value.first_text().filter(|t| !t.is_empty())?;
        if first.starts_with('[') {
            let list: Vec<String> = serde_json::from_str(first).ok()?;
            return list.into_iter().next().map(Cow::Owned);
        }
        if matches!(value, Value::Text(_)) {
            self.fates[i] = Fate::InColumn;
        }
        Some(Cow::Borrowed(first))
    }

    fn usage(&mut self, who: &Reporter<'_>) -> Usage {
        let mut unreadable = false;
        let mut tokens = |fact| match whole(self.value(fact)?.1) {
            Some(tokens) => Some(tokens),
            None => {
                unreadable = true;
                None
            }
        };
        let mut reported = Reported {
            input: tokens(Fact::Input),
            output: tokens(Fact::Output),
            total: tokens(Fact::Total),
            cache_read: tokens(Fact::CacheRead),
            cache_write: tokens(Fact::CacheWrite),
            cache_write_5m: tokens(Fact::CacheWrite5m),
            cache_write_1h: tokens(Fact::CacheWrite1h),
            reasoning: tokens(Fact::Reasoning),
            audio_in: tokens(Fact::AudioIn),
            audio_out: tokens(Fact::AudioOut),
            image_in: tokens(Fact::ImageIn),
            unreadable: false,
        };
        reported.unreadable = unreadable;
        let usage = leaves(&reported, who);
        for (fact, column) in [
            (Fact::Input, usage.reported_input),
            (Fact::Output, usage.reported_output),
            (Fact::CacheRead, usage.cache_read),
            (Fact::CacheWrite, usage.cache_write),
            (Fact::CacheWrite5m, usage.cache_write_5m),
            (Fact::CacheWrite1h, usage.cache_write_1h),
            (Fact::Reasoning, usage.reasoning),
            (Fact::AudioIn, usage.audio_in),
            (Fact::AudioOut, usage.audio_out),
            (Fact::ImageIn, usage.image_in),
        ] {
            if let (Some(i), Some(_)) = (self.facts.at(fact), column) {
                self.fates[i] = Fate::InColumn;
            }
        }
        usage
    }
}

/// The most tokens one span may report; more than a quadrillion is no count of tokens, and sums
/// of a few such numbers must fit 64 bits.
const TOKENS_MAX: i64 = 1_000_000_000_000_000;

/// A count that came as integer, double or text; none when it is not whole, negative or too large.
fn whole(value: Value<'_>) -> Option<i64> {
    let whole = match value {
        Value::Int(number) => Some(number),
        Value::Double(number) if number.fract() == 0.0 && number.abs() <= TOKENS_MAX as f64 => {
            Some(number as i64)
        }
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    whole.filter(|n| (0..=TOKENS_MAX).contains(n))
}
