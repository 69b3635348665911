//! Policies at the boundary of real sidecars: whom an app answers, and how
//! the calls of an app are tried.

mod access;
mod breakers;
mod files;
mod retries;
mod timeouts;

use tempfile::TempDir;

use tests::{Mesh, RawApp, Sidecar, holds};

/// Two sidecars that trust each other; the policies are the caller's.
struct Stage {
    mesh: Mesh,
    _resources: TempDir,
    app: RawApp,
    own_app: RawApp,
    caller: Sidecar,
    _callee: Sidecar,
}

impl Stage {
    /// `spec` is that of the caller's one Resiliency, as JSON or YAML flow.
    fn new(spec: &str, app: RawApp) -> Self {
        Self::with_objects(&[("policies.yaml", resiliency("policies", spec))], app)
    }

    /// Files in the caller's resource directory.
    fn with_objects(files: &[(&str, String)], app: RawApp) -> Self {
        let resources = TempDir::new().unwrap();
        for (name, text) in files {
            std::fs::write(resources.path().join(name), text).unwrap();
        }
        let mesh = Mesh::mtls();
        let own_app = RawApp::scripted();
        let callee = mesh.sidecar("callee").app(&app).start();
        let caller = mesh
            .sidecar("caller")
            .app(&own_app)
            .flag("resources-path", resources.path().to_str().unwrap())
            .flag("log-level", "debug")
            .run();
        callee.wait_until_ready();
        Self {
            mesh,
            _resources: resources,
            app,
            own_app,
            caller,
            _callee: callee,
        }
    }

    /// Checks how often the log of the caller holds `text`.
    #[track_caller]
    fn expect_logged(&self, text: &str, times: usize) {
        let count = || self.caller.stdout().matches(text).count();
        // Lines may be captured a little later than the answer.
        holds(&format!("{text:?} is logged"), || count() >= times);
        assert_eq!(count(), times, "{text:?} in {}", self.caller.stdout());
    }
}

/// A Resiliency of this name.
fn resiliency(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: {name}\nspec: {spec}\n"
    )
}

/// The body of a failed call of `target`.
fn direct_invoke(target: &str, inner: &str) -> String {
    serde_json::json!({
        "errorCode": "ERR_DIRECT_INVOKE",
        "message": format!("failed to invoke, id: {target}, err: {inner}"),
    })
    .to_string()
}
