//! One app of a run file with everything filled in: the app's own value
//! unless it is zero or missing, then the common one, then the default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::RunFileError;
use super::entry::{Entry, given};
use super::paths::existing;
use crate::root::Root;
use crate::run::App;

/// An app of a run file, ready to run.
#[derive(Debug)]
pub(crate) struct FileApp {
    /// Working directory of the app and of its sidecar.
    pub(crate) directory: PathBuf,
    pub(crate) app: App,
    /// Where this app's sidecar is installed.
    pub(crate) root: Root,
    pub(crate) app_log: Destination,
    pub(crate) daprd_log: Destination,
}

/// Where output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    Console,
    File,
    FileAndConsole,
}

impl Destination {
    pub(crate) const fn console(self) -> bool {
        matches!(self, Self::Console | Self::FileAndConsole)
    }

    pub(crate) const fn file(self) -> bool {
        matches!(self, Self::File | Self::FileAndConsole)
    }

    fn parse(text: Option<&str>, default: Self) -> Result<Self, RunFileError> {
        match text {
            None => Ok(default),
            Some("console") => Ok(Self::Console),
            Some("file") => Ok(Self::File),
            Some("fileAndConsole") => Ok(Self::FileAndConsole),
            Some(other) => Err(RunFileError::Destination(other.to_owned())),
        }
    }
}

/// Values that a run file cannot tell from a missing one.
trait Zero {
    fn is_zero(&self) -> bool;
}

impl Zero for i64 {
    fn is_zero(&self) -> bool {
        *self == 0
    }
}

impl Zero for bool {
    fn is_zero(&self) -> bool {
        !self
    }
}

