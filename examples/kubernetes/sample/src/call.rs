//! The app that calls: posts orders to an app by its name. It only knows its
//! own sidecar, on localhost.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn run(target: &str, path: &str, times: u64) -> io::Result<()> {
    repeat(times, |number| {
        call(target, path, &format!("{{\"orderId\":{number}}}"))
    })
}

/// Prints each answer. A single call has to succeed; of several, those that
/// fail are told and the next one is made.
pub(crate) fn repeat(
    times: u64,
    mut call: impl FnMut(u64) -> io::Result<String>,
) -> io::Result<()> {
    let last = if times == 0 { u64::MAX } else { times };
    let mut failed = 0;
    for number in 1..=last {
        match call(number) {
            Ok(answer) => println!("{answer}"),
            Err(error) if last == 1 => return Err(error),
            Err(error) => {
                println!("{error}");
                failed += 1;
            }
        }
        if number < last {
            thread::sleep(PAUSE);
        }
    }
    if failed > 0 {
        return Err(io::Error::other(format!("{failed} of {last} calls failed")));
    }
    Ok(())
}

/// Sends one request through the sidecar and returns the answer's body, which
/// ends with the connection: that is why this speaks HTTP/1.0.
fn call(target: &str, path: &str, body: &str) -> io::Result<String> {
    let port = crate::number("DAPR_HTTP_PORT", 3500);
    let path = path.trim_start_matches('/');
    let mut stream = TcpStream::connect(("localhost", port))?;
    write!(
        stream,
        "POST /v1.0/invoke/{target}/method/{path} HTTP/1.0\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        let status = status
            .trim_start_matches("HTTP/1.0 ")
            .trim_start_matches("HTTP/1.1 ");
        return Err(io::Error::other(format!("{status} {body}")));
    }
    Ok(body.to_owned())
}
