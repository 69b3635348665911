//! The admission webhook that adds the sidecar to annotated pods.
//!
//! `review` decides and `patch` builds; both are functions of their arguments.
//! `server` speaks HTTPS with the API server, `webhook` keeps the webhook
//! configuration such that it really calls us, `program` starts and stops.
//!
//! **Invariant:** no I/O in `review`, `patch` and what they use.

pub mod annotations;
pub mod app_id;
mod cluster;
mod daprsystem;
pub mod metrics;
pub mod patch;
#[cfg(test)]
mod pki;
pub mod pod;
mod program;
pub mod requesters;
pub mod review;
mod self_test;
mod server;
mod service_accounts;
mod serving;
pub mod settings;
mod webhook;

pub use program::main;

/// Scope of our log lines.
const SCOPE: &str = "dapr.injector";
