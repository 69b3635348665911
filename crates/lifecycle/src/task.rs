//! Named tasks: the one place that starts them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::task::JoinHandle;

/// A running task. Dropping it lets the task go on.
#[derive(Debug)]
#[must_use = "a task's end is either awaited or explicitly let go with `detach`"]
pub struct Task<T> {
    name: &'static str,
    handle: JoinHandle<T>,
}

/// A task that panicked or was aborted.
#[derive(Debug, thiserror::Error)]
#[error("task {name} ended unexpectedly")]
pub struct TaskEnded {
    /// Name the task was started under.
    pub name: &'static str,
    /// What ended it.
    #[source]
    pub source: tokio::task::JoinError,
}

/// Starts `future` on the current runtime.
///
/// # Panics
/// Outside a tokio runtime.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
pub fn spawn<F>(name: &'static str, future: F) -> Task<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    Task {
        name,
        handle: tokio::spawn(future),
    }
}

impl<T> Task<T> {
    pub(crate) fn new(name: &'static str, handle: JoinHandle<T>) -> Self {
        Self { name, handle }
    }

    /// Lets the task run on its own.
    pub fn detach(self) {}

    /// Ends the task at its next await point.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// A task that ends when the returned guard is dropped.
    pub fn abort_on_drop(self) -> AbortOnDrop {
        AbortOnDrop(self.handle.abort_handle())
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskEnded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let name = self.name;
        Pin::new(&mut self.handle)
            .poll(context)
            .map_err(|source| TaskEnded { name, source })
    }
}

/// Ends its task when dropped.
#[derive(Debug)]
pub struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets hyper start its per-stream tasks through [`spawn`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        spawn("http", future).detach();
    }
}
