//! Which traces may tell of the same calls: by response id; by session and input tokens; by service,
//! usage and the second in which they begin, or end where two libraries tell of that service; by the
//! second in which the two spans of a stream meet; by service, second and output or model where a
//! library of that service tells only a part of the usage of some calls. Takes calls as they are read,
//! gives traces to look at together; whether they do tell of one call is for `twins` and `ends` to
//! say, so a link too many costs a look. Two generations, the older forgotten when the newer is full:
//! calls whose twin comes later than that stay two. Owns at most twice [`LINKS_MAX`] ends of links.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::HashMap;
use super::open::TraceKey;
use super::twins::Told;
use super::view::{Facts, NO_FACTS, Spans, Trust};
use crate::limits::{
    LIKE_TRACES_MAX, LINKED_SERVICES_MAX, LINKED_TRACES_MAX, LINKS_MAX, NEW_SERVICE_CALLS,
};

/// Where the spans of a linked trace are to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Linked {
    pub(super) key: TraceKey,
    /// A day on which, or after which, it began.
    pub(super) day: i32,
}

/// Links of traces seen lately.
#[derive(Debug, Default)]
pub(super) struct Links {
    newer: HashMap<u64, Ends>,
    /// Ends of those.
    newer_ends: usize,
    older: HashMap<u64, Ends>,
    /// Services by tenant.
    services: HashMap<(u32, u32), Service>,
    /// Services were too many and forgotten.
    forgot_services: bool,
}

/// Who tells of the calls of a service.
#[derive(Debug, Clone, Copy, Default)]
struct Service {
    /// The library that was met first; none while only log records were.
    scope: Option<u32>,
    /// Calls met, up to [`NEW_SERVICE_CALLS`].
    calls: u32,
    /// Another one was.
    several: bool,
    /// One told only a part of the usage of a call.
    partly_told: bool,
    /// One may have guessed it.
    perhaps_guessed: bool,
    /// A call or record of it had no response id. Two that have one are tied by that alone.
    unnamed: bool,
}

impl Service {
    /// Whether it may turn out yet who tells of it.
    fn is_new(&self) -> bool {
        self.calls < NEW_SERVICE_CALLS
    }

    /// Whether one of its libraries may know more of a call than another.
    fn tells_parts(&self) -> bool {
        self.partly_told || (self.several && self.perhaps_guessed)
    }

    /// How many traces a link by likeness may tie.
    fn like_traces_max(&self) -> usize {
        let told_twice = self.several || self.is_new();
        if told_twice { LIKE_TRACES_MAX } else { LINKED_TRACES_MAX }
    }
}

/// The traces of a link; one, mostly.
#[derive(Debug)]
struct Ends {
    first: Packed,
    #[expect(clippy::box_collection, reason = "eight bytes where a vector would take 24")]
    more: Option<Box<Vec<Packed>>>,
}

/// [`Linked`] without the padding that 128 bits ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packed {
    trace: [u64; 2],
    tenant: u32,
    day: i32,
}

impl From<Linked> for Packed {
    fn from(at: Linked) -> Packed {
        let trace = [(at.key.trace >> 64) as u64, at.key.trace as u64];
        Packed { trace, tenant: at.key.tenant, day: at.day }
    }
}

impl From<Packed> for Linked {
    fn from(at: Packed) -> Linked {
        let trace = u128::from(at.trace[0]) << 64 | u128::from(at.trace[1]);
        Linked { key: TraceKey { tenant: at.tenant, trace }, day: at.day }
    }
}

impl Ends {
    fn all(&self) -> impl Iterator<Item = Packed> + '_ {
        std::iter::once(self.first).chain(self.more.iter().flat_map(|m| m.iter().copied()))
    }
}

