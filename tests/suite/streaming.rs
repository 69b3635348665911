//! Bodies of any size: memory stays flat, every byte arrives, and both
//! directions flow at once.
//!
//! The full sizes, 1 GiB and eight times 256 MiB at once, take half a minute.
//! `DAPR_RS_SHORT_STREAMS=1 cargo test --release -p tests streaming` is quicker.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tests::http1::Body;
use tests::pattern::Pattern;
use tests::{Exchange, Gate, Mesh, RawApp, RawClient, Request, Sidecar, invoke_path};

use crate::fidelity::{Stage, WAYS};

const MIB: u64 = 1 << 20;
/// What bodies may cost a sidecar, whatever their size and number.
const BUDGET: u64 = 16 * MIB;
const PIECE: usize = 128 * 1024;

struct Scene {
    _mesh: Mesh,
    _app: RawApp,
    caller: Sidecar,
    callee: Sidecar,
    idle: [u64; 2],
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Sized,
    Chunked,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Up,
    Down,
}

/// Size of one large body, and of each of eight bodies at once.
fn sizes() -> (u64, u64) {
    if std::env::var_os("DAPR_RS_SHORT_STREAMS").is_some() {
        (64 * MIB, 32 * MIB)
    } else {
        (1024 * MIB, 256 * MIB)
    }
}

fn number(text: Option<String>) -> u64 {
    text.expect("the test says it").parse().expect("a number")
}

/// Checks what comes in, or produces what was asked for.
fn app(exchange: &mut Exchange) {
    let mut pattern = Pattern::new(number(exchange.header("x-seed")));
    let size = number(exchange.header("x-size"));
    if exchange.target() == "/up" {
        let mut sound = true;
        while let Some(piece) = exchange.piece() {
            sound &= pattern.check(&piece);
        }
        sound &= exchange.is_complete() && pattern.position() == size;
        exchange.ok(format!("{sound} {}", pattern.position()));
        return;
    }
    exchange.body();
    let chunked = exchange.target() == "/down-chunked";
    if chunked {
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    } else {
        exchange.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"));
    }
    while pattern.position() < size {
        let piece = pattern.take(PIECE.min((size - pattern.position()) as usize));
        let sent = if chunked {
            exchange.chunk(piece)
        } else {
            exchange.send(piece)
        };
        if !sent {
            return;
        }
    }
    if chunked {
        exchange.send("0\r\n\r\n");
    }
}

fn scene() -> Scene {
    let mesh = Mesh::mtls();
    let app = RawApp::new(app);
    let member = |id| mesh.sidecar(id).flag("max-body-size", "2Gi");
    let callee = member("callee").app(&app).run();
    let caller = member("caller").run();
    let scene = Scene {
        idle: [caller.rss(), callee.rss()],
        _mesh: mesh,
        _app: app,
        caller,
        callee,
    };
    // The first call opens connections; that is not the bodies' cost, but the
    // budget covers it.
    scene.transfer(Direction::Up, Framing::Sized, 1, 1000);
    scene
}

impl Scene {
    fn transfer(&self, direction: Direction, framing: Framing, seed: u64, size: u64) {
        match direction {
            Direction::Up => self.upload(framing, seed, size),
            Direction::Down => self.download(framing, seed, size),
        }
    }

    fn upload(&self, framing: Framing, seed: u64, size: u64) {
        let mut client = RawClient::connect(self.caller.http());
        let mut out = client.writer();
        let length = match framing {
            Framing::Sized => format!("Content-Length: {size}"),
            Framing::Chunked => "Transfer-Encoding: chunked".to_owned(),
        };
        let path = invoke_path("callee", "up");
        write!(
            out,
            "POST {path} HTTP/1.1\r\nHost: x\r\nX-Seed: {seed}\r\nX-Size: {size}\r\n{length}\r\n\r\n"
        )
        .unwrap();
        let mut pattern = Pattern::new(seed);
        while pattern.position() < size {
            let piece = pattern.take(PIECE.min((size - pattern.position()) as usize));
            if let Framing::Chunked = framing {
                write!(out, "{:x}\r\n", piece.len()).unwrap();
            }
            out.write_all(&piece).unwrap();
            if let Framing::Chunked = framing {
                out.write_all(b"\r\n").unwrap();
            }
        }
        if let Framing::Chunked = framing {
            out.write_all(b"0\r\n\r\n").unwrap();
        }
        client
            .response("POST")
            .unwrap()
            .expect(200, &format!("true {size}"));
    }

