//! Ports that are taken, and apps that do not listen where they should.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::app::App;
use super::super::ports::PortError;
use super::super::sockets;
use super::{Source, variable};
use crate::instances::{Instance, scan};

/// Somebody else than the app holds the port it shall listen on. Before there
/// is a `session`, only one whom the sidecar would call by mistake.
pub(in super::super) fn port_taken(
    app: &App,
    session: Option<i32>,
    source: Source,
) -> Option<String> {
    let port = u16::try_from(app.port).ok().filter(|port| *port > 0)?;
    let taken = match session {
        None => sockets::reachable(host(app)?, port),
        Some(leader) => {
            let own = sockets::of_session(leader);
            sockets::taken(port) && own.iter().all(|it| it.port() != port)
        }
    };
    if !taken {
        return None;
    }
    let name = source.name("app-port");
    let holder = holder(port);
    Some(format!(
        "Port {port} is taken by {holder}, so app {:?} cannot listen on it. End that process, or give the app another {name}.",
        app.id
    ))
}

/// Who has a port that the sidecar was to get.
pub(in super::super) fn port_refused(
    error: &PortError,
    running: &[Instance],
    source: Source,
) -> Option<String> {
    let PortError::Unavailable { name, port } = error else {
        return None;
    };
    let setting = source.name(match *name {
        "HTTPPort" => "dapr-http-port",
        "GRPCPort" => "dapr-grpc-port",
        "MetricsPort" => "metrics-port",
        "InternalGRPCPort" => "dapr-internal-grpc-port",
        _ => "profile-port",
    });
    let Some(number) = u16::try_from(*port).ok() else {
        return Some(format!("{setting} is a number from 1 to 65535."));
    };
    let used = |one: &&Instance| [one.app_port, one.http_port, one.grpc_port].contains(port);
    let by = if sockets::taken(number) {
        format!("Port {port} is taken by {}.", holder(number))
    } else if let Some(one) = running.iter().find(used) {
        format!(
            "Port {port} belongs to app {:?} (daprd pid {}).",
            one.app_id, one.daprd_pid
        )
    } else if number < 1024 {
        format!("Port {port} is for the administrator, as all below 1024 are.")
    } else {
        format!("Port {port} is given twice.")
    };
    Some(format!(
        "{by} Give another {setting}, or leave it out to get a free one."
    ))
}

/// Why calls do not reach an app that runs: it does not listen on its port,
/// or at another address.
pub(in super::super) fn not_listening(app: &App, leader: i32, source: Source) -> Option<String> {
    let port = u16::try_from(app.port).ok().filter(|port| *port > 0)?;
    let host = host(app)?;
    if sockets::reachable(host, port) {
        return None;
    }
    let wanted = SocketAddr::new(host, port);
    let open = sockets::of_session(leader);
    let elsewhere = open.iter().find(|it| it.port() == port);
    if let Some(elsewhere) = elsewhere {
        let setting = source.name("app-channel-address");
        return Some(format!(
            "App {:?} listens on {elsewhere} only, but its sidecar calls {wanted}. Let it listen on {host} or on all addresses, or give {setting} {}.",
            app.id,
            elsewhere.ip()
        ));
    }
    let mut ports: Vec<u16> = open.iter().map(SocketAddr::port).collect();
    ports.sort_unstable();
    ports.dedup();
    let Some(first) = ports.first() else {
        return Some(format!(
            "App {:?} does not listen on port {port} yet. Calls to it fail until it does.",
            app.id
        ));
    };
    let setting = source.name("app-port");
    let shown: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let ports = match shown.len() {
        1 => format!("port {first}"),
        _ => format!("ports {}", shown.join(", ")),
    };
    Some(format!(
        "App {:?} does not listen on port {port}, where its sidecar calls it, but on {ports}. Give {setting} {first}, or let it listen on the port in APP_PORT.",
        app.id
    ))
}

/// Where the sidecar calls the app; `None` for a name, which may be anywhere.
fn host(app: &App) -> Option<IpAddr> {
    match app.channel_address.as_str() {
        "" | "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        other => other.trim_matches(['[', ']']).parse().ok(),
    }
}

/// Who listens on a port, by name.
fn holder(port: u16) -> String {
    let Some(pid) = sockets::holders(port).first().copied() else {
        return "a process of another user".to_owned();
    };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let shown = format!("{} (pid {pid})", name.trim_end());
    let sidecar = scan().into_iter().find(|one| one.daprd_pid == pid);
    if let Some(sidecar) = sidecar {
        return format!("{shown}, the sidecar of app {:?}", sidecar.app_id);
    }
    // Only apps of `dapr run` have both.
    match (variable(pid, "APP_ID"), variable(pid, "DAPR_HTTP_PORT")) {
        (Some(id), Some(_)) => format!("{shown}, app {id:?} of a dapr run"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::super::checks::tests::plan;
    use super::*;

    fn name() -> String {
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        format!("{} (pid {})", name.trim_end(), std::process::id())
    }

    #[test]
    fn a_taken_port_is_told_with_its_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = plan(&["-a", "cart", "-p", &port.to_string()]).app;
        assert_eq!(
            port_taken(&app, None, Source::File).unwrap(),
            format!(
                "Port {port} is taken by {}, so app \"cart\" cannot listen on it. End that process, or give the app another appPort.",
                name()
            )
        );
        let own = nix::unistd::getsid(None).unwrap().as_raw();
        assert_eq!(port_taken(&app, Some(own), Source::Flags), None);
        assert_eq!(not_listening(&app, own, Source::Flags), None);
        let error = PortError::Unavailable {
            name: "GRPCPort",
            port: port.into(),
        };
        assert_eq!(
            port_refused(&error, &[], Source::Flags).unwrap(),
            format!(
                "Port {port} is taken by {}. Give another --dapr-grpc-port, or leave it out to get a free one.",
                name()
            )
        );
    }

    #[test]
    fn a_port_that_cannot_be_is_told() {
        let error = PortError::Unavailable {
            name: "HTTPPort",
            port: 70_000,
        };
        assert_eq!(
            port_refused(&error, &[], Source::File).unwrap(),
            "daprHTTPPort is a number from 1 to 65535."
        );
    }
}
