//! What is allowed and how often: pure decisions.
//!
//! **Invariant:** no runtime, no clock of its own, no TLS; every decision is
//! a function of its arguments.

pub mod access;
pub mod method;
pub mod resiliency;
pub mod retry;
