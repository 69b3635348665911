//! The certificate authority: makes or loads a root and an issuer, and signs
//! the certificates of workloads that prove who they are, self-hosted or in a
//! Kubernetes cluster. Compatible with Dapr 1.18 pkg/sentry.

mod bundle;
mod ca;
mod cluster;
mod config;
mod csr;
mod current;
mod der;
mod flags;
mod leaf;
mod metrics;
mod reload;
mod run;
mod server;
mod service;
mod signed;
mod stamp;
mod store;
mod validator;

#[cfg(test)]
mod bundle_of;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use control_plane::Program;

/// Scope of our log lines.
const SCOPE: &str = "dapr.sentry";

const PROGRAM: Program = Program {
    name: "sentry",
    scope: SCOPE,
    flags: flags::TABLE,
};

/// Runs the program with the arguments behind its name until a signal.
pub fn main(args: impl Iterator<Item = String>) -> ExitCode {
    PROGRAM.main(args, run::run)
}
