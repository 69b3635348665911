//! The keys of one app, and of the part common to all.
//!
//! One type serves both: keys that belong to an app only are ignored in the
//! common part. Every key may be missing or null.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::paths::{PathError, existing};

/// What was written for one app, or for all.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entry {
    // Of one app.
    pub(super) app_dir_path: Option<PathBuf>,
    #[serde(rename = "appID")]
    pub(super) app_id: Option<String>,
    pub(super) command: Option<Vec<String>>,
    pub(super) app_port: Option<i64>,
    #[serde(rename = "daprHTTPPort")]
    pub(super) dapr_http_port: Option<i64>,
    #[serde(rename = "daprGRPCPort")]
    pub(super) dapr_grpc_port: Option<i64>,
    #[serde(rename = "daprInternalGRPCPort")]
    pub(super) dapr_internal_grpc_port: Option<i64>,
    pub(super) metrics_port: Option<i64>,
    pub(super) profile_port: Option<i64>,
    pub(super) app_channel_address: Option<String>,
    pub(super) unix_domain_socket: Option<String>,
    /// Only checked: the image is used in clusters.
    pub(super) container_image_pull_policy: Option<String>,

    // Shared: of one app, else common.
    pub(super) config_file_path: Option<PathBuf>,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) resources_paths: Vec<PathBuf>,
    pub(super) resources_path: Option<PathBuf>,
    pub(super) runtime_path: Option<PathBuf>,
    pub(super) app_protocol: Option<String>,
    pub(super) api_listen_addresses: Option<String>,
    pub(super) enable_profiling: Option<bool>,
    pub(super) log_level: Option<String>,
    pub(super) app_max_concurrency: Option<i64>,
    #[serde(rename = "appSSL")]
    pub(super) app_ssl: Option<bool>,
    pub(super) max_body_size: Option<String>,
    pub(super) read_buffer_size: Option<String>,
    /// Documented but never read by upstream: megabytes.
    #[serde(rename = "daprHTTPMaxRequestSize")]
    pub(super) dapr_http_max_request_size: Option<i64>,
    /// Documented but never read by upstream: kilobytes.
    #[serde(rename = "daprHTTPReadBufferSize")]
    pub(super) dapr_http_read_buffer_size: Option<i64>,
    pub(super) enable_app_health_check: Option<bool>,
    pub(super) app_health_check_path: Option<String>,
    pub(super) app_health_probe_interval: Option<i64>,
    pub(super) app_health_probe_timeout: Option<i64>,
    pub(super) app_health_threshold: Option<i64>,
    pub(super) enable_api_logging: Option<bool>,
    /// Empty is not the same as missing: it switches the address off.
    pub(super) placement_host_address: Option<String>,
    /// As `placement_host_address`.
    pub(super) scheduler_host_address: Option<String>,
    /// Scalars as they are written; null is empty.
    pub(super) env: Option<BTreeMap<String, Option<String>>>,
    pub(super) app_log_destination: Option<String>,
    pub(super) daprd_log_destination: Option<String>,
}

impl Entry {
    /// Makes the shared paths absolute and moves the deprecated single
    /// resources path behind the others.
    ///
    /// # Errors
    /// A path does not exist.
    pub(super) fn resolve_shared_paths(&mut self, base: &Path) -> Result<(), PathError> {
        for path in [&mut self.config_file_path, &mut self.runtime_path] {
            *path = given(path.as_ref())
                .map(|path| existing(base, path))
                .transpose()?;
        }
        let mut resources = Vec::new();
        for path in self
            .resources_paths
            .iter()
            .chain(given(self.resources_path.as_ref()))
        {
            if !path.as_os_str().is_empty() {
                resources.push(existing(base, path)?);
            }
        }
        self.resources_paths = resources;
        self.resources_path = None;
        Ok(())
    }
}

/// A path that is written and not empty.
pub(super) fn given(path: Option<&PathBuf>) -> Option<&PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

/// A list, or one scalar with commas.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    struct Paths;

    impl<'de> Visitor<'de> for Paths {
        type Value = Vec<PathBuf>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a path or a list of paths")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            let parts = text.split(',').map(str::trim);
            Ok(parts
                .filter(|part| !part.is_empty())
                .map(PathBuf::from)
                .collect())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut paths = Vec::new();
            while let Some(path) = items.next_element::<Option<PathBuf>>()? {
                paths.extend(path);
            }
            Ok(paths)
        }
    }

    deserializer.deserialize_any(Paths)
}
