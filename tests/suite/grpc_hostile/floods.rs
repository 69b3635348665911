//! More of one thing than anybody needs.

use std::time::Duration;

use super::frames::{
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM,
    SETTINGS, Wire, call, field, frame, kept_call, message, same_call,
};
use super::{Victim, withstands, withstands_beside};

const MIB: usize = 1 << 20;
/// Calls beside the attacks that are known to have hurt servers.
const CALLS: usize = 1000;

/// Sends pieces until so many went out, over as many connections as it takes:
/// a server may end a connection that goes too far, but not serve others worse.
fn flood(
    victim: &Victim,
    total: usize,
    begin: impl Fn(&mut Wire) -> std::io::Result<()>,
    piece: impl Fn(usize) -> Vec<u8>,
) {
    let mut sent = 0;
    let mut connections = 0;
    while sent < total {
        let mut wire = victim.open();
        connections += 1;
        if begin(&mut wire).is_err() {
            continue;
        }
        let mut number = 0;
        while sent < total && wire.write(&piece(number)).is_ok() {
            sent += 1;
            number += 1;
            if !wire.drain() {
                break;
            }
        }
    }
    println!(
        "{}: {sent} pieces over {connections} connections",
        victim.name
    );
}

fn odd(number: usize) -> u32 {
    u32::try_from(number).unwrap() * 2 + 1
}

/// So many calls, each given up in the frame after its head.
fn given_up(streams: std::ops::Range<usize>, head: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    streams
        .flat_map(|stream| {
            let mut bytes = frame(HEADERS, END_HEADERS, odd(stream), &head(stream));
            bytes.extend(frame(RST_STREAM, 0, odd(stream), &CANCEL));
            bytes
        })
        .collect()
}

#[test]
fn ten_thousand_rapid_resets() {
    const AT_ONCE: usize = 100;
    withstands_beside(CALLS, "rapid resets", |victim| {
        flood(
            victim,
            10_000 / AT_ONCE,
            |_| Ok(()),
            |number| given_up(number * AT_ONCE..(number + 1) * AT_ONCE, |_| call("Silent")),
        );
    });
}

/// With heads of a few bytes thousands come in one piece.
#[test]
fn ten_thousand_rapid_resets_of_small_frames() {
    const AT_ONCE: usize = 2500;
    withstands_beside(CALLS, "small rapid resets", |victim| {
        flood(
            victim,
            10_000 / AT_ONCE,
            |_| Ok(()),
            |number| {
                given_up(
                    number * AT_ONCE..(number + 1) * AT_ONCE,
                    |stream| match stream {
                        0 => kept_call("Silent"),
                        _ => same_call(),
                    },
                )
            },
        );
    });
}

/// Resets of calls that have reached the app: each goes the whole way.
#[test]
fn thousands_of_resets_of_calls_that_run() {
    const AT_ONCE: usize = 100;
    const ROUNDS: usize = 30;
    withstands_beside(CALLS, "late resets", |victim| {
        let mut wire = victim.open();
        for round in 0..ROUNDS {
            let streams = round * AT_ONCE..(round + 1) * AT_ONCE;
            let opening: Vec<u8> = streams
                .clone()
                .flat_map(|stream| frame(HEADERS, END_HEADERS, odd(stream), &call("Hang")))
                .collect();
            wire.write(&opening).unwrap();
            for _ in 0..AT_ONCE {
                let answered = wire.until(|frame| frame.kind == HEADERS);
                assert!(answered, "{}: cut in round {round}", victim.name);
            }
            let resets: Vec<u8> = streams
                .flat_map(|stream| frame(RST_STREAM, 0, odd(stream), &CANCEL))
                .collect();
            wire.write(&resets).unwrap();
        }
    });
}

#[test]
fn sixty_four_mebibytes_of_continuation() {
    const PIECE: usize = 16_000;
    let value = "v".repeat(PIECE);
    withstands_beside(CALLS, "CONTINUATION", |victim| {
        flood(
            victim,
            64 * MIB / PIECE,
            |wire| wire.send(HEADERS, 0, 1, &call("Silent")),
            |_| frame(CONTINUATION, 0, 1, &field("x-more", &value)),
        );
    });
}

#[test]
fn a_hundred_thousand_empty_continuations() {
    const AT_ONCE: usize = 1000;
    withstands_beside(CALLS, "empty CONTINUATION", |victim| {
        flood(
            victim,
            100,
            |wire| wire.send(HEADERS, 0, 1, &call("Silent")),
            |_| frame(CONTINUATION, 0, 1, &[]).repeat(AT_ONCE),
        );
    });
}

#[test]
fn settings_and_pings_whose_answers_nobody_reads() {
    const AT_ONCE: usize = 1000;
    /// A server that takes nothing for so long has stopped.
    const STUCK: Duration = Duration::from_millis(300);
    withstands("unread answers", |victim| {
        for piece in [
            frame(SETTINGS, 0, 0, &[]),
            frame(PING, 0, 0, &[7; 8]),
            [
                frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0]),
                frame(PING, 0, 0, &[7; 8]),
            ]
            .concat(),
        ] {
            let mut wire = victim.open();
            wire.write_for(STUCK);
            // Until the server stops reading, or ends the connection.
            for _ in 0..500 {
                if wire.write(&piece.repeat(AT_ONCE)).is_err() {
                    break;
                }
            }
        }
    });
}

#[test]
fn a_hundred_thousand_settings_and_pings() {
    const AT_ONCE: usize = 1000;
    withstands("SETTINGS and PING", |victim| {
        for piece in [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, &[7; 8])] {
            flood(victim, 100, |_| Ok(()), |_| piece.repeat(AT_ONCE));
        }
    });
}

#[test]
fn pongs_and_acknowledgements_of_nothing() {
    withstands("answers to nothing", |victim| {
        for piece in [frame(SETTINGS, ACK, 0, &[]), frame(PING, ACK, 0, &[7; 8])] {
            flood(victim, 20, |_| Ok(()), |_| piece.repeat(1000));
        }
    });
}

/// Frames without a byte, in a call that is never finished.
#[test]
fn a_hundred_thousand_empty_data_frames() {
    withstands("empty DATA", |victim| {
        flood(
            victim,
            100,
            |wire| wire.send(HEADERS, END_HEADERS, 1, &call("Silent")),
            |_| frame(DATA, 0, 1, &[]).repeat(1000),
        );
    });
}

/// A message in pieces of one byte each.
#[test]
fn a_message_byte_by_byte() {
    withstands("one byte per frame", |victim| {
        let mut wire = victim.open();
        wire.send(HEADERS, END_HEADERS, 1, &call("Bidi")).unwrap();
        let message = message(&"x".repeat(2000));
        for pieces in message.chunks(500) {
            let bytes: Vec<u8> = pieces
                .iter()
                .flat_map(|byte| frame(DATA, 0, 1, &[*byte]))
                .collect();
            wire.write(&bytes).unwrap();
        }
        wire.send(DATA, END_STREAM, 1, &[]).unwrap();
        let ended = wire.until(|frame| frame.stream == 1 && frame.flags & END_STREAM != 0);
        assert!(ended, "{}", victim.name);
    });
}

/// Farewells, again and again.
#[test]
fn a_thousand_farewells() {
    withstands("GOAWAY", |victim| {
        flood(
            victim,
            100,
            |_| Ok(()),
            |_| frame(GOAWAY, 0, 0, &[0; 8]).repeat(10),
        );
    });
}
