//! Conformance vectors of the protocol between sidecars that concern HTTP
//! apps, seen from both ends of a raw connection.

mod callee;
mod caller;
mod sentry;
