//! Lists that are filled anew for each item, so that reading an item allocates nothing.

use super::metric::{ExemplarView, Quantile};
use super::span::{EventView, LinkView};
use super::value::Attribute;

/// Room for the lists of one item; the views of that item borrow from it.
#[derive(Debug, Default)]
pub(super) struct Scratch<'a> {
    pub(super) attributes: Vec<Attribute<'a>>,
    /// Attributes of events, links and exemplars, one after another; each of these knows its range.
    pub(super) inner_attributes: Vec<Attribute<'a>>,
    pub(super) events: Vec<EventView<'a>>,
    pub(super) links: Vec<LinkView<'a>>,
    pub(super) exemplars: Vec<ExemplarView<'a>>,
    pub(super) bounds: Vec<f64>,
    pub(super) counts: Vec<u64>,
    pub(super) positive: Vec<u64>,
    pub(super) negative: Vec<u64>,
    pub(super) quantiles: Vec<Quantile>,
}

impl Scratch<'_> {
    pub(super) fn clear(&mut self) {
        self.attributes.clear();
        self.inner_attributes.clear();
        self.events.clear();
        self.links.clear();
        self.exemplars.clear();
        self.bounds.clear();
        self.counts.clear();
        self.positive.clear();
        self.negative.clear();
        self.quantiles.clear();
    }
}
