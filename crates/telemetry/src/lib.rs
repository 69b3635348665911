//! What is seen of a process: log lines, trace context, process metrics.
//!
//! **Invariant:** the names of a program's own metrics are absent here; each
//! program declares them in its `metrics.rs`.

pub mod log;
pub mod process;
pub mod trace_context;
