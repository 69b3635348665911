//! A raw HTTP/1.1 app: records every request byte by byte and answers with
//! exact bytes, at the moment the test wants. Each connection has its thread.

mod exchange;

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use nix::poll::PollTimeout;
use nix::sys::socket::{Shutdown as HowToShut, shutdown};
use parking_lot::Mutex;

pub use exchange::Exchange;

use crate::http1::{Headers, Wire, first, values};
use crate::wait::watch::{Watch, is_readable};
use crate::wait::{eventually, holds};

/// What happens to the connection after a scripted answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// The next request may follow.
    #[default]
    Keep,
    /// Closed in good order.
    Close,
    /// Closed with a reset.
    Reset,
}

/// A request as it arrived.
#[derive(Clone, Default)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The request target, query included.
    pub target: String,
    /// Headers as sent, in order.
    pub headers: Headers,
    /// The body without framing, as far as the app read it.
    pub body: Vec<u8>,
    /// Trailers after a chunked body.
    pub trailers: Headers,
    /// True when the app read the body to its end.
    pub complete: bool,
    /// True when nothing more of the body can come, whole or not.
    pub ended: bool,
    /// Head and body with framing; the first mebibyte.
    pub raw: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

/// A running app.
#[derive(Debug)]
pub struct RawApp {
    port: u16,
    shared: Arc<Shared>,
}

type Handler = Box<dyn Fn(&mut Exchange) + Send + Sync>;

pub(crate) struct Shared {
    handler: Handler,
    listener: Weak<TcpListener>,
    listening: Watch,
    script: Mutex<(Vec<u8>, After)>,
    seen: Mutex<Vec<Arc<Mutex<Seen>>>>,
    configuration_calls: Mutex<Vec<Seen>>,
    lines: Mutex<Vec<Arc<Line>>>,
    connections: AtomicUsize,
}

/// One connection, as others than its thread see it.
struct Line {
    stream: Weak<TcpStream>,
    watch: Arc<Watch>,
    /// The request that came last is in the list.
    noted: AtomicBool,
}

// === impl RawApp ===

impl RawApp {
    /// Answers every request by calling `handler`.
    pub fn new(handler: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        Self::serve(listener, Box::new(handler))
    }

    /// [`Self::new`] on a port chosen before.
    pub fn on(port: u16, handler: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        let listener = eventually("the app's port can be bound", || {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
        });
        Self::serve(listener, Box::new(handler))
    }

    /// Reads each request to its end, then writes these bytes.
    pub fn answering(bytes: impl AsRef<[u8]>) -> Self {
        let app = Self::scripted();
        app.script(bytes, After::Keep);
        app
    }

    /// Reads each request to its end, then answers as [`Self::script`] said
    /// last; 200 with body `ok` at first.
    pub fn scripted() -> Self {
        let app = Self::new(Exchange::play_script);
        app.script(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            After::Keep,
        );
        app
    }

    /// Answers 200 with `<method> <target>` and the body received.
    pub fn echo() -> Self {
        Self::new(|exchange| {
            let mut answer = format!("{} {}\n", exchange.method(), exchange.target()).into_bytes();
            answer.extend_from_slice(&exchange.body());
            exchange.ok(&answer);
        })
    }

