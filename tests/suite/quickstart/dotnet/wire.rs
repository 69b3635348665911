//! What .NET says to a sidecar, byte by byte: `HttpClient`, `Dapr.Client` and
//! `Grpc.Net.Client` towards a pair that `dapr run` started as a reader does,
//! and Kestrel's answers.

mod http1;
mod http2;

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};

use rustls::ClientConnection;
use rustls_pki_types::ServerName;
use tests::cli::Cli;
use tests::{PATIENCE, Process, RawApp, Request, holds, invoke_path, ports, tls};

/// `localhost`, in the order in which .NET tries its addresses.
const LOCALHOST: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::LOCALHOST),
];

const ORDER: &str = r#"{"orderId":1}"#;
const TAKEN: &str = "Order { orderId = 1 }";

/// As Kestrel writes [`TAKEN`].
const KESTREL: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Date: Sat, 01 Jan 2000 00:00:00 GMT\r\nServer: Kestrel\r\nTransfer-Encoding: chunked\r\n\r\n\
    15\r\nOrder { orderId = 1 }\r\n0\r\n\r\n";

const JSON: &str = "application/json; charset=utf-8";

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Two sidecars, and the app behind one of them.
struct Pair {
    app: RawApp,
    caller: Process,
    _callee: Process,
    http: u16,
    grpc: u16,
    caller_id: String,
    callee_id: String,
    _cli: Cli,
}

// === impl Pair ===

impl Pair {
    fn new() -> Self {
        Self::of(RawApp::answering(KESTREL))
    }

    /// With this app as the callee.
    fn of(app: RawApp) -> Self {
        let cli = Cli::new();
        let (caller_id, callee_id) = (unique("checkout"), unique("order-processor"));
        let (http, grpc) = (ports::reserve(), ports::reserve());
        let app_port = app.port().to_string();
        let callee = run(&cli, &["--app-id", &callee_id, "--app-port", &app_port]);
        let caller = run(
            &cli,
            &[
                "--app-id",
                &caller_id,
                "--dapr-http-port",
                &http.to_string(),
                "--dapr-grpc-port",
                &grpc.to_string(),
            ],
        );
        for process in [&callee, &caller] {
            process.wait_for_output("dapr initialized. Status: Running.");
        }
        Self {
            app,
            caller,
            _callee: callee,
            http,
            grpc,
            caller_id,
            callee_id,
            _cli: cli,
        }
    }

    /// Where `Dapr.Client` posts an order.
    fn path(&self) -> String {
        invoke_path(&self.callee_id, "orders")
    }

    /// The head of a request by `Dapr.Client`.
    fn request(&self) -> Request {
        Request::new("POST", &self.path())
            .header("Host", &format!("localhost:{}", self.http))
            .header("User-Agent", "dapr-sdk-dotnet/1.17.9")
            .header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-00"))
            .header("Content-Type", JSON)
    }

    /// Fails when what happened has harmed the next call, or was an error.
    fn still_serves(&self) {
        let answer = self.request().chunked(&[ORDER]).send(self.http);
        answer.expect(200, TAKEN);
        self.app.take_one();
        let log = self.caller.stdout();
        assert!(!log.contains("level=error"), "{log}");
    }
}

/// Sidecars of all users of a machine may see each other: ids must differ.
fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{next}", std::process::id())
}

/// `dapr run` of a sidecar without a command.
fn run(cli: &Cli, flags: &[&str]) -> Process {
    cli.start(&[&["run"], flags].concat())
}

/// What a client says first that takes a plaintext port for one with TLS.
fn client_hello() -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let config = tls::client(None, &[b"h2", b"http/1.1"]);
    let mut hello = Vec::new();
    let mut session = ClientConnection::new(config, name).unwrap();
    session.write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn a_tls_handshake_on_a_plaintext_port_ends_at_once() {
    let pair = Pair::new();
    for address in LOCALHOST {
        for port in [pair.http, pair.grpc] {
            let mut stream = TcpStream::connect((address, port)).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&client_hello()).unwrap();
            let mut answer = Vec::new();
            match stream.read_to_end(&mut answer) {
                Ok(_) => {}
                // As with Dapr, which stops reading there as well.
                Err(error) if port == pair.grpc && error.kind() == ErrorKind::ConnectionReset => {}
                Err(error) => panic!("{address} {port}: {error}"),
            }
            // Records of TLS begin with one of these.
            assert!(!matches!(answer.first(), Some(20..=23)), "{answer:?}");
        }
    }
    pair.still_serves();
}

#[test]
fn waiting_for_the_sidecar_does_not_wait_for_the_app() {
    let cli = Cli::new();
    let (http, app_port) = (ports::reserve(), ports::reserve());
    let health = |path: &str| {
        let host = format!("localhost:{http}");
        let answer = Request::get(path).header("Host", &host).try_send(http).ok();
        answer.map(|answer| (answer.status, answer.text()))
    };
    let process = run(
        &cli,
        &[
            "--app-id",
            &unique("checkout"),
            "--app-port",
            &app_port.to_string(),
            "--dapr-http-port",
            &http.to_string(),
        ],
    );
    let healthy = Some((204, String::new()));
    // `WaitForSidecarAsync`: from before anybody listens.
    holds("the sidecar is there", || {
        health("/v1.0/healthz/outbound") == healthy
    });
    // `CheckHealthAsync`.
    let (status, _) = health("/v1.0/healthz").unwrap();
    assert_eq!(status, 500, "{}", process.stdout());
    let _app = RawApp::on(app_port, |exchange| {
        exchange.ok("");
    });
    holds("the app is there as well", || {
        health("/v1.0/healthz") == healthy
    });
}
