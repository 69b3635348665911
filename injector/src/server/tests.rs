//! Over real connections, as an API server makes them: HTTP/1.1 inside TLS.

use std::io;
use std::net::SocketAddr;

use rustls::pki_types::ServerName;
use security::Identity;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::pki::{self, HOST, Root};
use crate::serving::Serving;
use crate::settings::Settings;

type Connection = TlsStream<TcpStream>;

struct Running {
    address: SocketAddr,
    trust: watch::Sender<Option<Trust>>,
    farewell: Drain,
    drain: Drain,
}

impl Running {
    /// Listens, without a certificate.
    fn start() -> Self {
        let listener = lifecycle::bind::bind("127.0.0.1", 0).unwrap();
        let address = listener.local_addr().unwrap();
        let lookup = |name: &str| (name == "SIDECAR_IMAGE").then(|| "daprd".to_owned());
        let settings = Settings::from_lookup(lookup, "dapr-system".to_owned(), true, true, "");
        let Settings {
            sidecar,
            requesters,
            ..
        } = settings.unwrap();
        let webhook = Arc::new(Webhook {
            sidecar,
            requesters,
            mtls: Mtls::default(),
            instance: "me".to_owned(),
            metrics: Arc::default(),
        });
        let (trust, receiver) = watch::channel(None);
        let (farewell, drain) = (Drain::default(), Drain::default());
        let ending = Ending {
            farewell: farewell.watch(),
            drain: drain.watch(),
        };
        lifecycle::spawn("injector", serve(listener, webhook, receiver, ending)).detach();
        Self {
            address,
            trust,
            farewell,
            drain,
        }
    }

    /// Has a certificate from now on.
    fn certify(&self, identity: &Identity) -> Serving {
        let serving = Serving::new(identity.clone());
        let (_, anchors) = watch::channel(identity.trust_anchors());
        self.trust.send_replace(Some(Trust {
            acceptor: TlsAcceptor::from(serving.config()),
            anchors,
        }));
        serving
    }

    async fn connect(&self, root: &Root) -> io::Result<Connection> {
        let socket = TcpStream::connect(self.address).await?;
        let connector = TlsConnector::from(pki::client(&root.anchors()));
        connector
            .connect(ServerName::try_from(HOST).unwrap(), socket)
            .await
    }
}

async fn send(connection: &mut Connection, path: &str, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body).await
}

/// Head of the next answer, in lower case; its body is read, too.
async fn answer(connection: &mut Connection) -> String {
    let mut read = Vec::new();
    loop {
        let byte = connection.read_u8().await.unwrap();
        read.push(byte);
        if read.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(read).unwrap().to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    connection.read_exact(&mut body).await.unwrap();
    head
}

async fn is_closed(connection: &mut Connection) -> bool {
    matches!(connection.read(&mut [0]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn a_connection_from_before_the_first_certificate_is_answered() {
    let running = Running::start();
    let root = Root::new("root");
    let (connection, ()) = tokio::join!(running.connect(&root), async {
        // The handshake has begun by the time this branch is polled again.
        tokio::task::yield_now().await;
        running.certify(&Identity::new(root.svid()));
    });
    let mut connection = connection.unwrap();
    for (path, status) in [
        ("/mutate", "http/1.1 200 ok"),
        ("/", "http/1.1 404 not found"),
    ] {
        send(&mut connection, path, b"{}").await.unwrap();
        assert!(answer(&mut connection).await.starts_with(status), "{path}");
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_only_once_it_is_approved() {
    let running = Running::start();
    let (old, new) = (Root::new("old"), Root::new("new"));
    let identity = Identity::new(old.svid());
    let serving = running.certify(&identity);
    running.connect(&old).await.unwrap();
    identity.replace(new.svid());
    running.connect(&old).await.unwrap();
    running.connect(&new).await.unwrap_err();
    let svid = identity.svid();
    assert!(!serving.approves(&svid));
    serving.approve(Arc::clone(&svid));
    assert!(serving.approves(&svid));
    running.connect(&new).await.unwrap();
    running.connect(&old).await.unwrap_err();
}

#[tokio::test]
async fn the_end_is_said_with_the_last_answer_of_every_connection() {
    let running = Running::start();
    let root = Root::new("root");
    running.certify(&Identity::new(root.svid()));
    let mut busy = running.connect(&root).await.unwrap();
    let mut idle = running.connect(&root).await.unwrap();
    send(&mut busy, "/mutate", b"{}").await.unwrap();
    assert!(!answer(&mut busy).await.contains("connection: close"));
    running.farewell.start();
    send(&mut busy, "/mutate", b"{}").await.unwrap();
    assert!(answer(&mut busy).await.contains("connection: close"));
    assert!(is_closed(&mut busy).await);
    // Who comes late is served all the same, and idle connections stay.
    let mut late = running.connect(&root).await.unwrap();
    for connection in [&mut late, &mut idle] {
        send(connection, "/mutate", b"{}").await.unwrap();
        assert!(answer(connection).await.contains("connection: close"));
    }
    let mut left = running.connect(&root).await.unwrap();
    running.drain.finish().await;
    assert!(is_closed(&mut left).await);
    TcpStream::connect(running.address).await.unwrap_err();
}

#[tokio::test]
async fn a_self_test_is_the_last_request_of_its_connection() {
    let running = Running::start();
    let root = Root::new("root");
    running.certify(&Identity::new(root.svid()));
    let review = serde_json::json!({"request": {
        "kind": {"kind": "Lease"},
        "namespace": "dapr-system",
        "dryRun": true,
        "object": crate::self_test::lease("dapr-system", "other"),
    }});
    let mut connection = running.connect(&root).await.unwrap();
    send(&mut connection, "/mutate", review.to_string().as_bytes())
        .await
        .unwrap();
    assert!(answer(&mut connection).await.contains("connection: close"));
    assert!(is_closed(&mut connection).await);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let running = Running::start();
    let root = Root::new("root");
    running.certify(&Identity::new(root.svid()));
    let mut connection = running.connect(&root).await.unwrap();
    let body = vec![b' '; LARGEST + 1];
    let (mut reader, mut writer) = tokio::io::split(&mut connection);
    let head = format!(
        "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut status = [0; 12];
    let (read, _) = tokio::join!(reader.read_exact(&mut status), async {
        writer.write_all(head.as_bytes()).await?;
        writer.write_all(&body).await
    });
    read.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}
