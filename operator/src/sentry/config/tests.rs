use std::io::Write as _;

use std::time::Duration;

use super::*;
use crate::sentry::flags::TABLE;

fn flags(args: &[&str]) -> Flags {
    Flags::parse(TABLE, args.iter().map(|arg| (*arg).to_owned())).unwrap()
}

impl Config {
    fn paths(&self) -> &Paths {
        match &self.mode {
            Mode::Standalone { paths, .. } => paths,
            Mode::Kubernetes { .. } => panic!("expected standalone mode"),
        }
    }

    fn lifetime(&self) -> Lifetime {
        match self.mode {
            Mode::Standalone { lifetime, .. } => lifetime,
            Mode::Kubernetes { .. } => panic!("expected standalone mode"),
        }
    }
}

fn config(args: &[&str]) -> Result<Config, ConfigError> {
    Config::new(&flags(args), |_| None)
}

fn file(yaml: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(yaml.as_bytes()).unwrap();
    file
}

fn with_file(yaml: &str) -> Result<Config, ConfigError> {
    let file = file(yaml);
    config(&[&format!("--config={}", file.path().display())])
}

#[test]
fn defaults_are_those_of_dapr() {
    let config = config(&[]).unwrap();
    let directory = Path::new("/var/run/secrets/dapr.io/credentials");
    assert_eq!(config.paths().key, directory.join("issuer.key"));
    assert_eq!(config.trust_domain.as_str(), "localhost");
    assert_eq!(config.namespace, "default");
    assert_eq!(config.authority.port, 50001);
    assert_eq!(config.lifetime().ttl, Duration::from_hours(24));
    assert_eq!(config.lifetime().skew, Duration::from_mins(15));
}

#[test]
fn flags_and_environment_are_used() {
    let flags = flags(&[
        "--issuer-credentials",
        "/tmp/x",
        "--issuer-ca-filename=/etc/root.pem",
        "--issuer-key-filename=tls.key",
        "--listen-address=127.0.0.1",
    ]);
    let config = Config::new(&flags, |name| {
        (name == "NAMESPACE").then(|| "cp".to_owned())
    })
    .unwrap();
    assert_eq!(config.paths().anchors, Path::new("/etc/root.pem"));
    assert_eq!(config.paths().key, Path::new("/tmp/x/tls.key"));
    assert_eq!(config.namespace, "cp");
    assert_eq!(config.authority.host, "127.0.0.1");
}

#[test]
fn the_configuration_file_sets_the_life_of_certificates() {
    let config = with_file(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata:\n  name: x\nspec:\n  tracing:\n    samplingRate: '1'\n  mtls:\n    enabled: true\n    workloadCertTTL: 1h\n    allowedClockSkew: 1m30s\n",
    )
    .unwrap();
    assert_eq!(config.lifetime().ttl, Duration::from_hours(1));
    assert_eq!(config.lifetime().skew, Duration::from_secs(90));
    for yaml in ["", "spec:\n", "spec:\n  mtls:\n", "kind: Configuration\n"] {
        assert_eq!(
            with_file(yaml).unwrap().lifetime().ttl,
            Duration::from_hours(24),
            "{yaml}"
        );
    }
}

#[test]
fn bad_values_are_named_on_one_line() {
    let validator = |name: &str| {
        with_file(&format!(
            "spec:\n  mtls:\n    tokenValidators:\n    - name: {name}\n"
        ))
    };
    let rows = [
        (
            config(&["--mode=kubernetes"]),
            "'NAMESPACE' environment variable not set",
        ),
        (
            config(&["--mode=both"]),
            "invalid value for --mode: \"both\"",
        ),
        (
            config(&["--port=x"]),
            "invalid value for --port: \"x\": must be a number from 0 to 65535",
        ),
        (
            config(&["--healthz-port=70000"]),
            "invalid value for --healthz-port",
        ),
        (
            config(&["--metrics-port=-1"]),
            "invalid value for --metrics-port",
        ),
        (
            config(&["--trust-domain=My Domain"]),
            "invalid value for --trust-domain: \"My Domain\": trust domain characters",
        ),
        (
            config(&["--trust-domain="]),
            "invalid value for --trust-domain",
        ),
        (config(&["--jwt-enabled"]), "--jwt-enabled is not supported"),
        (
            config(&["--oidc-enabled"]),
            "--oidc-enabled is not supported",
        ),
        (
            config(&["--jwt-issuer=x"]),
            "--jwt-issuer requires --jwt-enabled",
        ),
        (
            config(&["--config=/nonexistent.yaml"]),
            "loading default config. couldn't find config name \"/nonexistent.yaml\": No such file",
        ),
        (with_file("spec: [\n"), "failed to parse configuration"),
        (with_file("spec: 1\n"), "failed to parse configuration"),
        (
            with_file("spec:\n  mtls:\n    workloadCertTTL: 1 day\n"),
            "configuration \"",
        ),
        (
            with_file("spec:\n  mtls:\n    allowedClockSkew: -1m\n"),
            "configuration \"",
        ),
        (
            validator("insecure"),
            "invalid token validator: the built-in 'kubernetes' and 'insecure' validators cannot be configured manually",
        ),
        (
            validator("x509"),
            "invalid token validator name: 'x509'; supported values: 'jwks'",
        ),
        (validator("JWKS"), "token validator 'jwks' is not supported"),
    ];
    for (config, text) in rows {
        let error = config.expect_err(text).to_string();
        assert!(error.starts_with(text), "{error:?} instead of {text:?}");
        assert!(!error.contains('\n'), "{error:?}");
    }
}

#[test]
fn kubernetes_mode_reads_no_files() {
    let flags = flags(&[
        "--mode=kubernetes",
        "--config=mine",
        "--issuer-ca-filename=/etc/tls/root.pem",
        "--issuer-key-filename=tls.key",
        "--kubeconfig=/k",
    ]);
    let config = Config::new(&flags, |name| {
        (name == "NAMESPACE").then(|| "cp".to_owned())
    })
    .unwrap();
    let Mode::Kubernetes {
        keys,
        configuration,
        kubeconfig,
    } = config.mode
    else {
        panic!("expected Kubernetes mode");
    };
    assert_eq!((config.namespace.as_str(), &*configuration), ("cp", "mine"));
    assert_eq!(kubeconfig, "/k");
    assert_eq!(keys.anchors, "root.pem");
    assert_eq!(keys.certificate, "issuer.crt");
    assert_eq!(keys.key, "tls.key");
}
