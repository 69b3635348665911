//! The app channel: apps over HTTP and HTTPS, HTTP/1.1 and HTTP/2 get the same
//! calls and give the same answers. Every table runs over all four kinds of
//! app, called as the own app and through a second sidecar.

mod addresses;
mod calls;
mod ends;
mod health;
mod many;
mod start;
mod streams;
mod wrong;

use tests::{Mesh, Request, Sidecar, SidecarBuilder, Speaks, WebApp, invoke_path};

/// Two apps of a kind behind two sidecars.
struct Pair {
    own: WebApp,
    other: WebApp,
    caller: Sidecar,
    callee: Sidecar,
    _mesh: Mesh,
}

/// One way to an app: its id and the app.
type Way<'a> = (&'static str, &'a WebApp);

impl Pair {
    fn new(speaks: Speaks) -> Self {
        Self::with(speaks, |member| member)
    }

    /// With more settings on both sidecars.
    fn with(speaks: Speaks, settings: impl Fn(SidecarBuilder) -> SidecarBuilder) -> Self {
        let mesh = Mesh::plain();
        let (own, other) = (WebApp::new(speaks), WebApp::new(speaks));
        let start = |id, app| settings(mesh.sidecar(id).web_app(app)).start();
        let (caller, callee) = (start("caller", &own), start("callee", &other));
        caller.wait_until_ready();
        callee.wait_until_ready();
        Self {
            own,
            other,
            caller,
            callee,
            _mesh: mesh,
        }
    }

    fn ways(&self) -> [Way<'_>; 2] {
        [("caller", &self.own), ("callee", &self.other)]
    }

    /// Port of the API that calls are made on.
    fn port(&self) -> u16 {
        self.caller.http()
    }
}

/// A request to `path` of `app_id`, written without its leading slash.
fn request(method: &str, app_id: &str, path: &str) -> Request {
    Request::new(method, &invoke_path(app_id, path))
}
