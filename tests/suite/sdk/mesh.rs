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

/// A program that serves, and the sidecar before it.
pub(super) struct Server {
    app_id: String,
    _app: Process,
    _sidecar: Sidecar,
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

// === impl Stage ===

impl Stage {
    pub(super) fn new(tokens: Tokens) -> Self {
        Self {
            mesh: Mesh::mtls(),
            tokens,
        }
    }

    /// Starts a server as app `app_id` and waits until calls reach it.
    pub(super) fn server(&self, project: &Installed, role: &str, app_id: &str) -> Server {
        let port = reserve();
        let is_grpc = role.contains("grpc");
        let mut sidecar = self.mesh.sidecar(app_id).app_port(port);
        if is_grpc {
            // The probe is an SDK's as well.
            sidecar = sidecar
                .flag("app-protocol", "grpc")
                .switch("enable-app-health-check")
                .flag("app-health-probe-interval", "1");
        }
        if self.tokens == Tokens::Both {
            sidecar = sidecar.env("APP_API_TOKEN", APP_TOKEN);
        }
        let sidecar = sidecar.start();
        let mut command = project.command(role);
        command
            .env("APP_PORT", port.to_string())
            .env("DAPR_HTTP_PORT", sidecar.http().to_string())
            .env("DAPR_GRPC_PORT", sidecar.grpc().to_string());
        if self.tokens == Tokens::Both {
            command.env("APP_API_TOKEN", APP_TOKEN);
        }
        let app = Process::spawn(&format!("{} {role}", project.language()), command);
        sidecar.wait_until_ready();
        eventually(&format!("{app_id} answers"), || {
            let call = Request::post(&invoke_path(app_id, "echo"), "hello");
            let answer = call.try_send(sidecar.http()).ok()?;
            (answer.status == 200).then_some(())
        });
        Server {
            app_id: app_id.to_owned(),
            _app: app,
            _sidecar: sidecar,
        }
    }

    /// Runs a client beside a sidecar of its own; fails the test when it ends
    /// otherwise than it said.
    pub(super) fn client(
        &self,
        project: &Installed,
        role: &str,
        http: Option<&Server>,
        grpc: Option<&Server>,
    ) -> Client {
        let sidecars = ["caller", "victim"].map(|app_id| {
            let sidecar = self.mesh.sidecar(app_id);
            match self.tokens {
                Tokens::None => sidecar.run(),
                Tokens::Both => sidecar.env("DAPR_API_TOKEN", API_TOKEN).run(),
            }
        });
        let [caller, victim] = &sidecars;
        let id = |server: Option<&Server>| server.map_or("", |server| &server.app_id).to_owned();
        let mut command = project.command(role);
        command
            .env("DAPR_HTTP_PORT", caller.http().to_string())
            .env("DAPR_GRPC_PORT", caller.grpc().to_string())
            .env("TARGET_HTTP", id(http))
            .env("TARGET_GRPC", id(grpc))
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
