//! `counts_by_quantile(x, current, p, …)` and `counts_by_value(text, current)`: how the values of a
//! reference and of a current sample are spread over the same bins, both samples in one pass.
//! `current` says which of them a value belongs to. Both give a list of `{reference, current}`, the
//! counts of each bin that has any, ascending; one bin of zeros for a group without values. Null
//! values are left out, and so are those of which nothing says where they belong.

mod by_quantile;
mod by_value;

pub(super) use by_quantile::CountsByQuantile;
pub(super) use by_value::CountsByValue;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::error::Result;

/// Values in a bin.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    reference: i64,
    current: i64,
}

impl Bin {
    fn of(&mut self, is_current: bool) -> &mut i64 {
        if is_current { &mut self.current } else { &mut self.reference }
    }
}

/// What a list of bins is made of.
fn fields() -> Fields {
    let count = |name| Field::new(name, DataType::Int64, false);
    Fields::from(vec![count("reference"), count("current")])
}

fn element() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields()), false))
}

fn list_of_bins() -> DataType {
    DataType::List(element())
}

/// The bins of each group, without those that nothing is in.
fn lists(groups: Vec<Vec<Bin>>) -> Result<ArrayRef> {
    let told = |mut bins: Vec<Bin>| {
        bins.retain(|bin| bin.reference > 0 || bin.current > 0);
        if bins.is_empty() { vec![Bin::default()] } else { bins }
    };
    let groups: Vec<_> = groups.into_iter().map(told).collect();
    let bins = groups.concat();
    let count =
        |of: fn(&Bin) -> i64| -> ArrayRef { Arc::new(bins.iter().map(of).collect::<Int64Array>()) };
    let columns = vec![count(|bin| bin.reference), count(|bin| bin.current)];
    let values = StructArray::try_new(fields(), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(groups.iter().map(Vec::len));
    Ok(Arc::new(ListArray::try_new(element(), offsets, Arc::new(values), None)?))
}