impl Links {
    /// Adds the links of a span or record of a trace.
    pub(super) fn insert(&mut self, at: Linked, told: &Told) {
        let (tenant, facts) = (at.key.tenant, &told.facts);
        for link in links_of(tenant, facts) {
            self.insert_link(link, at, LINKED_TRACES_MAX);
        }
        let begun = usage_link(tenant, Edge::Start, told, 0);
        // Log records are tied by what they name.
        if facts.record || facts.service == 0 {
            if let Some(link) = begun {
                self.service(tenant, facts).unnamed |= facts.response == 0;
                self.insert_link(link, at, LINKED_TRACES_MAX);
            }
            return;
        }
        let service = self.note(tenant, facts);
        let several = service.several || service.is_new();
        let ended = several.then(|| usage_link(tenant, Edge::End, told, 0)).flatten();
        let partly = service.tells_parts() || service.is_new();
        let parts = partly.then(|| part_links(tenant, told, 0)).into_iter().flatten();
        let alike = begun.into_iter().chain(ended).chain(joint_link(tenant, facts, 0));
        for link in alike.chain(parts) {
            self.insert_link(link, at, service.like_traces_max());
        }
    }

    /// Adds a link by the hash of a response id.
    pub(super) fn insert_response(&mut self, at: Linked, response: u64) {
        for link in links_of(at.key.tenant, &Facts { response, ..Facts::default() }) {
            self.insert_link(link, at, LINKED_TRACES_MAX);
        }
    }

    /// Notes who tells of a call, and gives what is known of its service then.
    fn note(&mut self, tenant: u32, facts: &Facts) -> Service {
        let service = self.service(tenant, facts);
        service.calls = NEW_SERVICE_CALLS.min(service.calls + 1);
        service.several |= *service.scope.get_or_insert(facts.scope) != facts.scope;
        service.partly_told |= facts.is_partly_told();
        service.perhaps_guessed |= facts.trust == Trust::PerhapsGuessed;
        service.unnamed |= facts.response == 0;
        *service
    }

    fn service(&mut self, tenant: u32, facts: &Facts) -> &mut Service {
        let of = (tenant, facts.service);
        if self.services.len() >= LINKED_SERVICES_MAX && !self.services.contains_key(&of) {
            self.services.clear();
            self.forgot_services = true;
        }
        let unnamed = self.forgot_services;
        self.services.entry(of).or_insert(Service { unnamed, ..Service::default() })
    }

    /// Adds a link, unless it is one of more than `max` traces.
    fn insert_link(&mut self, link: u64, at: Linked, max: usize) {
        if self.newer_ends >= LINKS_MAX {
            // The next generation takes the room of the one that is forgotten.
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
            self.newer_ends = 0;
        }
        let at = Packed::from(at);
        let same = |p: &Packed| p.trace == at.trace && p.tenant == at.tenant;
        match self.newer.entry(link) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(Ends { first: at, more: None });
                self.newer_ends += 1;
            }
            std::collections::hash_map::Entry::Occupied(mut there) => {
                let ends = there.get_mut();
                let known = ends.all().any(|p| same(&p));
                let room = ends.more.as_ref().map_or(1, |m| m.len() + 1) <= max;
                if !known && room {
                    ends.more.get_or_insert_default().push(at);
                    self.newer_ends += 1;
                }
            }
        }
    }

    /// The traces, beside `key` itself, that something in it is linked to. A link of too many traces
    /// leads nowhere: an id that so many share is none, and of calls that are so much alike a service
    /// of one library makes many.
    pub(super) fn of<'a>(
        &'a self,
        key: &'a TraceKey,
        spans: &'a Spans,
    ) -> impl Iterator<Item = Linked> + 'a {
        let of_link = move |(link, max): (u64, usize)| {
            let ends = [self.newer.get(&link), self.older.get(&link)];
            let all = ends.into_iter().flatten().flat_map(Ends::all);
            let all: Vec<Linked> = all.map(Linked::from).filter(|at| at.key != *key).collect();
            if all.len() < max { all } else { Vec::new() }
        };
        // What begins or ends within a second of another may do so in the next or the last.
        let near = move |told: Told| {
            let service = self.services.get(&(key.tenant, told.facts.service));
            let named = told.facts.response != 0 && service.is_some_and(|s| !s.unnamed);
            let seconds = if named { 0..0 } else { -1..2 };
            let several = service.is_some_and(|s| s.several) && !told.facts.record;
            let partly = service.is_some_and(Service::tells_parts);
            let max = service.map_or(LINKED_TRACES_MAX, Service::like_traces_max);
            let links = seconds.flat_map(move |s| {
                let begun = usage_link(key.tenant, Edge::Start, &told, s).into_iter();
                let ended = several.then(|| usage_link(key.tenant, Edge::End, &told, s)).flatten();
                let joint = joint_link(key.tenant, &told.facts, s);
                let parts = partly.then(|| part_links(key.tenant, &told, s));
                begun.chain(ended).chain(joint).chain(parts.into_iter().flatten())
            });
            links.map(move |link| (link, max))
        };
        let named =
            |told: &Told| links_of(key.tenant, &told.facts).map(|link| (link, LINKED_TRACES_MAX));
        let views = spans.views.iter().chain(&spans.records).filter(|v| v.facts != NO_FACTS);
        let told = views.map(|view| Told { view: *view, facts: spans.facts(view) });
        told.flat_map(move |told| named(&told).chain(near(told))).flat_map(of_link)
    }

    /// Memory they take, about.
    pub(super) fn bytes(&self) -> usize {
        (self.newer.capacity() + self.older.capacity()) * (size_of::<(u64, Ends)>() + 1)
    }
}

