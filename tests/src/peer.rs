//! A raw gRPC client for internal servers and sentry: HTTP/2 over plain TCP
//! or TLS with any certificate, messages as the test spells them.

pub mod message;
pub(crate) mod runtime;

use std::net::{Ipv4Addr, SocketAddr};

use api::envelope::FrameReader;
use api::internals::v1::{
    InternalInvokeRequest, InternalInvokeRequestStream, InternalInvokeResponseStream,
};
use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::ca::Svid;
use crate::peer::runtime::runtime;
use crate::tls;
use crate::wait::PATIENCE;

/// Path of the streaming call between sidecars.
pub const CALL_LOCAL_STREAM: &str = "/dapr.proto.internals.v1.ServiceInvocation/CallLocalStream";
/// Path of the unary call between sidecars.
pub const CALL_LOCAL: &str = "/dapr.proto.internals.v1.ServiceInvocation/CallLocal";

/// One HTTP/2 connection.
#[derive(Debug)]
pub struct PeerClient {
    requests: SendRequest<Bytes>,
    alpn: Option<Vec<u8>>,
    chain: Vec<Vec<u8>>,
}

/// A call whose request may still be sent.
#[derive(Debug)]
pub struct Rpc {
    request: SendStream<Bytes>,
    response: Option<ResponseFuture>,
    head: Option<(u16, HeaderMap)>,
    body: Option<RecvStream>,
    reader: FrameReader,
}

/// A finished call.
#[derive(Clone, Debug)]
pub struct RpcAnswer {
    /// HTTP status.
    pub status: u16,
    /// Response headers.
    pub headers: HeaderMap,
    /// Messages without their length prefix.
    pub messages: Vec<Bytes>,
    /// Trailers; the headers again when the answer had nothing else.
    pub trailers: HeaderMap,
}

/// Largest message the client reads.
const MESSAGE_LIMIT: usize = 64 << 20;

// === impl PeerClient ===

impl PeerClient {
    /// Connects without TLS.
    ///
    /// # Errors
    /// The connection or the HTTP/2 preface failed.
    pub fn plain(port: u16) -> Result<Self, String> {
        bounded(async move {
            let stream = connect(port).await?;
            Self::over(stream, None, Vec::new()).await
        })
    }

    /// Connects with TLS and ALPN `h2`, presenting `svid` or nothing.
    ///
    /// # Errors
    /// Connection, handshake or preface failed.
    pub fn tls(port: u16, svid: Option<&Svid>) -> Result<Self, String> {
        Self::tls_offering(port, svid, &[b"h2"])
    }

    /// [`Self::tls`] with these application protocols on offer.
    ///
    /// # Errors
    /// Connection, handshake or preface failed.
    pub fn tls_offering(port: u16, svid: Option<&Svid>, alpn: &[&[u8]]) -> Result<Self, String> {
        let connector = TlsConnector::from(tls::client(svid, alpn));
        bounded(async move {
            let stream = connect(port).await?;
            let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(|error| format!("handshake: {error}"))?;
            let session = stream.get_ref().1;
            let alpn = session.alpn_protocol().map(<[u8]>::to_vec);
            let chain = session
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|certificate| certificate.to_vec())
                .collect();
            Self::over(stream, alpn, chain).await
        })
    }

    async fn over<S>(stream: S, alpn: Option<Vec<u8>>, chain: Vec<Vec<u8>>) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(4 << 20)
            .initial_connection_window_size(16 << 20)
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(|error| format!("preface: {error}"))?;
        runtime().spawn(async move {
            let _ = connection.await;
        });
        Ok(Self {
            requests,
            alpn,
            chain,
        })
    }

    /// The application protocol the server chose.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// The server's certificates, leaf first.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Opens a call.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn open(&self, path: &str, metadata: &[(&str, &str)]) -> Result<Rpc, String> {
        let mut request = http::Request::post(format!("http://127.0.0.1{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .expect("a fixed request is valid");
        for (name, value) in metadata {
            request.headers_mut().append(
                HeaderName::from_bytes(name.as_bytes()).expect("a header name"),
                HeaderValue::from_str(value).expect("a header value"),
            );
        }
        let requests = self.requests.clone();
        bounded(async move {
            let mut requests = requests.ready().await.map_err(|error| error.to_string())?;
            let (response, request) = requests
                .send_request(request, false)
                .map_err(|error| error.to_string())?;
            Ok(Rpc {
                request,
                response: Some(response),
                head: None,
                body: None,
                reader: FrameReader::new(MESSAGE_LIMIT),
            })
        })
    }

    /// A whole call with one request message.
    ///
    /// # Errors
    /// The stream or the connection failed.
    pub fn unary(&self, path: &str, message: &impl Message) -> Result<RpcAnswer, String> {
        let mut rpc = self.open(path, &[])?;
        // Why an early answer closes the stream is in that answer.
        let _ = rpc.send(message);
        rpc.finish();
        rpc.answer()
    }

    /// A whole `CallLocalStream` with these messages.
    ///
    /// # Errors
    /// The stream or the connection failed.
    pub fn stream(&self, messages: &[InternalInvokeRequestStream]) -> Result<RpcAnswer, String> {
        let mut rpc = self.open(CALL_LOCAL_STREAM, &[])?;
        for message in messages {
            // As above.
            let _ = rpc.send(message);
        }
        rpc.finish();
        rpc.answer()
    }

    /// `CallLocalStream` with this request and no body.
    ///
    /// # Errors
    /// The stream or the connection failed.
    pub fn invoke(&self, request: InternalInvokeRequest) -> Result<RpcAnswer, String> {
        self.stream(&[InternalInvokeRequestStream {
            request: Some(request),
            payload: None,
        }])
    }
}

