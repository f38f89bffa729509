//! Values by which NVIDIA DCGM says "no value": blank, not found, not supported, no permission.
//! Older dcgm-exporter versions expose them as if they were readings (a memory of 9.2×10¹⁸
//! degrees), so they are dropped and counted. Takes families, gives them without.
//!
//! From `dcgm_structs.h`: each type has a blank value and reasons counted up from it by one; the
//! header leaves room for sixteen.

use super::exposition::{Family, Value};

/// `DCGM_INT32_BLANK`, 0x7ffffff0.
const INT32_BLANK: i64 = 0x7fff_fff0;
/// `DCGM_INT64_BLANK`, 0x7ffffffffffffff0.
const INT64_BLANK: i64 = 0x7fff_ffff_ffff_fff0;
/// `DCGM_FP64_BLANK`, 2⁴⁷.
const FP64_BLANK: f64 = 140_737_488_355_328.0;
/// Values from a blank upwards that say why.
const REASONS: i64 = 16;

/// Drops the blanks of DCGM's metrics; gives how many there were. Other exporters may really
/// count that far.
pub(super) fn drop_blanks(families: &mut [Family]) -> usize {
    let mut dropped = 0;
    for family in families.iter_mut().filter(|family| family.name.starts_with("DCGM_")) {
        let before = family.samples.len();
        family.samples.retain(|sample| !blank(sample.value));
        dropped += before - family.samples.len();
    }
    dropped
}

fn blank(value: Value) -> bool {
    match value {
        Value::Int(value) => {
            value >= INT64_BLANK
                || (INT32_BLANK..INT32_BLANK + REASONS).contains(&value)
                || (FP64_BLANK as i64..FP64_BLANK as i64 + REASONS).contains(&value)
        }
        // As a float every 64-bit blank is 2⁶³.
        Value::Float(value) => {
            value == INT64_BLANK as f64
                || (FP64_BLANK..FP64_BLANK + REASONS as f64).contains(&value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_of_all_types_are_known_and_readings_are_not() {
        for value in [
            Value::Int(9_223_372_036_854_775_792), // INT64_BLANK
            Value::Int(9_223_372_036_854_775_794), // INT64_NOT_SUPPORTED
            Value::Int(2_147_483_632),             // INT32_BLANK
            Value::Int(2_147_483_635),             // INT32_NOT_PERMISSIONED
            Value::Float(140_737_488_355_328.0),   // FP64_BLANK
            Value::Float(140_737_488_355_330.0),   // FP64_NOT_SUPPORTED
            Value::Int(140_737_488_355_328),       // the same, printed without a point
            Value::Float(9.223_372_036_854_776e18),
        ] {
            assert!(blank(value), "{value:?}");
        }
        for value in [
            Value::Int(0),
            Value::Int(2_147_483_631),
            Value::Int(2_147_483_648),
            Value::Int(35_690),
            Value::Float(409.692),
            Value::Float(f64::NAN),
            Value::Float(f64::INFINITY),
        ] {
            assert!(!blank(value), "{value:?}");
        }
    }
}