/// A hash of two numbers, of a kind and a tenant.
fn hash(tenant: u32, kind: u64, a: u64, b: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&a.to_le_bytes());
    bytes[8..].copy_from_slice(&b.to_le_bytes());
    xxh3_64_with_seed(&bytes, kind << 32 | u64::from(tenant))
}

/// The end of a call by which it is linked.
#[derive(Debug, Clone, Copy)]
enum Edge {
    Start,
    End,
}

/// The link of what a service used in calls that began, or ended, in a second, some seconds on.
fn usage_link(tenant: u32, edge: Edge, told: &Told, seconds: i64) -> Option<u64> {
    let facts = &told.facts;
    if facts.service == 0 || facts.start_ns == 0 {
        return None;
    }
    let (kind, at) = match edge {
        Edge::Start => (4, facts.start_ns),
        Edge::End => (8, told.end_ns()),
    };
    let count = |n: Option<i64>| n.unwrap_or(-1) as u64;
    let usage = hash(tenant, 3, count(facts.input), count(facts.output));
    let second = at.div_euclid(1_000_000_000) + seconds;
    Some(hash(tenant, kind, usage ^ u64::from(facts.service), second as u64))
}

/// The link of the second in which the two spans meet in which a library tells a stream.
fn joint_link(tenant: u32, facts: &Facts, seconds: i64) -> Option<u64> {
    let told = facts.service != 0 && facts.joint_ns != 0 && !facts.record;
    let second = facts.joint_ns.div_euclid(1_000_000_000) + seconds;
    let library = u64::from(facts.service) << 32 | u64::from(facts.scope);
    told.then(|| hash(tenant, 7, library, second as u64))
}

/// The links of what a library tells that knows only a part of the usage, and of what another may
/// tell of the same call: by output, and by model, and the second in which it began and was over.
fn part_links(tenant: u32, told: &Told, seconds: i64) -> impl Iterator<Item = u64> + use<> {
    let facts = told.facts;
    let began = facts.service != 0 && facts.start_ns != 0;
    let service = u64::from(facts.service);
    let edges = [(facts.start_ns, [5, 6]), (told.end_ns(), [9, 10])];
    edges.into_iter().filter(move |_| began).flat_map(move |(at, [by_output, by_model])| {
        let second = (at.div_euclid(1_000_000_000) + seconds) as u64;
        let of = move |kind: u64, what: u64| {
            hash(tenant, kind, hash(tenant, kind, service, what), second)
        };
        let output = facts.output.map(|n| of(by_output, n as u64));
        let models = facts.models.into_iter().filter(|m| *m != 0);
        output.into_iter().chain(models.map(move |m| of(by_model, u64::from(m))))
    })
}

