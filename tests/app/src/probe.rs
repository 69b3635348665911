//! Knocks at a port without a certificate: does the other side say anything?

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use serde_json::{Value, json};

/// How an HTTP/2 client begins, with empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const ALERT: u8 = 21;

/// Prints whether it was let in, and what came back.
pub(crate) fn run(kind: &str, address: &str) {
    let found = match kind {
        "plain" => plain(address),
        "tls" => tls(address),
        _ => panic!("plain or tls, not {kind}"),
    };
    let shown = found.unwrap_or_else(|error| json!({ "in": false, "why": error.to_string() }));
    println!("{shown}");
}

fn plain(address: &str) -> io::Result<Value> {
    let mut stream = connect(address)?;
    stream.write_all(PREFACE)?;
    let first = first_bytes(&mut stream)?;
    let is_alert = first.first().is_none_or(|&kind| kind == ALERT);
    Ok(json!({ "in": !is_alert, "why": format!("first bytes: {first:?}") }))
}

fn tls(address: &str) -> io::Result<Value> {
    let config = tests::tls::client(None, &[b"h2"]);
    let name = "stranger.example".try_into().expect("a name");
    let session = ClientConnection::new(config, name).expect("a configuration that works");
    let mut stream = StreamOwned::new(session, connect(address)?);
    stream.write_all(PREFACE)?;
    let first = first_bytes(&mut stream)?;
    Ok(json!({ "in": !first.is_empty(), "why": format!("first bytes: {first:?}") }))
}

/// Nothing when the other side hangs up.
fn first_bytes(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 64];
    let got = stream.read(&mut buffer)?;
    Ok(buffer[..got].to_vec())
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    // Silence is an error as well: it is not being refused.
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}