impl Zero for String {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

/// The app's value unless it is zero, else the common one unless that is.
fn pick<T: Zero + Clone>(app: Option<T>, common: Option<&T>) -> Option<T> {
    let meant = |value: &T| !value.is_zero();
    app.filter(meant).or_else(|| common.cloned().filter(meant))
}

/// # Errors
/// A required key is missing, a path does not exist, or a value is none of
/// the allowed ones.
pub(super) fn resolve(
    mut entry: Entry,
    common: &Entry,
    base: &Path,
    root: &Root,
) -> Result<FileApp, RunFileError> {
    let directory = given(entry.app_dir_path.as_ref()).ok_or(RunFileError::NoAppDirectory)?;
    let directory = existing(base, directory)?;
    entry.resolve_shared_paths(&directory)?;
    check_pull_policy(entry.container_image_pull_policy.as_deref())?;

    let runtime = entry.runtime_path.as_ref().or(common.runtime_path.as_ref());
    let root = match runtime.and_then(|path| Root::under(path).ok()) {
        Some(own) => own,
        None => root.clone(),
    };
    let app_log = pick(
        entry.app_log_destination.take(),
        common.app_log_destination.as_ref(),
    );
    let daprd_log = pick(
        entry.daprd_log_destination.take(),
        common.daprd_log_destination.as_ref(),
    );
    Ok(FileApp {
        app_log: Destination::parse(app_log.as_deref(), Destination::FileAndConsole)?,
        daprd_log: Destination::parse(daprd_log.as_deref(), Destination::File)?,
        app: app(entry, common, &directory),
        directory,
        root,
    })
}

fn check_pull_policy(policy: Option<&str>) -> Result<(), RunFileError> {
    match policy {
        None | Some("" | "Always" | "Never" | "IfNotPresent") => Ok(()),
        Some(other) => Err(RunFileError::PullPolicy(other.to_owned())),
    }
}

fn app(entry: Entry, common: &Entry, directory: &Path) -> App {
    let local = directory.join(".dapr");
    let resources = first_given([
        entry.resources_paths,
        Some(local.join("resources"))
            .filter(|path| path.exists())
            .into_iter()
            .collect(),
        common.resources_paths.clone(),
    ]);
    let config = entry
        .config_file_path
        .or_else(|| Some(local.join("config.yaml")).filter(|path| path.exists()))
        .or_else(|| common.config_file_path.clone());
    let size = |own: Option<String>, alias: Option<i64>, unit: &str| {
        own.or_else(|| alias.filter(|n| *n != 0).map(|n| format!("{n}{unit}")))
    };
    let max_body_size = size(entry.max_body_size, entry.dapr_http_max_request_size, "Mi");
    let common_body_size = size(
        common.max_body_size.clone(),
        common.dapr_http_max_request_size,
        "Mi",
    );
    let read_buffer_size = size(
        entry.read_buffer_size,
        entry.dapr_http_read_buffer_size,
        "Ki",
    );
    let common_buffer_size = size(
        common.read_buffer_size.clone(),
        common.dapr_http_read_buffer_size,
        "Ki",
    );
    let id = entry.app_id.filter(|id| !id.is_empty()).unwrap_or_else(|| {
        let name = directory.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    });
    let port = |port: Option<i64>| port.unwrap_or(-1);
    let shared_text = |own, common: &Option<String>| pick(own, common.as_ref());
    let shared_number = |own, common: &Option<i64>| pick(own, common.as_ref());
    let shared_flag = |own, common: &Option<bool>| pick(own, common.as_ref()).unwrap_or(false);

    App {
        id,
        command: entry.command.unwrap_or_default(),
        port: port(entry.app_port),
        http_port: port(entry.dapr_http_port),
        grpc_port: port(entry.dapr_grpc_port),
        internal_grpc_port: port(entry.dapr_internal_grpc_port),
        metrics_port: port(entry.metrics_port),
        profile_port: port(entry.profile_port),
        channel_address: entry.app_channel_address.unwrap_or_default(),
        socket_directory: entry.unix_domain_socket.unwrap_or_default(),
        protocol: shared_text(entry.app_protocol, &common.app_protocol)
            .unwrap_or_else(|| "http".to_owned()),
        ssl: shared_flag(entry.app_ssl, &common.app_ssl),
        listen_addresses: shared_text(entry.api_listen_addresses, &common.api_listen_addresses)
            .unwrap_or_default(),
        enable_profiling: shared_flag(entry.enable_profiling, &common.enable_profiling),
        log_level: shared_text(entry.log_level, &common.log_level).unwrap_or_default(),
        max_concurrency: shared_number(entry.app_max_concurrency, &common.app_max_concurrency)
            .unwrap_or(-1),
        config,
        resources,
        components: None,
        max_body_size: pick(max_body_size, common_body_size.as_ref())
            .unwrap_or_else(|| "4Mi".to_owned()),
        read_buffer_size: pick(read_buffer_size, common_buffer_size.as_ref())
            .unwrap_or_else(|| "4Ki".to_owned()),
        health_check: shared_flag(
            entry.enable_app_health_check,
            &common.enable_app_health_check,
        ),
        health_path: shared_text(entry.app_health_check_path, &common.app_health_check_path)
            .unwrap_or_default(),
        health_interval: shared_number(
            entry.app_health_probe_interval,
            &common.app_health_probe_interval,
        )
        .unwrap_or(0),
        health_timeout: shared_number(
            entry.app_health_probe_timeout,
            &common.app_health_probe_timeout,
        )
        .unwrap_or(0),
        health_threshold: shared_number(entry.app_health_threshold, &common.app_health_threshold)
            .unwrap_or(0),
        api_logging: shared_flag(entry.enable_api_logging, &common.enable_api_logging),
        placement: entry
            .placement_host_address
            .or_else(|| common.placement_host_address.clone()),
        scheduler: entry
            .scheduler_host_address
            .or_else(|| common.scheduler_host_address.clone()),
        env: environment(entry.env, common.env.as_ref()),
    }
}

fn first_given<const N: usize>(candidates: [Vec<PathBuf>; N]) -> Vec<PathBuf> {
    candidates
        .into_iter()
        .find(|paths| !paths.is_empty())
        .unwrap_or_default()
}

type Written = BTreeMap<String, Option<String>>;

/// The common variables with the app's own over them.
fn environment(own: Option<Written>, common: Option<&Written>) -> BTreeMap<String, String> {
    common
        .cloned()
        .into_iter()
        .chain(own)
        .flatten()
        .map(|(name, value)| (name, value.unwrap_or_default()))
        .collect()
}
