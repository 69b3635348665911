//! gRPC length-prefixed frames, sent and received without copying bodies.

use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::gzip::{self, Encoding};
use crate::grpc::{Code, Status};

/// Length of the compression flag and the message length.
const PREFIX: usize = 5;

/// Bodies up to this size are copied behind their envelope: one buffer is
/// cheaper to send than three.
pub(super) const INLINE_BODY: usize = 4096;

/// One gRPC message: envelope, body, and the few bytes after the body.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    head: Bytes,
    body: Bytes,
    tail: Bytes,
}

impl Frame {
    /// A frame that is already contiguous.
    pub fn whole(bytes: Bytes) -> Self {
        Self {
            head: bytes,
            body: Bytes::new(),
            tail: Bytes::new(),
        }
    }

    pub(super) fn parts(head: Bytes, body: Bytes, tail: Bytes) -> Self {
        Self { head, body, tail }
    }
}

impl Buf for Frame {
    fn remaining(&self) -> usize {
        self.head.len() + self.body.len() + self.tail.len()
    }

    fn chunk(&self) -> &[u8] {
        [&self.head, &self.body, &self.tail]
            .into_iter()
            .find(|part| !part.is_empty())
            .map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, target: &mut [IoSlice<'a>]) -> usize {
        let parts = [&self.head, &self.body, &self.tail];
        let mut used = 0;
        for (slot, part) in target
            .iter_mut()
            .zip(parts.into_iter().filter(|part| !part.is_empty()))
        {
            *slot = IoSlice::new(part);
            used += 1;
        }
        used
    }

    fn advance(&mut self, mut count: usize) {
        for part in [&mut self.head, &mut self.body, &mut self.tail] {
            let step = count.min(part.len());
            part.advance(step);
            count -= step;
        }
        debug_assert_eq!(count, 0, "advanced past the end of a frame");
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        if self.head.len() >= len {
            return self.head.split_to(len);
        }
        let mut out = BytesMut::with_capacity(len);
        let mut left = len;
        while left > 0 {
            let chunk = self.chunk();
            let step = chunk.len().min(left);
            out.extend_from_slice(chunk.get(..step).unwrap_or_default());
            self.advance(step);
            left -= step;
        }
        out.freeze()
    }
}

/// A stream that does not consist of well-formed frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A message longer than the receiver accepts, both in bytes.
    #[error("grpc: received message larger than max ({length} vs. {limit})")]
    TooLarge {
        /// Announced length.
        length: usize,
        /// Limit of this side.
        limit: usize,
    },
    /// A compressed message without a word of how.
    #[error("grpc: compressed flag set with identity or empty encoding")]
    Compressed,
    /// A message that cannot be unpacked.
    #[error("grpc: failed to read decompressed data: {0}")]
    Corrupt(String),
    /// A message that is too long once it is unpacked.
    #[error("grpc: received message after decompression larger than max {limit}")]
    TooLargeUnpacked {
        /// Limit of this side in bytes.
        limit: usize,
    },
    /// The stream ended inside a message.
    #[error("unexpected EOF")]
    Truncated,
}

impl ReadError {
    /// What the other side is told.
    pub fn status(&self) -> Status {
        let code = match self {
            Self::TooLarge { .. } | Self::TooLargeUnpacked { .. } => Code::ResourceExhausted,
            Self::Compressed | Self::Corrupt(_) | Self::Truncated => Code::Internal,
        };
        Status::new(code, self.to_string())
    }
}

/// Cuts a byte stream into gRPC messages.
#[derive(Debug)]
pub struct FrameReader {
    limit: usize,
    encoding: Encoding,
    buffer: Buffered,
}

#[derive(Debug)]
enum Buffered {
    /// What is left of the last chunk; the usual case needs no copy.
    Slice(Bytes),
    /// A message that spans chunks.
    Joined(BytesMut),
}

impl FrameReader {
    /// A reader that refuses messages of more than `limit` bytes, and
    /// compressed ones.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            encoding: Encoding::Identity,
            buffer: Buffered::Slice(Bytes::new()),
        }
    }

    /// A reader of messages in the `grpc-encoding` that `headers` name. The
    /// limit counts before and after unpacking.
    ///
    /// # Errors
    /// The encoding is one this side does not know.
    pub fn with_encoding(limit: usize, headers: &HeaderMap) -> Result<Self, Status> {
        Ok(Self {
            encoding: Encoding::of(headers)?,
            ..Self::new(limit)
        })
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        match &mut self.buffer {
            Buffered::Slice(rest) if rest.is_empty() => *rest = chunk,
            Buffered::Slice(rest) => {
                let announced = Self::announced(rest).unwrap_or_default().min(self.limit);
                let capacity = (PREFIX + announced).max(rest.len() + chunk.len());
                let mut joined = BytesMut::with_capacity(capacity);
                joined.extend_from_slice(rest);
                joined.extend_from_slice(&chunk);
                self.buffer = Buffered::Joined(joined);
            }
            Buffered::Joined(joined) => joined.extend_from_slice(&chunk),
        }
    }

    /// The next complete message, if it has arrived.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, ReadError> {
        let available: &[u8] = match &self.buffer {
            Buffered::Slice(rest) => rest,
            Buffered::Joined(joined) => joined,
        };
        let Some(length) = Self::announced(available) else {
            return Ok(None);
        };
        let is_packed = available.first() != Some(&0);
        if is_packed && self.encoding == Encoding::Identity {
            return Err(ReadError::Compressed);
        }
        if length > self.limit {
            return Err(ReadError::TooLarge {
                length,
                limit: self.limit,
            });
        }
        if available.len() < PREFIX + length {
            return Ok(None);
        }
        let message = match &mut self.buffer {
            Buffered::Slice(rest) => {
                rest.advance(PREFIX);
                rest.split_to(length)
            }
            Buffered::Joined(joined) => {
                joined.advance(PREFIX);
                joined.split_to(length).freeze()
            }
        };
        if let Buffered::Joined(joined) = &mut self.buffer {
            self.buffer = Buffered::Slice(std::mem::take(joined).freeze());
        }
        if is_packed {
            return gzip::unpack(&message, self.limit).map(Some);
        }
        Ok(Some(message))
    }

    /// Call at the end of the stream: bytes left over are a cut message.
    pub fn finish(&self) -> Result<(), ReadError> {
        let left = match &self.buffer {
            Buffered::Slice(rest) => rest.len(),
            Buffered::Joined(joined) => joined.len(),
        };
        if left == 0 {
            Ok(())
        } else {
            Err(ReadError::Truncated)
        }
    }

    fn announced(bytes: &[u8]) -> Option<usize> {
        let length: [u8; 4] = bytes.get(1..PREFIX)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(length)).ok()
    }
}
