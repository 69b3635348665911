//! Streams of gRPC apps through two sidecars with mTLS: many at once, long
//! and silent, large, slow, given up.

mod bulk;
mod ends;
mod many;
mod silence;

use tests::{GrpcApp, GrpcClient, GrpcRequest, Mesh, Sidecar};

/// A gRPC app behind one sidecar, and another sidecar to call it from.
pub(crate) struct Stage {
    pub(crate) mesh: Mesh,
    pub(crate) app: GrpcApp,
    pub(crate) caller: Sidecar,
    pub(crate) callee: Sidecar,
}

// === impl Stage ===

impl Stage {
    pub(crate) fn new(app: GrpcApp) -> Self {
        let mesh = Mesh::mtls();
        let callee = mesh.sidecar("callee").grpc_app(&app).start();
        let caller = mesh.sidecar("caller").start();
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
    pub(crate) fn client(&self) -> GrpcClient {
        GrpcClient::connect(self.caller.grpc()).unwrap()
    }

    /// The app called from another sidecar, and from its own.
    fn ways(&self) -> [(&'static str, GrpcClient); 2] {
        [
            ("another sidecar", self.client()),
            (
                "the own sidecar",
                GrpcClient::connect(self.callee.grpc()).unwrap(),
            ),
        ]
    }

    /// Both sidecars, the calling one first.
    pub(crate) fn sidecars(&self) -> [&Sidecar; 2] {
        [&self.caller, &self.callee]
    }

    /// Resident memory of both in bytes.
    pub(crate) fn rss(&self) -> [u64; 2] {
        self.sidecars().map(|sidecar| sidecar.rss())
    }

    /// How far both ever were above `before`, in bytes.
    pub(crate) fn peak_growth(&self, before: [u64; 2]) -> [u64; 2] {
        let peaks = self.sidecars().map(|sidecar| sidecar.vm_hwm());
        [0, 1].map(|side| peaks[side].saturating_sub(before[side]))
    }
}

/// A call of a method of the app, as a stream.
pub(crate) fn stream_of(method: &str) -> GrpcRequest {
    call_of(method).metadata("dapr-stream", "true")
}

/// A call of a method of the app.
pub(crate) fn call_of(method: &str) -> GrpcRequest {
    GrpcRequest::new(&format!("/testing.Kinds/{method}")).to("callee")
}
