//! One keep-alive connection of the generator.
//!
//! The request is built once; a call only stamps a sequence number into the body, writes everything with one system
//! call and compares every byte of the answer, so that neither an error page nor somebody else's answer counts as work.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::codec::{self, Malformed, WithoutLength};

/// Bytes of the body that carry the sequence number.
const STAMP: usize = 16;

/// What is spoken to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// gRPC without TLS.
    Grpc,
}

/// Where and what to post.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    /// Size of the request body, which the origin sends back; at least the stamp's 16 bytes.
    pub(crate) body: usize,
}

/// Why a call does not count.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    #[error("connect {address}: {source}")]
    Connect {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("write: {0}")]
    Write(io::Error),
    #[error("read: {0}")]
    Read(io::Error),
    #[error("the connection closed before a whole response")]
    Closed,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("status {status}: {body}")]
    Status { status: u16, body: String },
    #[error("HTTP/2: {0}")]
    Http2(#[from] h2::Error),
    #[error("grpc-status {code}: {message}")]
    Grpc { code: String, message: String },
    #[error("the body differs from what was sent ({got} bytes for {sent})")]
    Body { got: usize, sent: usize },
}

/// An open connection with its prepared request.
#[derive(Debug)]
pub(crate) struct Connection {
    target: Target,
    stream: TcpStream,
    request: Vec<u8>,
    body_at: usize,
    input: Vec<u8>,
    stamp: Stamp,
    /// How often the other side closed after an answer and the connection had to be opened again.
    pub(crate) reopened: u64,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self, CallError> {
        let body = body(target.body);
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: bench\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {}\r\n\r\n",
            target.path,
            target.address,
            body.len(),
        );
        let body_at = head.len();
        let mut request = head.into_bytes();
        request.extend_from_slice(&body);
        Ok(Self {
            stream: connect(target.address).await?,
            target: target.clone(),
            body_at,
            request,
            input: Vec::with_capacity(16 * 1024),
            stamp: Stamp::new(),
            reopened: 0,
        })
    }

    /// One request and its verified response.
    pub(crate) async fn call(&mut self) -> Result<(), CallError> {
        let body = self.request.get_mut(self.body_at..);
        self.stamp.put(body.unwrap_or_default());
        self.stream
            .write_all(&self.request)
            .await
            .map_err(CallError::Write)?;
        let close = loop {
            if let Some((consumed, close)) = self.answer()? {
                self.input.drain(..consumed);
                break close;
            }
            if self
                .stream
                .read_buf(&mut self.input)
                .await
                .map_err(CallError::Read)?
                == 0
            {
                return Err(CallError::Closed);
            }
        };
        if close {
            self.stream = connect(self.target.address).await?;
            self.input.clear();
            self.reopened += 1;
        }
        Ok(())
    }

    /// Checks the final response once it is complete: bytes it took, and whether the other side closes.
    fn answer(&self) -> Result<Option<(usize, bool)>, CallError> {
        let mut skipped = 0;
        loop {
            let unread = self.input.get(skipped..).unwrap_or_default();
            let Some(message) = codec::parse(unread, WithoutLength::Refused)? else {
                return Ok(None);
            };
            let status = message.status().ok_or(Malformed::Head)?;
            skipped += message.consumed;
            if (100..200).contains(&status) {
                continue;
            }
            if status != 200 {
                return Err(CallError::Status {
                    status,
                    body: String::from_utf8_lossy(&message.body)
                        .chars()
                        .take(200)
                        .collect(),
                });
            }
            let sent = self.request.get(self.body_at..).unwrap_or_default();
            if message.body != sent {
                return Err(CallError::Body {
                    got: message.body.len(),
                    sent: sent.len(),
                });
            }
            return Ok(Some((skipped, message.close)));
        }
    }
}

/// The letters of a request body; the stamp goes over the first ones.
pub(super) fn body(size: usize) -> Vec<u8> {
    (0..size.max(STAMP))
        .map(|at| b'a' + u8::try_from(at % 26).unwrap_or_default())
        .collect()
}

/// Numbers the calls of one caller, so that an answer to another call never matches.
#[derive(Debug)]
pub(super) struct Stamp(u64);

impl Stamp {
    /// Callers start far apart.
    pub(super) fn new() -> Self {
        Self(fastrand::u64(..) << 32)
    }

    /// Writes the next number over the start of `body`.
    pub(super) fn put(&mut self, body: &mut [u8]) {
        self.0 += 1;
        let mut value = self.0;
        for byte in body.iter_mut().take(STAMP) {
            *byte = b'a' + (value & 15) as u8;
            value >>= 4;
        }
    }
}

pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, CallError> {
    let open = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    open.await
        .map_err(|source| CallError::Connect { address, source })
}
