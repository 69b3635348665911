//! Keeps one Service `<app-id>-dapr` per app, and tells sidecars about
//! Configuration, Resiliency, HTTPEndpoint and Component objects and their
//! changes. Compatible with Dapr 1.18 pkg/operator.
//!
//! **Invariant:** only the leader writes; every replica answers sidecars.

mod api;
mod cluster;
mod election;
mod event;
mod metrics;
mod mirror;
mod options;
mod resource;
mod run;
mod service;
mod settings;

use std::process::ExitCode;

use control_plane::Program;

/// Scope of our log lines.
const SCOPE: &str = "dapr.operator";
/// Who we are to the API server: manager of the fields we write, and source of
/// events.
const MANAGER: &str = "dapr-operator";

/// Runs the program with the arguments behind its name until a signal.
pub fn main(args: impl Iterator<Item = String>) -> ExitCode {
    let program = Program {
        name: "operator",
        scope: SCOPE,
        flags: options::FLAGS,
    };
    program.main(args, run::run)
}
