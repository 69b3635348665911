//! Manifests from the web.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{POD, POD_ANNOTATED};
use crate::tools::{Done, Place};

/// Serves the manifest under `/pod.yaml`, and failures under other paths.
fn serve(tls: Option<Arc<ServerConfig>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            match &tls {
                None => answer(stream),
                Some(tls) => {
                    let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
                    answer(StreamOwned::new(connection, stream));
                }
            }
        }
    });
    port
}

fn answer(mut stream: impl Read + Write) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let (status, body) = match request.split(' ').nth(1).unwrap() {
        "/pod.yaml" => ("200 OK\r\n", POD),
        "/moved" => ("302 Found\r\nlocation: /pod.yaml\r\n", ""),
        "/empty" => ("204 No Content\r\n", ""),
        "/cut" => ("200 OK\r\ncontent-length: 1000\r\n", POD),
        _ => ("404 Not Found\r\n", "kind: Pod"),
    };
    let _ = write!(stream, "HTTP/1.1 {status}connection: close\r\n\r\n{body}");
    let _ = stream.flush();
}

/// A certificate for 127.0.0.1, and its authority as PEM.
fn certificate() -> (Arc<ServerConfig>, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let leaf = rcgen::CertificateParams::new(names).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        );
    (Arc::new(config.unwrap()), pem)
}

fn annotate(place: &Place, url: &str, authority: &str) -> Done {
    let output = place
        .dapr(&["annotate", "-k", url])
        .env("SSL_CERT_FILE", authority)
        .env_remove("SSL_CERT_DIR")
        .env("NO_PROXY", "*")
        .output();
    Done::of(output.unwrap())
}

#[test]
fn manifests_come_over_http() {
    let place = Place::new();
    let at = format!("http://127.0.0.1:{}", serve(None));
    for path in ["pod.yaml", "moved"] {
        let done = annotate(&place, &format!("{at}/{path}"), "");
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{path}");
        assert_eq!(done.out, POD_ANNOTATED);
    }
    for (path, message) in [
        ("nope", ": 404 - 404 Not Found"),
        ("empty", ": 204 - 204 No Content"),
        ("cut", ": "),
    ] {
        let url = format!("{at}/{path}");
        let done = annotate(&place, &url, "");
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{path}");
        let start = format!("❌  unable to read from {url}{message}");
        assert!(done.err.starts_with(&start), "{}", done.err);
    }
}

#[test]
fn nobody_there_is_told() {
    let place = Place::new();
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let url = format!("http://127.0.0.1:{port}/x");
    let done = annotate(&place, &url, "");
    assert_eq!(done.code, Some(1));
    let start = format!("❌  unable to read from {url}: ");
    assert!(done.err.starts_with(&start), "{}", done.err);
}

#[test]
fn manifests_come_over_https_from_servers_this_machine_trusts() {
    let place = Place::new();
    let (config, authority) = certificate();
    let authority = place
        .write("authority.pem", &authority)
        .display()
        .to_string();
    let url = format!("https://127.0.0.1:{}/pod.yaml", serve(Some(config)));
    let done = annotate(&place, &url, &authority);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(done.out, POD_ANNOTATED);

    let (_, other) = certificate();
    let other = place.write("other.pem", &other).display().to_string();
    let done = annotate(&place, &url, &other);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(done.err.contains("certificate"), "{}", done.err);
}
