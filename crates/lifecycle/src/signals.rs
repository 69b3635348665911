//! Signals that end or reload the process.

use std::{fmt, io};

use tokio::signal::unix::{self, SignalKind};

/// A signal the process reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM
    Terminate,
    /// SIGINT
    Interrupt,
    /// SIGHUP
    Hangup,
}

/// The names log lines use.
impl fmt::Display for Signal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Terminate => "terminated",
            Self::Interrupt => "interrupt",
            Self::Hangup => "hangup",
        })
    }
}

/// Completes each time SIGUSR1 arrives.
#[derive(Debug)]
pub struct Notice(unix::Signal);

impl Notice {
    /// Takes over SIGUSR1, which otherwise ends the process.
    ///
    /// # Errors
    /// When the process may not install handlers.
    pub fn new() -> io::Result<Self> {
        unix::signal(SignalKind::user_defined1()).map(Self)
    }

    /// Waits for the next one.
    pub async fn given(&mut self) {
        self.0.recv().await;
    }
}

/// Streams of the signals; created once, before anything else runs.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// Takes over the three signals.
    ///
    /// # Errors
    /// When the process may not install handlers.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.hangup.recv() => Signal::Hangup,
        }
    }
}
