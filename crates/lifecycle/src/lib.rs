//! How a process lives: signals, tasks, listeners, serving, drain, health.
//!
//! **Invariant:** no TLS and no routes.

pub mod bind;
pub mod drain;
pub mod health;
pub mod linger;
pub mod serve;
pub mod signals;
pub mod task;
pub mod workers;

pub use task::{Task, TaskEnded, spawn};
