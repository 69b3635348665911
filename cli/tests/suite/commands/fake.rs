//! A process called `daprd` with a command line of one's own, and a server in
//! this process that answers in its place.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::tools::{PATIENCE, Place, eventually};

/// A name no other test uses.
pub(crate) fn id(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// The process; it ends with the value.
pub(crate) struct Fake {
    pub(crate) child: Child,
    pub(crate) requests: Receiver<Request>,
}

/// What the server was sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The first line.
    pub(crate) line: String,
    /// In lower case, as `name: value`.
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|one| one == header)
    }

    pub(crate) fn has_name(&self, name: &str) -> bool {
        let start = format!("{name}: ");
        self.headers.iter().any(|one| one.starts_with(&start))
    }
}

/// Starts a sidecar with this app id that answers `answer` to everything but
/// questions for its metadata, which it answers with `extended`.
pub(crate) fn sidecar(
    place: &Place,
    id: &str,
    extended: &serde_json::Value,
    answer: impl Into<Vec<u8>>,
) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let requests = serve(listener.incoming_streams(), extended, answer.into());
    let child = process(
        place,
        &["--app-id", id, "--dapr-http-port", &port, "--app-port=6000"],
    );
    Fake { child, requests }
}

/// As [`sidecar`], behind a socket file in `directory`.
pub(crate) fn sidecar_on_socket(
    place: &Place,
    id: &str,
    directory: &Path,
    answer: impl Into<Vec<u8>>,
) -> Fake {
    let socket = directory.join(format!("dapr-{id}-http.socket"));
    let listener = UnixListener::bind(socket).unwrap();
    let extended = serde_json::json!({});
    let requests = serve(listener.incoming_streams(), &extended, answer.into());
    let directory = directory.display().to_string();
    let child = process(place, &["--app-id", id, "--unix-domain-socket", &directory]);
    Fake { child, requests }
}

/// A process called `daprd` that does nothing until it is told to end. It is
/// the shell under that name.
pub(crate) fn process(place: &Place, arguments: &[&str]) -> Child {
    process_with(place, "read forever", arguments)
}

/// As [`process`], with what the shell does.
pub(crate) fn process_with(place: &Place, script: &str, arguments: &[&str]) -> Child {
    let path = place.path().join("fake/daprd");
    if !path.exists() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/bin/sh", &path).unwrap();
    }
    let child = Command::new(path)
        .current_dir(place.path())
        .args(["-c", script])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The system shows the new command line a moment later.
    let last = arguments.last().unwrap();
    eventually(|| {
        let line = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
        line.ends_with(format!("\0{last}\0").as_bytes())
            .then_some(())
    });
    child
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Fake {
    /// Waits for its end; the status unless that was a signal. A process that
    /// has ended is there until somebody has asked for it.
    pub(crate) fn end(&mut self) -> Option<i32> {
        // Waiting closes standard input, which would end it.
        let stdin = self.child.stdin.take();
        let status = self.child.wait().unwrap();
        drop(stdin);
        status.code()
    }

    /// The next request that is not for metadata.
    pub(crate) fn request(&self) -> Request {
        loop {
            let request = self.requests.recv_timeout(PATIENCE).unwrap();
            if !request.line.contains("/v1.0/metadata") {
                return request;
            }
        }
    }
}

type Stream = (Box<dyn Read + Send>, Box<dyn Write + Send>);

/// Both kinds of listener, as streams with two ends.
trait Listener {
    fn incoming_streams(self) -> Box<dyn Iterator<Item = Stream> + Send>;
}

impl Listener for TcpListener {
    fn incoming_streams(self) -> Box<dyn Iterator<Item = Stream> + Send> {
        Box::new(std::iter::repeat_with(move || {
            let (stream, _) = self.accept().unwrap();
            let reader: Box<dyn Read + Send> = Box::new(stream.try_clone().unwrap());
            (reader, Box::new(stream) as Box<dyn Write + Send>)
        }))
    }
}

impl Listener for UnixListener {
    fn incoming_streams(self) -> Box<dyn Iterator<Item = Stream> + Send> {
        Box::new(std::iter::repeat_with(move || {
            let (stream, _) = self.accept().unwrap();
            let reader: Box<dyn Read + Send> = Box::new(stream.try_clone().unwrap());
            (reader, Box::new(stream) as Box<dyn Write + Send>)
        }))
    }
}

fn serve(
    streams: impl Iterator<Item = Stream> + Send + 'static,
    extended: &serde_json::Value,
    answer: Vec<u8>,
) -> Receiver<Request> {
    let metadata = serde_json::json!({ "extended": extended }).to_string();
    let metadata = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{metadata}",
        metadata.len()
    );
    let (sender, requests) = channel();
    thread::spawn(move || {
        for (reader, mut writer) in streams {
            let Some(request) = read(reader) else {
                continue;
            };
            let answer = if request.line.contains("/v1.0/metadata") {
                metadata.as_bytes()
            } else {
                &answer
            };
            let _ = sender.send(request);
            let _ = writer.write_all(answer);
        }
    });
    requests
}

/// An app that answers every call with its first line, for ever; its port.
pub(crate) fn app() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (reader, mut writer) in listener.incoming_streams() {
            thread::spawn(move || {
                let Some(Request { line, .. }) = read(reader) else {
                    return;
                };
                let body = if line.starts_with("HEAD") { "" } else { &line };
                let length = line.len();
                let _ = write!(
                    writer,
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            });
        }
    });
    port
}

/// The next request, unless it ends early.
fn read(stream: impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0);
    let headers: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
    let length = headers
        .iter()
        .find_map(|header| header.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let chunked = headers
        .iter()
        .any(|one| one == "transfer-encoding: chunked");
    while chunked && !body.ends_with(b"0\r\n\r\n") {
        reader
            .read_until(b'\n', &mut body)
            .ok()
            .filter(|read| *read > 0)?;
    }
    Some(Request {
        line,
        headers,
        body,
    })
}
