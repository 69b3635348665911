//! What a pod's annotations say: names, old names, and values read the way
//! Dapr reads them.
//!
//! An annotation that sets a flag of daprd is named by that flag's row in
//! `api::flags::TABLE`; those that only the injector reads are listed here.
//! Mirrors Dapr 1.18 pkg/injector/annotations and pkg/injector/patcher/sidecar.go.

use api::flags::truthy;
use serde_json::{Map, Value};

/// Master switch.
pub const ENABLED: &str = "dapr.io/enabled";
/// `--app-id`, label and identity.
pub const APP_ID: &str = "dapr.io/app-id";
/// Secret with the token the app must send.
pub const API_TOKEN_SECRET: &str = "dapr.io/api-token-secret";
/// Secret with the token the sidecar sends to the app.
pub const APP_TOKEN_SECRET: &str = "dapr.io/app-token-secret";
/// Runs the sidecar under a debugger.
pub const ENABLE_DEBUG: &str = "dapr.io/enable-debug";
/// Port of that debugger.
pub const DEBUG_PORT: &str = "dapr.io/debug-port";
/// Runs the sidecar as an init container that stays.
pub const ENABLE_NATIVE_SIDECAR: &str = "dapr.io/enable-native-sidecar";
/// More variables for the sidecar.
pub const ENV: &str = "dapr.io/env";
/// More variables for the sidecar, from secrets.
pub const ENV_FROM_SECRET: &str = "dapr.io/env-from-secret";
/// Containers that are pluggable components and get no variables.
pub const PLUGGABLE_COMPONENTS: &str = "dapr.io/pluggable-components";
/// Asks for containers of pluggable components.
pub const INJECT_PLUGGABLE_COMPONENTS: &str = "dapr.io/inject-pluggable-components";
/// Image of the sidecar.
pub const SIDECAR_IMAGE: &str = "dapr.io/sidecar-image";
/// Seccomp profile of the sidecar; present and empty means none.
pub const SECCOMP_PROFILE: &str = "dapr.io/sidecar-seccomp-profile-type";
/// Volumes mounted read-only.
pub const VOLUME_MOUNTS: &str = "dapr.io/volume-mounts";
/// Volumes mounted for writing.
pub const VOLUME_MOUNTS_RW: &str = "dapr.io/volume-mounts-rw";

/// Annotation, list and kind of each resource of the sidecar.
pub const RESOURCES: [(&str, &str, &str); 4] = [
    ("dapr.io/sidecar-cpu-request", "requests", "cpu"),
    ("dapr.io/sidecar-cpu-limit", "limits", "cpu"),
    ("dapr.io/sidecar-memory-request", "requests", "memory"),
    ("dapr.io/sidecar-memory-limit", "limits", "memory"),
];

/// Where the annotations of a probe's times start.
pub const LIVENESS: &str = "dapr.io/sidecar-liveness-probe-";
/// As [`LIVENESS`].
pub const READINESS: &str = "dapr.io/sidecar-readiness-probe-";

/// Names that guides older than Dapr 1.0 use, and what they are called now.
///
/// Differs from Dapr: 1.18 ignores them, and such a pod has no app id.
const LEGACY: [(&str, &str); 5] = [
    ("dapr.io/id", APP_ID),
    ("dapr.io/port", "dapr.io/app-port"),
    ("dapr.io/protocol", "dapr.io/app-protocol"),
    ("dapr.io/profiling", "dapr.io/enable-profiling"),
    ("dapr.io/max-concurrency", "dapr.io/app-max-concurrency"),
];

/// The annotations of one pod, and what was odd about them.
#[derive(Debug, Default)]
pub struct Annotations<'a> {
    given: Option<&'a Map<String, Value>>,
    adopted: Vec<(&'static str, &'a str)>,
    warnings: Vec<String>,
}

