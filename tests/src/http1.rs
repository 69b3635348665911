//! HTTP/1.1 as bytes: message heads with headers in order, bodies piece by
//! piece, and a record of what crossed the socket. Shared by the raw app and
//! the raw client; judges nothing.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::{Arc, Weak};

use crate::wait::watch::Watch;

/// Names and values in order; bytes above 127 become the same code point.
pub type Headers = Vec<(String, String)>;

/// A socket being read, with everything consumed since the last mark.
#[derive(Debug)]
pub struct Wire {
    stream: Arc<TcpStream>,
    buffer: Vec<u8>,
    at: usize,
    raw: Vec<u8>,
    watch: Arc<Watch>,
}

/// Start line and headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The first line without its line end.
    pub start: String,
    /// The headers as sent.
    pub headers: Headers,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    #[default]
    None,
    /// After this many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// A body being read.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
    left: u64,
    in_chunk: bool,
    done: bool,
    trailers: Headers,
}

/// What is recorded per message; longer ones are counted, not kept.
const RAW_LIMIT: usize = 1 << 20;

// === impl Wire ===

impl Wire {
    /// Reads from `stream`.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream: Arc::new(stream),
            buffer: Vec::new(),
            at: 0,
            raw: Vec::new(),
            watch: Arc::default(),
        }
    }

    /// Whether all that came was read and dealt with.
    pub(crate) fn watch(&self) -> Arc<Watch> {
        self.watch.clone()
    }

    /// The socket, for writing and closing.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// A handle that does not keep the socket open.
    pub fn handle(&self) -> Weak<TcpStream> {
        Arc::downgrade(&self.stream)
    }

    /// The bytes consumed since the last call.
    pub fn take_raw(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.raw)
    }

    /// True when the other side closed and nothing is left to read.
    pub fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.available().is_empty() && self.fill()? == 0)
    }

    /// Start line and headers; `None` when the connection ended before.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        let Some(start) = self.line()? else {
            return Ok(None);
        };
        let headers = self.headers()?;
        Ok(Some(Head { start, headers }))
    }

    fn headers(&mut self) -> io::Result<Headers> {
        let mut headers = Headers::new();
        loop {
            let line = self.line()?.ok_or_else(cut)?;
            if line.is_empty() {
                return Ok(headers);
            }
            let (name, value) = line.split_once(':').unwrap_or((line.as_str(), ""));
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            let available = self.available();
            if let Some(end) = available.iter().position(|&byte| byte == b'\n') {
                let line = &available[..end];
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let text = line.iter().map(|&byte| char::from(byte)).collect();
                self.consume(end + 1);
                return Ok(Some(text));
            }
            if self.fill()? == 0 {
                return if self.available().is_empty() {
                    Ok(None)
                } else {
                    Err(cut())
                };
            }
        }
    }

    fn available(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    fn consume(&mut self, count: usize) {
        let room = RAW_LIMIT.saturating_sub(self.raw.len()).min(count);
        self.raw
            .extend_from_slice(&self.buffer[self.at..self.at + room]);
        self.at += count;
    }

    fn fill(&mut self) -> io::Result<usize> {
        const STEP: usize = 256 * 1024;
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        let old = self.buffer.len();
        self.buffer.resize(old + STEP, 0);
        let got = loop {
            let mut stream = &*self.stream;
            let come = self.watch.waiting(|| stream.peek(&mut [0]));
            match come.and_then(|_| stream.read(&mut self.buffer[old..])) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(old + *got.as_ref().unwrap_or(&0));
        got
    }
}

// === impl Head ===

impl Head {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// Framing of a request with this head.
    pub fn request_framing(&self) -> Framing {
        self.framing().unwrap_or(Framing::None)
    }

    /// Framing of a response with this head to a request with this method.
    pub fn response_framing(&self, method: &str) -> Framing {
        let status = self.status();
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Framing::None;
        }
        self.framing().unwrap_or(Framing::UntilClose)
    }

    /// The status of a response head.
    pub fn status(&self) -> u16 {
        let mut words = self.start.split(' ');
        words
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("not a status line: {:?}", self.start))
    }

    fn framing(&self) -> Option<Framing> {
        if let Some(coding) = self.header("transfer-encoding") {
            assert!(
                coding.eq_ignore_ascii_case("chunked"),
                "unknown transfer coding {coding:?}"
            );
            return Some(Framing::Chunked);
        }
        self.header("content-length")
            .map(|length| Framing::Length(length.parse().expect("a length is a number")))
    }
}

// === impl Body ===

impl Body {
    /// A body that ends as `framing` says.
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            left: match framing {
                Framing::Length(length) => length,
                _ => 0,
            },
            in_chunk: false,
            done: matches!(framing, Framing::None | Framing::Length(0)),
            trailers: Headers::new(),
        }
    }

    /// How it ends.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// True when the end was read.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Trailers of a chunked body, once it is done.
    pub fn trailers(&self) -> &Headers {
        &self.trailers
    }

    /// The next piece as it arrived; `None` at the end.
    ///
    /// # Errors
    /// The connection failed, or ended before the body did.
    pub fn next(&mut self, wire: &mut Wire) -> io::Result<Option<Vec<u8>>> {
        if self.done {
            return Ok(None);
        }
        match self.framing {
            Framing::None => Ok(None),
            Framing::UntilClose => {
                if wire.available().is_empty() && wire.fill()? == 0 {
                    self.done = true;
                    return Ok(None);
                }
                self.left = u64::MAX;
                self.piece(wire).map(Some)
            }
            Framing::Length(_) => {
                let piece = self.piece(wire)?;
                self.done = self.left == 0;
                Ok(Some(piece))
            }
            Framing::Chunked => self.chunked(wire),
        }
    }

    fn chunked(&mut self, wire: &mut Wire) -> io::Result<Option<Vec<u8>>> {
        if !self.in_chunk {
            let line = wire.line()?.ok_or_else(cut)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            self.left = u64::from_str_radix(size, 16)
                .map_err(|_| io::Error::other(format!("not a chunk size: {line:?}")))?;
            if self.left == 0 {
                self.trailers = wire.headers()?;
                self.done = true;
                return Ok(None);
            }
            self.in_chunk = true;
        }
        let piece = self.piece(wire)?;
        if self.left == 0 {
            let end = wire.line()?.ok_or_else(cut)?;
            assert_eq!(end, "", "a chunk ends with an empty line");
            self.in_chunk = false;
        }
        Ok(Some(piece))
    }

    fn piece(&mut self, wire: &mut Wire) -> io::Result<Vec<u8>> {
        if wire.available().is_empty() && wire.fill()? == 0 {
            return Err(cut());
        }
        let available = wire.available();
        let length = (available.len() as u64).min(self.left) as usize;
        let piece = available[..length].to_vec();
        wire.consume(length);
        self.left -= length as u64;
        Ok(piece)
    }
}

/// The first value of a header.
pub fn first<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    values(headers, name).into_iter().next()
}

/// All values of a header, in order.
pub fn values<'a>(headers: &'a Headers, name: &str) -> Vec<&'a str> {
    headers
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect()
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended early")
}
