//! The flags of `dapr init`: its own, those for a cluster, and those of what
//! is not installed here.

use crate::args::Flag;

pub(super) const FLAGS: &[Flag] = &[
    Flag::bool(
        "slim",
        "The same as without it: there is nothing to leave out",
    )
    .short('s'),
    Flag::text(
        "runtime-version",
        "latest",
        "Version to install; only this program's own",
    ),
    Flag::text(
        "from-dir",
        "",
        "Directory with the programs daprd and sentry",
    ),
    Flag::bool(
        "kubernetes",
        "Install to a Kubernetes cluster; not available yet",
    )
    .short('k'),
    Flag::text(
        "network",
        "",
        "Accepted for compatibility; no container is started",
    )
    .hidden(),
    Flag::text("image-registry", "", "With -k: registry of the images"),
    Flag::text(
        "image-variant",
        "",
        "Accepted for compatibility; no image is used",
    )
    .hidden(),
    Flag::text(
        "container-runtime",
        "",
        "Accepted for compatibility; none is used",
    )
    .hidden(),
    Flag::text(
        "scheduler-volume",
        "",
        "Accepted for compatibility; no scheduler",
    )
    .hidden(),
    Flag::text(
        "scheduler-override-broadcast-host-port",
        "",
        "Accepted for compatibility; no scheduler",
    )
    .hidden(),
    Flag::bool("redis-stack", "Accepted for compatibility; no Redis").hidden(),
    Flag::text(
        "namespace",
        "dapr-system",
        "With -k: namespace of the control plane",
    )
    .short('n'),
    Flag::bool("wait", "With -k: wait until the control plane is ready"),
    Flag::int("timeout", "300", "With -k: seconds to wait"),
    Flag::on("enable-mtls", "With -k: encrypt calls between sidecars"),
    Flag::bool("enable-ha", "With -k: three replicas of the control plane"),
    Flag::array("set", "With -k: value of the Helm chart, as key=value"),
    Flag::text(
        "ca-root-certificate",
        "",
        "With -k: file with the root certificate",
    ),
    Flag::text(
        "issuer-private-key",
        "",
        "With -k: file with the issuer's key",
    ),
    Flag::text(
        "issuer-public-certificate",
        "",
        "With -k: file with the issuer's certificate",
    ),
    Flag::bool("dev", "Accepted for compatibility; no Redis, no Zipkin").hidden(),
];
