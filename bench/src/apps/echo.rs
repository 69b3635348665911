//! The HTTP origin: answers every request with its own body, over HTTP/1.1 keep-alive connections.
//!
//! Paths under `/dapr/` are 404: a real sidecar asks its app for configuration there and must not take an echo for it.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::load::codec::{self, WithoutLength};

/// Serves connections until the task is dropped.
pub(crate) async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A broken connection simply ends: the generator on the other side counts it.
async fn connection(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::with_capacity(16 * 1024);
    let mut output = Vec::with_capacity(16 * 1024);
    loop {
        output.clear();
        let consumed = match codec::parse(&input, WithoutLength::Empty) {
            Ok(Some(request)) => {
                answer(&request, &mut output);
                request.consumed
            }
            Ok(None) => 0,
            Err(error) => return Err(io::Error::other(error)),
        };
        if consumed == 0 {
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        } else {
            input.drain(..consumed);
            stream.write_all(&output).await?;
        }
    }
}

fn answer(request: &codec::Message<'_>, output: &mut Vec<u8>) {
    let is_dapr = request
        .path()
        .is_some_and(|path| path.starts_with(b"/dapr/"));
    let (status, body) = if is_dapr {
        ("404 Not Found", [].as_slice())
    } else {
        ("200 OK", request.body.as_ref())
    };
    output.extend_from_slice(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .as_bytes(),
    );
    output.extend_from_slice(body);
}
