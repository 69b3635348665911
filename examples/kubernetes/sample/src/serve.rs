//! The app that is called: answers every POST, also those that come while its
//! pod is being ended.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{env, process, thread};

use nix::sys::signal::{SigSet, Signal};

/// How long `POST /slow` takes.
const SLOW: Duration = Duration::from_secs(5);
/// Calls may be on their way when the pod is told to end.
const FAREWELL: Duration = Duration::from_secs(3);

pub(crate) fn run() -> io::Result<()> {
    end_on_request()?;
    let port = crate::number("APP_PORT", 3000);
    // Only the sidecar has to get here.
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

/// The first process of a container has to ask for SIGTERM, or it is ignored.
fn end_on_request() -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    // Threads that start later have it blocked as well.
    signals.thread_block()?;
    thread::spawn(move || {
        let _ = signals.wait();
        thread::sleep(FAREWELL);
        process::exit(0);
    });
    Ok(())
}

/// Answers requests on one connection until the peer closes it.
fn serve(stream: TcpStream) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader)? {
        let Request {
            method,
            path,
            caller,
            body,
        } = &request;
        println!("{caller} asks: {method} {path} {body}");
        if path == "/slow" {
            thread::sleep(SLOW);
        }
        let (status, body) = match method.as_str() {
            "POST" => ("200 OK", answer()),
            _ => ("405 Method Not Allowed", String::new()),
        };
        write!(
            writer,
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}

fn answer() -> String {
    env::var("ANSWER").unwrap_or_else(|_| {
        let pod = env::var("HOSTNAME").unwrap_or_default();
        format!("hello from {pod}")
    })
}

struct Request {
    method: String,
    path: String,
    /// Who calls, as this app's sidecar has verified it.
    caller: String,
    body: String,
}

impl Request {
    /// `None` when there are no more.
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
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
        Ok(Some(Self {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
            caller,
            body: String::from_utf8_lossy(&body).into_owned(),
        }))
    }
}
