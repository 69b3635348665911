//! HTTP servers that people write, over TLS and HTTP/2: Go's standard library
//! and Node's own modules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tests::{Mesh, Process, Request, binaries, eventually, invoke_path};

use crate::installed;
use crate::table::Table;

/// Kinds, each with its `--app-protocol` and the HTTP it is called over.
const KINDS: [(&str, &str, &str); 3] = [
    ("https", "https", "HTTP/1.1"),
    ("https-h2", "https", "HTTP/2.0"),
    ("h2c", "h2c", "HTTP/2.0"),
];

fn sources() -> PathBuf {
    binaries::checkout().join("tests/sdk/web")
}

/// The Go app, built once.
fn go() -> PathBuf {
    let mut inputs = installed::version(&["go", "version"]);
    installed::read(&sources(), &mut inputs);
    let cache = installed::once("web-go", &inputs, |cache| {
        installed::run(
            Command::new("go")
                .args(["build", "-o"])
                .arg(cache.join("app"))
                .arg(".")
                .current_dir(sources())
                .env("GOFLAGS", "-mod=mod"),
        );
    });
    cache.join("app")
}

/// A running app, and the port it printed.
fn start(name: &str, mut command: Command, kind: &str, tls: &Path) -> (Process, u16) {
    command
        .arg(kind)
        .arg(tls.join("cert.pem"))
        .arg(tls.join("key.pem"));
    let process = Process::spawn(name, command);
    let port = eventually("the app prints its port", || {
        let output = process.stdout();
        let line = output.lines().next()?.strip_prefix("listening on ")?;
        line.parse().ok()
    });
    (process, port)
}

#[test]
fn apps_of_go_and_node_are_called_over_tls_and_http2() {
    let folder = TempDir::new().unwrap();
    let (certificate, key) = tests::tls::self_signed_pem();
    fs::write(folder.path().join("cert.pem"), certificate).unwrap();
    fs::write(folder.path().join("key.pem"), key).unwrap();
    let go = go();
    let mut table = Table::default();
    for language in ["go", "node"] {
        for (kind, protocol, version) in KINDS {
            table.row(&format!("{language}, {kind}"), || {
                let command = if language == "go" {
                    Command::new(&go)
                } else {
                    let mut node = Command::new("node");
                    node.arg(sources().join("app.js"));
                    node
                };
                let (app, port) = start(language, command, kind, folder.path());
                let mesh = Mesh::plain();
                let callee = mesh
                    .sidecar("callee")
                    .app_port(port)
                    .flag("app-protocol", protocol)
                    .run();
                let caller = mesh.sidecar("caller").run();
                for (from, id) in [(&callee, "callee"), (&caller, "caller")] {
                    let large = "x".repeat(1 << 20);
                    for body in ["", "hello", &large] {
                        let answer = Request::post(&invoke_path("callee", "a/b?c=d"), body)
                            .send(from.http());
                        answer.expect(200, body);
                        let seen = format!("{version} POST /a/b?c=d");
                        assert_eq!(answer.header("x-seen"), Some(seen.as_str()));
                        assert_eq!(answer.header("x-caller"), Some(id));
                    }
                    let head = Request::new("HEAD", &invoke_path("callee", "x")).send(from.http());
                    head.expect(200, "");
                }
                let log = callee.stdout();
                assert!(!log.contains("level=warn"), "{log}");
                // An app in Go complains of handshakes that are none.
                let complaints = app.stderr();
                let complaints = complaints.lines().filter(|line| line.contains("handshake"));
                let found_out = usize::from(kind == "https-h2");
                assert!(complaints.count() <= found_out, "{}", app.stderr());
            });
        }
    }
}
