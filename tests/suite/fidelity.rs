//! What crosses two sidecars arrives as it was sent: every row runs towards
//! the own app and towards another sidecar's, in the URL and the header form.

mod bodies;
mod headers;
mod limits;
mod methods;
mod paths;
mod sse;
mod status;
mod targets;
mod trace;

use std::fmt;

use tests::{After, Exchange, Mesh, RawApp, Request, Sidecar, invoke_path};

/// Two apps behind two sidecars that trust each other.
pub(crate) struct Stage {
    _mesh: Mesh,
    pub(crate) own_app: RawApp,
    pub(crate) other_app: RawApp,
    pub(crate) caller: Sidecar,
    _callee: Sidecar,
}

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) to: To,
    form: Form,
}

/// Whose app is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// The caller's own.
    Own,
    /// The one behind the other sidecar.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Url,
    Header,
}

pub(crate) const WAYS: [Way; 4] = [
    Way {
        to: To::Own,
        form: Form::Url,
    },
    Way {
        to: To::Own,
        form: Form::Header,
    },
    Way {
        to: To::Other,
        form: Form::Url,
    },
    Way {
        to: To::Other,
        form: Form::Header,
    },
];

// === impl Stage ===

impl Stage {
    /// With scripted apps.
    pub(crate) fn new() -> Self {
        Self::of(RawApp::scripted(), RawApp::scripted())
    }

    /// With apps that answer by calling `handler`.
    pub(crate) fn with(handler: impl Fn(&mut Exchange) + Clone + Send + Sync + 'static) -> Self {
        Self::of(RawApp::new(handler.clone()), RawApp::new(handler))
    }

    fn of(own_app: RawApp, other_app: RawApp) -> Self {
        Self::with_flags(own_app, other_app, &[])
    }

    /// With these flags on both sidecars.
    pub(crate) fn with_flags(own_app: RawApp, other_app: RawApp, flags: &[(&str, &str)]) -> Self {
        let mesh = Mesh::mtls();
        let start = |app_id: &str, app: &RawApp| {
            let builder = mesh.sidecar(app_id).app(app);
            flags
                .iter()
                .fold(builder, |builder, (name, value)| builder.flag(name, value))
                .start()
        };
        let caller = start("caller", &own_app);
        let callee = start("callee", &other_app);
        caller.wait_until_ready();
        callee.wait_until_ready();
        Self {
            _mesh: mesh,
            own_app,
            other_app,
            caller,
            _callee: callee,
        }
    }

    /// The app a way leads to.
    pub(crate) fn app(&self, way: Way) -> &RawApp {
        match way.to {
            To::Own => &self.own_app,
            To::Other => &self.other_app,
        }
    }

    /// Scripts both apps.
    pub(crate) fn script(&self, bytes: impl AsRef<[u8]>, after: After) {
        self.own_app.script(&bytes, after);
        self.other_app.script(&bytes, after);
    }

    /// Forgets what the apps saw.
    pub(crate) fn forget(&self) {
        self.own_app.take();
        self.other_app.take();
    }
}

// === impl Way ===

impl Way {
    /// The app id called.
    pub(crate) fn target(self) -> &'static str {
        match self.to {
            To::Own => "caller",
            To::Other => "callee",
        }
    }

    /// A request for `path`, written without its leading slash.
    pub(crate) fn request(self, method: &str, path: &str) -> Request {
        match self.form {
            Form::Url => Request::new(method, &invoke_path(self.target(), path)),
            Form::Header => {
                Request::new(method, &format!("/{path}")).header("dapr-app-id", self.target())
            }
        }
    }

    /// The body of a refused call, `err` being the cause.
    pub(crate) fn refusal(self, err: &str) -> String {
        refusal(self.target(), err)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} app, {:?} form", self.to, self.form)
    }
}

/// The body of a call to `target` that failed for `err`.
pub(crate) fn refusal(target: &str, err: &str) -> String {
    error_body(
        "ERR_DIRECT_INVOKE",
        &format!("failed to invoke, id: {target}, err: {err}"),
    )
}

/// An error body, byte for byte.
pub(crate) fn error_body(code: &str, message: &str) -> String {
    let message = serde_json::Value::from(message);
    format!("{{\"errorCode\":\"{code}\",\"message\":{message}}}")
}
