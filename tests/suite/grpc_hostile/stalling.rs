//! Clients that hold something open and do no more.

use std::net::{Ipv4Addr, TcpStream};

use super::frames::{
    DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PREFACE, WINDOW_UPDATE, Wire,
    call, message,
};
use super::{LARGE, Victim, one_call, withstands};

/// Calls whose answers nobody has room for.
#[test]
fn streams_without_a_window() {
    const STREAMS: u32 = 8;
    withstands("no window", |victim| {
        let mut wire = victim.connect();
        wire.preface(&[(INITIAL_WINDOW_SIZE, 0)]).unwrap();
        for stream in (1..).step_by(2).take(STREAMS as usize) {
            wire.send(HEADERS, END_HEADERS, stream, &call("Large"))
                .unwrap();
            wire.send(DATA, END_STREAM, stream, &message("x")).unwrap();
        }
        for _ in 0..STREAMS {
            assert!(wire.until(|frame| frame.kind == HEADERS), "{}", victim.name);
        }
        // They stand while others call.
        for _ in 0..500 {
            beside(victim);
            wire.attend();
        }
        // And go on when there is room.
        let room = (LARGE * 2).to_be_bytes();
        for stream in [0, 1] {
            wire.send(WINDOW_UPDATE, 0, stream, &room).unwrap();
        }
        let ended = wire.until(|frame| frame.stream == 1 && frame.flags & END_STREAM != 0);
        assert!(ended, "{}", victim.name);
    });
}

/// A call on another connection to the same port.
fn beside(victim: &Victim) {
    if victim.svid.is_none() {
        one_call(&victim.client()).unwrap();
    }
}

#[test]
fn connections_that_never_begin() {
    const CONNECTIONS: usize = 200;
    withstands("slow prefaces", |victim| {
        let silent: Vec<_> = (0..CONNECTIONS / 2)
            .map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, victim.port)).unwrap())
            .collect();
        let half: Vec<Wire> = (0..CONNECTIONS / 2)
            .map(|_| {
                let mut wire = victim.connect();
                wire.write(&PREFACE[..10]).unwrap();
                wire
            })
            .collect();
        let mut slow = victim.connect();
        for byte in PREFACE {
            slow.write(&[*byte]).unwrap();
            beside(victim);
        }
        slow.write(&super::frames::frame(4, 0, 0, &[])).unwrap();
        slow.send(HEADERS, END_HEADERS, 1, &call("Unary")).unwrap();
        slow.send(DATA, END_STREAM, 1, &message("x")).unwrap();
        let answered = slow.until(|frame| frame.payload == message("x"));
        assert!(answered, "{}", victim.name);
        drop((silent, half));
    });
}

/// Calls that are opened and then say nothing.
#[test]
fn calls_that_never_end() {
    const CALLS: u32 = 100;
    withstands("endless calls", |victim| {
        let mut wire = victim.open();
        for stream in (1..).step_by(2).take(CALLS as usize) {
            wire.send(HEADERS, END_HEADERS, stream, &call("Bidi"))
                .unwrap();
            wire.send(DATA, 0, stream, &[0, 0, 0]).unwrap();
        }
        for _ in 0..100 {
            beside(victim);
            wire.attend();
        }
    });
}

/// Whoever goes in the middle of a call takes everything along.
#[test]
fn connections_cut_in_the_middle_of_calls() {
    withstands("cut connections", |victim| {
        for _ in 0..50 {
            let mut wire = victim.open();
            for stream in [1, 3, 5, 7] {
                wire.send(HEADERS, END_HEADERS, stream, &call("Hang"))
                    .unwrap();
                wire.send(DATA, 0, stream, &message("x")).unwrap();
            }
            let answered = wire.until(|frame| frame.kind == HEADERS);
            assert!(answered, "{}", victim.name);
        }
    });
}
