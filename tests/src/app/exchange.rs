//! One request in the hands of an app: read it in pieces, answer in pieces,
//! or do neither.

use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use parking_lot::Mutex;

use super::{After, Seen};
use crate::http1::{Body, Head, Wire};

/// A request and the connection it came on.
#[derive(Debug)]
pub struct Exchange {
    wire: Wire,
    body: Body,
    seen: Arc<Mutex<Seen>>,
    script: (Vec<u8>, After),
    keep_alive: bool,
}

impl Exchange {
    pub(super) fn new(
        wire: Wire,
        head: &Head,
        seen: Arc<Mutex<Seen>>,
        script: (Vec<u8>, After),
    ) -> Self {
        let body = Body::new(head.request_framing());
        {
            let mut seen = seen.lock();
            seen.complete = body.is_done();
            seen.ended = body.is_done();
        }
        let close = head
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Self {
            wire,
            body,
            seen,
            script,
            keep_alive: !close,
        }
    }

    /// The method.
    pub fn method(&self) -> String {
        self.seen.lock().method.clone()
    }

    /// The request target.
    pub fn target(&self) -> String {
        self.seen.lock().target.clone()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        self.seen.lock().header(name).map(str::to_owned)
    }

    /// The next piece of the request body, not recorded; `None` at its end
    /// and when the connection ended early.
    pub fn piece(&mut self) -> Option<Vec<u8>> {
        let piece = self.body.next(&mut self.wire).ok().flatten();
        if piece.is_none() {
            let mut seen = self.seen.lock();
            seen.complete = self.body.is_done();
            seen.ended = true;
            seen.trailers.clone_from(self.body.trailers());
        }
        let raw = self.wire.take_raw();
        let mut seen = self.seen.lock();
        if seen.raw.len() < 1 << 20 {
            seen.raw.extend_from_slice(&raw);
        }
        piece
    }

    /// Reads the rest of the request body and records it.
    pub fn body(&mut self) -> Vec<u8> {
        while let Some(piece) = self.piece() {
            self.seen.lock().body.extend_from_slice(&piece);
        }
        self.seen.lock().body.clone()
    }

    /// True when the request body was read to its end.
    pub fn is_complete(&self) -> bool {
        self.body.is_done()
    }

    /// Writes bytes; false when the other side has gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let written = self.wire.stream().write_all(bytes.as_ref()).is_ok();
        self.keep_alive &= written;
        written
    }

    /// Writes one chunk of a chunked body.
    pub fn chunk(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
        self.send(out)
    }

    /// Answers 200 with this body and its length.
    pub fn ok(&mut self, body: impl AsRef<[u8]>) -> bool {
        let body = body.as_ref();
        let mut out =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        out.extend_from_slice(body);
        self.send(out)
    }

    /// Closes in good order once the handler returns.
    pub fn close(&mut self) {
        self.keep_alive = false;
        let _ = self.wire.stream().shutdown(Shutdown::Write);
    }

    /// Closes with a reset.
    pub fn reset(&mut self) {
        self.keep_alive = false;
        let linger = nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        let _ = setsockopt(self.wire.stream(), sockopt::Linger, &linger);
    }

    /// Blocks until the other side closes; false when it did not in time.
    pub fn wait_until_closed(&mut self) -> bool {
        let _ = self
            .wire
            .stream()
            .set_read_timeout(Some(crate::wait::PATIENCE));
        loop {
            match self.wire.at_end() {
                Ok(true) => return true,
                Ok(false) => {
                    if self.piece().is_none() {
                        return self.wire.at_end().unwrap_or(true);
                    }
                }
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Never answers; returns once the other side has closed.
    pub fn hang(&mut self) {
        self.wait_until_closed();
        self.keep_alive = false;
    }

    /// Pause between pieces of a slow answer.
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>, piece: usize) -> bool {
        const PAUSE: Duration = Duration::from_millis(1);
        bytes.as_ref().chunks(piece).all(|part| {
            std::thread::sleep(PAUSE);
            self.send(part)
        })
    }

    pub(super) fn play_script(&mut self) {
        self.body();
        let (bytes, after) = std::mem::take(&mut self.script);
        self.send(bytes);
        match after {
            After::Keep => {}
            After::Close => self.close(),
            After::Reset => self.reset(),
        }
    }

    /// Reads what the handler left and gives the connection back, unless it
    /// is over.
    pub(super) fn finish(mut self) -> Option<Wire> {
        if !self.keep_alive {
            return None;
        }
        self.body();
        self.body.is_done().then_some(self.wire)
    }
}
