//! gRPC at the boundary of real sidecars: streams of an app go to other apps
//! untouched, and the gRPC API does what SDKs ask of it.

mod api;
mod drain;
pub(crate) mod invoke;
mod pairs;
mod policies;
mod proxy;
mod vectors;

use tests::{GrpcApp, GrpcClient, GrpcRequest, Mesh, Sidecar, SidecarBuilder};

/// A gRPC app behind one sidecar, and another sidecar to call it from.
struct Stage {
    mesh: Mesh,
    app: GrpcApp,
    caller: Sidecar,
    callee: Sidecar,
}

// === impl Stage ===

impl Stage {
    /// With mTLS.
    fn new(app: GrpcApp) -> Self {
        Self::with(app, |callee| callee, |caller| caller)
    }

    /// With mTLS, and the two sidecars as wished.
    fn with(
        app: GrpcApp,
        callee: impl FnOnce(SidecarBuilder) -> SidecarBuilder,
        caller: impl FnOnce(SidecarBuilder) -> SidecarBuilder,
    ) -> Self {
        let mesh = Mesh::mtls();
        let callee = callee(mesh.sidecar("callee").grpc_app(&app)).start();
        let caller = caller(mesh.sidecar("caller")).start();
        callee.wait_until_ready();
        caller.wait_until_ready();
        Self {
            mesh,
            app,
            caller,
            callee,
        }
    }

    /// A connection to the sidecar that calls.
    fn client(&self) -> GrpcClient {
        connect(&self.caller)
    }

    /// The app called from another sidecar, and from its own.
    fn ways(&self) -> [(&'static str, GrpcClient); 2] {
        [
            ("another sidecar", connect(&self.caller)),
            ("the own sidecar", connect(&self.callee)),
        ]
    }
}

/// A connection to the gRPC API.
#[track_caller]
fn connect(sidecar: &Sidecar) -> GrpcClient {
    GrpcClient::connect(sidecar.grpc()).unwrap()
}

/// A call of the scripted service, addressed to `callee`.
fn kind(method: &str) -> GrpcRequest {
    path(method).to("callee")
}

/// A call of the scripted service, addressed to nobody.
fn path(method: &str) -> GrpcRequest {
    GrpcRequest::new(&format!("/testing.Kinds/{method}"))
}

/// No messages.
const NONE: &[&str] = &[];
