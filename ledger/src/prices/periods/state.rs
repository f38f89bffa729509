//! What was found in some calls, as bytes: how the parts of one query hand it to each other. Written
//! and read by the same process within one query; nothing is stored so.
//!
//! ```text
//! first call, µs   i64, least value for none
//! covered          u32 count, each: place u32, month i64, calls i64, unlisted i64,
//!                  u8 count of units, each: unit u8, quantity i64, value i128
//! claims           until the end, each: start i64, trace u128, span u64, order u16, allowance u32,
//!                  line u16, quantity i64, amount i128, currency 3 bytes
//! ```
//! All numbers are little-endian.

use spanledger_schemas::Money;

use super::covered::{Covered, Quantity, Used};
use super::free::Claim;
use crate::prices::PriceError;
use crate::prices::row::Micros;
use crate::usage::Unit;

/// What was found in some calls.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) first: Option<Micros>,
    pub(super) covered: Covered,
    pub(super) claims: Vec<Claim>,
}

impl Found {
    /// Adds what was found in other calls.
    pub(super) fn merge(&mut self, other: Found) -> Result<(), PriceError> {
        self.first = self.first.into_iter().chain(other.first).min();
        self.claims.extend(other.claims);
        other.covered.0.into_iter().try_for_each(|(key, used)| self.covered.merge(key, used))
    }

    /// Bytes it takes in memory, near enough.
    pub(super) fn size(&self) -> usize {
        let of_unit = size_of::<(Unit, Quantity)>() * 4;
        self.claims.capacity() * size_of::<Claim>()
            + self.covered.0.len() * (size_of::<Used>() + 8 * of_unit)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.claims.len() * size_of::<Claim>());
        out.extend(self.first.unwrap_or(Micros::MIN).to_le_bytes());
        out.extend((self.covered.0.len() as u32).to_le_bytes());
        for ((place, month), used) in &self.covered.0 {
            out.extend((*place as u32).to_le_bytes());
            out.extend(month.to_le_bytes());
            out.extend(used.calls.to_le_bytes());
            out.extend(used.unlisted.to_le_bytes());
            out.push(used.units.len() as u8);
            for (unit, part) in &used.units {
                out.push(unit.index() as u8);
                out.extend(part.quantity.to_le_bytes());
                out.extend(part.value.0.to_le_bytes());
            }
        }
        for claim in &self.claims {
            out.extend(claim.start_unix_ns.to_le_bytes());
            out.extend(claim.trace.to_le_bytes());
            out.extend(claim.span.to_le_bytes());
            out.extend(claim.order.to_le_bytes());
            out.extend(claim.allowance.to_le_bytes());
            out.extend(claim.line.to_le_bytes());
            out.extend(claim.quantity.to_le_bytes());
            out.extend(claim.amount.0.to_le_bytes());
            out.extend(claim.currency);
        }
        out
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Found> {
        let mut bytes = Bytes(bytes);
        let first = i64::from_le_bytes(bytes.take()?);
        let mut found =
            Found { first: (first != Micros::MIN).then_some(first), ..Found::default() };
        for _ in 0..u32::from_le_bytes(bytes.take()?) {
            let place = u32::from_le_bytes(bytes.take()?) as usize;
            let month = i64::from_le_bytes(bytes.take()?);
            let mut used = Used {
                calls: i64::from_le_bytes(bytes.take()?),
                unlisted: i64::from_le_bytes(bytes.take()?),
                ..Used::default()
            };
            let [units] = bytes.take()?;
            for _ in 0..units {
                let [unit] = bytes.take()?;
                let quantity = i64::from_le_bytes(bytes.take()?);
                let value = Money(i128::from_le_bytes(bytes.take()?));
                let unit = Unit::all().nth(usize::from(unit))?;
                used.units.insert(unit, Quantity { quantity, value });
            }
            found.covered.0.insert((place, month), used);
        }
        while !bytes.0.is_empty() {
            found.claims.push(Claim {
                start_unix_ns: i64::from_le_bytes(bytes.take()?),
                trace: u128::from_le_bytes(bytes.take()?),
                span: u64::from_le_bytes(bytes.take()?),
                order: u16::from_le_bytes(bytes.take()?),
                allowance: u32::from_le_bytes(bytes.take()?),
                line: u16::from_le_bytes(bytes.take()?),
                quantity: i64::from_le_bytes(bytes.take()?),
                amount: Money(i128::from_le_bytes(bytes.take()?)),
                currency: bytes.take()?,
            });
        }
        Some(found)
    }
}

/// Bytes that are not read yet.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }
}
