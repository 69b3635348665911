//! What is checked, and decided, before anything of an app starts.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use api::quantity::{Quantity, QuantityError};
use serde::Deserialize;

use super::app::{App, Mtls, Plan, SidecarPorts};
use super::name;
use super::ports::{PortError, Ports};
use super::resources::{self, ResourceError};
use crate::instances::Instance;
use crate::root::Root;
use crate::run_file::{Stat, stat};

/// Why an app is not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error(transparent)]
    Resources(#[from] ResourceError),
    #[error("error validating config path {:?} : {source}", .path.display().to_string())]
    Config { path: PathBuf, source: Stat },
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("invalid app port {0}: a port is a number from 1 to 65535")]
    AppPort(i64),
    #[error(
        "invalid app id {0:?}: an identity is made of at most 64 letters, digits and characters of \"-_\"; use another app id, or --enable-mtls=false"
    )]
    AppId(String),
    #[error("invalid max request body size: {0}")]
    BodySize(QuantityError),
    #[error("invalid http read buffer size: {0}")]
    BufferSize(QuantityError),
}

/// Checks an app and fixes its name, ports and sizes. `mtls` is what the
/// command line wants; the Configuration or exported anchors overrule it.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check(
    mut app: App,
    root: &Root,
    running: &[Instance],
    ports: &mut Ports,
    mtls: bool,
) -> Result<Plan, CheckError> {
    if app.id.is_empty() {
        app.id = name::invent(|name| running.iter().any(|one| one.app_id == name));
    }
    let resources = resource_directories(&app, root)?;
    let config = configuration(&app, root)?;
    if app.port > i64::from(u16::MAX) {
        return Err(CheckError::AppPort(app.port));
    }
    let ports = claim(&app, ports)?;
    let mtls = identity(config.as_deref(), mtls);
    if mtls == Mtls::Own && !identifies(&app.id) {
        return Err(CheckError::AppId(app.id));
    }
    Ok(Plan {
        max_body_size: size(&app.max_body_size).map_err(CheckError::BodySize)?,
        read_buffer_size: size(&app.read_buffer_size).map_err(CheckError::BufferSize)?,
        mtls,
        app,
        ports,
        config,
        resources,
    })
}

/// Differs from Dapr: only directories the user named must exist.
fn resource_directories(app: &App, root: &Root) -> Result<Vec<PathBuf>, CheckError> {
    let mut named = app.resources.clone();
    if named.is_empty() {
        named.extend(app.components.clone());
    }
    if named.is_empty() {
        let default = root.components();
        named.extend(default.is_dir().then_some(default));
    }
    resources::check(&named, &app.id)?;
    Ok(named)
}

fn configuration(app: &App, root: &Root) -> Result<Option<PathBuf>, CheckError> {
    let Some(path) = app.config.clone() else {
        let default = root.config();
        return Ok(default.is_file().then_some(default));
    };
    match stat(&path) {
        Ok(_) => Ok(Some(path)),
        Err(source) => Err(CheckError::Config { path, source }),
    }
}

fn claim(app: &App, ports: &mut Ports) -> Result<SidecarPorts, PortError> {
    ports.reserve(app.port);
    Ok(SidecarPorts {
        http: ports.claim("HTTPPort", app.http_port)?,
        grpc: ports.claim("GRPCPort", app.grpc_port)?,
        metrics: ports.claim("MetricsPort", app.metrics_port)?,
        internal_grpc: ports.claim("InternalGRPCPort", app.internal_grpc_port)?,
        profile: if app.enable_profiling {
            Some(ports.claim("ProfilePort", app.profile_port)?)
        } else {
            None
        },
    })
}

/// The canonical text of a size; any negative one is `-1`.
fn size(text: &str) -> Result<String, QuantityError> {
    let quantity: Quantity = text.parse()?;
    if quantity.is_negative() {
        return Ok("-1".to_owned());
    }
    Ok(quantity.to_string())
}

fn identity(config: Option<&Path>, wanted: bool) -> Mtls {
    let exported = env::var_os("DAPR_TRUST_ANCHORS").is_some_and(|anchors| !anchors.is_empty());
    match config.and_then(configured) {
        Some(true) => Mtls::Users,
        None if wanted && !exported => Mtls::Own,
        Some(false) | None => Mtls::Off,
    }
}

