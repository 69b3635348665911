//! What the app does for each path:
//!
//! | path | answer |
//! |---|---|
//! | `/echo` | the request body as it arrives |
//! | `/check?seed&size` | `true <bytes>` when the body is that pattern |
//! | `/pattern?seed&size` | that pattern; `&chunked` for no length |
//! | `/status?code` | this status and the text `as asked` |
//! | `/events` | three events, each after a step |
//! | `/cut`, `/cut-chunked` | 4 bytes, of 999 or of no said number, then a break after a step |
//! | `/none` | a break instead of an answer |
//! | `/trailers` | `ok` and a trailer |
//! | `/headers?size` | a header of so many bytes |
//! | `/early` | `early`, whatever the body |
//! | `/hold` | `held`, after a step |
//! | others | `ok` |

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Frame;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::body::{Piece, Pieces, cut};
use super::{Health, Shared, WebSeen};
use crate::pattern::Pattern;
use crate::peer::runtime::runtime;

type Whole = Response<Either<Full<Bytes>, Pieces>>;
/// An error breaks the connection or the stream.
type Answer = Result<Whole, io::Error>;

/// Counts a request in the app until dropped.
struct Running(Arc<Shared>);

impl Running {
    fn new(shared: &Arc<Shared>) -> Self {
        let now = shared.running.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most.fetch_max(now, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(super) async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    connection: usize,
) -> Answer {
    let seen = seen(&request, connection);
    match request.uri().path() {
        "/dapr/config" => {
            shared.configuration_calls.lock().push(seen);
            return Ok(whole(StatusCode::NOT_FOUND, ""));
        }
        "/healthz" => {
            shared.probes.fetch_add(1, Ordering::SeqCst);
            return probed(&shared).await;
        }
        "/well" => return Ok(whole(StatusCode::OK, "well")),
        _ => {}
    }
    let index = {
        let mut all = shared.seen.lock();
        all.push(seen);
        all.len() - 1
    };
    let running = Running::new(&shared);
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let version = request.version();
    let mut body = request.into_body();
    match path.as_str() {
        "/echo" => {
            let (sender, pieces) = Pieces::new(&shared, None);
            runtime().spawn(async move {
                while let Some(Ok(frame)) = body.frame().await {
                    if frame.is_data() && sender.send(Ok(frame)).await.is_err() {
                        return;
                    }
                }
                drop(running);
            });
            Ok(Response::new(Either::Right(pieces)))
        }
        "/check" => {
            let mut pattern = Pattern::new(number(&query, "seed"));
            let mut sound = true;
            while let Some(frame) = body.frame().await {
                match frame.map(Frame::into_data) {
                    Ok(Ok(data)) => sound &= pattern.check(&data),
                    Ok(Err(_)) => {}
                    Err(_) => sound = false,
                }
            }
            sound &= pattern.position() == number(&query, "size");
            Ok(whole(
                StatusCode::OK,
                &format!("{sound} {}", pattern.position()),
            ))
        }
        "/pattern" => {
            let size = number(&query, "size");
            let length = (!query.contains("chunked")).then_some(size);
            let (sender, pieces) = Pieces::new(&shared, length);
            runtime().spawn(produce(sender, number(&query, "seed"), size));
            Ok(Response::new(Either::Right(pieces)))
        }
        "/early" => {
            let mut response = whole(StatusCode::OK, "early");
            if version < Version::HTTP_2 {
                // As servers do that leave a body unread: they hang up.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response)
        }
        "/none" => Err(cut()),
        "/events" => {
            let (sender, pieces) = Pieces::new(&shared, None);
            runtime().spawn(async move {
                for number in 1..=3 {
                    step(&shared).await;
                    let event = format!("data: {number}\n\n");
                    let _ = sender.send(Ok(Frame::data(event.into()))).await;
                }
                drop(running);
            });
            let mut response = Response::new(Either::Right(pieces));
            let events = HeaderValue::from_static("text/event-stream");
            response.headers_mut().insert(header::CONTENT_TYPE, events);
            Ok(response)
        }
        "/cut" | "/cut-chunked" => {
            let length = (path == "/cut").then_some(999);
            let (sender, pieces) = Pieces::new(&shared, length);
            runtime().spawn(async move {
                let _ = sender.send(Ok(Frame::data("some".into()))).await;
                step(&shared).await;
                let _ = sender.send(Err(cut())).await;
                drop(running);
            });
            Ok(Response::new(Either::Right(pieces)))
        }
        "/trailers" => {
            let (sender, pieces) = Pieces::new(&shared, None);
            runtime().spawn(async move {
                let _ = sender.send(Ok(Frame::data("ok".into()))).await;
                let mut trailers = HeaderMap::new();
                trailers.insert("x-trailer", HeaderValue::from_static("behind"));
                let _ = sender.send(Ok(Frame::trailers(trailers))).await;
                drop(running);
            });
            let mut response = Response::new(Either::Right(pieces));
            let names = HeaderValue::from_static("x-trailer");
            response.headers_mut().insert(header::TRAILER, names);
            Ok(response)
        }
        _ => {
            let received = body.collect().await.map_err(io::Error::other)?.to_bytes();
            if let Some(seen) = shared.seen.lock().get_mut(index) {
                seen.body = received.to_vec();
            }
            simple(&path, &query, &shared).await
        }
    }
}

/// Answers to a request that was read to its end.
async fn simple(path: &str, query: &str, shared: &Arc<Shared>) -> Answer {
    match path {
        "/status" => {
            let code = number(query, "code") as u16;
            Ok(whole(
                StatusCode::from_u16(code).expect("a status"),
                "as asked",
            ))
        }
        "/headers" => {
            let mut response = whole(StatusCode::OK, "ok");
            let value = "h".repeat(number(query, "size") as usize);
            let value = HeaderValue::from_str(&value).expect("a value");
            response.headers_mut().insert("x-large", value);
            for cookie in ["a=1", "b=2"] {
                let cookie = HeaderValue::from_static(cookie);
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        "/hold" => {
            step(shared).await;
            Ok(whole(StatusCode::OK, "held"))
        }
        _ => Ok(whole(StatusCode::OK, "ok")),
    }
}

async fn probed(shared: &Shared) -> Answer {
    let health = *shared.health.lock();
    match health {
        Health::Status(status) => Ok(whole(status, "")),
        Health::Redirect => {
            let mut response = whole(StatusCode::FOUND, "");
            let well = HeaderValue::from_static("/well");
            response.headers_mut().insert(header::LOCATION, well);
            Ok(response)
        }
        Health::Silence => std::future::pending().await,
    }
}

async fn produce(sender: mpsc::Sender<Piece>, seed: u64, size: u64) {
    const PIECE: u64 = 128 * 1024;
    let mut pattern = Pattern::new(seed);
    while pattern.position() < size {
        let piece = pattern.take(PIECE.min(size - pattern.position()) as usize);
        if sender.send(Ok(Frame::data(piece.into()))).await.is_err() {
            return;
        }
    }
}

async fn step(shared: &Shared) {
    if let Ok(permit) = shared.steps.acquire().await {
        permit.forget();
    }
}

fn whole(status: StatusCode, text: &str) -> Whole {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
    let mut response = Response::new(Either::Left(body));
    *response.status_mut() = status;
    response
}

fn seen(request: &Request<Incoming>, connection: usize) -> WebSeen {
    let headers = request.headers();
    let host = headers
        .get(header::HOST)
        .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    let authority = request.uri().authority().map(ToString::to_string);
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    WebSeen {
        method: request.method().to_string(),
        target: target.to_owned(),
        version: format!("{:?}", request.version()),
        host: host.or(authority).unwrap_or_default(),
        headers: headers.clone(),
        connection,
        body: Vec::new(),
    }
}

/// A number in a query.
fn number(query: &str, name: &str) -> u64 {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or_default()
}
