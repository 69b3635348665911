//! Ports for programs that must be told theirs. Taken below the range that
//! outgoing connections use, so that nothing else lands on one before the
//! program binds it.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;

use parking_lot::Mutex;

const FIRST: u16 = 10_000;
/// `dapr run` takes free ports from here on, Linux source ports from 32768 on.
const LAST: u16 = 20_000;

/// A port nobody listens on and no other test of this process was given.
pub fn reserve() -> u16 {
    static TAKEN: OnceLock<Mutex<(HashSet<u16>, u16)>> = OnceLock::new();
    let mut taken = TAKEN
        .get_or_init(|| Mutex::new((HashSet::new(), start())))
        .lock();
    for _ in FIRST..LAST {
        let port = taken.1;
        taken.1 = if port + 1 < LAST { port + 1 } else { FIRST };
        if taken.0.contains(&port) {
            continue;
        }
        let free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
        if free {
            taken.0.insert(port);
            return port;
        }
    }
    panic!("no free port between {FIRST} and {LAST}");
}

/// Test processes that run side by side begin at different places.
fn start() -> u16 {
    let spread = u32::from(LAST - FIRST);
    let offset = std::process::id().wrapping_mul(2_654_435_761) % spread;
    FIRST + offset as u16
}