// === impl Rpc ===

impl Rpc {
    /// Sends one message.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn send(&mut self, message: &impl Message) -> Result<(), String> {
        self.send_raw(frame(&message.encode_to_vec()))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn send_raw(&mut self, bytes: Bytes) -> Result<(), String> {
        self.request
            .send_data(bytes, false)
            .map_err(|error| error.to_string())
    }

    /// Ends the request.
    pub fn finish(&mut self) {
        let _ = self.request.send_data(Bytes::new(), true);
    }

    /// Gives the call up.
    pub fn cancel(&mut self) {
        self.request.send_reset(h2::Reason::CANCEL);
    }

    /// The next message, as soon as it is there; `None` at the end.
    ///
    /// # Errors
    /// The stream or the connection failed.
    pub fn receive(&mut self) -> Result<Option<Bytes>, String> {
        bounded(self.next_message())
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// The stream or the connection failed.
    pub fn answer(mut self) -> Result<RpcAnswer, String> {
        let mut messages = Vec::new();
        while let Some(message) = self.receive()? {
            messages.push(message);
        }
        let (status, headers) = self.head.take().expect("the head comes first");
        let mut body = self.body.take().expect("the head comes first");
        let trailers = bounded(async move { body.trailers().await.map_err(|e| e.to_string()) })?
            .unwrap_or_else(|| headers.clone());
        Ok(RpcAnswer {
            status,
            headers,
            messages,
            trailers,
        })
    }

    /// Waits for the head of the answer: the server has taken the call.
    ///
    /// # Errors
    /// The stream or the connection failed.
    pub fn opened(&mut self) -> Result<(), String> {
        bounded(self.read_head())
    }

    async fn read_head(&mut self) -> Result<(), String> {
        if let Some(response) = self.response.take() {
            let (head, body) = response
                .await
                .map_err(|error| error.to_string())?
                .into_parts();
            self.head = Some((head.status.as_u16(), head.headers));
            self.body = Some(body);
        }
        Ok(())
    }

    async fn next_message(&mut self) -> Result<Option<Bytes>, String> {
        self.read_head().await?;
        let body = self.body.as_mut().expect("the head has come");
        loop {
            if let Some(message) = self.reader.next_message().map_err(|e| e.to_string())? {
                return Ok(Some(message));
            }
            match body.data().await {
                Some(Ok(piece)) => {
                    let _ = body.flow_control().release_capacity(piece.len());
                    self.reader.push(piece);
                }
                Some(Err(error)) => return Err(error.to_string()),
                None => return Ok(None),
            }
        }
    }
}

// === impl RpcAnswer ===

impl RpcAnswer {
    /// `grpc-status`; fails when there is none.
    #[track_caller]
    pub fn code(&self) -> u32 {
        self.trailers
            .get("grpc-status")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or_else(|| panic!("no grpc-status in {self:?}"))
    }

    /// `grpc-message` without percent-encoding.
    pub fn message(&self) -> String {
        let text = self
            .trailers
            .get("grpc-message")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        message::percent_decode(text)
    }

    /// The messages of a `CallLocalStream`.
    #[track_caller]
    pub fn stream_messages(&self) -> Vec<InternalInvokeResponseStream> {
        self.messages
            .iter()
            .map(|message| {
                InternalInvokeResponseStream::decode(message.clone()).expect("a stream message")
            })
            .collect()
    }

    /// All payloads of a `CallLocalStream`, joined.
    #[track_caller]
    pub fn body(&self) -> Vec<u8> {
        self.stream_messages()
            .into_iter()
            .filter_map(|message| message.payload)
            .flat_map(|payload| payload.data)
            .collect()
    }

    /// `response.status.code` of the first message.
    #[track_caller]
    pub fn app_status(&self) -> i32 {
        let first = self.stream_messages().into_iter().next();
        first
            .and_then(|message| message.response?.status)
            .unwrap_or_else(|| panic!("no status in {self:?}"))
            .code
    }
}

/// A message with its gRPC prefix.
pub fn frame(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(5 + message.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).expect("a test message is small"));
    out.extend_from_slice(message);
    out.freeze()
}

pub(crate) async fn connect(port: u16) -> Result<TcpStream, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connected = async {
        let stream = TcpStream::connect(address).await?;
        // Peers and gRPC clients send small frames one by one.
        stream.set_nodelay(true)?;
        std::io::Result::Ok(stream)
    };
    connected.await.map_err(|error| format!("connect: {error}"))
}

pub(crate) fn bounded<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    runtime()
        .block_on(async { timeout(PATIENCE, work).await })
        .unwrap_or_else(|_| Err("nothing within the patience of a test".to_owned()))
}
