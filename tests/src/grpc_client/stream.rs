//! An open call in the hands of a test.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use tokio::time::timeout;

use super::{Broken, GrpcAnswer};
use crate::grpc_app::wire::{Frames, GrpcMessage, GrpcStatus, frame};
use crate::peer::runtime::runtime;
use crate::wait::PATIENCE;

/// A call whose request may still be sent; given up when dropped.
#[derive(Debug)]
pub struct GrpcStream {
    request: SendStream<Bytes>,
    response: Option<ResponseFuture>,
    head: Option<Head>,
    body: Option<RecvStream>,
    frames: Frames,
    holds: bool,
    held: usize,
}

#[derive(Debug)]
struct Head {
    status: u16,
    headers: HeaderMap,
    trailers_only: bool,
}

// === impl GrpcStream ===

impl GrpcStream {
    pub(super) fn new(request: SendStream<Bytes>, response: ResponseFuture) -> Self {
        Self {
            request,
            response: Some(response),
            head: None,
            body: None,
            frames: Frames::default(),
            holds: false,
            held: 0,
        }
    }

    /// Queues one message, whether there is room for it or not.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn send(&mut self, data: impl AsRef<[u8]>) -> Result<(), Broken> {
        self.send_raw(frame(false, data.as_ref()))
    }

    /// [`Self::send`] with the flag of a compressed message.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn send_compressed(&mut self, data: impl AsRef<[u8]>) -> Result<(), Broken> {
        self.send_raw(frame(true, data.as_ref()))
    }

    /// Queues bytes as they are.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn send_raw(&mut self, bytes: Bytes) -> Result<(), Broken> {
        Ok(self.request.send_data(bytes, false)?)
    }

    /// Sends one message when the other side has room for its next byte;
    /// false when there is none within `patience`.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn send_within(
        &mut self,
        patience: Duration,
        data: impl AsRef<[u8]>,
    ) -> Result<bool, Broken> {
        let mut bytes = frame(false, data.as_ref());
        let request = &mut self.request;
        runtime().block_on(async move {
            while !bytes.is_empty() {
                request.reserve_capacity(bytes.len());
                if request.capacity() == 0 {
                    let room = poll_fn(|cx| request.poll_capacity(cx));
                    match timeout(patience, room).await {
                        Err(_) => return Ok(false),
                        Ok(None) => return Err(closed()),
                        Ok(Some(room)) => {
                            room?;
                        }
                    }
                }
                let piece = bytes.split_to(request.capacity().min(bytes.len()));
                request.send_data(piece, false)?;
            }
            Ok(true)
        })
    }

    /// Ends the request.
    pub fn finish(&mut self) {
        let _ = self.request.send_data(Bytes::new(), true);
    }

    /// Gives the call up.
    pub fn reset(&mut self, reason: Reason) {
        self.request.send_reset(reason);
    }

    /// From now on what is read is not released: the window closes.
    pub fn hold(&mut self) {
        self.holds = true;
    }

    /// Opens the window again.
    pub fn release(&mut self) {
        self.holds = false;
        if let Some(body) = &mut self.body {
            let _ = body.flow_control().release_capacity(self.held);
        }
        self.held = 0;
    }

    /// Waits for the initial metadata: HTTP status and headers.
    ///
    /// # Errors
    /// The stream or the connection broke.
    pub fn head(&mut self) -> Result<(u16, HeaderMap), Broken> {
        bounded(self.read_head())?;
        let head = self.head.as_ref().expect("it was just read");
        Ok((head.status, head.headers.clone()))
    }

    /// The next message, as soon as it is there; `None` at the end.
    ///
    /// # Errors
    /// The stream or the connection broke.
    pub fn receive(&mut self) -> Result<Option<GrpcMessage>, Broken> {
        bounded(self.next_message())
    }

    /// The text of the next message; fails the test when there is none.
    #[track_caller]
    pub fn expect_text(&mut self, text: &str) {
        let message = self.receive();
        let message = message.unwrap_or_else(|broken| panic!("{broken} instead of {text:?}"));
        let message = message.unwrap_or_else(|| panic!("the end instead of {text:?}"));
        assert_eq!(message.text(), text);
    }

    /// Whether nothing comes within this time.
    pub fn is_silent(&mut self, patience: Duration) -> bool {
        runtime()
            .block_on(async { timeout(patience, self.next_message()).await })
            .is_err()
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// The stream or the connection broke.
    pub fn answer(mut self) -> Result<GrpcAnswer, Broken> {
        let mut messages = Vec::new();
        while let Some(message) = self.receive()? {
            messages.push(message);
        }
        let mut body = self.body.take().expect("the head comes first");
        let trailers = bounded(async move { Ok(body.trailers().await?) })?;
        let head = self.head.take().expect("the head comes first");
        let Head {
            status: http_status,
            headers,
            trailers_only,
        } = head;
        let (headers, status) = match trailers {
            Some(trailers) => (headers, GrpcStatus::from_trailers(&trailers)),
            None => (HeaderMap::new(), GrpcStatus::from_trailers(&headers)),
        };
        Ok(GrpcAnswer {
            http_status,
            headers,
            messages,
            status,
            trailers_only,
        })
    }

    /// Reads until the stream breaks, and says how.
    #[track_caller]
    pub fn broken(mut self) -> Broken {
        loop {
            match self.receive() {
                Err(broken) => return broken,
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended: {:?}", self.answer()),
            }
        }
    }

    async fn read_head(&mut self) -> Result<(), Broken> {
        if let Some(response) = &mut self.response {
            let (head, body) = response.await?.into_parts();
            self.response = None;
            self.head = Some(Head {
                status: head.status.as_u16(),
                headers: head.headers,
                trailers_only: body.is_end_stream(),
            });
            self.body = Some(body);
        }
        Ok(())
    }

    async fn next_message(&mut self) -> Result<Option<GrpcMessage>, Broken> {
        self.read_head().await?;
        loop {
            if let Some(message) = self.frames.next() {
                return Ok(Some(message));
            }
            let body = self.body.as_mut().expect("the head has come");
            let Some(piece) = body.data().await else {
                return Ok(None);
            };
            let piece = piece?;
            if self.holds {
                self.held += piece.len();
            } else {
                let _ = body.flow_control().release_capacity(piece.len());
            }
            self.frames.push(&piece);
        }
    }
}

pub(super) fn bounded<T>(work: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    runtime()
        .block_on(async { timeout(PATIENCE, work).await })
        .unwrap_or_else(|_| panic!("nothing came within the patience of a test"))
}

fn closed() -> Broken {
    Broken {
        reset: None,
        text: "the stream is closed".to_owned(),
    }
}
