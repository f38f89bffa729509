//! `numeric` on the wire, exact at every precision that a column has (I-4): the crates' own decimal
//! has 96 bits, which 18 digits after the point leave 7.9e10 of.
//!
//! Binary form, all integers of 16 bits, big-endian: number of digits of base 10,000; weight (the
//! power of 10,000 of the first digit); sign (0, 0x4000 negative, 0xC000 not a number); digits
//! after the decimal point that are to be shown; the digits. Neither leading nor trailing digits
//! of zero are written (PostgreSQL, `src/backend/utils/adt/numeric.c`, `numeric_send`).

use std::error::Error;
use std::fmt::Write as _;

use arrow::datatypes::DECIMAL128_MAX_PRECISION;
use bytes::{BufMut, BytesMut};
use pgwire::api::Type;
use pgwire::types::ToSqlText;
use pgwire::types::format::FormatOptions;
use postgres_types::{IsNull, ToSql};

/// Decimal digits in one digit on the wire.
const GROUP: usize = 4;
const NEGATIVE: u16 = 0x4000;
const SPECIAL: u16 = 0xC000;

/// An exact number: `unscaled · 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numeric {
    pub(super) unscaled: i128,
    pub(super) scale: i8,
}

impl Numeric {
    /// The digits before and after the point, without a sign: never empty, and `scale` long.
    fn digits(self) -> (String, String) {
        let digits = self.unscaled.unsigned_abs().to_string();
        let Ok(scale) = usize::try_from(self.scale) else {
            let zeros = usize::from(self.scale.unsigned_abs());
            return (digits + &"0".repeat(zeros), String::new());
        };
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        (whole.to_owned(), fraction.to_owned())
    }

    /// As the binary form of PostgreSQL.
    fn write_binary(self, out: &mut BytesMut) {
        let (whole, fraction) = self.digits();
        let scale = fraction.len() as u16;
        let head = (GROUP - whole.len() % GROUP) % GROUP;
        let tail = (GROUP - fraction.len() % GROUP) % GROUP;
        let text = format!("{}{whole}{fraction}{}", "0".repeat(head), "0".repeat(tail));
        let groups: Vec<u16> = text
            .as_bytes()
            .chunks(GROUP)
            .map(|group| group.iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0')))
            .collect();
        let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
        let last = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
        let weight = ((head + whole.len()) / GROUP) as i16 - 1 - first as i16;
        out.put_u16((last - first) as u16);
        out.put_i16(if first == last { 0 } else { weight });
        out.put_u16(if self.unscaled < 0 { NEGATIVE } else { 0 });
        out.put_u16(scale);
        for group in &groups[first..last] {
            out.put_u16(*group);
        }
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// A text that says what is wrong: bytes that are no number, or a number of more than 38 digits.
    pub(super) fn from_binary(raw: &[u8]) -> Result<Self, String> {
        let word = |i: usize| raw.get(2 * i..2 * i + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
        let head = (word(0), word(1), word(2), word(3));
        let (Some(count), Some(weight), Some(sign), Some(scale)) = head else {
            return Err(format!("{} bytes are no numeric, expected at least 8", raw.len()));
        };
        if sign & SPECIAL == SPECIAL {
            return Err("NaN and infinity are no amounts".to_owned());
        }
        // 38 digits are ten groups; one more may hold the first of them, or the last.
        let weight = i32::from(weight.cast_signed());
        if count > 0 && !(-11..=10).contains(&weight) || scale > DECIMAL128_MAX_PRECISION.into() {
            return Err(too_long());
        }
        let mut digits = "0".repeat(usize::try_from(-(weight + 1)).unwrap_or(0) * GROUP);
        for i in 0..usize::from(count) {
            let group = word(4 + i).filter(|group| *group < 10_000);
            let group = group.ok_or_else(|| format!("digit {i} of a numeric is missing"))?;
            write!(digits, "{group:04}").map_err(|e| e.to_string())?;
        }
        let point = usize::try_from(weight + 1).unwrap_or(0) * GROUP;
        let width = point + usize::from(scale);
        // The last group's zeros, which the sender does not count among its digits.
        let kept = digits.trim_end_matches('0').len().max(width);
        let digits = format!("{digits:0<width$}");
        let unscaled: i128 = match &digits[..kept] {
            "" => 0,
            digits => digits.parse().map_err(|_| too_long())?,
        };
        let signed = if sign == NEGATIVE { -unscaled } else { unscaled };
        Self::checked(Some(signed), (kept - point) as i32)
    }

    /// Reads `-12.5`, `1e3`.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub(super) fn from_text(text: &str) -> Result<Self, String> {
        let no_number = || format!("`{text}` is no number");
        let text = text.trim();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| no_number())?),
            None => (text, 0_i32),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(no_number());
        }
        let scale = i32::try_from(fraction.len()).map_err(|_| too_long())?.checked_sub(exponent);
        let scale = scale.ok_or_else(too_long)?;
        let digits: i128 = digits.parse().map_err(|_| too_long())?;
        let digits = if negative { -digits } else { digits };
        if scale >= 0 {
            return Self::checked(Some(digits), scale);
        }
        Self::checked(power_of_ten(-scale).and_then(|power| digits.checked_mul(power)), 0)
    }

    fn checked(unscaled: Option<i128>, scale: i32) -> Result<Self, String> {
        let unscaled = unscaled.ok_or_else(too_long)?;
        let fits = |n: i128| n.unsigned_abs() < 10_u128.pow(DECIMAL128_MAX_PRECISION.into());
        match i8::try_from(scale) {
            Ok(scale) if scale <= 38 && fits(unscaled) => Ok(Self { unscaled, scale }),
            _ => Err(too_long()),
        }
    }
}

