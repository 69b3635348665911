//! The app that is called. Each answer says which pod gave it and what the
//! request looked like. Told to end, it ends as well-behaved servers do: no
//! new connections, an answer to whatever still comes on those there are, and
//! `connection: close` with it.

use std::env;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tests::http1::{Body, Head, Wire};

use crate::{call, collect};

/// How long a call takes, so that an app which ends has some in hand.
pub(crate) const WORK: Duration = Duration::from_millis(10);
/// What is left of the connections after a request to end.
const FAREWELL: Duration = Duration::from_secs(3);

/// Who is told about ids, if anybody.
pub(crate) type Collector = Option<Mutex<collect::Reporter>>;

struct App {
    pod: String,
    collector: Collector,
    ending: AtomicBool,
}

pub(crate) fn run() {
    let port = crate::port("APP_PORT", 8080);
    let app = Arc::new(App {
        pod: pod(),
        collector: collector(),
        ending: AtomicBool::new(false),
    });
    app.clone().end_on_request(port);
    // Only the sidecar has to get here.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
    for stream in listener.incoming().flatten() {
        if app.ending.load(Ordering::SeqCst) {
            break;
        }
        let app = app.clone();
        thread::spawn(move || {
            // A connection that breaks is no reason to stop serving others.
            let _ = app.connection(stream);
        });
    }
    drop(listener);
    thread::sleep(FAREWELL);
    process::exit(0);
}

/// Whose answers these are.
pub(crate) fn pod() -> String {
    env::var("HOSTNAME").unwrap_or_default()
}

pub(crate) fn collector() -> Collector {
    let address = env::var("COLLECTOR").ok()?;
    Some(Mutex::new(collect::Reporter::new(address)))
}

/// The first process of a container has to ask for SIGTERM, or it is ignored.
/// Threads that start later have it blocked as well.
pub(crate) fn ask_for_the_end() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.thread_block().expect("the set is valid");
    signals
}

impl App {
    fn end_on_request(self: Arc<Self>, port: u16) {
        let signals = ask_for_the_end();
        thread::spawn(move || {
            let _ = signals.wait();
            self.ending.store(true, Ordering::SeqCst);
            // Wakes the loop that accepts.
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        });
    }

    fn connection(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut wire = Wire::new(stream);
        while let Some(head) = wire.head()? {
            let mut body = Body::new(head.request_framing());
            let mut content = Vec::new();
            while let Some(piece) = body.next(&mut wire)? {
                content.extend_from_slice(&piece);
            }
            let (status, answer) = self.answer(&head, &content);
            let last = self.ending.load(Ordering::SeqCst);
            let close = if last { "connection: close\r\n" } else { "" };
            let text = answer.to_string();
            let id = head.header("x-id").unwrap_or_default();
            let head = format!(
                "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\nx-pod: {}\r\nx-id: {id}\r\n{close}content-length: {}\r\n\r\n",
                self.pod,
                text.len()
            );
            wire.stream().write_all((head + &text).as_bytes())?;
            if last {
                break;
            }
        }
        Ok(())
    }

    /// `/sleep/<ms>` takes its time, `/status/<code>` has that status.
    fn answer(&self, head: &Head, body: &[u8]) -> (u16, Value) {
        let mut words = head.start.split(' ');
        let (method, path) = (words.next(), words.next().unwrap_or_default());
        let number = |prefix: &str| path.strip_prefix(prefix).and_then(|rest| rest.parse().ok());
        thread::sleep(number("/sleep/").map_or(WORK, Duration::from_millis));
        if let (Some(collector), Some(id)) = (&self.collector, head.header("x-id"))
            && let Err(error) = collector.lock().report(id)
        {
            return (500, json!({ "collector": error.to_string() }));
        }
        let status = number("/status/").map_or(200, |status| status as u16);
        let answer = json!({
            "pod": self.pod,
            "method": method,
            "path": path,
            "headers": call::lines(&head.headers),
            "body": String::from_utf8_lossy(body),
        });
        (status, answer)
    }
}
