//! `quantiles(x, p, …)`: exact quantiles of a group, all in one pass. Takes a number and constant
//! probabilities, gives a list of doubles in their order; null for a group without values.
//!
//! Definition: linear interpolation between the closest ranks, h = (n − 1)·p, the seventh of
//! Hyndman & Fan 1996 ("Sample quantiles in statistical packages") and numpy's default.
//! DataFusion's own `percentile_cont` cuts the weight of the interpolation to six digits and
//! keeps a copy of the values for each probability; hence ours.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, ListArray, ListBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;
use datafusion::scalar::ScalarValue;

/// The aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Quantiles {
    signature: Signature,
}

impl Quantiles {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

fn list_of_doubles() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)))
}

impl AggregateUDFImpl for Quantiles {
    fn name(&self) -> &str {
        "quantiles"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let numeric = |t: &DataType| t.is_numeric() || t.is_null();
        if arg_types.len() < 2 || !arg_types.iter().all(numeric) {
            return plan_err!(
                "quantiles takes a number and probabilities, such as quantiles(duration_ms, 0.5, 0.95)"
            );
        }
        Ok(vec![DataType::Float64; arg_types.len()])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of_doubles())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "values");
        Ok(vec![Arc::new(Field::new(name, list_of_doubles(), true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup { groups: Groups::new(&args)? }))
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

/// The values of each group.
#[derive(Debug)]
struct Groups {
    probabilities: Vec<f64>,
    values: Vec<Vec<f64>>,
    /// Capacity of all `values`, kept as they grow so that [`GroupsAccumulator::size`] is cheap.
    capacity: usize,
}

impl Groups {
    fn new(args: &AccumulatorArgs) -> Result<Self> {
        if args.is_distinct {
            return plan_err!("quantiles(DISTINCT …) is not supported");
        }
        let probability = |expr: &Arc<dyn datafusion::physical_expr::PhysicalExpr>| {
            let literal = expr.downcast_ref::<Literal>().map(Literal::value);
            match literal {
                Some(ScalarValue::Float64(Some(p))) if (0.0..=1.0).contains(p) => Ok(*p),
                _ => plan_err!("quantiles: `{expr}` is not a probability, a constant from 0 to 1"),
            }
        };
        let probabilities = args.exprs[1..].iter().map(probability).collect::<Result<_>>()?;
        Ok(Self { probabilities, values: Vec::new(), capacity: 0 })
    }

    fn add(&mut self, group: usize, value: f64) {
        let values = &mut self.values[group];
        let before = values.capacity();
        values.push(value);
        self.capacity += values.capacity() - before;
    }

    fn resize(&mut self, groups: usize) {
        if self.values.len() < groups {
            self.values.resize_with(groups, Vec::new);
        }
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<Vec<f64>> {
        let taken = emit_to.take_needed(&mut self.values);
        self.capacity -= taken.iter().map(Vec::capacity).sum::<usize>();
        taken
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
        let values = values[0].as_primitive::<Float64Type>();
        let passes = |row: usize| opt_filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        for (row, (value, group)) in values.iter().zip(group_indices).enumerate() {
            if let Some(value) = value
                && passes(row)
            {
                self.add(*group, value);
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        let states = values[0].as_list::<i32>();
        for (state, group) in states.iter().zip(group_indices) {
            let Some(state) = state else { continue };
            let state = state.as_primitive::<Float64Type>();
            let values = &mut self.values[*group];
            let before = values.capacity();
            values.extend_from_slice(state.values());
            self.capacity += values.capacity() - before;
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let mut out = ListBuilder::new(Float64Builder::new());
        for mut values in self.take(emit_to) {
            match of(&mut values, &self.probabilities) {
                Some(quantiles) => {
                    out.values().append_slice(&quantiles);
                    out.append(true);
                }
                None => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.take(emit_to);
        let offsets = OffsetBuffer::from_lengths(groups.iter().map(Vec::len));
        let values = Float64Array::from(groups.concat());
        let field = Arc::new(Field::new_list_field(DataType::Float64, true));
        Ok(vec![Arc::new(ListArray::try_new(field, offsets, Arc::new(values), None)?)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut out = ListBuilder::new(Float64Builder::new());
        let passes = |row: usize| opt_filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        for (row, value) in values[0].as_primitive::<Float64Type>().iter().enumerate() {
            if let Some(value) = value.filter(|_| passes(row)) {
                out.values().append_value(value);
            }
            out.append(true);
        }
        Ok(vec![Arc::new(out.finish())])
    }

    fn size(&self) -> usize {
        self.capacity * size_of::<f64>() + self.values.capacity() * size_of::<Vec<f64>>()
    }
}

/// The same over all rows, without groups.
#[derive(Debug)]
struct OneGroup {
    groups: Groups,
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let group = vec![0; values[0].len()];
        self.groups.update_batch(values, &group, None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let group = vec![0; states[0].len()];
        self.groups.merge_batch(states, &group, 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.groups.resize(1);
        let state = self.groups.state(EmitTo::All)?;
        state.iter().map(|array| ScalarValue::try_from_array(array, 0)).collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.groups.resize(1);
        ScalarValue::try_from_array(&self.groups.evaluate(EmitTo::All)?, 0)
    }

    fn size(&self) -> usize {
        self.groups.size()
    }
}

/// Quantiles of the values, in the order of the probabilities; `None` without values.
/// Reorders the values.
fn of(values: &mut [f64], probabilities: &[f64]) -> Option<Vec<f64>> {
    let last = values.len().checked_sub(1)?;
    let mut ascending: Vec<usize> = (0..probabilities.len()).collect();
    ascending.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut out = vec![0.0; probabilities.len()];
    // What a smaller rank was selected from is behind it: each search looks at the rest only.
    let mut from = 0;
    for i in ascending {
        let rank = last as f64 * probabilities[i];
        let below = rank.floor() as usize;
        let (_, low, above) = values[from..].select_nth_unstable_by(below - from, f64::total_cmp);
        let low = *low;
        let weight = rank - below as f64;
        out[i] = if weight == 0.0 {
            low
        } else {
            let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
            low + (high - low) * weight
        };
        from = below;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::of;

    // numpy 2.3: np.percentile([15, 20, 35, 40, 50], [5, 30, 40, 50, 100])
    //   → 16.0, 23.0, 29.0, 35.0, 50.0
    #[test]
    fn quantiles_are_those_of_numpy() {
        let mut values = [40.0, 15.0, 50.0, 35.0, 20.0];
        let got = of(&mut values, &[0.5, 0.05, 0.3, 0.4, 1.0]).unwrap();
        for (got, want) in got.iter().zip([35.0, 16.0, 23.0, 29.0, 50.0]) {
            assert!((got - want).abs() < 1e-12, "{got} against {want}");
        }
    }

    #[test]
    fn one_value_is_every_quantile_and_none_has_none() {
        assert_eq!(of(&mut [7.5], &[0.0, 0.9]), Some(vec![7.5, 7.5]));
        assert_eq!(of(&mut [], &[0.5]), None);
    }
}
