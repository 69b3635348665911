//! Tells a test whether a thread of the harness has dealt with all that came
//! to its socket. Without it, "the app saw nothing" could be said too early.

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use parking_lot::Mutex;

/// One reader of one socket.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    waits: Mutex<bool>,
}

// === impl Watch ===

impl Watch {
    /// Calls `wait`, which blocks until there is something to take, and takes
    /// nothing: from then on, until the next call, the reader is at work.
    pub(crate) fn waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        *self.waits.lock() = true;
        let waited = wait();
        *self.waits.lock() = false;
        waited
    }

    /// Nothing has come that the reader has not dealt with.
    pub(crate) fn is_idle(&self, socket: &impl AsFd) -> bool {
        let waits = self.waits.lock();
        *waits && !is_readable(socket, PollTimeout::ZERO)
    }
}

/// Something has come within this time: bytes, a connection, an end.
pub(crate) fn is_readable(socket: &impl AsFd, patience: PollTimeout) -> bool {
    let mut sockets = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut sockets, patience).is_ok_and(|ready| ready > 0)
}
