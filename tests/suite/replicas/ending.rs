//! The app of a pod that is being ended, with a call in its socket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

use nix::sys::signal::Signal;
use tests::http1::Wire;
use tests::{Mesh, Request, invoke_path};

use super::super::table::Table;

/// An app in the test's own hands.
struct Ending {
    listener: TcpListener,
}

impl Ending {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self { listener }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next connection that brings something, with its request read: the
    /// look whether anybody listens brings nothing.
    fn request(&self) -> Wire {
        loop {
            let (stream, _) = self.listener.accept().unwrap();
            let mut wire = Wire::new(stream);
            if let Ok(Some(_)) = wire.head() {
                return wire;
            }
        }
    }
}

fn answer(wire: &Wire, status: &str) {
    let mut stream = wire.stream();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
}

/// What the app does with the call before it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Unread,
    Read,
}

#[test]
fn a_call_that_an_ending_app_never_read_runs_elsewhere() {
    let mut table = Table::default();
    for (name, keep, is_leaving, call) in [
        ("a new connection", false, true, Call::Unread),
        ("a kept connection", true, true, Call::Unread),
        ("read", false, true, Call::Read),
        ("read, on a kept connection", true, true, Call::Read),
        ("the pod stays", false, false, Call::Unread),
    ] {
        table.row(name, || row(keep, is_leaving, call));
    }
}

fn row(keep: bool, is_leaving: bool, call: Call) {
    let mesh = Mesh::mtls();
    let ending = Ending::new();
    let leaving = mesh.sidecar("callee").app_port(ending.port()).start();
    answer(&ending.request(), "404 Not Found");
    leaving.wait_until_ready();
    let caller = mesh.sidecar("caller").run();
    let kept = keep.then(|| {
        std::thread::scope(|scope| {
            let calling = scope.spawn(|| caller.invoke("callee", "x"));
            let wire = ending.request();
            answer(&wire, "200 OK");
            assert_eq!(calling.join().unwrap().status, 200);
            wire
        })
    });
    let post = Request::post(&invoke_path("callee", "x"), "body").header("x-id", "1");
    let outcome = std::thread::scope(|scope| {
        let calling = scope.spawn(|| caller.send(&post));
        let wire = kept.unwrap_or_else(|| Wire::new(ending.listener.accept().unwrap().0));
        let mut stream = wire.stream();
        let mut bytes = [0; 4096];
        match call {
            Call::Unread => stream.peek(&mut bytes).unwrap(),
            Call::Read => stream.read(&mut bytes).unwrap(),
        };
        // Somebody to go to, whom the caller looks for when it has to.
        let staying = super::app();
        let _replica = mesh.sidecar("callee").app(&staying).run();
        if is_leaving {
            leaving.signal(Signal::SIGUSR1);
            leaving.wait_for_output("the pod is being ended");
        }
        drop((wire, ending));
        let outcome = calling.join().unwrap();
        let elsewhere = usize::from(is_leaving && call == Call::Unread);
        assert_eq!(staying.take().len(), elsewhere, "{}", outcome.text());
        outcome
    });
    if is_leaving && call == Call::Unread {
        outcome.expect(200, "1");
    } else {
        assert_eq!(outcome.status, 500);
        assert!(outcome.text().contains("EOF"), "{}", outcome.text());
    }
}
