//! The control plane. Programs: `sentry`, the certificate authority.
//!
//! **Invariant:** the issuer key stays inside `sentry`; nothing else in this
//! package may depend on that module.

pub mod sentry;
