//! From a span or log record in whichever dialect to one record: what the typed columns hold, and
//! for each attribute whether it is kept, said by a column, or content. Takes the views of
//! `decode`, gives [`Normalised`]; it reads one item at a time and decides nothing that needs the
//! trace (that is `settle`).
//!
//! In the order of the data: `dialects` tells whose names are spoken, `names` what each means,
//! `unlisted` judges what no list names (`lately` keeps what it said), `inside` and `loose` read
//! values that hold others, `facts` picks the best of each, `provider`, `kinds`, `events`, `rules` and
//! `usage` say what follows, `leaves` makes tokens disjoint, `counts` takes what is no tokens, `call`
//! and `reported` hand on.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

mod bag;
mod call;
mod content;
mod counts;
mod cursor;
mod dialects;
mod events;
mod facts;
mod inside;
mod kinds;
mod lately;
mod leaves;
mod loose;
mod names;
#[cfg(test)]
mod older;
mod owner;
mod provider;
mod reported;
mod resource;
mod rules;
mod sources;
mod unlisted;
mod usage;

use facts::{Facts, Reading};
use lately::{Lately, Unlisted};
use names::{Fact, Index, Meaning};
use sources::{Shape, Source};

use crate::decode::{Attribute, LogRecordView, Resource, Scope, SpanView, Value};
pub(crate) use bag::without_content;
pub use content::ContentKind;
pub(crate) use content::of_event;
pub use counts::Counts;
pub use kinds::SpanRole;
pub use leaves::{Reported, Usage, leaves};
pub use owner::OwnerSettings;
pub use reported::{CostKind, ReportedCost};
pub use resource::ResourceFacts;
pub use sources::SourceTexts;
use spanledger_schemas::running_sum::RunningSum;
pub use usage::{Basis, Reporter};

/// The attribute names that are known: those of the dialects, and a user's own for owners.
#[derive(Debug)]
pub struct Names {
    /// One per dialect.
    dialects: Vec<Index>,
    /// For items of no dialect, and for resources.
    plain: Index,
}

static DEFAULT_NAMES: LazyLock<Arc<Names>> =
    LazyLock::new(|| Arc::new(Names::with(&OwnerSettings::default())));

impl Names {
    /// The default names.
    pub fn shared() -> Arc<Names> {
        Arc::clone(&DEFAULT_NAMES)
    }

    /// The default names, and before them a user's own.
    pub fn with(owner: &OwnerSettings) -> Names {
        let index = |lists: &[&'static [names::Name]], inside: &[_]| {
            let mut index = Index::default();
            for (_, keys, fact) in owner.lists() {
                for (rank, key) in keys.iter().enumerate() {
                    index.fact(key, fact, names::SETTINGS.saturating_add(rank as u8));
                }
            }
            let mut lists = names::ranked(lists);
            lists.push((names::GENERAL, names::EVERY));
            lists.push((owner::NAMES, names::EVERY));
            index.extend(&lists, inside);
            index
        };
        Names {
            dialects: dialects::ALL.iter().map(|d| index(d.names, d.inside)).collect(),
            plain: index(&[], &[]),
        }
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            names: Names::shared(),
            fates: Vec::new(),
            sources: SourceTexts::default(),
            lately: Lately::default(),
        }
    }
}

/// What normalising needs beside the item: the names, and memory used again.
#[derive(Debug)]
pub struct Builder {
    names: Arc<Names>,
    fates: Vec<Fate>,
    sources: SourceTexts,
    lately: Lately,
}

impl Builder {
    /// With names of a user's own.
    pub fn with(names: Arc<Names>) -> Self {
        Self { names, ..Self::default() }
    }

    /// The names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The names, to keep beside.
    pub fn share_names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }

    /// What became of each attribute of the last item, in order.
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// Text of the column `column_sources` of an item.
    pub fn sources(&self, normal: &Normalised<'_>) -> Option<&str> {
        self.sources.text(normal.sources)
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
    /// Whether it is of AI, though of no dialect.
    ai: bool,
    conventions: Option<(u32, u32)>,
    dialect: Option<usize>,
    /// Whether it runs on node, where one name of a scope is that of libraries in two languages.
    node: bool,
}