impl<'a> Annotations<'a> {
    /// Reads old names as well, where the new one is absent.
    pub fn new(given: Option<&'a Map<String, Value>>) -> Self {
        let mut annotations = Self {
            given,
            ..Self::default()
        };
        for (old, new) in LEGACY {
            if annotations.text(new).is_none()
                && let Some(value) = annotations.non_empty(old)
            {
                annotations.adopted.push((new, value));
                annotations.warn(format!("annotation {old} is outdated, use {new}"));
            }
        }
        annotations
    }

    /// New names that the pod lacks, with the values of their old names.
    pub fn adopted(&self) -> &[(&'static str, &'a str)] {
        &self.adopted
    }

    /// Everything that was odd, for the log.
    pub fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    /// Notes something odd, once.
    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The value, which may be empty.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let given = self.given.and_then(|given| given.get(name)?.as_str());
        given.or_else(|| {
            let adopted = self.adopted.iter().find(|(new, _)| *new == name);
            adopted.map(|(_, value)| *value)
        })
    }

    /// The value unless it is empty.
    pub fn non_empty(&self, name: &str) -> Option<&'a str> {
        self.text(name).filter(|value| !value.is_empty())
    }

    /// Whether it is switched on; `default` when absent. Anything that is not
    /// a word for yes means no.
    pub fn on(&self, name: &str, default: bool) -> bool {
        self.text(name).map_or(default, truthy)
    }

    /// A whole number; absent with a warning when it is none or does not fit
    /// 32 bits.
    ///
    /// Differs from Dapr: 1.18 cuts larger numbers to 32 bits.
    pub fn int(&mut self, name: &str) -> Option<i32> {
        let text = self.text(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.warn(format!(
                "annotation {name}: {text:?} is not a whole number of 32 bits, ignored"
            ));
        }
        number
    }
}

/// The annotation that sets a flag of daprd.
///
/// # Panics
/// No such flag, or no annotation sets it.
pub fn of_flag(flag: &str) -> &'static str {
    let table = api::flags::TABLE;
    table
        .binary_search_by_key(&flag, |row| row.name)
        .ok()
        .and_then(|at| table.get(at)?.annotation)
        .expect("flags named in this crate have an annotation")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_taken_as_they_are_or_not_at_all() {
        for (text, number) in [
            ("5", Some(5)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("2147483647", Some(i32::MAX)),
            ("2147483648", None),
            ("4294967301", None),
            (" 5", None),
            ("5s", None),
            ("", None),
            ("0x10", None),
        ] {
            let given = json!({ "n": text });
            let mut annotations = Annotations::new(given.as_object());
            assert_eq!(annotations.int("n"), number, "{text}");
            let warnings = annotations.into_warnings().len();
            assert_eq!(warnings, usize::from(number.is_none()), "{text}");
        }
        assert_eq!(Annotations::default().int("n"), None);
    }

    #[test]
    fn an_old_name_counts_only_without_the_new_one() {
        let given = json!({
            "dapr.io/id": "old", "dapr.io/port": "5000", "dapr.io/app-port": "6000",
            "dapr.io/protocol": "",
        });
        let annotations = Annotations::new(given.as_object());
        assert_eq!(annotations.text(APP_ID), Some("old"));
        assert_eq!(annotations.text("dapr.io/app-port"), Some("6000"));
        assert_eq!(annotations.adopted(), [(APP_ID, "old")]);
        let given = json!({ "dapr.io/id": "old", "dapr.io/app-id": "" });
        let annotations = Annotations::new(given.as_object());
        assert_eq!(annotations.text(APP_ID), Some(""));
        assert_eq!(annotations.into_warnings(), <[String; 0]>::default());
    }

    #[test]
    fn every_old_name_leads_to_a_known_one() {
        for (_, new) in LEGACY {
            let known = api::flags::TABLE
                .iter()
                .any(|row| row.annotation == Some(new));
            assert!(known, "{new}");
        }
    }
}
