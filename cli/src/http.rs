//! One HTTP/1.1 request at a time, over TCP on loopback or a Unix socket.
//!
//! Talks to sidecars on this machine: metadata, invocation, health. Every
//! request has its own connection, which keeps reading simple.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// Where a sidecar's HTTP API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A port of 127.0.0.1.
    Tcp(u16),
    /// A socket file.
    Unix(PathBuf),
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Path with query, already encoded.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) body: Vec<u8>,
}

/// More than any status line or header a sidecar sends.
const LINE_LIMIT: u64 = 64 * 1024;

impl Response {
    /// Whether the status is 2xx.
    pub(crate) const fn succeeded(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// Sends the request and reads the answer to its end. The patience bounds
/// every single read and write; `None` waits for ever.
pub(crate) fn send(
    endpoint: &Endpoint,
    request: Request<'_>,
    patience: Option<Duration>,
) -> io::Result<Response> {
    match endpoint {
        Endpoint::Tcp(port) => {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            let stream = match patience {
                Some(patience) => TcpStream::connect_timeout(&address, patience)?,
                None => TcpStream::connect(address)?,
            };
            stream.set_read_timeout(patience)?;
            stream.set_write_timeout(patience)?;
            let end = || stream.shutdown(Shutdown::Both);
            exchange(&stream, end, &format!("127.0.0.1:{port}"), request)
        }
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(patience)?;
            stream.set_write_timeout(patience)?;
            let end = || stream.shutdown(Shutdown::Both);
            exchange(&stream, end, "unix", request)
        }
    }
}

/// Whether something accepts connections there.
pub(crate) fn connect(endpoint: &Endpoint, patience: Duration) -> io::Result<()> {
    match endpoint {
        Endpoint::Tcp(port) => {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            TcpStream::connect_timeout(&address, patience).map(drop)
        }
        Endpoint::Unix(path) => UnixStream::connect(path).map(drop),
    }
}

/// The answer is read while the body is still being sent: it may come first,
/// as a refusal does, or piece by piece, as an echo does.
fn exchange<'a, S: Sync>(
    stream: &'a S,
    end: impl Fn() -> io::Result<()>,
    host: &str,
    request: Request<'_>,
) -> io::Result<Response>
where
    &'a S: Read + Write,
{
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
        request.method,
        request.path,
        request.body.len()
    );
    for (name, value) in request.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut stream = stream;
            // Whether all was sent shows in the answer.
            let _ = stream.write_all(&[head.as_bytes(), request.body].concat());
        });
        let answer = read_response(&mut BufReader::new(stream), request.method);
        let answer = answer.map_err(|error| match error.kind() {
            // What the system says of it is "Resource temporarily unavailable".
            io::ErrorKind::WouldBlock => {
                io::Error::new(io::ErrorKind::TimedOut, "no answer within the time allowed")
            }
            _ => error,
        });
        // An answer that came early must not wait for the rest of the body.
        let _ = end();
        answer
    })
}

fn read_response(reader: &mut impl BufRead, method: &str) -> io::Result<Response> {
    loop {
        let (status, reason) = status_line(&line(reader)?)?;
        let framing = headers(reader)?;
        if (100..200).contains(&status) {
            continue;
        }
        let empty = method == "HEAD" || status == 204 || status == 304;
        let body = match framing {
            _ if empty => Vec::new(),
            Framing::Chunked => chunks(reader)?,
            Framing::Length(length) => {
                let mut body = Vec::new();
                reader.take(length).read_to_end(&mut body)?;
                if body.len() as u64 != length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                body
            }
            Framing::UntilClose => {
                let mut body = Vec::new();
                reader.read_to_end(&mut body)?;
                body
            }
        };
        return Ok(Response {
            status,
            reason,
            body,
        });
    }
}

enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}"))
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.take(LINE_LIMIT).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn status_line(line: &str) -> io::Result<(u16, String)> {
    let mut parts = line.splitn(3, ' ');
    let version = parts.next().unwrap_or_default();
    let status = parts.next().and_then(|code| code.parse().ok());
    match status {
        Some(status) if version.starts_with("HTTP/1.") => {
            Ok((status, parts.next().unwrap_or_default().to_owned()))
        }
        _ => Err(malformed("status line")),
    }
}

fn headers(reader: &mut impl BufRead) -> io::Result<Framing> {
    let mut framing = Framing::UntilClose;
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            return Ok(framing);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("content-length")
            && !matches!(framing, Framing::Chunked)
        {
            let length = value.parse().map_err(|_| malformed("content length"))?;
            framing = Framing::Length(length);
        }
    }
}

fn chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(reader)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| malformed("chunk size"))?;
        if size == 0 {
            // Trailers, then an empty line.
            headers(reader)?;
            return Ok(body);
        }
        let before = body.len() as u64;
        reader.take(size).read_to_end(&mut body)?;
        if body.len() as u64 - before != size || !line(reader)?.is_empty() {
            return Err(malformed("chunk"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, text: &str) -> io::Result<Response> {
        read_response(&mut text.as_bytes(), method)
    }

    #[test]
    fn answers_of_every_framing() {
        for (method, text, status, reason, body) in [
            (
                "GET",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi-",
                200,
                "OK",
                "hi",
            ),
            (
                "GET",
                "HTTP/1.0 404 Not Found\r\n\r\nrest",
                404,
                "Not Found",
                "rest",
            ),
            (
                "PUT",
                "HTTP/1.1 204 No Content\r\n\r\n",
                204,
                "No Content",
                "",
            ),
            (
                "HEAD",
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                200,
                "OK",
                "",
            ),
            (
                "GET",
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: 1\r\n\r\n",
                200,
                "OK",
                "abcd",
            ),
        ] {
            let response = read(method, text).unwrap();
            assert_eq!(response.status, status, "{text}");
            assert_eq!(response.reason, reason, "{text}");
            assert_eq!(response.body, body.as_bytes(), "{text}");
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_named_as_such() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let request = Request {
            method: "GET",
            path: "/",
            headers: &[],
            body: b"",
        };
        let patience = Some(Duration::from_millis(10));
        let error = send(&Endpoint::Tcp(port), request, patience).unwrap_err();
        assert_eq!(error.to_string(), "no answer within the time allowed");
    }

    #[test]
    fn answers_cut_short_are_errors() {
        for text in [
            "",
            "HTTP/1.1 200",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        ] {
            assert!(read("GET", text).is_err(), "{text:?}");
        }
    }
}
