//! A raw HTTP/1.1 client: sends exact bytes, keeps exact answers.

use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpStream};

use crate::http1::{Body, Framing, Head, Headers, Wire, first, values};
use crate::wait::PATIENCE;

/// One connection.
#[derive(Debug)]
pub struct RawClient {
    wire: Wire,
    port: u16,
}

/// A request to write; `Host` is added when missing.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Headers,
    body: RequestBody,
}

#[derive(Clone, Debug)]
enum RequestBody {
    None,
    Sized(Vec<u8>),
    Chunked(Vec<Vec<u8>>, Headers),
}

/// An answer, whole or cut.
#[derive(Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// What follows the code in the status line.
    pub reason: String,
    /// Status codes of the interim answers before.
    pub interim: Vec<u16>,
    /// Headers as sent.
    pub headers: Headers,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// How the body was framed.
    pub framing: Framing,
    /// Trailers after a chunked body.
    pub trailers: Headers,
    /// Why the body is not whole.
    pub cut: Option<String>,
    /// Everything received for this answer.
    pub raw: Vec<u8>,
}

/// Why reading ended. Silence is not an end: no test waits for it.
fn ended(error: &io::Error) -> String {
    let silent = matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    );
    assert!(!silent, "nothing came within the patience of a test");
    error.to_string()
}

/// Path of the URL form of a call.
pub fn invoke_path(app_id: &str, method: &str) -> String {
    format!("/v1.0/invoke/{app_id}/method/{method}")
}

// === impl RawClient ===

impl RawClient {
    /// Connects to a port on loopback.
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        Self::try_connect(port).unwrap_or_else(|error| panic!("connect to port {port}: {error}"))
    }

    /// [`Self::connect`] where a refusal is an answer too.
    pub fn try_connect(port: u16) -> io::Result<Self> {
        Self::try_connect_to(Ipv4Addr::LOCALHOST.into(), port)
    }

    /// [`Self::try_connect`] to another address of this machine.
    pub fn try_connect_to(address: IpAddr, port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((address, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            wire: Wire::new(stream),
            port,
        })
    }

    /// Writes bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.stream().write_all(bytes.as_ref())
    }

    /// A second handle to the socket, for a thread that writes.
    pub fn writer(&self) -> TcpStream {
        self.wire
            .stream()
            .try_clone()
            .expect("a socket can be duplicated")
    }

    /// Ends the sending direction.
    pub fn finish(&mut self) {
        let _ = self.wire.stream().shutdown(Shutdown::Write);
    }

    /// Reads a response head, interim ones included.
    pub fn head(&mut self) -> io::Result<Head> {
        let head = self.wire.head().inspect_err(|error| {
            ended(error);
        })?;
        head.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"))
    }

    /// The next piece of a body.
    pub fn piece(&mut self, body: &mut Body) -> io::Result<Option<Vec<u8>>> {
        body.next(&mut self.wire)
    }

    /// Reads a whole answer to a request with `method`.
    pub fn response(&mut self, method: &str) -> io::Result<Response> {
        self.wire.take_raw();
        let mut interim = Vec::new();
        let mut head = self.head()?;
        while head.status() < 200 && head.status() != 101 {
            interim.push(head.status());
            head = self.head()?;
        }
        let mut body = Body::new(head.response_framing(method));
        let mut content = Vec::new();
        let cut = loop {
            match body.next(&mut self.wire) {
                Ok(Some(piece)) => content.extend_from_slice(&piece),
                Ok(None) => break None,
                Err(error) => break Some(ended(&error)),
            }
        };
        Ok(Response {
            status: head.status(),
            reason: head
                .start
                .splitn(3, ' ')
                .nth(2)
                .unwrap_or_default()
                .to_owned(),
            interim,
            headers: head.headers,
            body: content,
            framing: body.framing(),
            trailers: body.trailers().clone(),
            cut,
            raw: self.wire.take_raw(),
        })
    }

    /// Sends a request and reads its answer.
    pub fn call(&mut self, request: &Request) -> io::Result<Response> {
        // A peer that answers and closes while we still write is fine.
        let sent = self.send(request.to_bytes(self.port));
        match self.response(&request.method) {
            Ok(response) => Ok(response),
            Err(error) => sent.and(Err(error)),
        }
    }

    /// True when the other side has closed in good order.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.wire.at_end(), Ok(true))
    }
}

