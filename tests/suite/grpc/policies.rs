//! Resiliency of gRPC calls: forwarded ones and `InvokeService`.

mod breakers;
mod invocations;
mod retries;
mod streams;
mod timeouts;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tests::grpc_app::wire::GrpcStatus;
use tests::{GrpcApp, SidecarBuilder};

use super::Stage;

/// A stage whose caller has one Resiliency with this `spec`.
struct Guarded {
    stage: Stage,
    _resources: TempDir,
}

impl Guarded {
    fn new(spec: &str, app: GrpcApp) -> Self {
        let (resources, with_policies) = policies(spec);
        Self {
            stage: Stage::with(app, |callee| callee, with_policies),
            _resources: resources,
        }
    }
}

/// A directory with one Resiliency, and what makes a sidecar read it.
fn policies(spec: &str) -> (TempDir, impl Fn(SidecarBuilder) -> SidecarBuilder) {
    let resources = TempDir::new().unwrap();
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: policies\nspec: {spec}\n"
    );
    std::fs::write(resources.path().join("policies.yaml"), text).unwrap();
    let path = resources.path().to_str().unwrap().to_owned();
    let with_policies = move |caller: SidecarBuilder| {
        caller
            .flag("resources-path", &path)
            .flag("log-level", "debug")
    };
    (resources, with_policies)
}

/// Reads one message and the half-close, then ends with the code of `x-code`; from the call of
/// number `x-until` on it answers the message. Each end tells its number.
fn failing() -> GrpcApp {
    let calls = Arc::new(AtomicUsize::new(0));
    GrpcApp::new(move |mut call| {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        async move {
            let message = call.receive().await;
            call.receive_all().await;
            let entry = |name: &str| call.header(name).and_then(|n| n.parse::<usize>().ok());
            let until = entry("x-until").unwrap_or(usize::MAX);
            let code = entry("x-code").unwrap_or(0);
            let text = if code == 0 { "" } else { "failed" };
            let mut status = GrpcStatus::error(u32::try_from(code).unwrap_or(2), text)
                .trailer("x-number", &number.to_string());
            if number >= until {
                status = GrpcStatus::ok().trailer("x-number", &number.to_string());
                call.send(message.map(|message| message.data).unwrap_or_default())
                    .await;
            }
            call.end(&status);
        }
    })
}