/// Whether this run's authority signs a certificate for the app id. One with
/// dots is left to the sidecar, which refuses it in any case.
fn identifies(app_id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    app_id.len() <= 64 && app_id.bytes().all(allowed)
}

/// `spec.mtls.enabled`, if the file says anything about it. A file that does
/// not parse says nothing: the sidecar reports it.
fn configured(path: &Path) -> Option<bool> {
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Configuration {
        spec: Option<Spec>,
    }
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Spec {
        mtls: Option<MtlsSpec>,
    }
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct MtlsSpec {
        enabled: Option<bool>,
    }
    let text = fs::read_to_string(path).ok()?;
    let configuration: Configuration = serde_saphyr::from_str(&text).ok()?;
    configuration.spec?.mtls?.enabled
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::flags;
    use super::*;
    use crate::args::parse;

    /// A plan for a command line, with ports 1 to 4 and no files.
    pub(in super::super) fn plan(line: &[&str]) -> Plan {
        let app = app(line);
        Plan {
            max_body_size: size(&app.max_body_size).unwrap(),
            read_buffer_size: size(&app.read_buffer_size).unwrap(),
            ports: SidecarPorts {
                http: 1,
                grpc: 2,
                metrics: 3,
                internal_grpc: 4,
                profile: None,
            },
            app,
            config: None,
            resources: Vec::new(),
            mtls: Mtls::Off,
        }
    }

    fn app(line: &[&str]) -> App {
        let words: Vec<String> = line.iter().map(ToString::to_string).collect();
        flags::app(&parse(flags::FLAGS, &words).unwrap())
    }

    fn nowhere() -> Root {
        Root::under(Path::new("/nonexistent")).unwrap()
    }

    fn checked(line: &[&str]) -> Result<Plan, CheckError> {
        check(app(line), &nowhere(), &[], &mut Ports::beside(&[]), true)
    }

    #[test]
    fn a_missing_runtime_directory_is_no_mistake() {
        let plan = checked(&[]).unwrap();
        assert!(plan.config.is_none() && plan.resources.is_empty());
        assert!(plan.app.id.contains('-'));
        assert!(plan.ports.profile.is_none());
    }

    #[test]
    fn what_the_user_names_must_exist_and_parse() {
        for (line, message) in [
            (
                &["--resources-path", "/nope"][..],
                r#"error validating resources path ["/nope"] : stat /nope: no such file or directory"#,
            ),
            (
                &["--config", "/nope.yaml"],
                r#"error validating config path "/nope.yaml" : stat /nope.yaml: no such file or directory"#,
            ),
            (
                &["--read-buffer-size", "4xx"],
                "invalid http read buffer size: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            ),
            (
                &["--app-port", "65536"],
                "invalid app port 65536: a port is a number from 1 to 65535",
            ),
            (
                &["--app-id", "a/b"],
                r#"invalid app id "a/b": an identity is made of at most 64 letters, digits and characters of "-_"; use another app id, or --enable-mtls=false"#,
            ),
            (
                &["--app-port", "5000", "--dapr-http-port", "5000"],
                "invalid configuration for HTTPPort. Port 5000 is not available",
            ),
        ] {
            let error = checked(line).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn app_ids_need_to_be_identities_for_mtls_only() {
        let long = "x".repeat(65);
        for (id, good) in [("a_b-1", true), ("A.b", true), ("ü", false), (&long, false)] {
            assert_eq!(checked(&["-a", id]).is_ok(), good, "{id}");
            let plain = check(
                app(&["-a", id]),
                &nowhere(),
                &[],
                &mut Ports::beside(&[]),
                false,
            );
            assert_eq!(plain.unwrap().app.id, id);
        }
    }

    #[test]
    fn negative_sizes_become_minus_one() {
        assert_eq!(size("-5Mi").unwrap(), "-1");
        assert_eq!(size("4096Ki").unwrap(), "4Mi");
    }

    #[test]
    fn the_configuration_decides_about_mtls_first() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("c.yaml");
        for (text, wanted, expected) in [
            ("spec: {mtls: {enabled: true}}", false, Mtls::Users),
            ("spec: {mtls: {enabled: false}}", true, Mtls::Off),
            ("spec: {mtls: {allowedClockSkew: 1m}}", true, Mtls::Own),
            ("spec:", false, Mtls::Off),
            ("{{{", true, Mtls::Own),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(identity(Some(&file), wanted), expected, "{text}");
        }
        assert_eq!(identity(None, true), Mtls::Own);
    }
}
