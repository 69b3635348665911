//! Protobuf primitives over shared buffers.

use bytes::{Buf as _, BufMut, Bytes, BytesMut};

use super::decode::DecodeError;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

/// Bytes a varint takes.
pub(crate) fn varint_len(value: usize) -> usize {
    let bits = (usize::BITS - (value | 1).leading_zeros()) as usize;
    bits.div_ceil(7)
}

pub(crate) fn put_varint(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Tag and length of a length-delimited field whose number is below 16.
pub(crate) fn put_length(out: &mut BytesMut, field: u8, length: usize) {
    out.put_u8(field << 3 | 2);
    put_varint(out, length);
}

/// A whole string or bytes field; nothing when empty, as proto3 has it.
pub(crate) fn put_bytes(out: &mut BytesMut, field: u8, value: &[u8]) {
    if !value.is_empty() {
        put_length(out, field, value.len());
        out.extend_from_slice(value);
    }
}

/// A varint field; nothing when zero.
pub(crate) fn put_number(out: &mut BytesMut, field: u8, value: usize) {
    if value != 0 {
        out.put_u8(field << 3);
        put_varint(out, value);
    }
}

/// Size of a length-delimited field with a number below 16.
pub(crate) fn field_len(length: usize) -> usize {
    1 + varint_len(length) + length
}

/// One field of a message.
pub(crate) enum Value {
    Number(u64),
    Bytes(Bytes),
    /// A fixed-width value no message of ours uses.
    Skipped,
}

/// Reads the fields of one message in wire order.
pub(crate) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub(crate) fn new(message: Bytes) -> Self {
        Self { rest: message }
    }

    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = tag >> 3;
        if field == 0 {
            return Err(DecodeError::Malformed);
        }
        let value = match tag & 7 {
            VARINT => Value::Number(self.varint()?),
            LENGTH => {
                let length = usize::try_from(self.varint()?).map_err(|_| DecodeError::Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            FIXED64 => {
                self.take(8)?;
                Value::Skipped
            }
            FIXED32 => {
                self.take(4)?;
                Value::Skipped
            }
            _ => return Err(DecodeError::Malformed),
        };
        Ok(Some((field, value)))
    }

    fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if length > self.rest.len() {
            return Err(DecodeError::Malformed);
        }
        Ok(self.rest.split_to(length))
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest.advance(index + 1);
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed)
    }
}
