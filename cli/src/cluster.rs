//! Commands for a Kubernetes cluster: known to the command line, and refused
//! with the line for `kubectl` or `helm` that does the same.

mod commands;

pub(crate) use commands::{
    COMPONENTS, CONFIGURATIONS, DASHBOARD, MTLS, MTLS_EXPIRY, MTLS_EXPORT, MTLS_RENEW, STATUS,
    UPGRADE,
};

use crate::Cli;
use crate::args::Parsed;

/// Where the control plane is unless somebody says otherwise.
const CONTROL_PLANE: &str = "dapr-system";

/// Value of the chart, flag, and a name for a file that was not given.
const CERTIFICATES: [(&str, &str, &str); 3] = [
    (
        "dapr_sentry.tls.root.certPEM",
        "ca-root-certificate",
        "ca.crt",
    ),
    (
        "dapr_sentry.tls.issuer.certPEM",
        "issuer-public-certificate",
        "issuer.crt",
    ),
    (
        "dapr_sentry.tls.issuer.keyPEM",
        "issuer-private-key",
        "issuer.key",
    ),
];

/// Says that a command does not work on clusters yet, and what does.
pub(crate) fn refuse(cli: &Cli, command: &str, instead: &str) -> u8 {
    cli.console.failure(&format!(
        "dapr {command} is not available yet; use: {instead}"
    ));
    1
}

/// `dapr init -k`
pub(crate) fn init(cli: &Cli, parsed: &Parsed) -> u8 {
    let namespace = quote(parsed.text("namespace"));
    let mut line =
        format!("helm install dapr charts/dapr --namespace {namespace} --create-namespace --wait");
    if parsed.given("timeout") {
        line.extend([" --timeout ", &parsed.int("timeout").to_string(), "s"]);
    }
    if !parsed.bool("enable-mtls") {
        set(&mut line, "global.mtls.enabled", "false");
    }
    if parsed.bool("enable-ha") {
        set(&mut line, "global.ha.enabled", "true");
    }
    set(&mut line, "global.registry", parsed.text("image-registry"));
    if parsed.given("runtime-version") {
        set(&mut line, "global.tag", parsed.text("runtime-version"));
    }
    for (value, flag, _) in CERTIFICATES {
        if parsed.given(flag) {
            set_file(&mut line, value, parsed.text(flag));
        }
    }
    set_all(&mut line, parsed.list("set"));
    refuse(cli, "init -k", &line)
}

/// `dapr uninstall -k`
pub(crate) fn uninstall(cli: &Cli, parsed: &Parsed) -> u8 {
    let namespace = quote(parsed.text("namespace"));
    let mut line = format!("helm uninstall dapr --namespace {namespace} --wait");
    if parsed.bool("all") {
        line.push_str(
            " && kubectl delete crds components.dapr.io configurations.dapr.io httpendpoints.dapr.io resiliencies.dapr.io subscriptions.dapr.io",
        );
    }
    refuse(cli, "uninstall -k", &line)
}

/// `dapr list -k`
pub(crate) fn list(cli: &Cli, parsed: &Parsed) -> u8 {
    let namespace = parsed.text("namespace");
    let line = format!(
        "kubectl get pods {} --selector dapr.io/sidecar-injected=true --label-columns dapr.io/app-id",
        namespaces(if parsed.bool("all-namespaces") {
            ""
        } else {
            namespace
        })
    );
    refuse(cli, "list -k", &line)
}

/// `dapr logs -k`
pub(crate) fn logs(cli: &Cli, parsed: &Parsed) -> u8 {
    let namespace = quote(parsed.text("namespace"));
    let which = match parsed.text("pod-name") {
        "" => {
            let id = quote(parsed.text("app-id"));
            format!("--selector dapr.io/app-id={id} --tail=-1")
        }
        pod => quote(pod),
    };
    let follow = if parsed.bool("follow") {
        " --follow"
    } else {
        ""
    };
    let container = if parsed.bool("app") {
        ""
    } else {
        " --container daprd"
    };
    let line = format!("kubectl logs --namespace {namespace} {which}{container}{follow}");
    refuse(cli, "logs -k", &line)
}

/// `dapr stop -k`
pub(crate) fn stop(cli: &Cli) -> u8 {
    refuse(
        cli,
        "stop -k",
        "kubectl delete --filename <the manifests of the apps>",
    )
}

fn resources(cli: &Cli, parsed: &Parsed, kind: &str) -> u8 {
    let mut line = format!("kubectl get {kind}.dapr.io");
    let name = quote(parsed.text("name"));
    let namespace = match parsed.text("namespace") {
        _ if parsed.bool("all-namespaces") => "",
        namespace => namespace,
    };
    // kubectl takes names in one namespace only.
    if parsed.given("name") && namespace.is_empty() {
        line.extend([" --field-selector metadata.name=", &name]);
    } else if parsed.given("name") {
        line.extend([" ", &name]);
    }
    line.extend([" ", &namespaces(namespace)]);
    let format = parsed.text("output");
    if ["json", "yaml"].contains(&format) {
        line.extend([" --output ", format]);
    }
    refuse(cli, &format!("{kind} -k"), &line)
}

/// One namespace, or all of them for an empty text.
fn namespaces(namespace: &str) -> String {
    match namespace {
        "" => "--all-namespaces".to_owned(),
        one => format!("--namespace {}", quote(one)),
    }
}

/// One entry of the certificate authority's Secret, decoded.
fn bundle(entry: &str) -> String {
    let entry = entry.replace('.', "\\.");
    format!(
        "kubectl get secret dapr-trust-bundle --namespace {CONTROL_PLANE} --output jsonpath='{{.data.{entry}}}' | base64 -d"
    )
}

/// Appends `--set` unless there is nothing to set.
fn set(line: &mut String, value: &str, text: &str) {
    if !text.is_empty() {
        line.extend([" --set ", &quote(&format!("{value}={text}"))]);
    }
}

fn set_all(line: &mut String, typed: &[String]) {
    for pair in typed {
        line.extend([" --set ", &quote(pair)]);
    }
}

fn set_file(line: &mut String, value: &str, path: &str) {
    line.extend([" --set-file ", &quote(&format!("{value}={path}"))]);
}

/// The text as one word of a shell.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_shell_as_they_are() {
        for (text, word) in [
            ("dapr-system", "dapr-system"),
            ("a=b,c", "a=b,c"),
            ("", "''"),
            ("$(rm x)", "'$(rm x)'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(quote(text), word);
        }
    }
}
