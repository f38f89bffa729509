//! The values of groups while an aggregate gathers them, and exact quantiles of them.
//!
//! Values lie in pieces that do not move as a group grows, and the lists that another part of the
//! plan has gathered are taken over without copying.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BooleanArray, Float64Array, Float64Builder, ListArray, ListBuilder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Float64Type};
use arrow::error::ArrowError;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::scalar::ScalarValue;

/// Values of the first piece of a group; each next one has twice as many, up to the last.
const PIECE_FIRST: usize = 4;
/// Values of a piece at most, 128 KiB.
const PIECE_MAX: usize = 16 << 10;
/// Bytes of a piece beside its values.
const PIECE: usize = size_of::<ScalarBuffer<f64>>();
/// Values that are copied rather than shared when they are merged: a piece takes more than they do.
const SHARED_MIN: usize = 64;

/// What state columns hold: a list of doubles for each group.
pub(super) fn list_of_doubles() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)))
}

/// The probabilities that an aggregate was given, in their order: constants from 0 to 1.
pub(super) fn probabilities(of: &str, given: &[Arc<dyn PhysicalExpr>]) -> Result<Vec<f64>> {
    let probability = |expr: &Arc<dyn PhysicalExpr>| {
        let literal = expr.downcast_ref::<Literal>().map(Literal::value);
        match literal {
            Some(ScalarValue::Float64(Some(p))) if (0.0..=1.0).contains(p) => Ok(*p),
            _ => plan_err!("{of}: `{expr}` is not a probability, a constant from 0 to 1"),
        }
    };
    given.iter().map(probability).collect()
}

/// The values of one group.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    full: Vec<ScalarBuffer<f64>>,
    open: Vec<f64>,
}

impl Sample {
    pub(super) fn len(&self) -> usize {
        self.full.iter().map(|piece| piece.len()).sum::<usize>() + self.open.len()
    }

    /// The values, piece by piece.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[f64]> {
        self.full.iter().map(|piece| &piece[..]).chain([&self.open[..]])
    }

    /// All values in one.
    pub(super) fn into_vec(self) -> Vec<f64> {
        if self.full.is_empty() {
            return self.open;
        }
        let mut all = Vec::with_capacity(self.len());
        self.append_to(&mut all);
        all
    }

    /// Gives each piece back as soon as it is copied.
    fn append_to(self, all: &mut Vec<f64>) {
        for piece in self.full {
            all.extend_from_slice(&piece);
        }
        all.extend_from_slice(&self.open);
    }

    /// Opens a piece of so many values; those of the one before stay where they are.
    fn open(&mut self, values: usize) {
        let full = std::mem::replace(&mut self.open, Vec::with_capacity(values));
        if !full.is_empty() {
            self.full.push(full.into());
        }
    }

    /// Bytes of the pieces.
    fn size(&self) -> usize {
        let full: usize = self.full.iter().map(|piece| PIECE + size_of_val(&piece[..])).sum();
        full + self.open.capacity() * size_of::<f64>()
    }
}

/// The values of each group.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    groups: Vec<Sample>,
    /// Bytes of the pieces, counted as they come so that [`Self::size`] is cheap.
    bytes: usize,
}

impl Samples {
    /// Makes room for so many groups.
    pub(super) fn resize(&mut self, groups: usize) {
        if self.groups.len() < groups {
            self.groups.resize_with(groups, Sample::default);
        }
    }

    pub(super) fn add(&mut self, group: usize, value: f64) {
        let sample = &mut self.groups[group];
        if sample.open.len() == sample.open.capacity() {
            let next = (2 * sample.open.capacity()).clamp(PIECE_FIRST, PIECE_MAX);
            self.bytes += next * size_of::<f64>() + if sample.open.is_empty() { 0 } else { PIECE };
            sample.open(next);
        }
        sample.open.push(value);
    }

    /// Adds the list of each row to the row's group.
    pub(super) fn merge(&mut self, lists: &ListArray, group_indices: &[usize]) {
        let values = lists.values().as_primitive::<Float64Type>().values();
        let places = lists.value_offsets().windows(2);
        for (row, (place, group)) in places.zip(group_indices).enumerate() {
            let (from, len) = (place[0] as usize, (place[1] - place[0]) as usize);
            if lists.is_null(row) {
                continue;
            }
            if len < SHARED_MIN {
                values[from..from + len].iter().for_each(|value| self.add(*group, *value));
            } else {
                self.groups[*group].full.push(values.slice(from, len));
                self.bytes += PIECE + len * size_of::<f64>();
            }
        }
    }

    /// Gives the groups away.
    pub(super) fn take(&mut self, emit_to: EmitTo) -> Vec<Sample> {
        let taken = emit_to.take_needed(&mut self.groups);
        self.bytes -= taken.iter().map(Sample::size).sum::<usize>();
        taken
    }