    fn serve(listener: TcpListener, handler: Handler) -> Self {
        let port = listener.local_addr().expect("it is bound").port();
        let listener = Arc::new(listener);
        let shared = Arc::new(Shared {
            handler,
            listener: Arc::downgrade(&listener),
            listening: Watch::default(),
            script: Mutex::default(),
            seen: Mutex::default(),
            configuration_calls: Mutex::default(),
            lines: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let accepting = shared.clone();
        std::thread::spawn(move || accepting.accept(&listener));
        Self { port, shared }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The answer of a scripted app from now on.
    pub fn script(&self, bytes: impl AsRef<[u8]>, after: After) {
        *self.shared.script.lock() = (bytes.as_ref().to_vec(), after);
    }

    /// The requests so far, without the sidecar's own configuration call.
    /// This and all that follow wait until what has reached the app is noted.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.settle();
        self.shared
            .seen
            .lock()
            .iter()
            .map(|seen| seen.lock().clone())
            .collect()
    }

    /// The requests since the last call.
    pub fn take(&self) -> Vec<Seen> {
        self.shared.settle();
        let taken = std::mem::take(&mut *self.shared.seen.lock());
        taken.iter().map(|seen| seen.lock().clone()).collect()
    }

    /// The requests since the last call, once each is whole or cut.
    #[track_caller]
    pub fn take_ended(&self) -> Vec<Seen> {
        holds("every request of the app has ended", || {
            self.seen().iter().all(|seen| seen.ended)
        });
        self.take()
    }

    /// The one request since the last call.
    #[track_caller]
    pub fn take_one(&self) -> Seen {
        let mut seen = self.take();
        assert_eq!(seen.len(), 1, "the app saw {seen:#?}");
        seen.remove(0)
    }

    /// `GET /dapr/config` calls, answered with 404.
    pub fn configuration_calls(&self) -> Vec<Seen> {
        self.shared.settle();
        self.shared.configuration_calls.lock().clone()
    }

    /// Waits until `count` requests have begun.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        holds(&format!("the app saw {count} requests"), || {
            self.shared.seen.lock().len() >= count
        });
    }

    /// Stops listening and cuts every connection.
    pub fn stop(&self) {
        if let Some(listener) = self.shared.listener.upgrade() {
            let _ = shutdown(listener.as_raw_fd(), HowToShut::Both);
        }
        holds("the app listens no more", || {
            self.shared.listener.strong_count() == 0
        });
        for line in &*self.shared.lines.lock() {
            if let Some(stream) = line.stream.upgrade() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Drop for RawApp {
    fn drop(&mut self) {
        self.stop();
    }
}

// === impl Shared ===

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            self.listening
                .waiting(|| is_readable(listener, PollTimeout::NONE));
            let Ok((stream, _)) = listener.accept() else {
                return;
            };
            let wire = Wire::new(stream);
            let line = Arc::new(Line {
                stream: wire.handle(),
                watch: wire.watch(),
                noted: AtomicBool::new(false),
            });
            self.lines.lock().push(line.clone());
            let index = self.connections.fetch_add(1, Ordering::SeqCst);
            let shared = self.clone();
            std::thread::spawn(move || {
                let _ = shared.connection(wire, &line, index);
            });
        }
    }

    /// Waits until each request whose bytes have come is noted.
    #[track_caller]
    fn settle(&self) {
        if let Some(listener) = self.listener.upgrade() {
            holds("the app has taken each connection", || {
                self.listening.is_idle(&*listener)
            });
        }
        let lines = self.lines.lock().clone();
        for line in lines {
            holds("the app has noted each request", || line.is_settled());
        }
    }

    fn connection(&self, mut wire: Wire, line: &Line, index: usize) -> io::Result<()> {
        // Longer than any patience: idle connections of a sidecar are normal.
        const IDLE: Duration = Duration::from_mins(2);
        wire.stream().set_nodelay(true)?;
        wire.stream().set_read_timeout(Some(IDLE))?;
        while let Some(head) = wire.head()? {
            let mut words = head.start.splitn(3, ' ');
            let seen = Arc::new(Mutex::new(Seen {
                method: words.next().unwrap_or_default().to_owned(),
                target: words.next().unwrap_or_default().to_owned(),
                headers: head.headers.clone(),
                raw: wire.take_raw(),
                connection: index,
                ..Seen::default()
            }));
            let is_configuration = seen.lock().target == "/dapr/config";
            if is_configuration {
                self.configuration_calls.lock().push(seen.lock().clone());
            } else {
                self.seen.lock().push(seen.clone());
            }
            line.noted.store(true, Ordering::SeqCst);
            let mut exchange = Exchange::new(wire, &head, seen, self.script.lock().clone());
            if is_configuration {
                exchange.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            } else {
                (self.handler)(&mut exchange);
            }
            let Some(next) = exchange.finish() else {
                return Ok(());
            };
            line.noted.store(false, Ordering::SeqCst);
            wire = next;
        }
        Ok(())
    }
}

// === impl Line ===

impl Line {
    /// No request waits to be noted.
    fn is_settled(&self) -> bool {
        // Nothing comes on a connection that is over.
        self.stream
            .upgrade()
            .is_none_or(|stream| self.noted.load(Ordering::SeqCst) || self.watch.is_idle(&*stream))
    }
}

// === impl Seen ===

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = if self.complete { "whole" } else { "not whole" };
        write!(
            f,
            "{} {} {:?}, {} bytes, {state}",
            self.method,
            self.target,
            self.headers,
            self.body.len()
        )
    }
}

impl Seen {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// All values of a header, in order.
    pub fn values(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// Header names in lower case, sorted, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .headers
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
