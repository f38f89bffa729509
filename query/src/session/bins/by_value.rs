//! Bins of texts: the texts themselves.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Builder, ListBuilder, StringBuilder,
};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{HashMap, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::{Bin, list_of_bins, lists};
use crate::session::one_group::OneGroup;
use crate::session::samples::passes;

/// The aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::session) struct CountsByValue {
    signature: Signature,
}

impl CountsByValue {
    pub(in crate::session) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// The state of a group: its texts, and the counts of each in both samples.
fn state_types() -> [DataType; 3] {
    let list = |of| DataType::List(Arc::new(Field::new_list_field(of, true)));
    [list(DataType::Utf8), list(DataType::Int64), list(DataType::Int64)]
}

impl AggregateUDFImpl for CountsByValue {
    fn name(&self) -> &str {
        "counts_by_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let text = |t: &DataType| t.is_string() || t.is_null();
        match given {
            [value, DataType::Boolean | DataType::Null] if text(value) => {
                Ok(vec![DataType::Utf8View, DataType::Boolean])
            }
            _ => plan_err!("counts_by_value takes a text and whether it is current"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of_bins())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let names = ["values", "reference", "current"].into_iter();
        let field = |(of, data_type)| {
            Arc::new(Field::new(format_state_name(args.name, of), data_type, true))
        };
        Ok(names.zip(state_types()).map(field).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let mut groups = Groups::new(&args)?;
        groups.resize(1);
        Ok(Box::new(OneGroup(groups)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::new(&args)?))
    }
}

/// The counts of each text.
type Bins = HashMap<String, Bin>;

/// The bins of each group.
#[derive(Debug, Clone)]
struct Groups {
    bins: Vec<Bins>,
    /// Memory of the entries, counted as they come.
    bytes: usize,
}

/// Memory of an entry, with the room that a table leaves free.
fn bytes_of(text: &str) -> usize {
    2 * size_of::<(String, Bin)>() + text.len()
}

impl Groups {
    fn new(args: &AccumulatorArgs) -> Result<Self> {
        if args.is_distinct {
            return plan_err!("counts_by_value(DISTINCT …) is not supported");
        }
        Ok(Self { bins: Vec::new(), bytes: 0 })
    }

    fn resize(&mut self, groups: usize) {
        if self.bins.len() < groups {
            self.bins.resize_with(groups, Bins::default);
        }
    }

    fn bin(&mut self, group: usize, text: &str) -> &mut Bin {
        let (bytes, bins) = (&mut self.bytes, &mut self.bins[group]);
        bins.entry_ref(text).or_insert_with(|| {
            *bytes += bytes_of(text);
            Bin::default()
        })
    }

    /// Gives the groups away, each by rising text.
    fn take(&mut self, emit_to: EmitTo) -> Vec<Vec<(String, Bin)>> {
        let taken = emit_to.take_needed(&mut self.bins).into_iter();
        let groups: Vec<_> = taken
            .map(|bins| {
                let mut bins: Vec<_> = bins.into_iter().collect();
                bins.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                bins
            })
            .collect();
        self.bytes -= groups.iter().flatten().map(|(text, _)| bytes_of(text)).sum::<usize>();
        groups
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        for (row, group) in counted(values, opt_filter).zip(group_indices) {
            if let Some((text, is_current)) = row {
                *self.bin(*group, text).of(is_current) += 1;
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        let [texts, reference, current] = [0, 1, 2].map(|i| states[i].as_list::<i32>());
        for (row, group) in group_indices.iter().enumerate() {
            let (texts, reference, current) =
                (texts.value(row), reference.value(row), current.value(row));
            let texts = texts.as_string::<i32>();
            let (reference, current) =
                (reference.as_primitive::<Int64Type>(), current.as_primitive::<Int64Type>());
            for i in 0..texts.len() {
                let bin = self.bin(*group, texts.value(i));
                bin.reference += reference.value(i);
                bin.current += current.value(i);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.take(emit_to).into_iter();
        lists(groups.map(|bins| bins.into_iter().map(|(_, bin)| bin).collect()).collect())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut state = State::default();
        for bins in self.take(emit_to) {
            state.append(bins.iter().map(|(text, bin)| (text.as_str(), *bin)));
        }
        Ok(state.finish())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut state = State::default();
        for row in counted(values, opt_filter) {
            state.append(row.into_iter().map(|(text, is_current)| {
                let mut bin = Bin::default();
                *bin.of(is_current) += 1;
                (text, bin)
            }));
        }
        Ok(state.finish())
    }

    fn size(&self) -> usize {
        self.bytes + self.bins.capacity() * size_of::<Bins>()
    }
}

/// The state columns while they are written.
#[derive(Default)]
struct State {
    texts: ListBuilder<StringBuilder>,
    counts: [ListBuilder<Int64Builder>; 2],
}

impl State {
    fn append<'a>(&mut self, bins: impl Iterator<Item = (&'a str, Bin)>) {
        for (text, bin) in bins {
            self.texts.values().append_value(text);
            let counts = self.counts.iter_mut().zip([bin.reference, bin.current]);
            counts.for_each(|(list, count)| list.values().append_value(count));
        }
        self.texts.append(true);
        self.counts.iter_mut().for_each(|list| list.append(true));
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        let [reference, current] = self.counts.each_mut().map(|list| list.finish());
        vec![Arc::new(self.texts.finish()), Arc::new(reference), Arc::new(current)]
    }
}

/// The text of each row and whether it is current; none where either is null or the filter leaves it
/// out.
fn counted<'a>(
    values: &'a [ArrayRef],
    filter: Option<&'a BooleanArray>,
) -> impl Iterator<Item = Option<(&'a str, bool)>> {
    let is_current = values[1].as_boolean().iter();
    let rows = values[0].as_string_view().iter().zip(is_current).enumerate();
    rows.map(move |(row, (text, is_current))| text.zip(is_current).filter(|_| passes(filter, row)))
}
