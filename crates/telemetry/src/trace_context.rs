//! W3C trace context: who a call belongs to, in its two wire forms.
//!
//! HTTP and gRPC carry `traceparent` as text, gRPC also `grpc-trace-bin` as
//! 29 bytes. Parsing is as lenient as Dapr 1.18 pkg/diagnostics/utils; what
//! cannot be parsed is ignored by callers, who then start a new context.

#[cfg(test)]
mod tests;

use std::fmt;

/// Trace id, span id and flags of one span.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

/// The text form, ready to be a header value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Traceparent([u8; TEXT_LEN]);

/// Two digits of version, 32 and 16 of ids, two of flags, three dashes.
const TEXT_LEN: usize = 55;

/// Set in the flags when the caller records its span.
const SAMPLED: u8 = 1;

impl TraceContext {
    /// Length of the binary form in bytes.
    pub const BINARY_LEN: usize = 29;

    /// A new trace that nobody records: two random ids, no flags.
    pub fn random_unsampled() -> Self {
        Self {
            trace_id: random_nonzero(),
            span_id: random_nonzero(),
            flags: 0,
        }
    }

    /// A new span of the same trace with the same flags.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: random_nonzero(),
            ..*self
        }
    }

    /// Reads a `traceparent` value.
    ///
    /// `None` for version `ff`, a version `00` with other than four parts,
    /// wrong lengths, non-hexadecimal characters and ids of zeros only.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut parts = value.trim_ascii().split(|byte| *byte == b'-');
        let [version] = hex(parts.next()?)?;
        let trace_id = hex(parts.next()?)?;
        let span_id = hex(parts.next()?)?;
        let flags = parts.next()?;
        let [flags] = hex(flags.get(..2)?).filter(|_| flags.len().is_multiple_of(2))?;
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        Self::valid(trace_id, span_id, flags)
    }

    /// Reads a decoded `grpc-trace-bin` value. Missing flags mean none.
    pub fn from_binary(value: &[u8]) -> Option<Self> {
        let rest = value.strip_prefix(&[0, 0])?;
        let (trace_id, rest) = rest.split_first_chunk()?;
        let rest = rest.strip_prefix(&[1])?;
        let (span_id, rest) = rest.split_first_chunk()?;
        let flags = match rest {
            [2, flags, ..] => *flags,
            _ => 0,
        };
        Self::valid(*trace_id, *span_id, flags)
    }

    fn valid(trace_id: [u8; 16], span_id: [u8; 8], flags: u8) -> Option<Self> {
        let context = Self {
            trace_id,
            span_id,
            flags,
        };
        (trace_id != [0; 16] && span_id != [0; 8]).then_some(context)
    }

    /// The `grpc-trace-bin` value before base64.
    pub fn to_binary(&self) -> [u8; Self::BINARY_LEN] {
        let mut out = [0; Self::BINARY_LEN];
        out[2..18].copy_from_slice(&self.trace_id);
        out[18] = 1;
        out[19..27].copy_from_slice(&self.span_id);
        out[27] = 2;
        out[28] = self.flags;
        out
    }

    /// The `traceparent` value, always in version `00`.
    pub fn traceparent(&self) -> Traceparent {
        let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
        push_hex(&mut out[3..35], &self.trace_id);
        push_hex(&mut out[36..52], &self.span_id);
        push_hex(&mut out[53..55], &[self.flags]);
        Traceparent(out)
    }

    /// Identifies the whole trace.
    pub const fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// Identifies one span of it.
    pub const fn span_id(&self) -> [u8; 8] {
        self.span_id
    }

    /// The flags as received.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the caller records its span.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.traceparent().as_str())
    }
}

impl Traceparent {
    /// The text as bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only digits, letters and dashes are written")
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn random_nonzero<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    while bytes == [0; N] {
        fastrand::fill(&mut bytes);
    }
    bytes
}

/// Exactly `N` bytes in hexadecimal, either case.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut out = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

fn push_hex(out: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]);
    }
}
