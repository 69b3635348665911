//! The app that calls: asks `hello-callee` by its name, five times.
//!
//! It only knows its own sidecar, on localhost. The header `dapr-app-id` says
//! which app the request is for.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use std::{env, thread};

const CALLS: u32 = 5;

fn main() -> io::Result<()> {
    let port: u16 = env::var("DAPR_HTTP_PORT")
        .ok()
        .and_then(|port| port.parse().ok())
        .unwrap_or(3500);
    for number in 1..=CALLS {
        let question = format!("call {number}");
        println!("POST http://localhost:{port}/hello to hello-callee: {question}");
        let answer = call(port, &question)?;
        println!("answer: {answer}");
        thread::sleep(Duration::from_millis(200));
    }
    println!("all {CALLS} calls were answered");
    Ok(())
}

/// Sends one request through the sidecar and returns the answer's body, which
/// ends with the connection: that is why this speaks HTTP/1.0.
fn call(port: u16, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("localhost", port))?;
    write!(
        stream,
        "POST /hello HTTP/1.0\r\n\
         dapr-app-id: hello-callee\r\n\
         content-type: text/plain\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        return Err(io::Error::other(format!("{status}: {body}")));
    }
    Ok(body.to_owned())
}
