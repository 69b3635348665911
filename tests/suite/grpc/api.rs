//! The gRPC API beside invocation: metadata, shutdown, reflection, and the
//! rpcs of building blocks that are not served.

mod metadata;
mod other_blocks;
mod reflection;
mod shutdown;

use prost::Message;
use tests::{GrpcAnswer, GrpcRequest, Sidecar};

/// A call of service `Dapr`.
fn rpc(name: &str) -> GrpcRequest {
    GrpcRequest::new(&format!("/dapr.proto.runtime.v1.Dapr/{name}"))
}

#[track_caller]
fn ask(sidecar: &Sidecar, name: &str, message: &impl Message) -> GrpcAnswer {
    rpc(name).send(sidecar.grpc(), &[message.encode_to_vec()])
}
