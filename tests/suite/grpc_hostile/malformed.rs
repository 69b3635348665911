//! Bytes that are not HTTP/2, and HTTP/2 that is not as it must be.

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PREFACE, PRIORITY,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, call, field, frame, head, message,
};
use super::{Victim, withstands};
use tests::pattern::Pattern;

#[test]
fn what_is_not_http2_ends_the_connection() {
    withstands("garbage", |victim| {
        let noise = Pattern::new(3).take(64 * 1024);
        let hello = Pattern::new(4).take(500);
        let half = &PREFACE[..12];
        for (what, bytes) in [
            ("noise", noise.as_slice()),
            ("zeroes", &vec![0; 64 * 1024]),
            (
                "the start of a TLS handshake",
                &[&[22, 3, 1, 2, 0][..], &hello].concat(),
            ),
            ("half a preface and noise", &[half, &noise].concat()),
            ("a preface and noise", &[PREFACE, &noise].concat()),
            (
                "HTTP/1.1",
                b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            ),
            ("HTTP/0.9", b"GET /a-path-longer-than-a-preface\r\n\r\n"),
            ("HTTP/3.0", b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n"),
        ] {
            let mut wire = victim.connect();
            let what = format!("{what}, {}", victim.name);
            // The server may be gone before everything is written.
            let _ = wire.write(bytes);
            wire.expect_end(&what);
        }
    });
}

/// A block of header fields that fits in one frame.
fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, stream, block)
}

/// Errors of the whole connection.
fn fatal() -> Vec<(&'static str, Vec<u8>)> {
    let call = call("Silent");
    let window = |bytes: u32| frame(WINDOW_UPDATE, 0, 0, &bytes.to_be_bytes());
    vec![
        ("DATA on stream 0", frame(DATA, 0, 0, b"x")),
        ("DATA on an idle stream", frame(DATA, 0, 1, b"x")),
        ("HEADERS on stream 0", headers(0, 0, &call)),
        ("HEADERS on an even stream", headers(0, 2, &call)),
        (
            "stream numbers that go down",
            [headers(0, 5, &call), headers(0, 3, &call)].concat(),
        ),
        (
            "a frame larger than allowed",
            [head(1 << 20, DATA, 0, 1), vec![0; 20_000]].concat(),
        ),
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[])),
        (
            "an acknowledgement with settings",
            frame(SETTINGS, 1, 0, &[0; 6]),
        ),
        (
            "a window above the largest",
            frame(SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]),
        ),
        (
            "a frame size below the smallest",
            frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]),
        ),
        ("no more window", window(0)),
        (
            "more window than there can be",
            [window(0x7fff_ffff), window(0x7fff_ffff)].concat(),
        ),
        (
            "WINDOW_UPDATE of three bytes",
            frame(WINDOW_UPDATE, 0, 0, &[0; 3]),
        ),
        ("PING of seven bytes", frame(PING, 0, 0, &[0; 7])),
        ("PING on a stream", frame(PING, 0, 1, &[0; 8])),
        (
            "RST_STREAM on an idle stream",
            frame(RST_STREAM, 0, 1, &[0; 4]),
        ),
        (
            "RST_STREAM of three bytes",
            frame(RST_STREAM, 0, 1, &[0; 3]),
        ),
        ("GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8])),
        (
            "a promise by a client",
            frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2]),
        ),
        ("CONTINUATION of nothing", frame(CONTINUATION, 4, 1, &[])),
        (
            "DATA between header blocks",
            [frame(HEADERS, 0, 1, &call), frame(DATA, 0, 1, b"x")].concat(),
        ),
        (
            "CONTINUATION of another stream",
            [frame(HEADERS, 0, 1, &call), frame(CONTINUATION, 4, 3, &[])].concat(),
        ),
        (
            "an index beyond the HPACK table",
            headers(0, 1, &[0xff, 0xff, 0x7f]),
        ),
        ("an HPACK integer without end", headers(0, 1, &[0xff; 100])),
        ("half a header field", headers(0, 1, &[0, 100, b'x'])),
        (
            "more padding than frame",
            frame(HEADERS, END_HEADERS | 8, 1, &[255, 0, 0]),
        ),
    ]
}

