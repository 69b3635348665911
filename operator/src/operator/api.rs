//! The gRPC API sidecars use, `dapr.proto.operator.v1.Operator`: mutual TLS,
//! and every call is checked against the namespace of the caller's identity.

mod assigned;
mod caller;
mod server;
mod service;
mod stream;

pub(super) use assigned::Pods;
pub(super) use server::serve;
pub(super) use service::{Hubs, Service};