    /// Gives the groups away as lists.
    pub(super) fn take_lists(&mut self, emit_to: EmitTo) -> Result<ListArray, ArrowError> {
        let groups = self.take(emit_to);
        let offsets = OffsetBuffer::from_lengths(groups.iter().map(Sample::len));
        let mut values = Vec::with_capacity(offsets.last().map_or(0, |last| *last as usize));
        groups.into_iter().for_each(|sample| sample.append_to(&mut values));
        let field = Arc::new(Field::new_list_field(DataType::Float64, true));
        ListArray::try_new(field, offsets, Arc::new(Float64Array::from(values)), None)
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.bytes + self.groups.capacity() * size_of::<Sample>()
    }
}

/// A list of at most one value for each row: what it adds to its group.
pub(super) fn lists_of_one(values: impl Iterator<Item = Option<f64>>) -> ListArray {
    let mut lists = ListBuilder::new(Float64Builder::new());
    for value in values {
        lists.values().append_slice(value.as_slice());
        lists.append(true);
    }
    lists.finish()
}

/// Whether a filter lets a row pass.
pub(super) fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// Quantiles of the values, in the order of the probabilities; `None` without values.
/// Reorders the values.
pub(super) fn quantiles_of(values: &mut [f64], probabilities: &[f64]) -> Option<Vec<f64>> {
    let last = values.len().checked_sub(1)?;
    let place = |probability: &f64| {
        let rank = last as f64 * probability;
        let below = rank.floor() as usize;
        (below, rank - below as f64)
    };
    let places: Vec<_> = probabilities.iter().map(place).collect();
    let above = |(below, weight): &(usize, f64)| below + usize::from(*weight > 0.0);
    let mut ranks: Vec<_> = places.iter().flat_map(|place| [place.0, above(place)]).collect();
    ranks.sort_unstable();
    ranks.dedup();
    put(values, &ranks, 0);
    let quantile = |place: &(usize, f64)| {
        let (low, high) = (values[place.0], values[above(place)]);
        // Not low + 0·weight where they are equal: two infinities have no difference.
        if low == high { low } else { low + (high - low) * place.1 }
    };
    Some(places.iter().map(quantile).collect())
}

/// Puts the value of each rank in its place, what is less before and what is more behind it. Ranks
/// ascend; `first` is the rank of the first value. The middle rank first, so that each value is
/// compared for log₂ of the ranks and not for each of them.
fn put(values: &mut [f64], ranks: &[usize], first: usize) {
    let Some(rank) = ranks.get(ranks.len() / 2) else { return };
    let (before, after) = ranks.split_at(ranks.len() / 2);
    let (less, _, more) = values.select_nth_unstable_by(rank - first, f64::total_cmp);
    put(less, before, first);
    put(more, &after[1..], rank + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    // numpy 2.3: np.percentile([15, 20, 35, 40, 50], [5, 30, 40, 50, 100])
    //   → 16.0, 23.0, 29.0, 35.0, 50.0
    #[test]
    fn quantiles_are_those_of_numpy() {
        let mut values = [40.0, 15.0, 50.0, 35.0, 20.0];
        let got = quantiles_of(&mut values, &[0.5, 0.05, 0.3, 0.4, 1.0]).unwrap();
        for (got, want) in got.iter().zip([35.0, 16.0, 23.0, 29.0, 50.0]) {
            assert!((got - want).abs() < 1e-12, "{got} against {want}");
        }
    }

    #[test]
    fn one_value_is_every_quantile_and_none_has_none() {
        assert_eq!(quantiles_of(&mut [7.5], &[0.0, 0.9]), Some(vec![7.5, 7.5]));
        assert_eq!(quantiles_of(&mut [], &[0.5]), None);
    }

    // The values 0 to 99,999 of two groups, in an order of their own: 7,919 is prime to 100,000.
    #[test]
    fn values_are_what_was_added_and_merged_and_each_is_counted() {
        let mut part = Samples::default();
        part.resize(2);
        (0..100_000_u64).for_each(|i| part.add((i % 2) as usize, (i * 7919 % 100_000) as f64));
        assert!(part.size() >= 100_000 * size_of::<f64>(), "{} bytes", part.size());
        let lists = part.take_lists(EmitTo::All).unwrap();
        let mut whole = Samples::default();
        whole.resize(1);
        whole.merge(&lists, &[0, 0]);
        whole.add(0, 100_000.0);
        assert!(whole.size() >= 100_001 * size_of::<f64>(), "{} bytes", whole.size());
        let sample = whole.take(EmitTo::All).remove(0);
        assert_eq!(sample.len(), 100_001);
        let mut values = sample.into_vec();
        values.sort_by(f64::total_cmp);
        assert!(values.iter().enumerate().all(|(i, value)| *value == i as f64));
        let left = whole.size();
        assert!(left < 1024, "{left} bytes");
    }
}
