//! The smallest HTTP/1.1 parser that can tell a whole message from half of one.
//!
//! The generator reads responses with it and the echo origin reads requests. It parses from the start of the buffer
//! each time more bytes arrive, which is right for small messages that come in one read and wasteful for large ones.
//! It does not keep headers: only what frames the body matters here.

use std::borrow::Cow;

use thiserror::Error;

/// A head larger than this is refused: nothing in a run sends one.
const MAX_HEAD: usize = 64 * 1024;

/// Why bytes are not the message they should be.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Malformed {
    #[error("the head is longer than {MAX_HEAD} bytes")]
    HeadTooLong,
    #[error("the head is not HTTP/1.1")]
    Head,
    #[error("content-length is not a number")]
    ContentLength,
    #[error("the transfer coding is not chunked")]
    TransferEncoding,
    #[error("a chunk is malformed")]
    Chunk,
    #[error("the response has neither content-length nor chunked framing")]
    Unframed,
}

/// What a message without any framing header means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithoutLength {
    /// A request: there is no body.
    Empty,
    /// A response: the body ends with the connection, which a keep-alive run cannot use.
    Refused,
}

/// One complete message at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// Request line or status line without its line end.
    pub(crate) start_line: &'a [u8],
    /// Body with any chunk framing removed.
    pub(crate) body: Cow<'a, [u8]>,
    /// Bytes of the buffer this message took.
    pub(crate) consumed: usize,
    /// The sender will close the connection afterwards.
    pub(crate) close: bool,
}

impl Message<'_> {
    /// Status code of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        let rest = self.start_line.strip_prefix(b"HTTP/1.1 ")?;
        let digits = rest.get(..3)?;
        if rest.get(3).is_some_and(|next| *next != b' ') {
            return None;
        }
        decimal(digits)?.try_into().ok()
    }

    /// Path of a request.
    pub(crate) fn path(&self) -> Option<&[u8]> {
        self.start_line.split(|byte| *byte == b' ').nth(1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length(usize),
    Chunked,
}

/// Parses one message, or tells that more bytes are needed (`Ok(None)`).
pub(crate) fn parse(
    buffer: &[u8],
    without_length: WithoutLength,
) -> Result<Option<Message<'_>>, Malformed> {
    let Some(head_len) = head_length(buffer) else {
        if buffer.len() > MAX_HEAD {
            return Err(Malformed::HeadTooLong);
        }
        return Ok(None);
    };
    let (head, rest) = buffer.split_at(head_len);
    let mut lines = head.split(|byte| *byte == b'\n').map(trim_return);
    let start_line = lines.next().ok_or(Malformed::Head)?;
    if !start_line.starts_with(b"HTTP/1.1 ") && !start_line.ends_with(b" HTTP/1.1") {
        return Err(Malformed::Head);
    }
    let mut framing = Framing::None;
    let mut close = false;
    for line in lines {
        read_header(line, &mut framing, &mut close)?;
    }
    let message = |body, body_len| Message {
        start_line,
        body,
        consumed: head_len + body_len,
        close,
    };
    // Interim answers and these two statuses never have a body, whatever their headers say.
    let bodiless = start_line.starts_with(b"HTTP/1.1 1")
        || start_line.starts_with(b"HTTP/1.1 204")
        || start_line.starts_with(b"HTTP/1.1 304");
    match framing {
        _ if bodiless => Ok(Some(message(Cow::Borrowed(&[]), 0))),
        Framing::Length(length) => Ok(rest
            .get(..length)
            .map(|body| message(Cow::Borrowed(body), length))),
        Framing::Chunked => {
            Ok(chunked(rest)?.map(|(body, taken)| message(Cow::Owned(body), taken)))
        }
        Framing::None if without_length == WithoutLength::Empty => {
            Ok(Some(message(Cow::Borrowed(&[]), 0)))
        }
        Framing::None => Err(Malformed::Unframed),
    }
}

/// Length of the head including its empty line, once it is complete.
fn head_length(buffer: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let line_end = from + buffer.get(from..)?.iter().position(|byte| *byte == b'\n')?;
        if buffer.get(line_end + 1..line_end + 3) == Some(b"\r\n") {
            return Some(line_end + 3);
        }
        from = line_end + 1;
    }
}

fn read_header(line: &[u8], framing: &mut Framing, close: &mut bool) -> Result<(), Malformed> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return Ok(());
    };
    let (name, value) = line.split_at(colon);
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    if name.eq_ignore_ascii_case(b"content-length") {
        let length = decimal(value).ok_or(Malformed::ContentLength)?;
        // Chunked framing wins over a length, as RFC 9112 section 6.3 says.
        if *framing != Framing::Chunked {
            *framing = Framing::Length(length);
        }
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Malformed::TransferEncoding);
        }
        *framing = Framing::Chunked;
    } else if name.eq_ignore_ascii_case(b"connection") {
        *close |= value.eq_ignore_ascii_case(b"close");
    }
    Ok(())
}

/// Decodes a chunked body; the second value is the number of bytes it took, trailers included.
fn chunked(buffer: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Malformed> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some((line, next)) = line(buffer, at) else {
            return Ok(None);
        };
        let size = line
            .split(|byte| *byte == b';')
            .next()
            .and_then(|digits| hexadecimal(digits.trim_ascii()))
            .ok_or(Malformed::Chunk)?;
        at = next;
        if size == 0 {
            break;
        }
        let end = at.checked_add(size).ok_or(Malformed::Chunk)?;
        let Some(data) = buffer.get(at..end) else {
            return Ok(None);
        };
        let Some(line_end) = buffer.get(end..end + 2) else {
            return Ok(None);
        };
        if line_end != b"\r\n" {
            return Err(Malformed::Chunk);
        }
        body.extend_from_slice(data);
        at = end + 2;
    }
    loop {
        let Some((trailer, next)) = line(buffer, at) else {
            return Ok(None);
        };
        at = next;
        if trailer.is_empty() {
            return Ok(Some((body, at)));
        }
    }
}

/// The line that starts at `from` without its end, and where the next one starts.
fn line(buffer: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = buffer.get(from..)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some((trim_return(rest.get(..end)?), from + end + 1))
}

fn trim_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn decimal(digits: &[u8]) -> Option<usize> {
    number(digits, 10)
}

fn hexadecimal(digits: &[u8]) -> Option<usize> {
    number(digits, 16)
}

fn number(digits: &[u8], radix: u32) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0usize, |sum, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        sum.checked_mul(radix as usize)?.checked_add(digit as usize)
    })
}

#[cfg(test)]
mod tests;
