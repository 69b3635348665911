//! The control plane. Programs: `operator`, which keeps Services and serves
//! configuration to sidecars, and `sentry`, the certificate authority.
//!
//! **Invariant:** the issuer key stays inside `sentry`; nothing else in this
//! package may depend on that module.

pub mod operator;
pub mod sentry;