    fn download(&self, framing: Framing, seed: u64, size: u64) {
        let path = match framing {
            Framing::Sized => "down",
            Framing::Chunked => "down-chunked",
        };
        let mut client = RawClient::connect(self.caller.http());
        let request = Request::get(&invoke_path("callee", path))
            .header("X-Seed", &seed.to_string())
            .header("X-Size", &size.to_string());
        client.send(request.to_bytes(1)).unwrap();
        let head = client.head().unwrap();
        assert_eq!(head.status(), 200);
        let mut body = Body::new(head.response_framing("GET"));
        let mut pattern = Pattern::new(seed);
        while let Some(piece) = client.piece(&mut body).unwrap() {
            assert!(
                pattern.check(&piece),
                "a wrong byte before {}",
                pattern.position()
            );
        }
        assert_eq!(pattern.position(), size);
    }

    fn assert_memory_is_flat(&self, what: &str) {
        for (sidecar, idle) in [&self.caller, &self.callee].into_iter().zip(self.idle) {
            let grown = sidecar.vm_hwm().saturating_sub(idle);
            println!("{what}: {} grew by {} KiB", sidecar.app_id(), grown / 1024);
            assert!(
                grown < BUDGET,
                "{what}: {} grew by {grown} bytes above {idle}",
                sidecar.app_id()
            );
        }
    }
}

#[test]
fn one_large_body_costs_no_memory() {
    let (size, _) = sizes();
    for direction in [Direction::Up, Direction::Down] {
        for framing in [Framing::Sized, Framing::Chunked] {
            let scene = scene();
            scene.transfer(direction, framing, 42, size);
            scene.assert_memory_is_flat(&format!("{direction:?}, {framing:?}, {size} bytes"));
        }
    }
}

#[test]
fn eight_large_bodies_at_once_cost_no_memory() {
    let (_, size) = sizes();
    for direction in [Direction::Up, Direction::Down] {
        for framing in [Framing::Sized, Framing::Chunked] {
            let scene = scene();
            thread::scope(|scope| {
                for seed in 0..8 {
                    let scene = &scene;
                    scope.spawn(move || scene.transfer(direction, framing, seed, size));
                }
            });
            scene.assert_memory_is_flat(&format!("8 x {direction:?}, {framing:?}, {size} bytes"));
        }
    }
}

#[test]
fn the_answer_may_begin_while_the_request_is_being_sent() {
    for way in WAYS {
        let stage = Stage::with(|exchange| {
            let mut answered = false;
            while let Some(piece) = exchange.piece() {
                if !answered {
                    exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                    answered = true;
                }
                exchange.chunk(piece);
            }
            exchange.send("0\r\n\r\n");
        });
        let mut client = RawClient::connect(stage.caller.http());
        let mut out = client.writer();
        let request = way.request("POST", "echo").to_bytes(1);
        let request = String::from_utf8(request).unwrap();
        let head = request.trim_end();
        write!(
            out,
            "{head}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
        )
        .unwrap();
        let head = client.head().unwrap();
        assert_eq!(head.status(), 200, "{way}");
        let mut body = Body::new(head.response_framing("POST"));
        assert_eq!(client.piece(&mut body).unwrap().unwrap(), b"first", "{way}");
        for word in ["second", "third"] {
            write!(out, "{:x}\r\n{word}\r\n", word.len()).unwrap();
            let piece = client.piece(&mut body).unwrap().unwrap();
            assert_eq!(piece, word.as_bytes(), "{way}");
        }
        write!(out, "0\r\n\r\n").unwrap();
        assert_eq!(client.piece(&mut body).unwrap(), None, "{way}");
    }
}