#[test]
fn broken_frames_end_the_connection() {
    withstands("broken frames", |victim| {
        for (what, bytes) in fatal() {
            let mut wire = victim.open();
            let _ = wire.write(&bytes);
            wire.expect_end(&format!("{what}, {}", victim.name));
        }
    });
}

/// Errors of one call; `true` for those that an answer may tell.
fn broken_calls() -> Vec<(&'static str, Vec<u8>)> {
    let method = field(":method", "POST");
    let scheme = field(":scheme", "http");
    let path = field(":path", "/testing.Kinds/Unary");
    let rest = [
        field("content-type", "application/grpc"),
        field("te", "trailers"),
        field("dapr-callee-app-id", "callee"),
    ]
    .concat();
    let block = |parts: &[&[u8]]| parts.concat();
    vec![
        ("no method", block(&[&scheme, &path, &rest])),
        ("no path", block(&[&method, &scheme, &rest])),
        ("two paths", block(&[&method, &scheme, &path, &path, &rest])),
        (
            "a late pseudo-header",
            block(&[&method, &scheme, &rest, &path]),
        ),
        (
            "an unknown pseudo-header",
            block(&[&method, &scheme, &path, &field(":x", "y"), &rest]),
        ),
        (
            "a name in upper case",
            block(&[&method, &scheme, &path, &rest, &field("X-Upper", "y")]),
        ),
        (
            "a header of connections",
            block(&[
                &method,
                &scheme,
                &path,
                &rest,
                &field("connection", "close"),
            ]),
        ),
        (
            "another te",
            block(&[&method, &scheme, &path, &field("te", "gzip")]),
        ),
        (
            "a line break in a value",
            block(&[&method, &scheme, &path, &rest, &field("x", "a\r\nb: c")]),
        ),
        (
            "an empty path",
            block(&[&method, &scheme, &field(":path", ""), &rest]),
        ),
        (
            "a path with spaces",
            block(&[&method, &scheme, &field(":path", "/a b/c"), &rest]),
        ),
        (
            "a method of its own",
            block(&[&field(":method", "b r"), &scheme, &path, &rest]),
        ),
    ]
}

/// The server answers, refuses the stream, or ends the connection.
#[test]
fn broken_calls_end() {
    withstands("broken calls", |victim| {
        for (what, block) in broken_calls() {
            let mut wire = victim.open();
            wire.write(&headers(0, 1, &block)).unwrap();
            let _ = wire.write(&frame(DATA, END_STREAM, 1, &message("x")));
            let mut ended = false;
            while let Some(Frame {
                kind,
                flags,
                stream,
                payload,
            }) = wire.next()
            {
                let is_end = flags & END_STREAM != 0 && (kind == HEADERS || kind == DATA);
                assert_ne!(payload, message("x"), "{what}, {}", victim.name);
                if stream == 1 && (kind == RST_STREAM || is_end) {
                    ended = true;
                    break;
                }
            }
            // Without an end of the stream, that of the connection has come.
            println!("{what}, {}: stream ended {ended}", victim.name);
        }
    });
}

/// The rules that leave room: unknown frames and settings are passed over.
#[test]
fn what_is_unknown_is_passed_over() {
    withstands("unknown frames", |victim| {
        let mut wire = victim.connect();
        wire.preface(&[(0xfff, 7), (1, 0)]).unwrap();
        wire.send(0xee, 0xff, 0, b"what is this").unwrap();
        wire.send(PRIORITY, 0, 1, &[0, 0, 0, 0, 7]).unwrap();
        wire.write(&headers(0, 1, &call("Unary"))).unwrap();
        wire.send(0xef, 0, 1, &[0; 1000]).unwrap();
        wire.send(DATA, END_STREAM, 1, &message("x")).unwrap();
        assert!(answered(&mut wire, victim), "{}", victim.name);
    });
}

fn answered(wire: &mut super::frames::Wire, victim: &Victim) -> bool {
    let echoed = wire.until(|frame| frame.kind == DATA && frame.payload == message("x"));
    assert!(echoed, "{}: no answer", victim.name);
    wire.until(|frame| frame.kind == HEADERS && frame.flags & END_STREAM != 0)
}