// === impl Request ===

impl Request {
    /// A request without body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Headers::new(),
            body: RequestBody::None,
        }
    }

    /// A GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST of `body` with its length.
    pub fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// Adds one header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds header lines in order.
    #[must_use]
    pub fn headers(mut self, lines: &[(&str, &str)]) -> Self {
        for (name, value) in lines {
            self.headers.push(((*name).to_owned(), (*value).to_owned()));
        }
        self
    }

    /// A body with `Content-Length`.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = RequestBody::Sized(body.as_ref().to_vec());
        self
    }

    /// A body in these chunks.
    #[must_use]
    pub fn chunked<C: AsRef<[u8]>>(mut self, chunks: &[C]) -> Self {
        let chunks = chunks.iter().map(|chunk| chunk.as_ref().to_vec()).collect();
        self.body = RequestBody::Chunked(chunks, Headers::new());
        self
    }

    /// Adds a trailer; only after [`Self::chunked`].
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        let RequestBody::Chunked(_, trailers) = &mut self.body else {
            panic!("only a chunked body has trailers");
        };
        trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The bytes for a server on `port`.
    pub fn to_bytes(&self, port: u16) -> Vec<u8> {
        let mut out = Vec::new();
        let mut line = |text: String| {
            // The inverse of reading: one byte per code point below 256.
            out.extend(text.chars().map(|symbol| symbol as u32 as u8));
            out.extend_from_slice(b"\r\n");
        };
        line(format!("{} {} HTTP/1.1", self.method, self.target));
        if first(&self.headers, "host").is_none() {
            line(format!("Host: 127.0.0.1:{port}"));
        }
        for (name, value) in &self.headers {
            line(format!("{name}: {value}"));
        }
        match &self.body {
            RequestBody::None => line(String::new()),
            RequestBody::Sized(body) => {
                line(format!("Content-Length: {}", body.len()));
                line(String::new());
                out.extend_from_slice(body);
            }
            RequestBody::Chunked(chunks, trailers) => {
                line("Transfer-Encoding: chunked".to_owned());
                line(String::new());
                for chunk in chunks {
                    out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    out.extend_from_slice(chunk);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(b"0\r\n");
                for (name, value) in trailers {
                    out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
                }
                out.extend_from_slice(b"\r\n");
            }
        }
        out
    }

    /// Sends it on a new connection; fails the test when no answer comes.
    #[track_caller]
    pub fn send(&self, port: u16) -> Response {
        self.try_send(port)
            .unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.target))
    }

    /// [`Self::send`] where a missing answer is an answer too.
    pub fn try_send(&self, port: u16) -> io::Result<Response> {
        RawClient::try_connect(port)?.call(self)
    }
}

// === impl Response ===

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 600;
        let text: String = self.text().chars().take(SHOWN).collect();
        write!(
            f,
            "{} {} {:?} {text:?}",
            self.status, self.reason, self.headers
        )?;
        match &self.cut {
            Some(cut) => write!(f, " cut after {} bytes: {cut}", self.body.len()),
            None => Ok(()),
        }
    }
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// All values of a header, in order.
    pub fn values(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// True for a status 200–299 with a body that arrived to its end.
    pub fn is_whole_success(&self) -> bool {
        (200..300).contains(&self.status) && self.cut.is_none()
    }

    /// Checks status and body; fails with the whole answer.
    #[track_caller]
    pub fn expect(&self, status: u16, body: &str) -> &Self {
        assert_eq!(
            (self.status, self.text().as_str()),
            (status, body),
            "answer: {self:?}"
        );
        assert_eq!(self.cut, None, "the answer was cut short: {self:?}");
        self
    }
}
