//! A raw gRPC client of the API port, or of any other: opens streams with the
//! metadata a test spells, moves messages as bytes, controls the window.

mod stream;

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request};
use rustls_pki_types::ServerName;
use std::net::Ipv4Addr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

pub use stream::GrpcStream;

use crate::ca::Svid;
use crate::grpc_app::wire::{GrpcMessage, GrpcStatus, append};
use crate::peer::runtime::runtime;
use crate::peer::{bounded, connect};
use crate::tls;

/// One connection.
#[derive(Clone, Debug)]
pub struct GrpcClient {
    requests: SendRequest<Bytes>,
}

/// The head of a call; a POST of content type `application/grpc` unless told
/// otherwise.
#[derive(Clone, Debug)]
pub struct GrpcRequest {
    method: Method,
    path: String,
    headers: HeaderMap,
}

/// A finished call.
#[derive(Clone, Debug)]
pub struct GrpcAnswer {
    /// HTTP status.
    pub http_status: u16,
    /// Response headers, or nothing when there were only trailers.
    pub headers: HeaderMap,
    /// The messages.
    pub messages: Vec<GrpcMessage>,
    /// How it ended; `None` without `grpc-status`.
    pub status: Option<GrpcStatus>,
    /// Status and headers came as one.
    pub trailers_only: bool,
}

/// A call that did not end as gRPC calls end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The stream was reset for this reason.
    pub reset: Option<Reason>,
    /// What the HTTP/2 library says.
    pub text: String,
}

// === impl GrpcClient ===

impl GrpcClient {
    /// Connects without TLS.
    ///
    /// # Errors
    /// The connection or the HTTP/2 preface failed.
    pub fn connect(port: u16) -> Result<Self, String> {
        Self::with_window(port, WINDOW)
    }

    /// [`Self::connect`] with this initial window of each stream, in bytes.
    ///
    /// # Errors
    /// The connection or the HTTP/2 preface failed.
    pub fn with_window(port: u16, window: u32) -> Result<Self, String> {
        bounded(async move { Self::over(connect(port).await?, window).await })
    }

    /// Connects with TLS, presenting `svid` or nothing.
    ///
    /// # Errors
    /// Connection, handshake or preface failed.
    pub fn tls(port: u16, svid: Option<&Svid>) -> Result<Self, String> {
        let connector = TlsConnector::from(tls::client(svid, &[b"h2"]));
        bounded(async move {
            let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
            let stream = connector
                .connect(name, connect(port).await?)
                .await
                .map_err(|error| format!("handshake: {error}"))?;
            Self::over(stream, WINDOW).await
        })
    }

    async fn over<S>(stream: S, window: u32) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        const HEADER_LIST: u32 = 1 << 20;
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(window)
            .initial_connection_window_size(16 << 20)
            .max_header_list_size(HEADER_LIST)
            .data_frame_budget(usize::MAX)
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(|error| format!("preface: {error}"))?;
        runtime().spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { requests })
    }

    /// Opens a call.
    ///
    /// # Errors
    /// The connection is gone or about to go.
    pub fn open(&self, request: &GrpcRequest) -> Result<GrpcStream, Broken> {
        let head = request.to_head();
        let requests = self.requests.clone();
        stream::bounded(async move {
            let mut requests = requests.ready().await?;
            let (response, request) = requests.send_request(head, false)?;
            Ok(GrpcStream::new(request, response))
        })
    }

    /// A whole call: these messages, the half-close, everything that comes.
    ///
    /// # Errors
    /// The stream or the connection broke.
    pub fn call<M: AsRef<[u8]>>(
        &self,
        request: &GrpcRequest,
        messages: &[M],
    ) -> Result<GrpcAnswer, Broken> {
        let mut stream = self.open(request)?;
        for message in messages {
            // Why an early answer closes the stream is in that answer.
            let _ = stream.send(message);
        }
        stream.finish();
        stream.answer()
    }
}

const WINDOW: u32 = 4 << 20;

// === impl GrpcRequest ===

