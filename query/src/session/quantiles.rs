//! `quantiles(x, p, …)`: exact quantiles of a group, all in one pass. Takes a number and constant
//! probabilities, gives a list of doubles in their order; null for a group without values.
//!
//! Definition: linear interpolation between the closest ranks, h = (n − 1)·p, the seventh of
//! Hyndman & Fan 1996 ("Sample quantiles in statistical packages") and numpy's default.
//! DataFusion's own `percentile_cont` cuts the weight of the interpolation to six digits and
//! keeps a copy of the values for each probability; hence ours.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::one_group::OneGroup;
use super::samples::{Samples, list_of_doubles, lists_of_one, passes, probabilities, quantiles_of};

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
        let mut groups = Groups::new(&args)?;
        groups.samples.resize(1);
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

/// The values of each group.
#[derive(Debug, Clone)]
struct Groups {
    probabilities: Vec<f64>,
    samples: Samples,
}

impl Groups {
    fn new(args: &AccumulatorArgs) -> Result<Self> {
        if args.is_distinct {
            return plan_err!("quantiles(DISTINCT …) is not supported");
        }
        let probabilities = probabilities("quantiles", &args.exprs[1..])?;
        Ok(Self { probabilities, samples: Samples::default() })
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
        self.samples.resize(total_num_groups);
        for (value, group) in counted(values, opt_filter).zip(group_indices) {
            if let Some(value) = value {
                self.samples.add(*group, value);
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
        self.samples.resize(total_num_groups);
        self.samples.merge(values[0].as_list(), group_indices);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let mut out = ListBuilder::new(Float64Builder::new());
        for sample in self.samples.take(emit_to) {
            match quantiles_of(&mut sample.into_vec(), &self.probabilities) {
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
        Ok(vec![Arc::new(self.samples.take_lists(emit_to)?)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(lists_of_one(counted(values, opt_filter)))])
    }

    fn size(&self) -> usize {
        self.samples.size()
    }
}

/// The value of each row; none where it is null or the filter leaves it out.
fn counted(
    values: &[ArrayRef],
    filter: Option<&BooleanArray>,
) -> impl Iterator<Item = Option<f64>> {
    let values = values[0].as_primitive::<Float64Type>().iter().enumerate();
    values.map(move |(row, value)| value.filter(|_| passes(filter, row)))
}