impl<'a> ScopeFacts<'a> {
    /// The facts of a scope; the resource gives the version of the conventions where the scope does not.
    pub fn of(scope: &Scope<'a>, resource: &Resource<'_>) -> Self {
        let language = resource.attributes.iter().find(|a| a.key == "telemetry.sdk.language");
        Self {
            name: scope.name,
            version: scope.version,
            own_content: content::scope_has_own(scope.name),
            ai: unlisted::is_ai(scope.name),
            conventions: conventions(scope.schema_url).or_else(|| conventions(resource.schema_url)),
            node: language.is_some_and(|a| matches!(a.value, Value::Text("nodejs"))),
            dialect: dialects::of_scope(scope.name),
        }
    }
}

/// The version in `https://opentelemetry.io/schemas/1.40.0`.
fn conventions(schema_url: &str) -> Option<(u32, u32)> {
    let [major, minor, _] = version(schema_url.strip_prefix("https://opentelemetry.io/schemas/")?)?;
    Some((major, minor))
}

/// The first three numbers of `1.3b0`, `0.62.4`, `2.12.0`; those that are not there are 0.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split('.').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part[..digits].parse().ok()
    });
    let mut next = || parts.next().flatten();
    Some([next()?, next().unwrap_or(0), next().unwrap_or(0)])
}

/// What becomes of one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays an attribute.
    Kept,
    /// A typed column says the same.
    InColumn,
    /// It is content.
    Content(ContentKind),
    /// It stays, without the content that [`without_content`] takes out of it.
    Bag,
}

/// One item, normalised. Text that the item spells as the column does is borrowed.
#[derive(Debug)]
pub struct Normalised<'a> {
    /// Whose names are spoken; none when nothing of AI is said.
    pub dialect: Option<&'static str>,
    /// What a span is.
    pub role: SpanRole,
    /// Whether a log record tells of one whole model call.
    pub record_is_call: bool,
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
    /// Time in a queue in milliseconds.
    pub queue_ms: Option<f64>,
    /// How long the call took in milliseconds, where an attribute says it.
    pub duration_ms: Option<f64>,
    /// False where a span is a part of the call that it tells of.
    pub covers_call: Option<bool>,
    /// How long the stream took whose end a span without a length tells, in nanoseconds.
    pub stream_ns: Option<i64>,
    /// Where the usage contains that of the calls before it: whether another follows.
    pub running_sum: Option<RunningSum>,
    /// Requests made before this one.
    pub retries: Option<i64>,
    /// Host that answered.
    pub server_address: Option<Cow<'a, str>>,
    /// Region of the call, else of the service.
    pub region: Option<Cow<'a, str>>,
    /// Service, where the resource does not say.
    pub service_name: Option<Cow<'a, str>>,
    /// Its version, where the resource does not say.
    pub service_version: Option<Cow<'a, str>>,
    /// Deployment environment.
    pub environment: Option<Cow<'a, str>>,
    /// Agent.
    pub agent: Option<Cow<'a, str>>,
    /// Workflow.
    pub workflow: Option<Cow<'a, str>>,
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
    /// What was used that is no tokens.
    pub counts: Counts,
    /// Cost as it was said.
    pub cost: Option<ReportedCost>,
    /// Whether a gateway answered from its own cache.
    pub gateway_cache_hit: Option<bool>,
    sources: Option<usize>,
}

/// The item whose attributes are read.
enum Item<'v, 'a> {
    Span(&'v SpanView<'a, 'v>),
    /// A log record, by the name of its event.
    Record(&'v str),
}

/// Normalises a span.
pub fn span<'a>(
    builder: &mut Builder,
    resource: &ResourceFacts<'a>,
    scope: &ScopeFacts<'a>,
    span: &SpanView<'a, '_>,
) -> Normalised<'a> {
    item(builder, resource, scope, span.attributes, &Item::Span(span))
}

/// Normalises a log record. `event_name` is its event's, empty for none.
pub fn record<'a>(
    builder: &mut Builder,
    resource: &ResourceFacts<'a>,
    scope: &ScopeFacts<'a>,
    record: &LogRecordView<'a, '_>,
    event_name: &str,
) -> Normalised<'a> {
    item(builder, resource, scope, record.attributes, &Item::Record(event_name))
}

