//! Default ports of every program.

/// HTTP API of the sidecar.
pub const DAPR_HTTP: u16 = 3500;
/// gRPC API of the sidecar.
pub const DAPR_GRPC: u16 = 50001;
/// Sidecar-to-sidecar port in Kubernetes.
pub const DAPR_INTERNAL_GRPC: u16 = 50002;
/// Health and metadata of the sidecar in Kubernetes, without the API token.
pub const DAPR_PUBLIC: u16 = 3501;
/// Prometheus metrics of every program.
pub const METRICS: u16 = 9090;
/// First port of the range that stable internal ports are taken from.
///
/// Mirrors Dapr 1.18 `pkg/ports/ports.go`.
pub const STABLE_INTERNAL_START: u16 = 47300;
/// Number of ports in that range.
pub const STABLE_INTERNAL_RANGE: u16 = 18235;
