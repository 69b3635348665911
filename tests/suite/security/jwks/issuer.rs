//! Who signs tokens: a key pair of its own, and the web server that shows the
//! public half.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tests::{Ca, PATIENCE};

/// What tokens must be for.
const AUDIENCE: &str = "spiffe://localhost/ns/default/dapr-sentry";

/// Signs with one key.
pub(crate) struct Issuer {
    id: String,
    signing: EncodingKey,
    public: Value,
}

/// Shows key sets, over TLS or not.
pub(crate) struct KeyServer {
    port: u16,
    scheme: &'static str,
    shared: Arc<Shared>,
}

struct Shared {
    tls: Option<Arc<ServerConfig>>,
    answer: Mutex<Answer>,
    requests: AtomicUsize,
    closed: AtomicBool,
}

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Status line and body.
    Say(&'static str, String),
    /// Nothing, and the connection stays open.
    Hang,
    /// Nothing, and the connection ends.
    Hide,
}

/// What a good token for an app in namespace `default` says.
pub(crate) fn claims(app_id: &str) -> Value {
    json!({
        "sub": format!("spiffe://public/ns/default/{app_id}"),
        "aud": AUDIENCE,
        "exp": in_seconds(600),
    })
}

/// A time near now, as tokens write it.
pub(crate) fn in_seconds(offset: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + offset
}

/// The set of these issuers' keys.
pub(crate) fn key_set(issuers: &[&Issuer]) -> String {
    let keys: Vec<_> = issuers.iter().map(|issuer| &issuer.public).collect();
    json!({ "keys": keys }).to_string()
}

// === impl Issuer ===

impl Issuer {
    /// With a new key of this name.
    pub(crate) fn new(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let (x, y) = pair.der_bytes()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        Self {
            id: id.to_owned(),
            signing: EncodingKey::from_ec_der(&pair.serialize_der()),
            public: json!({ "kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": x, "y": y }),
        }
    }

    /// A good token for an app in namespace `default`.
    pub(crate) fn token(&self, app_id: &str) -> String {
        self.sign(&claims(app_id))
    }

    /// A token that says this.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(Some(self.id.clone()), claims)
    }

    /// The same without the name of the key.
    pub(crate) fn sign_namelessly(&self, claims: &Value) -> String {
        self.sign_as(None, claims)
    }

    fn sign_as(&self, kid: Option<String>, claims: &Value) -> String {
        let header = Header {
            kid,
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &self.signing).unwrap()
    }
}

// === impl KeyServer ===

impl KeyServer {
    /// Over TLS, vouched for by `ca`.
    pub(crate) fn https(ca: &Ca, body: String) -> Self {
        let svid = ca.svid("spiffe://keys/server").named("localhost").issue();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(svid.chain(), svid.key())
            .unwrap();
        Self::start(0, Some(Arc::new(config)), Answer::Say("200 OK", body))
    }

    /// Without TLS.
    pub(crate) fn http(port: u16, answer: Answer) -> Self {
        Self::start(port, None, answer)
    }

    fn start(port: u16, tls: Option<Arc<ServerConfig>>, answer: Answer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            scheme: if tls.is_some() { "https" } else { "http" },
            shared: Arc::new(Shared {
                tls,
                answer: Mutex::new(answer),
                requests: AtomicUsize::new(0),
                closed: AtomicBool::new(false),
            }),
        };
        let shared = server.shared.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if shared.closed.load(Ordering::Acquire) {
                    return;
                }
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(socket));
            }
        });
        server
    }

    /// Where the set is.
    pub(crate) fn address(&self) -> String {
        format!("{}://localhost:{}/keys", self.scheme, self.port)
    }

    /// Does this from now on.
    pub(crate) fn answer(&self, answer: Answer) {
        *self.shared.answer.lock() = answer;
    }

    /// Shows these issuers' keys from now on.
    pub(crate) fn show(&self, issuers: &[&Issuer]) {
        self.answer(Answer::Say("200 OK", key_set(issuers)));
    }

    /// How often it was asked.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Acquire)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

// === impl Shared ===

impl Shared {
    fn serve(&self, socket: TcpStream) {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        match &self.tls {
            None => self.exchange(socket),
            Some(config) => {
                let connection = ServerConnection::new(config.clone()).unwrap();
                self.exchange(StreamOwned::new(connection, socket));
            }
        }
    }

    /// Whoever does not like our certificate ends here without a request.
    fn exchange(&self, mut stream: impl Read + Write) {
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => request.extend(byte),
                _ => return,
            }
        }
        self.requests.fetch_add(1, Ordering::AcqRel);
        assert!(request.starts_with(b"GET /keys HTTP/1.1\r\n"));
        let answer = self.answer.lock().clone();
        match answer {
            Answer::Hide => {}
            // Until the other side gives up.
            Answer::Hang => drop(stream.read(&mut byte)),
            Answer::Say(status, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nLocation: /keys\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                // Whoever has read enough hangs up.
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(body.as_bytes());
                let _ = stream.flush();
            }
        }
    }
}
