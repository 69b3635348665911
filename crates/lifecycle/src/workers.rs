//! Data-plane threads: one single-threaded runtime each. A connection is
//! given to one of them and never moves.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use tokio::runtime::{Builder, Handle};

use crate::task::Task;

/// The threads; they live as long as the process.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Workers {
    /// Starts `count` threads named `name-<n>`.
    ///
    /// # Errors
    /// When a thread or its reactor cannot be created.
    pub fn start(name: &str, count: usize) -> io::Result<Self> {
        let mut handles = Vec::with_capacity(count);
        for index in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        }
        Ok(Self {
            handles,
            next: AtomicUsize::new(0),
        })
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.handles.len()
    }

    /// Index of the thread whose turn it is.
    pub fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len().max(1)
    }

    /// Runs `future` on thread `index`; `None` when there is no such thread.
    pub fn spawn_on<F>(
        &self,
        index: usize,
        name: &'static str,
        future: F,
    ) -> Option<Task<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let handle = self.handles.get(index)?;
        Some(Task::new(name, handle.spawn(future)))
    }
}

/// Threads for a CPU limit in millicores: one below two CPUs, then one per
/// whole CPU, four at most.
pub fn count_for(cpu_limit_millis: Option<u64>) -> usize {
    match cpu_limit_millis {
        Some(millis) if millis >= 2000 => usize::try_from(millis / 1000).unwrap_or(4).min(4),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::count_for;

    #[test]
    fn threads_follow_the_cpu_limit() {
        let counts = [
            None,
            Some(300),
            Some(1999),
            Some(2000),
            Some(3999),
            Some(64_000),
        ]
        .map(count_for);
        assert_eq!(counts, [1, 1, 1, 2, 3, 4]);
    }
}
