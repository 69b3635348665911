//! The rows. Sorted by name, because look-up is a binary search and the
//! usage text lists them in this order.

use super::Flag;

/// Every flag daprd accepts. Anything else is refused.
pub static TABLE: &[Flag] = &[
    Flag::duration(
        "actors-disseminate-timeout",
        "30s",
        "Accepted for compatibility; must be positive",
    )
    .annotation("dapr.io/actors-disseminate-timeout"),
    Flag::text("actors-service", "", "Accepted for compatibility; actors are not served").hidden(),
    Flag::text(
        "allowed-origins",
        "",
        "Origins answered with CORS headers, separated by commas; empty leaves CORS alone",
    ),
    Flag::duration(
        "app-binding-options-timeout",
        "3s",
        "Accepted for compatibility; bindings are not served",
    )
    .annotation("dapr.io/app-binding-options-timeout"),
    Flag::text("app-channel-address", "127.0.0.1", "Host the app listens on, an IP address or a DNS name")
        .annotation("dapr.io/app-channel-address")
        .run("app-channel-address"),
    Flag::text("app-health-check-path", "/healthz", "Path of the app's health check; HTTP apps only")
        .annotation("dapr.io/app-health-check-path")
        .run("app-health-check-path"),
    Flag::int("app-health-probe-interval", "5", "Seconds between health probes of the app; 0 or less means 5")
        .annotation("dapr.io/app-health-probe-interval")
        .run("app-health-probe-interval"),
    Flag::int(
        "app-health-probe-timeout",
        "500",
        "Milliseconds a health probe may take, at most the interval; 0 or less means 500",
    )
    .annotation("dapr.io/app-health-probe-timeout")
    .run("app-health-probe-timeout"),
    Flag::int("app-health-threshold", "3", "Failed probes in a row that make the app unhealthy; below 1 means 3")
        .annotation("dapr.io/app-health-threshold")
        .run("app-health-threshold"),
    Flag::text("app-id", "", "Name other apps call this one by; required in standalone mode, without dots")
        .annotation("dapr.io/app-id")
        .run("app-id"),
    Flag::int("app-max-concurrency", "-1", "Calls the app gets at the same time; 0 or less means no limit")
        .annotation("dapr.io/app-max-concurrency")
        .run("app-max-concurrency"),
    Flag::text("app-port", "", "Port the app listens on; empty or 0 when it only calls others")
        .annotation("dapr.io/app-port")
        .run("app-port"),
    Flag::text("app-protocol", "http", "Protocol the app speaks: http, https, h2c, grpc or grpcs")
        .annotation("dapr.io/app-protocol")
        .run("app-protocol"),
    Flag::bool("app-ssl", "false", "Turns http into https and grpc into grpcs")
        .annotation("dapr.io/app-ssl")
        .run("app-ssl")
        .deprecated("use '--app-protocol https|grpcs'"),
    Flag::bool("build-info", "false", "Print version and commit, then exit"),
    Flag::text("components-path", "", "Directory of resources; used only without --resources-path")
        .run("components-path")
        .deprecated("use --resources-path"),
    Flag::list(
        "config",
        "Configuration file, or on Kubernetes the name of a Configuration; may be repeated, later files win",
    )
    .annotation("dapr.io/config")
    .run("config"),
    Flag::text("control-plane-address", "", "Address of the operator, as host:port"),
    Flag::text("control-plane-namespace", "default", "Namespace the control plane runs in")
        .env("DAPR_CONTROLPLANE_NAMESPACE"),
    Flag::text("control-plane-trust-domain", "localhost", "Trust domain of the control plane's identities")
        .env("DAPR_CONTROLPLANE_TRUST_DOMAIN"),
    Flag::duration(
        "dapr-block-shutdown-duration",
        "0",
        "After a signal, keep serving for this long or until the app is unhealthy; off unless given",
    )
    .annotation("dapr.io/block-shutdown-duration"),
    Flag::int(
        "dapr-graceful-shutdown-seconds",
        "5",
        "Seconds in-flight calls get to finish at shutdown; negative means 5, 0 waits without limit",
    )
    .annotation("dapr.io/graceful-shutdown-seconds"),
    Flag::text("dapr-grpc-port", "50001", "Port of the gRPC API")
        .annotation("dapr.io/grpc-port")
        .run("dapr-grpc-port"),
    Flag::int("dapr-http-max-request-size", "4", "Largest request body in MiB")
        .annotation("dapr.io/http-max-request-size")
        .deprecated("use '--max-body-size 4Mi'"),
    Flag::text("dapr-http-port", "3500", "Port of the HTTP API").run("dapr-http-port"),
    Flag::int("dapr-http-read-buffer-size", "4", "Largest header block in KiB")
        .annotation("dapr.io/http-read-buffer-size")
        .deprecated("use '--read-buffer-size 4Ki'"),
    Flag::text(
        "dapr-internal-grpc-listen-address",
        "",
        "Address the internal server listens on; empty means all, loopback is also what others are told",
    ),
    Flag::text(
        "dapr-internal-grpc-port",
        "",
        "Port of the internal server other sidecars call; empty or 0 picks one that stays the same",
    )
    .annotation("dapr.io/internal-grpc-port")
    .run("dapr-internal-grpc-port"),
    Flag::text(
        "dapr-listen-addresses",
        "",
        "Addresses of the HTTP and gRPC APIs, separated by commas, IPv6 in brackets; empty means all",
    )
    .annotation("dapr.io/sidecar-listen-addresses")
    .run("dapr-listen-addresses"),
    Flag::text("dapr-public-listen-address", "", "Address of the public server; empty means all"),
    Flag::text("dapr-public-port", "", "Port that serves health and metadata only; empty turns it off"),
    Flag::bool("disable-builtin-k8s-secret-store", "false", "Accepted for compatibility; there is no such store")
        .annotation("dapr.io/disable-builtin-k8s-secret-store"),
    Flag::list("disable-init-endpoints", "Start-up calls to the app to leave out: config, subscribe")
        .annotation("dapr.io/disable-init-endpoints"),
    Flag::bool("enable-api-logging", "false", "Log API calls; unless given, the Configuration decides")
        .annotation("dapr.io/enable-api-logging")
        .run("enable-api-logging"),
    Flag::bool("enable-app-health-check", "false", "Probe the app and refuse calls while it is unhealthy")
        .annotation("dapr.io/enable-app-health-check")
        .run("enable-app-health-check"),
    Flag::bool("enable-metrics", "true", "Serve metrics").annotation("dapr.io/enable-metrics"),
    Flag::bool("enable-mtls", "false", "Encrypt and authenticate calls between sidecars; needs trust anchors"),
    Flag::bool("enable-profiling", "false", "Accepted for compatibility; there is no profiling server")
        .annotation("dapr.io/enable-profiling")
        .run("enable-profiling"),
    Flag::duration(
        "hot-reload-reconcile-interval",
        "0",
        "How often watched resources are listed again; 0 means 1m",
    ),
    Flag::bool("log-as-json", "false", "Print log lines as JSON")
        .annotation("dapr.io/log-as-json")
        .run("log-as-json"),
    Flag::text("log-file", "", "File log lines are appended to instead of standard output"),
    Flag::text("log-level", "info", "Lowest level printed: debug, info, warn, error or fatal")
        .annotation("dapr.io/log-level")
        .run("log-level"),
    Flag::text(
        "max-body-size",
        "4Mi",
        "Largest request body of the HTTP and gRPC APIs, a quantity; -1 means 4Mi, 0 no limit",
    )
    .annotation("dapr.io/max-body-size")
    .run("max-body-size"),
    Flag::text("metrics-listen-address", "0.0.0.0", "Address of the metrics server"),
    Flag::text("metrics-port", "9090", "Port of the metrics server")
        .annotation("dapr.io/metrics-port")
        .run("metrics-port"),
    Flag::text("mode", "standalone", "Where the sidecar runs: standalone or kubernetes"),
    Flag::text("placement-host-address", "", "Accepted for compatibility; actors are not served")
        .annotation("dapr.io/placement-host-address")
        .run("placement-host-address"),
    Flag::text("profile-port", "7777", "Accepted for compatibility; must be a number").run("profile-port"),
    Flag::text(
        "read-buffer-size",
        "4Ki",
        "Largest header block of API requests and app responses, a quantity; -1 means 4Ki",
    )
    .annotation("dapr.io/read-buffer-size")
    .run("read-buffer-size"),
    Flag::text("reminders-service", "", "Accepted for compatibility; reminders are not served").hidden(),
    Flag::list("resources-path", "Directory of resources; may be repeated").run("resources-path"),
    Flag::text(
        "retry-body-size",
        "64Ki",
        "Bytes of a request body kept for another attempt, a quantity; larger bodies are sent once; 0 keeps none",
    ),
    Flag::list("scheduler-host-address", "Accepted for compatibility; jobs are not served")
        .annotation("dapr.io/scheduler-host-address")
        .run("scheduler-host-address")
        .env("DAPR_SCHEDULER_HOST_ADDRESS_DNS_A"),
    Flag::uint("scheduler-job-streams", "3", "Accepted for compatibility; jobs are not served"),
    Flag::text("sentry-address", "", "Address of the certificate authority, as host:port"),
    Flag::list("sentry-request-jwt-audiences", "Audiences asked for with a certificate; may be repeated")
        .annotation("dapr.io/sentry-request-jwt-audiences"),
    Flag::bool("terminating", "false", "Tell the daprd of this container that its pod is being ended, then exit; for preStop hooks"),
    Flag::text(
        "unix-domain-socket",
        "",
        "Directory of the sockets that serve the APIs instead of TCP ports; empty for TCP",
    )
    .annotation("dapr.io/unix-domain-socket-path")
    .run("unix-domain-socket"),
    Flag::bool("version", "false", "Print the version, then exit"),
    Flag::bool(
        "wait",
        "false",
        "Wait until the sidecar on this machine is ready for outbound calls, at most 1 minute, then exit",
    ),
];