/// The links of an item by what it names.
fn links_of(tenant: u32, facts: &Facts) -> impl Iterator<Item = u64> + use<> {
    let hash = move |kind: u64, a: u64, b: u64| hash(tenant, kind, a, b);
    let response = (facts.response != 0).then(|| hash(1, facts.response, 0));
    let input = facts.input.filter(|n| facts.session != 0 && *n > 0);
    let session = input.map(|n| hash(2, facts.session, n as u64));
    response.into_iter().chain(session)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::view::{Role, SpanView};
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(tenant: u32, trace: u128) -> Linked {
        Linked { key: TraceKey { tenant, trace }, day: 20_000 }
    }
    fn told(facts: Facts, seconds: i64) -> Told {
        let view = SpanView {
            span: 1,
            parent: 0,
            row: None,
            role: Role::Inference,
            usage: true,
            names: 0,
            resource_names: 0,
            facts: 0,
            duration_ns: seconds * SECOND,
            received: 0,
        };
        Told { view, facts }
    }
    fn said(response: u64) -> Told {
        told(Facts { response, ..Facts::default() }, 1)
    }
    fn spans(told: Told) -> Spans {
        let mut spans = Spans::default();
        spans.push(told.view, Some(told.facts));
        spans
    }

    #[test]
    fn traces_of_one_response_find_each_other_within_a_tenant() {
        let mut links = Links::default();
        let (one, two) = (at(0, u128::MAX - 1), at(0, 2));
        links.insert(one, &said(7));
        links.insert(two, &said(7));
        links.insert(at(1, 3), &said(7));
        links.insert(at(0, 4), &said(8));
        assert_eq!(links.of(&one.key, &spans(said(7))).collect::<Vec<_>>(), [two]);
        assert_eq!(links.of(&two.key, &spans(said(7))).collect::<Vec<_>>(), [one]);
        assert_eq!(links.of(&at(1, 3).key, &spans(said(7))).count(), 0);
        assert_eq!(links.of(&one.key, &spans(said(0))).count(), 0);
    }

    #[test]
    fn what_ends_together_is_linked_where_two_libraries_tell() {
        // The one begins with the first request, the other with the one that was answered.
        let usage = Facts { service: 5, input: Some(10), output: Some(1), ..Facts::default() };
        let waited = told(Facts { scope: 1, start_ns: 100 * SECOND, ..usage }, 9);
        let client = told(Facts { scope: 2, start_ns: 108 * SECOND, ..usage }, 1);
        for (first, second) in [(waited, client), (client, waited)] {
            let mut links = Links::default();
            links.insert(at(0, 1), &first);
            // A library alone tells a call once.
            assert_eq!(links.of(&at(0, 2).key, &spans(second)).count(), 0);
            links.insert(at(0, 2), &second);
            let found: Vec<_> = links.of(&at(0, 2).key, &spans(second)).collect();
            assert_eq!(found, [at(0, 1)]);
            assert_eq!(links.of(&at(1, 2).key, &spans(second)).count(), 0);
        }
    }

    #[test]
    fn stream_that_was_sent_again_is_linked_to_what_waited_for_it() {
        let model = Facts { service: 5, models: [4, 0], ..Facts::default() };
        let usage = Facts { input: Some(10), output: Some(1), ..model };
        let waited = told(Facts { scope: 1, start_ns: 100 * SECOND, ..usage }, 9);
        let bare = told(Facts { scope: 2, start_ns: 108 * SECOND, ..model }, 1);
        let mut links = Links::default();
        links.insert(at(0, 1), &waited);
        links.insert(at(0, 2), &bare);
        let found: Vec<_> = links.of(&at(0, 2).key, &spans(bare)).collect();
        assert_eq!(found, [at(0, 1)]);
    }

    #[test]
    fn like_calls_at_once_are_linked_where_two_libraries_tell() {
        let usage = Facts { service: 5, input: Some(10), output: Some(1), ..Facts::default() };
        let by = |scope: u32| told(Facts { scope, start_ns: 100 * SECOND, ..usage }, 1);
        let found = |tellers: u32| {
            let mut links = Links::default();
            // The service is no new one.
            for n in 0..u128::from(NEW_SERVICE_CALLS) {
                let other = Facts { scope: 1, start_ns: n as i64 * SECOND, ..by(1).facts };
                links.insert(at(0, 1_000 + n), &told(Facts { input: Some(11), ..other }, 1));
            }
            for n in 0..48 {
                links.insert(at(0, n), &by(1 + n as u32 % tellers));
            }
            let found: BTreeSet<_> =
                links.of(&at(0, 0).key, &spans(by(1))).map(|l| l.key).collect();
            found.len()
        };
        // 24 requests, each told twice: the 47 others. Of one library, so many are but alike.
        assert_eq!([found(2), found(1)], [47, 0]);
    }

    #[test]
    fn calls_with_ids_are_linked_by_likeness_once_one_of_their_service_has_none() {
        let usage = Facts { service: 5, input: Some(10), output: Some(1), ..Facts::default() };
        let named = |response: u64, service: u32| {
            told(Facts { response, service, start_ns: 100 * SECOND, ..usage }, 1)
        };
        let mut links = Links::default();
        links.insert(at(0, 1), &named(7, 5));
        links.insert(at(0, 2), &named(8, 5));
        let linked =
            |links: &Links, told: Told| links.of(&at(0, 2).key, &spans(told)).collect::<Vec<_>>();
        // Two ids are two calls, however alike.
        assert_eq!(linked(&links, named(8, 5)), []);
        // What has none may be either of them, and each finds it.
        assert_eq!(linked(&links, named(0, 5)), [at(0, 1)]);
        links.insert(at(0, 3), &named(0, 5));
        assert_eq!(linked(&links, named(8, 5)), [at(0, 1), at(0, 3)]);
        // So does one of a log record's service, whoever told of that first.
        let record = Facts { record: true, ..named(0, 6).facts };
        links.insert(at(0, 4), &told(record, 1));
        assert_eq!(linked(&links, named(9, 6)), [at(0, 4)]);
    }

    #[test]
    fn services_that_were_forgotten_are_taken_to_have_calls_without_ids() {
        let usage = Facts { input: Some(10), output: Some(1), ..Facts::default() };
        let of_one = |response: u64| {
            told(Facts { response, service: 1, start_ns: 100 * SECOND, ..usage }, 1)
        };
        let mut links = Links::default();
        links.insert(at(0, 1), &of_one(0));
        for service in 2..LINKED_SERVICES_MAX as u32 + 2 {
            links.insert(at(0, 2), &told(Facts { response: 7, service, ..Facts::default() }, 1));
        }
        links.insert(at(0, 3), &of_one(8));
        let found: Vec<_> = links.of(&at(0, 3).key, &spans(of_one(8))).collect();
        assert_eq!(found, [at(0, 1)]);
    }

    #[test]
    fn what_many_traces_share_links_none() {
        let mut links = Links::default();
        for n in 0..100 {
            links.insert(at(0, n), &said(7));
        }
        assert_eq!(links.of(&at(0, 0).key, &spans(said(7))).count(), 0);
    }

    #[test]
    fn at_least_the_last_generation_is_remembered() {
        let mut links = Links::default();
        for n in 0..LINKS_MAX as u64 * 2 + 1 {
            links.insert(at(0, u128::from(n)), &said(n + 1));
        }
        let linked = |n: u64| links.of(&at(0, u128::MAX).key, &spans(said(n + 1))).count();
        assert_eq!(linked(0), 0);
        assert!((LINKS_MAX as u64..LINKS_MAX as u64 * 2 + 1).all(|n| linked(n) == 1));
        assert!(links.bytes() < 64 << 20, "{}", links.bytes());
    }
}
