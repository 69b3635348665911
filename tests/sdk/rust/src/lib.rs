//! What the programs have in common.

pub mod report;

/// Generated from echo.proto.
#[allow(clippy::pedantic)]
pub mod echo {
    tonic::include_proto!("testing");
}

/// Generated in the crate: what travels between an app and its sidecar.
pub use dapr::dapr::proto::{common::v1 as common, runtime::v1 as runtime};
