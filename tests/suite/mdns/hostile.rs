//! Neighbours that send what they should not, and neighbours that do not
//! care about us.

use std::net::UdpSocket;

use tests::Sidecar;

use super::network::{Lan, Machine, alone};
use super::wire::{everybody, query, wire_name};

/// What a sidecar may grow by, whatever it hears.
const ROOM: u64 = 4 << 20;

/// Sends packets beside a caller and a callee, which go on.
fn endures(send: impl Fn(&UdpSocket)) {
    let lan = Lan::new();
    let [there, here, foe]: [Machine; 3] = lan.machines();
    let app = there.app();
    let callee = there.serve("callee", &app);
    let caller = here.caller();
    here.call(&caller, "callee").expect(200, "ok");
    let memory = |sidecar: &Sidecar| sidecar.rss();
    let before = [memory(&caller), memory(&callee)];
    send(&foe.listen());
    here.call(&caller, "callee").expect(200, "ok");
    // One that has everything still to learn.
    let other = foe.caller();
    foe.call(&other, "callee").expect(200, "ok");
    for (sidecar, before) in [&caller, &callee].into_iter().zip(before) {
        let grown = sidecar.rss().saturating_sub(before);
        assert!(grown < ROOM, "{} grew by {grown} bytes", sidecar.app_id());
        assert_eq!(sidecar.stdout().matches("panicked").count(), 0);
        assert!(sidecar.exited().is_none());
    }
}

fn give(socket: &UdpSocket, packet: &[u8]) {
    // A full queue is no failure.
    let _ = socket.send_to(packet, everybody());
}

/// A response with one PTR record for `callee` for each instance.
fn instances(first: u32, count: u32) -> Vec<u8> {
    let mut packet = [0, 0x8400, 0, 4 * count as u16, 0, 0]
        .map(u16::to_be_bytes)
        .concat();
    let mut record = |name: &str, kind: u16, data: &[u8]| {
        packet.extend(wire_name(name));
        packet.extend([kind, 1, 0, 3200].map(u16::to_be_bytes).concat());
        packet.extend((data.len() as u16).to_be_bytes());
        packet.extend(data);
    };
    for number in first..first + count {
        let (instance, host) = (
            format!("x:{number}.other.local"),
            format!("h{number}.local"),
        );
        let place = [&[0, 0, 0, 0, 0, 80][..], &wire_name(&host)].concat();
        record("other.local", 12, &wire_name(&instance));
        record(&instance, 33, &place);
        record(&instance, 16, b"\x05other");
        record(&host, 1, &[10, 77, 1, number as u8]);
    }
    packet
}

#[test]
fn broken_packets() {
    alone(|| {
        endures(|socket| {
            let whole = instances(0, 3);
            for length in 0..whole.len() {
                give(socket, &whole[..length]);
            }
            for loops in [
                &b"\0\0\x84\0\0\0\0\x01\0\0\0\0\xc0\x0c\0\x0c\0\x01\0\0\0\x78\0\x01\0"[..],
                b"\0\0\x84\0\0\0\0\x01\0\0\0\0\xc0\x0e\xc0\x0c\0\x0c\0\x01\0\0\0\x78\0\x01\0",
                b"\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
                b"\0\0\0\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x0c\0\x01",
            ] {
                give(socket, loops);
            }
            // Numbers that look random and are the same each time.
            let mut state = 5353_u32;
            let mut next = move || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            for length in (0..9000).step_by(29) {
                let noise: Vec<u8> = std::iter::repeat_with(&mut next).take(length).collect();
                give(socket, &noise);
            }
        });
    });
}

#[test]
fn thousands_of_records_and_instances() {
    alone(|| {
        endures(|socket| {
            for first in (0..20_000).step_by(10) {
                give(socket, &instances(first, 10));
            }
            // Root names as small as a record can be.
            let mut packet = b"\0\0\x84\0\0\0\x02\x58\0\0\0\0".to_vec();
            for _ in 0..600 {
                packet.extend(b"\0\0\x01\0\x01\0\0\0\x78\0\x04\x0a\0\0\x01");
            }
            for _ in 0..100 {
                give(socket, &packet);
            }
        });
    });
}

#[test]
fn a_flood_of_questions() {
    alone(|| {
        endures(|socket| {
            for id in 0..5000 {
                give(socket, &query(id, "callee.local", 1, &[]));
                give(socket, &query(id, "_http._tcp.local", 1, &[]));
            }
        });
    });
}
