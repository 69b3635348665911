//! The commands that work on a cluster only.

use super::{
    CERTIFICATES, CONTROL_PLANE, bundle, quote, refuse, resources, set, set_all, set_file,
};
use crate::args::Flag;
use crate::commands::Command;

const KUBERNETES: Flag = Flag::bool("kubernetes", "Do it in a Kubernetes cluster")
    .short('k')
    .required();
const TIMEOUT: Flag = Flag::int("timeout", "300", "Seconds it may take");
const SET: Flag = Flag::array("set", "Value of the Helm chart, as key=value");
const IMAGE_REGISTRY: Flag = Flag::text("image-registry", "", "Registry of the images");
const IMAGE_VARIANT: Flag = Flag::text("image-variant", "", "Variant of the images").hidden();
const ROOT_CERTIFICATE: Flag =
    Flag::text("ca-root-certificate", "", "File with the root certificate");
const ISSUER_KEY: Flag = Flag::text("issuer-private-key", "", "File with the issuer's key");
const ISSUER_CERTIFICATE: Flag = Flag::text(
    "issuer-public-certificate",
    "",
    "File with the issuer's certificate",
);

pub(crate) const COMPONENTS: Command = Command {
    name: "components",
    usage: "components",
    about: "List the Components of a Kubernetes cluster; not available yet.",
    example: "# What to use instead\ndapr components -k\n",
    flags: RESOURCE_FLAGS,
    run: |cli, parsed| resources(cli, parsed, "components"),
};

pub(crate) const CONFIGURATIONS: Command = Command {
    name: "configurations",
    usage: "configurations",
    about: "List the Configurations of a Kubernetes cluster; not available yet.",
    example: "# What to use instead\ndapr configurations -k\n",
    flags: RESOURCE_FLAGS,
    run: |cli, parsed| resources(cli, parsed, "configurations"),
};

const RESOURCE_FLAGS: &[Flag] = &[
    KUBERNETES,
    Flag::text("name", "", "Show this one only").short('n'),
    Flag::text("namespace", "", "Show this namespace only"),
    Flag::bool("all-namespaces", "Show all namespaces").short('A'),
    Flag::text("output", "list", "The output format: list, json or yaml").short('o'),
];

pub(crate) const DASHBOARD: Command = Command {
    name: "dashboard",
    usage: "dashboard",
    about: "Says that there is no dashboard.",
    example: "# What to use instead\ndapr dashboard\n",
    flags: &[
        Flag::bool("kubernetes", "Show a Kubernetes cluster").short('k'),
        Flag::bool("version", "Print the version").short('v'),
        Flag::int("port", "8080", "Port to serve it on").short('p'),
        Flag::text("address", "localhost", "Address to serve it on").short('a'),
        Flag::text("namespace", CONTROL_PLANE, "Namespace it runs in").short('n'),
    ],
    run: |cli, _| {
        cli.console
            .failure("there is no dashboard in Dapr 1.18; use: dapr list");
        1
    },
};

pub(crate) const MTLS: Command = Command {
    name: "mtls",
    usage: "mtls",
    about: "Tell whether mTLS is enabled in a Kubernetes cluster; not available yet.",
    example: "# What to use instead\ndapr mtls -k\n",
    flags: &[KUBERNETES],
    run: |cli, _| {
        refuse(
            cli,
            "mtls -k",
            "kubectl get configurations.dapr.io daprsystem --namespace dapr-system --output jsonpath='{.spec.mtls.enabled}'",
        )
    },
};

pub(crate) const MTLS_EXPIRY: Command = Command {
    name: "mtls expiry",
    usage: "mtls expiry",
    about: "Tell when the root certificate of a cluster expires; not available yet.",
    example: "# What to use instead\ndapr mtls expiry\n",
    flags: &[],
    run: |cli, _| {
        refuse(
            cli,
            "mtls expiry",
            &format!("{} | openssl x509 -noout -enddate", bundle("ca.crt")),
        )
    },
};

pub(crate) const MTLS_EXPORT: Command = Command {
    name: "mtls export",
    usage: "mtls export",
    about: "Save root certificate, issuer certificate and key of a cluster; not available yet.",
    example: "# What to use instead\ndapr mtls export --out ./certs\n",
    flags: &[Flag::text("out", ".", "Directory to save them in").short('o')],
    run: |cli, parsed| {
        let directory = parsed.text("out").trim_end_matches('/');
        let save = |name| {
            format!(
                "{} > {}",
                bundle(name),
                quote(&format!("{directory}/{name}"))
            )
        };
        let files = ["ca.crt", "issuer.crt", "issuer.key"].map(save);
        refuse(cli, "mtls export", &files.join(" && "))
    },
};

pub(crate) const MTLS_RENEW: Command = Command {
    name: "mtls renew-certificate",
    usage: "mtls renew-certificate",
    about: "Replace root and issuer certificate of a cluster; not available yet.",
    example: "# What to use instead\ndapr mtls renew-certificate -k \\\n  \
              --ca-root-certificate ca.crt --issuer-public-certificate issuer.crt --issuer-private-key issuer.key\n",
    flags: &[
        KUBERNETES,
        Flag::text(
            "private-key",
            "",
            "File with the key of the root certificate",
        ),
        ROOT_CERTIFICATE,
        ISSUER_KEY,
        ISSUER_CERTIFICATE,
        Flag::int("valid-until", "365", "Days the new certificates are valid"),
        Flag::bool("restart", "Restart the control plane"),
        TIMEOUT,
        IMAGE_VARIANT,
    ],
    run: |cli, parsed| {
        let mut line =
            "helm upgrade dapr charts/dapr --namespace dapr-system --reset-then-reuse-values"
                .to_owned();
        for (value, flag, file) in CERTIFICATES {
            let typed = parsed.text(flag);
            set_file(
                &mut line,
                value,
                if typed.is_empty() { file } else { typed },
            );
        }
        refuse(cli, "mtls renew-certificate -k", &line)
    },
};

pub(crate) const STATUS: Command = Command {
    name: "status",
    usage: "status",
    about: "Show the health of the control plane in a Kubernetes cluster; not available yet.",
    example: "# What to use instead\ndapr status -k\n",
    flags: &[KUBERNETES],
    run: |cli, _| {
        refuse(
            cli,
            "status -k",
            "kubectl get pods --all-namespaces --selector 'app in (dapr-operator,dapr-sentry,dapr-sidecar-injector)'",
        )
    },
};

pub(crate) const UPGRADE: Command = Command {
    name: "upgrade",
    usage: "upgrade",
    about: "Upgrade the control plane in a Kubernetes cluster; not available yet.",
    example: "# What to use instead\ndapr upgrade -k --runtime-version 1.18.0\n",
    flags: &[
        KUBERNETES,
        Flag::text("runtime-version", "", "Version to upgrade to").required(),
        SET,
        TIMEOUT,
        IMAGE_REGISTRY,
        IMAGE_VARIANT,
    ],
    run: |cli, parsed| {
        let mut line = format!(
            "helm upgrade dapr charts/dapr --namespace {CONTROL_PLANE} --reset-then-reuse-values --wait"
        );
        set(&mut line, "global.tag", parsed.text("runtime-version"));
        set(&mut line, "global.registry", parsed.text("image-registry"));
        set_all(&mut line, parsed.list("set"));
        refuse(cli, "upgrade -k", &line)
    },
};