fn power_of_ten(exponent: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(exponent).ok()?)
}

fn too_long() -> String {
    format!("a number has more than {DECIMAL128_MAX_PRECISION} digits")
}

impl ToSql for Numeric {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.write_binary(out);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }

    postgres_types::to_sql_checked!();
}

impl ToSqlText for Numeric {
    fn to_sql_text(
        &self,
        _: &Type,
        out: &mut BytesMut,
        _: &FormatOptions,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let (whole, fraction) = self.digits();
        if self.unscaled < 0 {
            out.put_u8(b'-');
        }
        out.put_slice(whole.as_bytes());
        if !fraction.is_empty() {
            out.put_u8(b'.');
            out.put_slice(fraction.as_bytes());
        }
        Ok(IsNull::No)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn binary(unscaled: i128, scale: i8) -> Vec<u16> {
        let mut out = BytesMut::new();
        Numeric { unscaled, scale }.write_binary(&mut out);
        out.chunks(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect()
    }

    fn text(unscaled: i128, scale: i8) -> String {
        let mut out = BytesMut::new();
        let options = FormatOptions::default();
        Numeric { unscaled, scale }.to_sql_text(&Type::NUMERIC, &mut out, &options).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    }

    /// Each expected row is digits of base 10,000 by hand; the weight is the power of 10,000 of the
    /// first, as a 16-bit two's complement.
    #[test]
    fn numbers_are_written_in_base_ten_thousand() {
        // 0
        assert_eq!(binary(0, 18), [0, 0, 0, 18]);
        // 10⁻¹⁸ = 100 · 10000⁻⁵
        assert_eq!(binary(1, 18), [1, 0xfffb, 0, 18, 100]);
        // 1.5 = 1 · 10000⁰ + 5000 · 10000⁻¹
        assert_eq!(binary(15, 1), [2, 0, 0, 1, 1, 5000]);
        // -12345.678 = -(1 · 10000¹ + 2345 + 6780 · 10000⁻¹)
        assert_eq!(binary(-12_345_678, 3), [3, 1, 0x4000, 3, 1, 2345, 6780]);
        // 10000 = 1 · 10000¹: no trailing zeros
        assert_eq!(binary(10_000, 0), [1, 1, 0, 0, 1]);
        // 10¹²: beyond the 96 bits of a decimal with 18 digits after the point
        assert_eq!(binary(10_i128.pow(30), 18), [1, 3, 0, 18, 1]);
        // 5 · 10² by a negative scale
        assert_eq!(binary(5, -2), [1, 0, 0, 0, 500]);
    }

    #[test]
    fn numbers_are_written_as_text_with_all_their_digits() {
        assert_eq!(text(1, 18), "0.000000000000000001");
        assert_eq!(text(-15, 1), "-1.5");
        assert_eq!(text(0, 2), "0.00");
        assert_eq!(text(5, -2), "500");
        let most = 10_i128.pow(38) - 1;
        assert_eq!(text(most, 18), "99999999999999999999.999999999999999999");
        assert_eq!(text(-most, 0), format!("-{}", "9".repeat(38)));
    }

    #[test]
    fn numbers_are_read_from_text() {
        for (text, unscaled, scale) in [
            ("12.50", 1250, 2),
            ("-0.000000000000000001", -1, 18),
            ("+7", 7, 0),
            ("1e3", 1000, 0),
            ("1.5E-3", 15, 4),
            ("100000000000.000000000000000000", 10_i128.pow(29), 18),
        ] {
            assert_eq!(Numeric::from_text(text), Ok(Numeric { unscaled, scale }), "{text}");
        }
        for text in ["", "-", ".", "1,5", "NaN", "1e", "1e99", &"9".repeat(39)] {
            assert!(Numeric::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_number_are_refused() {
        let words = |words: &[u16]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
        for raw in [
            vec![],
            vec![0, 1],
            words(&[1, 0, 0, 0]),
            words(&[1, 0, 0, 0, 10_000]),
            words(&[0, 0, 0xC000, 0]),
            words(&[1, 12, 0, 0, 1]),
            words(&[1, 0x7fff, 0, 0, 1]),
            words(&[1, 0x8000, 0, 0xffff, 1]),
        ] {
            assert!(Numeric::from_binary(&raw).is_err(), "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            unscaled in -(10_i128.pow(38) - 1)..10_i128.pow(38),
            scale in 0_i8..=38,
        ) {
            let number = Numeric { unscaled, scale };
            let mut out = BytesMut::new();
            number.write_binary(&mut out);
            prop_assert_eq!(Numeric::from_binary(&out), Ok(number));
            prop_assert_eq!(Numeric::from_text(&text(unscaled, scale)), Ok(number));
        }
    }
}
