//! Bins of numbers, cut by quantiles of the reference ([`quantiles_of`] has their definition): a
//! value lies above the edges that are at or below it, and edges that fall together cut once.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::{Bin, list_of_bins, lists};
use crate::session::one_group::OneGroup;
use crate::session::samples::{
    Sample, Samples, list_of_doubles, lists_of_one, passes, probabilities, quantiles_of,
};

/// The aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::session) struct CountsByQuantile {
    signature: Signature,
}

impl CountsByQuantile {
    pub(in crate::session) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for CountsByQuantile {
    fn name(&self) -> &str {
        "counts_by_quantile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let numeric = |t: &DataType| t.is_numeric() || t.is_null();
        let flag = |t: &DataType| matches!(t, DataType::Boolean | DataType::Null);
        match given {
            [x, current, p @ ..] if numeric(x) && flag(current) && p.iter().all(numeric) => {
                let mut types = vec![DataType::Float64; given.len()];
                types[1] = DataType::Boolean;
                Ok(types)
            }
            _ => plan_err!(
                "counts_by_quantile takes a number, whether it is current, and probabilities, such \
                 as counts_by_quantile(duration_ms, started_at >= now() - interval '1 day', 0.5)"
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of_bins())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |of| {
            let name = format_state_name(args.name, of);
            Arc::new(Field::new(name, list_of_doubles(), true))
        };
        Ok(vec![field("reference"), field("current")])
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

/// Both samples of each group.
#[derive(Debug, Clone)]
struct Groups {
    probabilities: Vec<f64>,
    reference: Samples,
    current: Samples,
}

impl Groups {
    fn new(args: &AccumulatorArgs) -> Result<Self> {
        if args.is_distinct {
            return plan_err!("counts_by_quantile(DISTINCT …) is not supported");
        }
        let probabilities = probabilities("counts_by_quantile", &args.exprs[2..])?;
        Ok(Self { probabilities, reference: Samples::default(), current: Samples::default() })
    }

    fn resize(&mut self, groups: usize) {
        self.reference.resize(groups);
        self.current.resize(groups);
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
            match row {
                Some((value, true)) => self.current.add(*group, value),
                Some((value, false)) => self.reference.add(*group, value),
                None => {}
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
        self.reference.merge(states[0].as_list(), group_indices);
        self.current.merge(states[1].as_list(), group_indices);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let reference = self.reference.take(emit_to);
        let current = self.current.take(emit_to);
        let samples = reference.into_iter().zip(current);
        let spread = samples.map(|(r, c)| spread(r, &c, &self.probabilities));
        lists(spread.collect())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let reference = Arc::new(self.reference.take_lists(emit_to)?);
        Ok(vec![reference, Arc::new(self.current.take_lists(emit_to)?)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let of = |current| -> ArrayRef {
            let rows = counted(values, opt_filter);
            let own = |(value, is_current)| (is_current == current).then_some(value);
            Arc::new(lists_of_one(rows.map(|row| row.and_then(own))))
        };
        Ok(vec![of(false), of(true)])
    }

    fn size(&self) -> usize {
        self.reference.size() + self.current.size()
    }
}

/// How both samples are spread over bins that quantiles of the reference cut.
fn spread(reference: Sample, current: &Sample, probabilities: &[f64]) -> Vec<Bin> {
    let mut reference = reference.into_vec();
    let mut edges = quantiles_of(&mut reference, probabilities).unwrap_or_default();
    edges.sort_by(f64::total_cmp);
    let mut bins = vec![Bin::default(); edges.len() + 1];
    let place = |value: f64| -> usize {
        // Without a branch: there are few edges, and which is the last cannot be foreseen.
        edges.iter().map(|edge| usize::from(*edge <= value)).sum()
    };
    reference.iter().for_each(|value| bins[place(*value)].reference += 1);
    current.pieces().flatten().for_each(|value| bins[place(*value)].current += 1);
    bins
}

/// The value of each row and whether it is current; none where either is null or the filter leaves
/// it out.
fn counted(
    values: &[ArrayRef],
    filter: Option<&BooleanArray>,
) -> impl Iterator<Item = Option<(f64, bool)>> {
    let is_current = values[1].as_boolean().iter();
    let rows = values[0].as_primitive::<Float64Type>().iter().zip(is_current).enumerate();
    rows.map(move |(row, (value, is_current))| {
        value.zip(is_current).filter(|_| passes(filter, row))
    })
}