#[test]
fn a_client_that_does_not_read_holds_the_app_back() {
    let scene = counting_scene();
    let size = 64 * MIB;
    let mut client = RawClient::connect(scene.caller.http());
    let request = Request::get(&invoke_path("callee", "down"))
        .header("X-Seed", "3")
        .header("X-Size", &size.to_string());
    client.send(request.to_bytes(1)).unwrap();
    let mut before = u64::MAX;
    let sent = tests::eventually("the app is held back", || {
        let now = SENT.load(Ordering::SeqCst);
        let stands = now > 0 && now == before;
        before = now;
        stands.then_some(now)
    });
    assert!(sent < size, "all {sent} bytes went nowhere");
    let head = client.head().unwrap();
    let mut body = Body::new(head.response_framing("GET"));
    let mut pattern = Pattern::new(3);
    while let Some(piece) = client.piece(&mut body).unwrap() {
        assert!(pattern.check(&piece));
    }
    assert_eq!(pattern.position(), size);
    scene.assert_memory_is_flat("a client that reads late");
}

/// Bytes the counting app has written.
static SENT: AtomicU64 = AtomicU64::new(0);

fn counting_scene() -> Scene {
    let mesh = Mesh::mtls();
    let app = RawApp::new(|exchange| {
        exchange.body();
        let mut pattern = Pattern::new(number(exchange.header("x-seed")));
        let size = number(exchange.header("x-size"));
        exchange.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"));
        while pattern.position() < size {
            let piece = pattern.take(PIECE.min((size - pattern.position()) as usize));
            if !exchange.send(piece) {
                return;
            }
            SENT.store(pattern.position(), Ordering::SeqCst);
        }
    });
    let callee = mesh.sidecar("callee").app(&app).run();
    let caller = mesh.sidecar("caller").run();
    Scene {
        idle: [caller.rss(), callee.rss()],
        _mesh: mesh,
        _app: app,
        caller,
        callee,
    }
}

#[test]
fn an_app_that_does_not_read_holds_the_client_back() {
    let mesh = Mesh::mtls();
    let proceed = Arc::new(Gate::new());
    let gate = proceed.clone();
    let size = 48 * MIB;
    let app = RawApp::new(move |exchange| {
        gate.wait();
        let mut pattern = Pattern::new(5);
        let mut sound = true;
        while let Some(piece) = exchange.piece() {
            sound &= pattern.check(&piece);
        }
        exchange.ok(format!("{sound} {}", pattern.position()));
    });
    let member = |id| mesh.sidecar(id).flag("max-body-size", "1Gi");
    let callee = member("callee").app(&app).run();
    let caller = member("caller").run();
    let idle = [caller.rss(), callee.rss()];
    let mut client = RawClient::connect(caller.http());
    let mut out = client.writer();
    let written = Arc::new(AtomicU64::new(0));
    let progress = written.clone();
    let writer = thread::spawn(move || {
        let path = invoke_path("callee", "up");
        write!(
            out,
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        )
        .unwrap();
        let mut pattern = Pattern::new(5);
        while pattern.position() < size {
            let piece = pattern.take(PIECE.min((size - pattern.position()) as usize));
            out.write_all(&piece).unwrap();
            progress.store(pattern.position(), Ordering::SeqCst);
        }
    });
    let mut before = u64::MAX;
    let stood_at = tests::eventually("the client is held back", || {
        let now = written.load(Ordering::SeqCst);
        let stands = now > 0 && now == before;
        before = now;
        stands.then_some(now)
    });
    assert!(stood_at < size, "all {stood_at} bytes went nowhere");
    proceed.open();
    writer.join().unwrap();
    client
        .response("POST")
        .unwrap()
        .expect(200, &format!("true {size}"));
    for (sidecar, idle) in [&caller, &callee].into_iter().zip(idle) {
        let grown = sidecar.vm_hwm().saturating_sub(idle);
        assert!(grown < BUDGET, "{} grew by {grown}", sidecar.app_id());
    }
}
