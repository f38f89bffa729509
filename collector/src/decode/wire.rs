//! The protobuf wire format, read from borrowed bytes: takes one message, gives its fields one by
//! one. It knows wire types and lengths, not OTLP. Source: protobuf.dev, “Encoding”.
//!
//! A [`Fault`] keeps the address of the bytes it stumbled over; the offset in the request and
//! the field path are worked out from it only when an error is reported, so the walk pays nothing.

use super::limits::GROUP_DEPTH_MAX;

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    /// Field number.
    pub(super) number: u32,
    /// Its value.
    pub(super) wire: Wire<'a>,
    address: usize,
}

/// A value in one of the wire types that protobuf still uses.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: text, bytes, a message or a packed list.
    Bytes(&'a [u8]),
    /// Wire type 5; of no field that we read.
    Fixed32,
    /// Wire types 3 and 4, given up by protobuf: skipped.
    Group,
}

/// Why bytes are not a message of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Address of the first byte of the offending field.
    pub(crate) address: usize,
    pub(crate) what: FaultKind,
}

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    VarintCut,
    VarintTooLong,
    FieldCut { needs: u64, left: usize },
    FieldNumber(u64),
    WireType(u8),
    GroupOpen,
    GroupsTooDeep,
    Unexpected { expected: &'static str, found: &'static str },
    NotUtf8 { valid_up_to: usize },
}

impl FaultKind {
    pub(crate) fn text(self) -> String {
        match self {
            Self::VarintCut => {
                "a varint is cut off, expected up to 10 bytes ending below 0x80".into()
            }
            Self::VarintTooLong => "a varint is longer than 64 bits".into(),
            Self::FieldCut { needs, left } => {
                format!("a field of {needs} bytes is cut off, {left} are left in its message")
            }
            Self::FieldNumber(n) => format!("field number {n} is not in 1..=536870911"),
            Self::WireType(t) => format!("wire type {t} does not exist, expected 0, 1, 2, 3 or 5"),
            Self::GroupOpen => "a group starts or ends without its other half".into(),
            Self::GroupsTooDeep => format!("groups nest deeper than {GROUP_DEPTH_MAX} levels"),
            Self::Unexpected { expected, found } => format!("found {found}, expected {expected}"),
            Self::NotUtf8 { valid_up_to } => {
                format!("text is not UTF-8 after its first {valid_up_to} bytes")
            }
        }
    }
}

/// The fields of one message, in order.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of the message in `bytes`.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field, or none at the end of the message.
    ///
    /// Inlined into every loop, with the commonest field by far decided on the spot: a tag of one
    /// byte and fewer than 128 bytes of text or message.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, Fault> {
        match self.rest {
            [] => Ok(None),
            [tag @ 0x08..0x80, length @ 0..0x80, rest @ ..]
                if tag & 7 == 2 && usize::from(*length) <= rest.len() =>
            {
                let address = self.rest.as_ptr().addr();
                let (bytes, rest) = rest.split_at(usize::from(*length));
                self.rest = rest;
                Ok(Some(Field { number: u32::from(tag >> 3), wire: Wire::Bytes(bytes), address }))
            }
            _ => self.next_of_any_kind(),
        }
    }

    fn next_of_any_kind(&mut self) -> Result<Option<Field<'a>>, Fault> {
        let address = self.rest.as_ptr().addr();
        let fault = |what| Fault { address, what };
        let tag = self.varint().map_err(fault)?;
        let number = tag >> 3;
        if number == 0 || number > 536_870_911 {
            return Err(fault(FaultKind::FieldNumber(number)));
        }
        let wire = self.value((tag & 7) as u8, number, 0).map_err(fault)?;
        Ok(Some(Field { number: number as u32, wire, address }))
    }

    #[inline]
    fn value(&mut self, wire_type: u8, number: u64, depth: usize) -> Result<Wire<'a>, FaultKind> {
        match wire_type {
            0 => Ok(Wire::Varint(self.varint()?)),
            1 => Ok(Wire::Fixed64(u64::from_le_bytes(self.array()?))),
            2 => {
                let length = self.varint()?;
                let cut = FaultKind::FieldCut { needs: length, left: self.rest.len() };
                let length = usize::try_from(length).map_err(|_| cut)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(cut)?;
                self.rest = rest;
                Ok(Wire::Bytes(bytes))
            }
            3 => self.skip_group(number, depth),
            4 => Err(FaultKind::GroupOpen),
            5 => self.array::<4>().map(|_| Wire::Fixed32),
            other => Err(FaultKind::WireType(other)),
        }
    }

    fn skip_group(&mut self, number: u64, depth: usize) -> Result<Wire<'a>, FaultKind> {
        if depth == GROUP_DEPTH_MAX {
            return Err(FaultKind::GroupsTooDeep);
        }
        loop {
            if self.rest.is_empty() {
                return Err(FaultKind::GroupOpen);
            }
            let tag = self.varint()?;
            match (tag & 7, tag >> 3) {
                (4, end) if end == number => return Ok(Wire::Group),
                (wire_type, inner) => {
                    self.value(wire_type as u8, inner, depth + 1)?;
                }
            }
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FaultKind> {
        let cut = FaultKind::FieldCut { needs: N as u64, left: self.rest.len() };
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(cut)?;
        self.rest = rest;
        Ok(*bytes)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, FaultKind> {
        match self.rest {
            // Nearly every tag and length is one byte.
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, FaultKind> {
        let mut value = 0;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                // The tenth byte has room for one bit only.
                if i == 9 && *byte > 1 {
                    return Err(FaultKind::VarintTooLong);
                }
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { FaultKind::VarintCut } else { FaultKind::VarintTooLong })
    }
}

impl<'a> Field<'a> {
    /// A message, bytes or a packed list.
    #[inline]
    pub(super) fn bytes(&self) -> Result<&'a [u8], Fault> {
        match self.wire {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected("a length-delimited field")),
        }
    }

    /// Text, checked to be UTF-8.
    #[inline]
    pub(super) fn text(&self) -> Result<&'a str, Fault> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|e| Fault {
            address: self.address,
            what: FaultKind::NotUtf8 { valid_up_to: e.valid_up_to() },
        })
    }

    /// A varint: bool, enumeration or integer.
    #[inline]
    pub(super) fn varint(&self) -> Result<u64, Fault> {
        match self.wire {
            Wire::Varint(value) => Ok(value),
            _ => Err(self.unexpected("a varint")),
        }
    }

    /// A 64-bit fixed field.
    #[inline]
    pub(super) fn fixed64(&self) -> Result<u64, Fault> {
        match self.wire {
            Wire::Fixed64(value) => Ok(value),
            _ => Err(self.unexpected("a 64-bit fixed field")),
        }
    }

    /// A double.
    #[inline]
    pub(super) fn double(&self) -> Result<f64, Fault> {
        self.fixed64().map(f64::from_bits)
    }

    /// Elements of a repeated 64-bit fixed field, packed or one by one, each given to `push`.
    pub(super) fn each_fixed64(&self, mut push: impl FnMut(u64)) -> Result<(), Fault> {
        match self.wire {
            Wire::Fixed64(value) => push(value),
            Wire::Bytes(packed) => {
                let (values, []) = packed.as_chunks::<8>() else {
                    return Err(self.unexpected("packed 64-bit fields (a multiple of 8 bytes)"));
                };
                values.iter().for_each(|v| push(u64::from_le_bytes(*v)));
            }
            _ => return Err(self.unexpected("packed 64-bit fields")),
        }
        Ok(())
    }

    /// Elements of a repeated varint, packed or one by one, each given to `push`.
    pub(super) fn each_varint(&self, mut push: impl FnMut(u64)) -> Result<(), Fault> {
        match self.wire {
            Wire::Varint(value) => push(value),
            Wire::Bytes(packed) => {
                let mut list = Fields::of(packed);
                while !list.rest.is_empty() {
                    let address = self.address;
                    push(list.varint().map_err(|what| Fault { address, what })?);
                }
            }
            _ => return Err(self.unexpected("packed varints")),
        }
        Ok(())
    }

    #[cold]
    fn unexpected(&self, expected: &'static str) -> Fault {
        let found = match self.wire {
            Wire::Varint(_) => "a varint",
            Wire::Fixed64(_) => "a 64-bit fixed field",
            Wire::Bytes(_) => "a length-delimited field",
            Wire::Fixed32 => "a 32-bit fixed field",
            Wire::Group => "a group",
        };
        Fault { address: self.address, what: FaultKind::Unexpected { expected, found } }
    }

    /// Where the field lies, for [`super::error`].
    pub(super) fn address(&self) -> usize {
        self.address
    }
}

