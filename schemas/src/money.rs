//! Exact money: a signed decimal with [`SCALE`] digits after the point, held in an `i128`.
//! Takes the text of a number, gives exact sums and text. It does not know currencies or prices.
//! There is no way to make one from a float (I-4).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

/// Total decimal digits of a stored amount.
pub const PRECISION: u8 = 38;
/// Digits after the point of a stored amount. Eighteen hold a price per token exactly (prices are
/// quoted per million tokens with at most six decimals, so at most 12 digits) and every amount of
/// the bills we have seen but for float noise.
pub const SCALE: i8 = 18;

const ONE: i128 = 10i128.pow(SCALE as u32);
const LIMIT: i128 = 10i128.pow(PRECISION as u32) - 1;

/// An exact amount of some currency, or an exact quantity. The inner value counts units of
/// 10⁻¹⁸ and is what Arrow's `Decimal128(38, 18)` stores.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(pub i128);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("`{found}` is not a decimal number")]
    NotANumber {
        /// The text.
        found: String,
    },
    /// More digits after the point than can be stored exactly.
    #[error("`{found}` has more than {SCALE} digits after the point")]
    TooPrecise {
        /// The text.
        found: String,
    },
    /// Outside ±10²⁰.
    #[error("`{found}` is outside ±10^20")]
    TooLarge {
        /// The text.
        found: String,
    },
}

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// A whole number of units.
    pub const fn from_whole(units: i64) -> Money {
        Money(units as i128 * ONE)
    }

    /// The amount a text says, exactly. Takes an optional sign, digits with an optional point and
    /// an optional exponent (`1.5e-7`); no thousands separators.
    ///
    /// # Errors
    /// When the text is no such number, does not fit, or has more than 18 significant decimals.
    pub fn parse(text: &str) -> Result<Money, MoneyError> {
        match decimal(text)? {
            (money, true) => Ok(money),
            (_, false) => Err(MoneyError::TooPrecise { found: text.to_owned() }),
        }
    }

    /// Like [`Money::parse`], but digits past the 18th are rounded half to even: the one place
    /// where a received amount is rounded. The flag says whether the value is exact.
    ///
    /// # Errors
    /// When the text is no decimal number or does not fit.
    pub fn parse_rounded(text: &str) -> Result<(Money, bool), MoneyError> {
        decimal(text)
    }

    /// Quantity × amount, exactly, for a whole quantity.
    pub fn times(self, quantity: i64) -> Option<Money> {
        self.0.checked_mul(i128::from(quantity)).filter(|v| v.abs() <= LIMIT).map(Money)
    }

    /// Sum, or `None` outside the range.
    pub fn checked_add(self, other: Money) -> Option<Money> {
        self.0.checked_add(other.0).filter(|v| v.abs() <= LIMIT).map(Money)
    }
}

/// Reads `text`; the flag is true when no digit was lost.
fn decimal(text: &str) -> Result<(Money, bool), MoneyError> {
    let not_a_number = || MoneyError::NotANumber { found: text.to_owned() };
    let too_large = || MoneyError::TooLarge { found: text.to_owned() };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().map_err(|_| not_a_number())?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first() {
        Some(b'-') => (true, &mantissa[1..]),
        Some(b'+') => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return Err(not_a_number());
    }
    // The digit at index i stands for 10^(top - i).
    let top = i64::from(exponent) + whole.len() as i64 - 1;
    let mut value: i128 = 0;
    let mut half = std::cmp::Ordering::Less; // lost part against one half
    let mut exact = true;
    for (i, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let digit = i128::from(byte - b'0');
        let power = top - i as i64;
        if power >= -i64::from(SCALE) {
            if digit != 0 {
                let shift = u32::try_from(power + i64::from(SCALE)).map_err(|_| too_large())?;
                let part = 10i128
                    .checked_pow(shift)
                    .and_then(|p| p.checked_mul(digit))
                    .ok_or_else(too_large)?;
                value = value.checked_add(part).ok_or_else(too_large)?;
            }
        } else if digit != 0 {
            let first_lost = power == -i64::from(SCALE) - 1;
            half = match (first_lost, half) {
                (true, _) => digit.cmp(&5),
                (false, std::cmp::Ordering::Equal) => std::cmp::Ordering::Greater,
                (false, settled) => settled,
            };
            exact = false;
        }
    }
    let up = match half {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => value % 2 == 1,
        std::cmp::Ordering::Less => false,
    };
    value += i128::from(!exact && up);
    if value > LIMIT {
        return Err(too_large());
    }
    Ok((Money(if negative { -value } else { value }), exact))
}

impl FromStr for Money {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Money::parse(text)
    }
}

/// Plain decimal text without an exponent and without trailing zeros: `0.0873`, `-3`, `0`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (whole, fraction) = (magnitude / ONE as u128, magnitude % ONE as u128);
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:018}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}
impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        self.0 += other.0;
    }
}
impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0 - other.0)
    }
}
impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money(-self.0)
    }
}
impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, units: i128) {
        assert_eq!(Money::parse(text), Ok(Money(units)), "{text}");
    }

    #[test]
    fn texts_of_real_bills_are_read_exactly() {
        check("0", 0);
        check("5.69001013875", 5_690_010_138_750_000_000);
        check("-0.5", -500_000_000_000_000_000);
        check("+12.", 12_000_000_000_000_000_000);
        check(".25", 250_000_000_000_000_000);
        // 4.445E-7 = 0.0000004445 = 444_500_000_000 × 10^-18
        check("4.445E-7", 444_500_000_000);
        check("1e3", 1_000_000_000_000_000_000_000);
        check("0.0000000000000000010", 1);
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for text in ["", "-", ".", "1,204.5", "1.2.3", "NaN", "inf", "0x1", " 1", "1e", "1e1.5"] {
            assert!(matches!(Money::parse(text), Err(MoneyError::NotANumber { .. })), "{text}");
        }
        assert!(matches!(
            Money::parse("0.0000000000000000001"),
            Err(MoneyError::TooPrecise { .. })
        ));
        for text in ["100000000000000000000", "1e20", "1e99"] {
            assert!(matches!(Money::parse(text), Err(MoneyError::TooLarge { .. })), "{text}");
        }
    }

    #[test]
    fn rounding_is_half_to_even_on_the_nineteenth_digit() {
        let rounded = |t: &str| Money::parse_rounded(t).map(|(m, exact)| (m.0, exact));
        assert_eq!(rounded("0.0000000000000000015"), Ok((2, false)));
        assert_eq!(rounded("0.0000000000000000025"), Ok((2, false)));
        assert_eq!(rounded("0.00000000000000000250001"), Ok((3, false)));
        assert_eq!(rounded("0.00000000000000000249999"), Ok((2, false)));
        assert_eq!(rounded("-0.0000000000000000015"), Ok((-2, false)));
        assert_eq!(rounded("0.00000000000000000005"), Ok((0, false)));
        assert_eq!(rounded("0.000000000000000002"), Ok((2, true)));
    }

    #[test]
    fn text_has_no_exponent_and_no_trailing_zeros() {
        for text in ["0", "0.0873", "-3", "20.52022672899003", "0.000000000000000001"] {
            assert_eq!(Money::parse(text).unwrap().to_string(), text);
        }
    }
}