impl GrpcRequest {
    /// A call of this path.
    pub fn new(path: &str) -> Self {
        let mut headers = HeaderMap::new();
        append(&mut headers, "content-type", "application/grpc");
        append(&mut headers, "te", "trailers");
        Self {
            method: Method::POST,
            path: path.to_owned(),
            headers,
        }
    }

    /// Through the sidecar, to this app.
    #[must_use]
    pub fn to(self, app_id: &str) -> Self {
        self.metadata("dapr-app-id", app_id)
    }

    /// With one more metadata entry.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        append(&mut self.headers, name, value);
        self
    }

    /// With another content type.
    #[must_use]
    pub fn content_type(mut self, value: &str) -> Self {
        self.headers.remove("content-type");
        append(&mut self.headers, "content-type", value);
        self
    }

    /// With `grpc-timeout`, in the format of gRPC.
    #[must_use]
    pub fn timeout(self, value: &str) -> Self {
        self.metadata("grpc-timeout", value)
    }

    /// With another HTTP method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sends the call with these messages to a port, on a new connection.
    #[track_caller]
    pub fn send<M: AsRef<[u8]>>(&self, port: u16, messages: &[M]) -> GrpcAnswer {
        self.try_send(port, messages)
            .unwrap_or_else(|broken| panic!("{}: {broken}", self.path))
    }

    /// [`Self::send`] for calls that may break.
    ///
    /// # Errors
    /// The stream or the connection broke.
    #[track_caller]
    pub fn try_send<M: AsRef<[u8]>>(
        &self,
        port: u16,
        messages: &[M],
    ) -> Result<GrpcAnswer, Broken> {
        let client = GrpcClient::connect(port)
            .unwrap_or_else(|error| panic!("connect to port {port}: {error}"));
        client.call(self, messages)
    }

    fn to_head(&self) -> Request<()> {
        let mut head = Request::builder()
            .method(&self.method)
            .uri(format!("http://127.0.0.1{}", self.path))
            .body(())
            .expect("a test's path is valid");
        *head.headers_mut() = self.headers.clone();
        head
    }
}

// === impl GrpcAnswer ===

impl GrpcAnswer {
    /// `grpc-status`; fails when there is none.
    #[track_caller]
    pub fn code(&self) -> u32 {
        self.end().code
    }

    /// `grpc-message`, unescaped.
    #[track_caller]
    pub fn message(&self) -> &str {
        &self.end().message
    }

    /// How it ended; fails when that was not said.
    #[track_caller]
    pub fn end(&self) -> &GrpcStatus {
        let status = self.status.as_ref();
        status.unwrap_or_else(|| panic!("no grpc-status in {self:?}"))
    }

    /// Checks code and message.
    #[track_caller]
    pub fn expect(&self, code: u32, message: &str) {
        let end = self.end();
        assert_eq!(
            (end.code, end.message.as_str()),
            (code, message),
            "{self:?}"
        );
    }

    /// Checks that it went well with these messages.
    #[track_caller]
    pub fn expect_ok(&self, texts: &[&str]) {
        self.expect(0, "");
        assert_eq!(self.texts(), texts, "{self:?}");
    }

    /// The messages as text.
    pub fn texts(&self) -> Vec<String> {
        self.messages.iter().map(GrpcMessage::text).collect()
    }

    /// The only message as protobuf.
    #[track_caller]
    pub fn decode<M: prost::Message + Default>(&self) -> M {
        self.expect(0, "");
        assert_eq!(self.messages.len(), 1, "{self:?}");
        M::decode(self.messages[0].data.clone()).expect("a message of this type")
    }

    /// The first value of a response header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first value of a trailer.
    #[track_caller]
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.end().trailers.get(name)?.to_str().ok()
    }
}

// === impl Broken ===

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<h2::Error> for Broken {
    fn from(error: h2::Error) -> Self {
        Self {
            reset: error.reason().filter(|_| error.is_reset()),
            text: error.to_string(),
        }
    }
}
