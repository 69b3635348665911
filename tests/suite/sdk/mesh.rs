//! Apps made with SDKs, each behind a sidecar, and clients that call them.

use std::time::Duration;

use tests::ports::reserve;
use tests::process::code;
use tests::{Mesh, Process, Request, Sidecar, eventually, invoke_path, within};

use super::project::Installed;
use super::report::Said;

/// What apps ask of their sidecar, and sidecars of their app's clients.
const APP_TOKEN: &str = "token-of-the-app";
const API_TOKEN: &str = "token-of-the-sidecar";

/// A client makes a hundred calls, some on a virtual machine that is still
/// warming up.
const CLIENT_PATIENCE: Duration = Duration::from_mins(2);

/// Whether sidecars and apps ask for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tokens {
    /// Everybody may call.
    None,
    /// Both tokens, of the sidecar and of the app.
    Both,
}

/// A role of a program that serves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    /// What `run` calls it.
    pub(super) name: &'static str,
    /// What clients find it by: `TARGET_<kind>`.
    pub(super) kind: Kind,
}

/// How calls reach a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As HTTP requests.
    Http,
    /// By `AppCallback.OnInvoke`; other services beside it are proxied.
    Grpc,
    /// By services of its own only, where an SDK's server takes none.
    Proxy,
}

/// A server, and the sidecar before it.
pub(super) struct Server {
    kind: Kind,
    _app: Process,
    sidecar: Sidecar,
}

/// A client that has ended, and what a failing test shows with it.
pub(super) struct Client {
    pub(super) said: Said,
    _process: Process,
    _sidecars: [Sidecar; 2],
}

/// Servers that clients can be pointed at.
pub(super) struct Stage {
    mesh: Mesh,
    tokens: Tokens,
}

// === impl Kind ===

impl Kind {
    fn app_id(self) -> &'static str {
        match self {
            Self::Http => "http-app",
            Self::Grpc => "grpc-app",
            Self::Proxy => "proxy-app",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Http => "TARGET_HTTP",
            Self::Grpc => "TARGET_GRPC",
            Self::Proxy => "TARGET_PROXY",
        }
    }
}

// === impl Server ===

impl Server {
    fn wait_until_called(&self) {
        self.sidecar.wait_until_ready();
        if self.kind == Kind::Proxy {
            return;
        }
        let app_id = self.kind.app_id();
        eventually(&format!("{app_id} answers"), || {
            let call = Request::post(&invoke_path(app_id, "echo"), "{}")
                .header("content-type", "application/json");
            let answer = call.try_send(self.sidecar.http()).ok()?;
            (answer.status == 200).then_some(())
        });
    }
}

// === impl Stage ===

impl Stage {
    pub(super) fn new(tokens: Tokens) -> Self {
        Self {
            mesh: Mesh::mtls(),
            tokens,
        }
    }

    /// Starts servers and waits until calls reach them.
    pub(super) fn servers(&self, project: &Installed, roles: &[Role]) -> Vec<Server> {
        let start = |&role| self.start(project, role);
        let servers: Vec<_> = roles.iter().map(start).collect();
        for server in &servers {
            server.wait_until_called();
        }
        servers
    }

    fn start(&self, project: &Installed, Role { name, kind }: Role) -> Server {
        let port = reserve();
        let mut sidecar = self.mesh.sidecar(kind.app_id()).app_port(port);
        sidecar = match kind {
            Kind::Http => sidecar,
            // SDKs answer the probe as well.
            Kind::Grpc => sidecar
                .flag("app-protocol", "grpc")
                .switch("enable-app-health-check")
                .flag("app-health-probe-interval", "1"),
            Kind::Proxy => sidecar.flag("app-protocol", "grpc"),
        };
        if self.tokens == Tokens::Both {
            sidecar = sidecar.env("APP_API_TOKEN", APP_TOKEN);
        }
        let sidecar = sidecar.start();
        let mut command = project.command(name);
        command
            .env("APP_PORT", port.to_string())
            .env("DAPR_HTTP_PORT", sidecar.http().to_string())
            .env("DAPR_GRPC_PORT", sidecar.grpc().to_string());
        if self.tokens == Tokens::Both {
            command.env("APP_API_TOKEN", APP_TOKEN);
        }
        Server {
            kind,
            _app: Process::spawn(&format!("{} {name}", project.language()), command),
            sidecar,
        }
    }

    /// Runs a client beside a sidecar of its own; fails the test when it ends
    /// otherwise than it said.
    pub(super) fn client(&self, project: &Installed, role: &str, servers: &[Server]) -> Client {
        let sidecars = ["caller", "victim"].map(|app_id| {
            let sidecar = self.mesh.sidecar(app_id);
            match self.tokens {
                Tokens::None => sidecar.run(),
                Tokens::Both => sidecar.env("DAPR_API_TOKEN", API_TOKEN).run(),
            }
        });
        let [caller, victim] = &sidecars;
        let mut command = project.command(role);
        for kind in [Kind::Http, Kind::Grpc, Kind::Proxy] {
            let is_there = servers.iter().any(|server| server.kind == kind);
            command.env(kind.variable(), if is_there { kind.app_id() } else { "" });
        }
        command
            .env("DAPR_HTTP_PORT", caller.http().to_string())
            .env("DAPR_GRPC_PORT", caller.grpc().to_string())
            .env("SHUTDOWN_HTTP_PORT", victim.http().to_string())
            .env("SHUTDOWN_GRPC_PORT", victim.grpc().to_string());
        if self.tokens == Tokens::Both {
            command.env("DAPR_API_TOKEN", API_TOKEN);
        }
        let name = format!("{} {role}", project.language());
        let client = Process::spawn(&name, command);
        let ended = within(CLIENT_PATIENCE, &format!("{name} ended"), || {
            client.exited()
        });
        client.wait();
        let said = Said::parse(&client.stdout());
        let failed = said.failures();
        assert!(
            code(ended) == i32::from(!failed.is_empty()),
            "{name} ended with {ended}, {} behaviours failed: {failed:?}\n{}{}",
            failed.len(),
            client.stdout(),
            client.stderr()
        );
        Client {
            said,
            _process: client,
            _sidecars: sidecars,
        }
    }
}