/// A zig-zag encoded 32-bit integer (`sint32`).
pub(super) fn zigzag32(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(bytes: &[u8]) -> Result<Option<Field<'_>>, Fault> {
        Fields::of(bytes).next()
    }

    fn kind(bytes: &[u8]) -> FaultKind {
        only(bytes).unwrap_err().what
    }

    // The examples of protobuf.dev, “Encoding”.
    #[test]
    fn examples_of_the_encoding_guide_are_read() {
        let f = only(&[0x08, 0x96, 0x01]).unwrap().unwrap();
        assert_eq!((f.number, f.varint().unwrap()), (1, 150));
        let f = only(b"\x12\x07testing").unwrap().unwrap();
        assert_eq!((f.number, f.text().unwrap()), (2, "testing"));
        let mut packed = vec![];
        let f = only(&[0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]).unwrap().unwrap();
        f.each_varint(|v| packed.push(v)).unwrap();
        assert_eq!(packed, [3, 270, 86942]);
        assert_eq!(
            [0, 1, 2, 3, 0xffff_fffe, 0xffff_ffff].map(zigzag32),
            [0, -1, 1, -2, i32::MAX, i32::MIN]
        );
    }

    #[test]
    fn what_is_cut_or_unknown_is_named() {
        assert_eq!(kind(&[0x08, 0x96]), FaultKind::VarintCut);
        assert_eq!(kind(&[0x08; 1]), FaultKind::VarintCut);
        let long = [&[0x08][..], &[0xff; 10], &[1]].concat();
        assert_eq!(kind(&long), FaultKind::VarintTooLong);
        assert_eq!(kind(&[0x12, 5, 1, 2]), FaultKind::FieldCut { needs: 5, left: 2 });
        assert_eq!(kind(&[0x09, 1, 2]), FaultKind::FieldCut { needs: 8, left: 2 });
        assert_eq!(kind(&[0x00]), FaultKind::FieldNumber(0));
        assert_eq!(kind(&[0x0e]), FaultKind::WireType(6));
        assert_eq!(kind(&[0x0c]), FaultKind::GroupOpen);
        assert_eq!(kind(&[0x0b, 0x08, 0x01]), FaultKind::GroupOpen);
    }

    #[test]
    fn groups_are_skipped() {
        // group 1 { 1: varint 1, group 2 {} } then field 2: varint 7
        let mut fields = Fields::of(&[0x0b, 0x08, 0x01, 0x13, 0x14, 0x0c, 0x10, 0x07]);
        assert!(matches!(fields.next().unwrap().unwrap().wire, Wire::Group));
        assert_eq!(fields.next().unwrap().unwrap().varint().unwrap(), 7);
        assert!(fields.next().unwrap().is_none());
    }
}
