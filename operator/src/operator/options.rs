//! The command line of the operator and what its values mean.

use std::path::PathBuf;
use std::time::Duration;

use api::duration::{DurationError, GoDuration};
use control_plane::{Flag, FlagError, Flags, Listen};

/// The shortest pause between two passes of the watchdog.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

pub(super) const FLAGS: &[Flag] = &[
    Flag::text(
        "cache-sync-period",
        "0",
        "Accepted; caches follow watches and need no resync",
    ),
    Flag::text(
        "config",
        "daprsystem",
        "Name of the control plane's Configuration",
    ),
    Flag::boolean(
        "disable-leader-election",
        "false",
        "Write without being elected; for a single replica",
    ),
    Flag::boolean(
        "disable-service-reconciler",
        "false",
        "Create no Services for apps",
    ),
    Flag::boolean(
        "enable-argo-rollout-service-reconciler",
        "false",
        "Accepted; Argo Rollouts get no Services yet",
    ),
    Flag::text(
        "listen-address",
        "",
        "Address the API listens on; empty for all",
    ),
    Flag::text(
        "max-pod-restarts-per-minute",
        "20",
        "Most pods the watchdog may restart in a minute",
    ),
    Flag::text("port", "6500", "Port of the API"),
    Flag::text(
        "trust-anchors-file",
        "/var/run/secrets/dapr.io/tls/ca.crt",
        "File with the root certificates",
    ),
    Flag::text(
        "watch-interval",
        "0",
        "Pause between two passes of the watchdog: 0, once, or a duration of 1s and more",
    ),
    Flag::text(
        "watch-namespace",
        "",
        "Namespace to look after; empty for all",
    ),
    Flag::boolean(
        "watchdog-can-patch-pod-labels",
        "false",
        "Let the watchdog label pods that have their sidecar",
    ),
    Flag::text(
        "webhook-server-listen-address",
        "",
        "Accepted; there is no conversion webhook",
    ),
    Flag::text(
        "webhook-server-port",
        "19443",
        "Accepted; there is no conversion webhook",
    ),
];

/// What the operator was asked to do.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) config: String,
    /// `None` for every namespace.
    pub(super) watch_namespace: Option<String>,
    pub(super) reconcile_services: bool,
    pub(super) elect_leader: bool,
    pub(super) listen: Listen,
    pub(super) anchors_file: PathBuf,
    pub(super) kubeconfig: String,
    /// What was asked for and is not there, for the log.
    pub(super) unsupported: Vec<&'static str>,
}

/// A value that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum OptionsError {
    #[error(transparent)]
    Flag(#[from] FlagError),
    #[error("invalid value for watch-interval: {0}")]
    WatchInterval(DurationError),
    #[error("invalid watch-interval value: if not '0' or 'once', must be at least 1s")]
    ShortWatchInterval,
}

impl Options {
    pub(super) fn new(flags: &Flags) -> Result<Self, OptionsError> {
        flags.parsed::<GoDuration>("cache-sync-period")?;
        let name = "max-pod-restarts-per-minute";
        if flags.text(name).parse::<i64>().is_err() {
            return Err(OptionsError::Flag(FlagError::Value {
                name,
                value: flags.text(name).to_owned(),
                reason: "must be a whole number".to_owned(),
            }));
        }
        flags.listen("webhook-server-listen-address", "webhook-server-port")?;
        let mut unsupported = Vec::new();
        if watchdog_enabled(flags.text("watch-interval"))? {
            unsupported.push("the injector watchdog (--watch-interval)");
        }
        if flags.on("enable-argo-rollout-service-reconciler") {
            unsupported.push("Argo Rollouts (--enable-argo-rollout-service-reconciler)");
        }
        let namespace = flags.text("watch-namespace");
        Ok(Self {
            config: flags.text("config").to_owned(),
            watch_namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
            reconcile_services: !flags.on("disable-service-reconciler"),
            elect_leader: !flags.on("disable-leader-election"),
            listen: flags.listen("listen-address", "port")?,
            anchors_file: PathBuf::from(flags.text("trust-anchors-file")),
            kubeconfig: flags.text("kubeconfig").to_owned(),
            unsupported,
        })
    }
}

fn watchdog_enabled(text: &str) -> Result<bool, OptionsError> {
    match text.to_ascii_lowercase().as_str() {
        "0" | "false" | "f" | "no" | "off" => return Ok(false),
        "once" => return Ok(true),
        _ => {}
    }
    let interval: GoDuration = text.parse().map_err(OptionsError::WatchInterval)?;
    if interval.to_std() < SHORTEST_INTERVAL {
        return Err(OptionsError::ShortWatchInterval);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<Options, String> {
        let flags = Flags::parse(FLAGS, args.iter().map(|arg| (*arg).to_owned()))
            .map_err(|error| error.to_string())?;
        Options::new(&flags).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_write_services_everywhere_once_elected() {
        let options = options(&[]).unwrap();
        assert_eq!(options.config, "daprsystem");
        assert_eq!(options.listen.port, 6500);
        assert_eq!(options.watch_namespace, None);
        assert!(options.reconcile_services && options.elect_leader);
        assert!(options.unsupported.is_empty());
    }

    #[test]
    fn the_watchdog_is_off_by_any_word_for_no() {
        for word in ["0", "false", "F", "no", "off"] {
            let options = options(&["--watch-interval", word]).unwrap();
            assert!(options.unsupported.is_empty(), "{word}");
        }
        for word in ["once", "1s", "2m"] {
            let options = options(&["--watch-interval", word]).unwrap();
            assert_eq!(options.unsupported.len(), 1, "{word}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (args, message) in [
            (
                &["--watch-interval=soon"][..],
                "invalid value for watch-interval: time: invalid duration \"soon\"",
            ),
            (
                &["--watch-interval", "500ms"],
                "invalid watch-interval value: if not '0' or 'once', must be at least 1s",
            ),
            (
                &["--port", "65536"],
                "invalid value for --port: \"65536\": must be a number from 0 to 65535",
            ),
            (
                &["--max-pod-restarts-per-minute=many"],
                "invalid value for --max-pod-restarts-per-minute: \"many\": must be a whole number",
            ),
        ] {
            assert_eq!(options(args).unwrap_err(), message);
        }
    }
}
