//! Lists that are filled anew for each item, so that reading an item allocates nothing.

use super::metric::{ExemplarView, Quantile};
use super::span::{EventView, LinkView};
use super::value::Attribute;

/// Room for the lists of one item; the views of that item borrow from it.
#[derive(Debug, Default)]
pub struct Scratch<'a> {
    pub(crate) attributes: Vec<Attribute<'a>>,
    /// Attributes of events, links and exemplars, one after another; each of these knows its range.
    pub(crate) inner_attributes: Vec<Attribute<'a>>,
    pub(crate) events: Vec<EventView<'a>>,
    pub(crate) links: Vec<LinkView<'a>>,
    pub(crate) exemplars: Vec<ExemplarView<'a>>,
    pub(crate) bounds: Vec<f64>,
    pub(crate) counts: Vec<u64>,
    pub(crate) positive: Vec<u64>,
    pub(crate) negative: Vec<u64>,
    pub(crate) quantiles: Vec<Quantile>,
}

impl Scratch<'_> {
    pub(crate) fn clear(&mut self) {
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
