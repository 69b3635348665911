//! What can happen during a run: a signal comes in, a process ends.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

use super::guard::Guard;
use super::process::Exit;
use super::session::Session;
use crate::instances::ignores;

/// Whose end is reported; apps and sidecars count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Daprd(usize),
    App(usize),
    Authority,
}

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// SIGPIPE means that nobody reads the output any more.
    Signal(Signal),
    Exited {
        who: Who,
        how: Exit,
    },
}

/// The one queue of a run. What happens while somebody waits for something
/// else is kept.
#[derive(Debug)]
pub(super) struct Events {
    sender: Sender<Event>,
    receiver: Receiver<Event>,
    kept: VecDeque<Event>,
    /// Ctrl-C was pressed again: nothing is waited for any more.
    impatient: bool,
    guard: Option<Guard>,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited<T> {
    Ready(T),
    TimedOut,
    /// Something happened that makes waiting pointless; it is kept.
    Interrupted,
}

/// Longest pause between two looks at something that has no event of its own.
const PAUSE: Duration = Duration::from_millis(20);

/// A terminal and a wrapper such as npm both pass on one and the same Ctrl-C.
/// Nobody presses it twice as fast.
const ECHO: Duration = Duration::from_millis(100);

/// A run that has not ended so long after its signal never will: its output
/// is stuck. It takes up to five seconds each for sidecars, apps, authority.
const OVERDUE: Duration = Duration::from_secs(25);
/// The same after a second Ctrl-C.
const IMPATIENT: Duration = Duration::from_secs(4);

impl Events {
    pub(super) fn new() -> Self {
        let (sender, receiver) = channel();
        Self {
            sender,
            receiver,
            kept: VecDeque::new(),
            impatient: false,
            guard: None,
        }
    }

    /// Has children end that this program leaves behind when it is killed.
    /// Without a guard, which needs a second process, the run does as well.
    pub(super) fn post_guard(&mut self) {
        self.guard = Guard::start().ok();
    }

    /// Tells the guard of a new child.
    pub(super) fn guard(&self, session: &Session) {
        if let Some(guard) = &self.guard {
            guard.watch(session);
        }
    }

    /// Turns SIGINT, SIGTERM and SIGHUP into events from now on. Must come
    /// before the first thread, so that none of them takes the signal.
    pub(super) fn listen_to_signals(&self) {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        // Not under nohup.
        if !ignores(Signal::SIGHUP as i32) {
            signals.add(Signal::SIGHUP);
        }
        // Only fails for a set that is not one.
        let _ = signals.thread_block();
        let sender = self.sender();
        thread::spawn(move || {
            let mut pressed: Option<Instant> = None;
            while let Ok(signal) = signals.wait() {
                if signal == Signal::SIGINT {
                    let before = pressed.replace(Instant::now());
                    if before.is_some_and(|before| before.elapsed() < ECHO) {
                        continue;
                    }
                    exit_after(before.map_or(OVERDUE, |_| IMPATIENT));
                } else {
                    exit_after(OVERDUE);
                }
                if sender.send(Event::Signal(signal)).is_err() {
                    return;
                }
            }
        });
    }

    pub(super) fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// The next event, whenever it comes.
    pub(super) fn next(&mut self) -> Event {
        if let Some(event) = self.kept.pop_front() {
            return event;
        }
        self.receiver
            .recv()
            .expect("the queue holds a sender of its own")
    }

    /// The next event, if it comes before the deadline.
    pub(super) fn next_before(&mut self, deadline: Instant) -> Option<Event> {
        if let Some(event) = self.kept.pop_front() {
            return Some(event);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        self.receiver.recv_timeout(left).ok()
    }

    /// Whether a signal has come that nobody has dealt with.
    pub(super) fn signalled(&mut self) -> bool {
        self.kept.extend(self.receiver.try_iter());
        self.kept
            .iter()
            .any(|event| matches!(event, Event::Signal(_)))
    }

    /// Waits until `ready` has something, at most for `patience`, and no
    /// longer than until an event for which waiting is pointless.
    pub(super) fn wait<T>(
        &mut self,
        patience: Duration,
        pointless: impl Fn(&Event) -> bool,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Waited<T> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(1);
        loop {
            if self.kept.iter().any(&pointless) {
                return Waited::Interrupted;
            }
            if let Some(value) = ready() {
                return Waited::Ready(value);
            }
            if Instant::now() >= deadline {
                return Waited::TimedOut;
            }
            if let Ok(event) = self.receiver.recv_timeout(pause) {
                self.kept.push_back(event);
            }
            pause = PAUSE.min(pause * 2);
        }
    }

    /// Pauses, and tells whether the user has pressed Ctrl-C meanwhile, or
    /// had before. Everything else is kept.
    pub(super) fn impatient(&mut self, pause: Duration) -> bool {
        if self.impatient {
            return true;
        }
        match self.receiver.recv_timeout(pause) {
            Ok(Event::Signal(Signal::SIGINT)) => self.impatient = true,
            Ok(event) => self.kept.push_back(event),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        self.impatient
    }
}

/// Ends this program at last, even if its output is stuck; the guard sees to
/// the children.
fn exit_after(patience: Duration) {
    thread::spawn(move || {
        thread::sleep(patience);
        std::process::exit(1);
    });
}

impl Event {
    /// Whether it means that sidecar `at` cannot be waited for any more.
    pub(super) fn ends_start_of(&self, at: usize) -> bool {
        match self {
            Self::Signal(_) => true,
            Self::Exited { who, .. } => *who == Who::Daprd(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_during_a_wait_is_kept() {
        let mut events = Events::new();
        let app = Event::Exited {
            who: Who::App(0),
            how: Exit::Status(0),
        };
        let daprd = Event::Exited {
            who: Who::Daprd(0),
            how: Exit::Status(1),
        };
        events.sender().send(app).unwrap();
        events.sender().send(daprd).unwrap();
        let pointless = |event: &Event| event.ends_start_of(0);
        let waited = events.wait(Duration::from_secs(20), pointless, || None::<()>);
        assert_eq!(waited, Waited::Interrupted);
        assert_eq!(events.next(), app);
        assert_eq!(events.next(), daprd);
    }

    #[test]
    fn impatience_lasts() {
        let mut events = Events::new();
        assert!(!events.impatient(Duration::ZERO));
        let signal = Event::Signal(Signal::SIGINT);
        events.sender().send(signal).unwrap();
        assert!(events.impatient(Duration::from_secs(20)));
        assert!(events.impatient(Duration::ZERO));
        assert!(!events.signalled());
    }

    #[test]
    fn waits_end() {
        let mut events = Events::new();
        assert_eq!(
            events.wait(Duration::ZERO, |_| false, || None::<()>),
            Waited::TimedOut
        );
        assert_eq!(
            events.wait(Duration::ZERO, |_| false, || Some(7)),
            Waited::Ready(7)
        );
    }
}
