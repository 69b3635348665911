//! What travels between apps, sidecars and the control plane: protobuf
//! messages, the flag table, header names, ports, error codes, quantities.
//!
//! **Invariant:** no I/O, no runtime, no decisions.

pub mod duration;
pub mod envelope;
pub mod errors;
pub mod flags;
pub mod grpc;
pub mod headers;
pub mod metadata;
pub mod ports;
pub mod quantity;
#[cfg(feature = "crds")]
pub mod resources;
pub mod verb;

/// Messages shared by the app-facing and the sidecar-to-sidecar protocols.
pub mod common {
    /// Package `dapr.proto.common.v1`.
    #[allow(missing_docs, clippy::pedantic, reason = "generated")]
    pub mod v1 {
        include!("gen/dapr.proto.common.v1.rs");
    }
}

/// The sidecar-to-sidecar protocol.
pub mod internals {
    /// Package `dapr.proto.internals.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        reason = "generated"
    )]
    pub mod v1 {
        include!("gen/dapr.proto.internals.v1.rs");
    }
}

/// What sidecars ask the operator for.
pub mod operator {
    /// Package `dapr.proto.operator.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        reason = "generated"
    )]
    pub mod v1 {
        include!("gen/dapr.proto.operator.v1.rs");
    }
}

/// What apps and their sidecar ask each other for.
pub mod runtime {
    /// Package `dapr.proto.runtime.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        reason = "generated"
    )]
    pub mod v1 {
        include!("gen/dapr.proto.runtime.v1.rs");
    }
}

/// Package `google.rpc`: failures and their details.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]
pub mod rpc {
    include!("gen/google.rpc.rs");
}

/// The certificate authority protocol.
pub mod sentry {
    /// Package `dapr.proto.sentry.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        reason = "generated"
    )]
    pub mod v1 {
        include!("gen/dapr.proto.sentry.v1.rs");
    }
}

/// A `google.protobuf.FileDescriptorSet` of the services of a sidecar.
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");
