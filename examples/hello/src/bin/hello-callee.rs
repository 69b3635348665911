//! The app that is called: answers `POST /hello` with a greeting.
//!
//! Plain HTTP/1.1 over a socket, to show that an app needs no library at all.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, thread};

fn main() -> io::Result<()> {
    let port: u16 = env::var("APP_PORT")
        .ok()
        .and_then(|port| port.parse().ok())
        .unwrap_or(8002);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on port {port}");
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            // A caller that goes away is no reason to stop serving others.
            let _ = serve(stream);
        });
    }
    Ok(())
}

/// Answers requests on one connection until the peer closes it.
fn serve(stream: TcpStream) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        let (status, body) = if request.line.starts_with("POST /hello ") {
            println!("asked by {}: {}", request.caller, request.body);
            ("200 OK", format!("hello, {}!", request.body))
        } else {
            ("404 Not Found", String::new())
        };
        write!(
            writer,
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}

struct Request {
    /// For example `POST /hello HTTP/1.1`.
    line: String,
    /// Who calls, as this app's sidecar has verified it.
    caller: String,
    body: String,
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let (mut length, mut caller) = (0, "somebody".to_owned());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "dapr-caller-app-id" => value.trim().clone_into(&mut caller),
            _ => {}
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    Ok(Some(Request {
        line,
        caller,
        body: String::from_utf8_lossy(&body).into_owned(),
    }))
}
