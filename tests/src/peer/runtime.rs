//! The one thread that drives HTTP/2 connections; tests themselves block.

use std::sync::{OnceLock, mpsc};

use tokio::runtime::{Builder, Handle};

pub(crate) fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime starts");
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    })
}

/// Waits until what has come to the sockets of this thread was dealt with, so
/// that "nothing came" cannot be said too early.
pub(crate) fn settle() {
    /// More than lie between a new connection and a call in a list. In each
    /// one all that is ready runs, then sockets are looked at.
    const TURNS: usize = 32;
    if Handle::try_current().is_ok() {
        // A script asks, which is part of what would be waited for.
        return;
    }
    let (settled, waiting) = mpsc::channel();
    runtime().spawn(async move {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let _ = settled.send(());
    });
    waiting.recv().expect("the thread lives");
}