fn item<'a>(
    builder: &mut Builder,
    resource: &ResourceFacts<'a>,
    scope: &ScopeFacts<'a>,
    attributes: &[Attribute<'a>],
    item: &Item<'_, 'a>,
) -> Normalised<'a> {
    let Builder { names, fates, sources, lately } = builder;
    let dialect = scope.dialect.or_else(|| dialects::of_keys(attributes.iter().map(|a| a.key)));
    let index = dialect.map_or(&names.plain, |d| &names.dialects[d]);
    let mut facts = Facts::default();
    fates.clear();
    let ai = dialect.is_some() || scope.ai;
    let own = |key| scope.own_content.then(|| content::by_scope(scope.name, key)).flatten();
    for (i, attribute) in attributes.iter().enumerate() {
        let (key, value) = (attribute.key, attribute.value);
        let fate = match index.find(key) {
            Some(meaning) => {
                facts.note(meaning, i, value);
                match meaning {
                    Meaning::Content(kind) => Fate::Content(kind),
                    Meaning::Fact(..) => Fate::Kept,
                    // Facts may lie inside what is content all the same.
                    Meaning::Inside(..) if let Some(kind) = content::by_name(key) => {
                        Fate::Content(kind)
                    }
                    Meaning::Inside(..) if ai => Fate::Bag,
                    // Of what is no AI, parameters and payloads are the application's own.
                    Meaning::Inside(..) => Fate::Kept,
                }
            }
            None => match lately.unlisted(key) {
                Unlisted::Content(kind) => Fate::Content(kind),
                _ if let Some(kind) = own(key) => Fate::Content(kind),
                _ if !ai => Fate::Kept,
                Unlisted::Bag => Fate::Bag,
                Unlisted::Name(name) => name.kind(value).map_or(Fate::Kept, Fate::Content),
            },
        };
        fates.push(fate);
    }
    let speaks = dialect.map(|d| dialects::ALL[d]);
    let json_values = speaks.is_some_and(|d| d.json_values);
    let mut said = Reading { facts: &facts, attributes, fates, json_values, told: 0 };
    let mut normal = call::read(&mut said, scope, speaks, item);
    owners(&mut said, resource, &mut normal);
    normal.sources = sources_of(sources, dialect, resource, &said, &normal);
    normal
}

/// Whose the item is: as it says itself, else as its resource does.
fn owners<'a>(
    said: &mut Reading<'a, '_>,
    resource: &ResourceFacts<'a>,
    normal: &mut Normalised<'a>,
) {
    let mut own = |fact| said.column(fact).or_else(|| resource.owner(fact));
    normal.environment = own(Fact::Environment);
    normal.region = own(Fact::Region);
    normal.workflow = own(Fact::Workflow);
    normal.team = own(Fact::Team);
    normal.user = own(Fact::User);
    normal.session = own(Fact::Session);
    normal.feature = own(Fact::Feature);
    normal.agent = normal.agent.take().or_else(|| resource.owner(Fact::Agent));
    normal.tool = said.column(Fact::Tool);
    if resource.service_name.is_none() {
        normal.service_name = said.column(Fact::Service);
    }
    if resource.service_version.is_none() {
        normal.service_version = said.column(Fact::ServiceVersion);
    }
}

/// Notes the text that says where the columns came from, and gives its key.
fn sources_of(
    texts: &mut SourceTexts,
    dialect: Option<usize>,
    resource: &ResourceFacts<'_>,
    said: &Reading<'_, '_>,
    normal: &Normalised<'_>,
) -> Option<usize> {
    let mut shape = Shape::of(dialect);
    said.shape(&mut shape);
    let inherited = resource.inherited(said, normal);
    shape.add(inherited.key());
    if said.told == 0 && inherited.is_empty() {
        return None;
    }
    let number = texts.note(
        shape.key(),
        sources::COLUMNS.iter().filter_map(|(fact, column)| {
            let source = said.source(*fact).or_else(|| inherited.of(*fact).map(Source::Resource));
            source.map(|source| (*column, source))
        }),
    );
    Some(number)
}

/// What content an attribute outside a span's own list is: of an event of that kind, or of a log
/// record; none when it is no content. `ai` is whether the item it is of speaks of models.
pub fn content_of(
    names: &Names,
    scope: &ScopeFacts<'_>,
    event: Option<ContentKind>,
    ai: bool,
    attribute: &Attribute<'_>,
) -> Option<ContentKind> {
    let key = attribute.key;
    match names.plain.find(key) {
        Some(Meaning::Content(kind)) => Some(kind),
        Some(_) => None,
        None if let Some(kind) = content::by_prefix(key) => Some(kind),
        None if event.is_some() && content::is_event_payload(key) => event,
        None if let (true, Some(kind)) =
            (scope.own_content, content::by_scope(scope.name, key)) =>
        {
            Some(kind)
        }
        None if ai || scope.ai || event.is_some() => unlisted::kind(key, attribute.value),
        None => None,
    }
}
