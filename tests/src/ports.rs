//! Ports for programs that must be told theirs. Taken below the range that
//! outgoing connections use, so that nothing else lands on one before the
//! program binds it.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::process;

use parking_lot::Mutex;

const FIRST: u16 = 5_000;
/// Those from here on belong to the tests of `dapr`, and to `dapr run`.
const LAST: u16 = 20_000;
/// Test processes that run side by side take so many ports at a time.
const BLOCK: u16 = 100;

/// The ports of this process.
struct Ours {
    left: Range<u16>,
    /// One per block, for life.
    locks: Vec<File>,
}

/// A port nobody listens on and no other test was given, in this process or in
/// another.
pub fn reserve() -> u16 {
    static OURS: Mutex<Ours> = Mutex::new(Ours {
        left: 0..0,
        locks: Vec::new(),
    });
    let mut ours = OURS.lock();
    loop {
        let Some(port) = ours.left.next() else {
            ours.take_block();
            continue;
        };
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

impl Ours {
    fn take_block(&mut self) {
        let user = nix::unistd::getuid();
        let directory = std::env::temp_dir().join(format!("dapr-rs-test-ports-{user}"));
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let mut blocks: Vec<u16> = (FIRST..LAST).step_by(BLOCK.into()).collect();
        // What ran just before may still be about to end there.
        let begin = process::id() as usize % blocks.len();
        blocks.rotate_left(begin);
        let (lock, first) = blocks
            .into_iter()
            .find_map(|first| {
                let lock = File::create(directory.join(first.to_string())).ok()?;
                lock.try_lock().is_ok().then_some((lock, first))
            })
            .unwrap_or_else(|| panic!("no free port between {FIRST} and {LAST}"));
        self.locks.push(lock);
        self.left = first..first + BLOCK;
    }
}
