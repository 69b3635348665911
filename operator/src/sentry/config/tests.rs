use std::io::Write as _;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

use super::*;
use crate::sentry::flags::TABLE;
use crate::sentry::validator::jwks::{Roots, Source};

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
        self.settings().lifetime
    }

    fn settings(&self) -> &Settings {
        match &self.mode {
            Mode::Standalone { settings, .. } => settings,
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

const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a?>", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// The key source of validator `jwks` with these options.
fn source(options: &[(&str, &str)]) -> Result<Source, String> {
    let options: serde_json::Map<_, _> = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let validator = serde_json::json!({ "name": "JWKS", "options": options });
    let yaml = serde_json::json!({ "spec": { "mtls": { "tokenValidators": [validator] } } });
    let config = with_file(&yaml.to_string()).map_err(|error| error.to_string())?;
    match config.mode {
        Mode::Standalone { settings, .. } => Ok(settings.jwks.unwrap()),
        Mode::Kubernetes { .. } => panic!("expected standalone mode"),
    }
}

#[test]
fn a_key_source_is_a_url_a_file_or_the_keys_themselves() {
    let Ok(Source::Remote(remote)) = source(&[("source", "https://keys.example:8443/jwks?v=1")])
    else {
        panic!("expected a URL");
    };
    assert_eq!(
        remote.address.to_string(),
        "https://keys.example:8443/jwks?v=1"
    );
    assert!(matches!(remote.roots, Roots::System));
    assert_eq!(remote.min_refresh_interval, Duration::from_mins(10));
    assert_eq!(remote.request_timeout, Duration::from_secs(30));

    let file = file(KEYS);
    let path = file.path().to_str().unwrap();
    assert!(matches!(source(&[("source", path)]), Ok(Source::File(found)) if found == file.path()));

    for text in [
        KEYS.to_owned(),
        STANDARD.encode(KEYS),
        STANDARD_NO_PAD.encode(KEYS),
        URL_SAFE.encode(KEYS),
        STANDARD.encode(KEYS).replace('M', "M\n"),
    ] {
        let found = source(&[("source", &text)]);
        let Ok(Source::Inline(keys)) = found else {
            panic!("{text}: {found:?}");
        };
        assert_eq!(format!("{keys:?}"), r#"{"a?>"}"#);
    }
}

#[test]
fn options_of_a_key_source_are_read() {
    let root = crate::sentry::bundle_of::root("root").pem();
    let root_file = file(&root);
    let url = ("source", "http://keys.example");
    let remote = |options: &[(&str, &str)]| match source(options) {
        Ok(Source::Remote(remote)) => remote,
        other => panic!("{other:?}"),
    };
    let given = remote(&[url, ("caCertificate", &root)]);
    assert!(matches!(given.roots, Roots::Given(roots) if roots.len() == 1));
    let path = root_file.path().to_str().unwrap();
    let given = remote(&[url, ("cacertificate", path)]);
    assert!(matches!(given.roots, Roots::File(file) if file == root_file.path()));
    for (text, duration) in [
        ("90s", Duration::from_secs(90)),
        ("1h30m", Duration::from_mins(90)),
        ("45", Duration::from_secs(45)),
        ("", Duration::from_mins(10)),
    ] {
        let given = remote(&[url, ("minRefreshInterval", text), ("unknown", "x")]);
        assert_eq!(given.min_refresh_interval, duration, "{text}");
    }
    let yaml = "spec:\n  mtls:\n    tokenValidators:\n    - name: jwks\n      options: {source: 'http://a', requestTimeout: 5}\n";
    let config = with_file(yaml).unwrap();
    let Some(Source::Remote(remote)) = &config.settings().jwks else {
        panic!("expected a URL");
    };
    assert_eq!(remote.request_timeout, Duration::from_secs(5));
}

#[test]
fn bad_options_are_named_with_the_expected_form() {
    let url = ("source", "http://keys.example");
    let form = "must be an http:// or https:// URL, an existing file, or a JSON Web Key Set as JSON or in base64";
    let duration = "must be a duration such as 10m, or a number of seconds, above zero";
    let symmetric = r#"{"keys": [{"kty": "oct", "kid": "a", "k": "AA"}]}"#;
    let rows: [(&[(&str, &str)], String); 13] = [
        (&[], format!("source: \"\": {form}")),
        (
            &[("source", "/nonexistent/jwks.json")],
            format!("source: \"/nonexistent/jwks.json\": {form}"),
        ),
        (
            &[("source", "/nonexistent/jwks")],
            format!("source: \"/nonexistent/jwks\": {form}"),
        ),
        (
            &[("source", "ftp://keys.example")],
            format!("source: \"ftp://keys.example\": {form}"),
        ),
        (
            &[("source", "https://")],
            format!("source: \"https://\": {form}"),
        ),
        (
            &[("source", "https://me:secret@keys.example")],
            "source: \"…@keys.example\": must not hold a user name or password".into(),
        ),
        (
            &[("source", "{}")],
            "source: \"{}\": not a JSON Web Key Set: expected an object with an array named \"keys\"".into(),
        ),
        (&[("source", "{")], "source: \"{\": not JSON: ".into()),
        (
            &[("source", symmetric)],
            format!("source: {symmetric:?}: holds no usable key: key \"a\" is symmetric"),
        ),
        (
            &[url, ("minRefreshInterval", "0")],
            format!("minRefreshInterval: \"0\": {duration}"),
        ),
        (
            &[url, ("requestTimeout", "soon")],
            format!("requestTimeout: \"soon\": {duration}"),
        ),
        (
            &[url, ("caCertificate", "/nonexistent.pem")],
            "caCertificate: \"/nonexistent.pem\": must be PEM or a file with it: No such file".into(),
        ),
        (
            &[url, ("caCertificate", "-----BEGIN X-----")],
            "caCertificate: \"-----BEGIN X-----\": must be PEM or a file with it: ".into(),
        ),
    ];
    for (options, text) in rows {
        let error = source(options).expect_err(&text);
        let text = format!("invalid spec.mtls.tokenValidators[0].options.{text}");
        assert!(error.contains(&text), "{error:?} instead of {text:?}");
        assert!(!error.contains('\n'), "{error:?}");
    }
    for (yaml, text) in [
        (
            "[{name: jwks, options: {source: 'http://a'}}, {name: jwks}]",
            "invalid spec.mtls.tokenValidators[1].name: \"jwks\": must be in the list once",
        ),
        (
            "[{name: jwks, options: {source: [a]}}]",
            "invalid spec.mtls.tokenValidators[0].options.source: \"[\\\"a\\\"]\": must be text",
        ),
        ("[{}]", "invalid token validator name: ''"),
        (
            "[{name: jwks, options: x}]",
            "failed to parse configuration",
        ),
    ] {
        let config = with_file(&format!("spec: {{mtls: {{tokenValidators: {yaml}}}}}\n"));
        let error = config.expect_err(text).to_string();
        assert!(error.contains(text), "{error:?} instead of {text:?}");
    }
}
