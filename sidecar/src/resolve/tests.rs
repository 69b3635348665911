use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

/// How long a test waits for something that takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn me(app_id: &str) -> Me {
    Me {
        app_id: app_id.to_owned(),
        namespace: "default".to_owned(),
        address: "127.0.0.1".to_owned(),
        internal_port: 50002,
        http_port: 3500,
        grpc_port: 50001,
        kubernetes: false,
        run_registry: None,
    }
}

/// Looks until `condition` holds.
pub(super) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn configured(component: &str, value: Value) -> Configuration {
    let mut configuration = Configuration::default();
    configuration.name_resolution = Some(NameResolution {
        component: component.to_owned(),
        version: String::new(),
        configuration: value,
    });
    configuration
}

fn sqlite_in(directory: &Path) -> Configuration {
    let file = directory.join("names.db");
    configured("SQLite", json!({"connectionString": file}))
}

#[tokio::test]
async fn two_sidecars_find_each_other_in_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = sqlite_in(directory.path());
    let (names, caller) = build(&configuration, &me("caller")).await;
    let other = Me {
        address: "::1".to_owned(),
        internal_port: 7,
        ..me("callee")
    };
    let (_, registration) = build(&configuration, &other).await;
    let found = names.resolve("callee", "any").await.unwrap();
    assert_eq!(*found, [address("[::1]:7")]);
    let error = names.resolve("nobody", "default").await.unwrap_err();
    assert_eq!(error.to_string(), "no host found with the given ID");
    // Our own address under a foreign name would make calls go round.
    let error = names.resolve("caller", "other").await.unwrap_err();
    assert_eq!(error, ResolveError::NoHost);
    registration.unwrap().withdraw().await;
    caller.unwrap().withdraw().await;
    eventually("the stopped callee is unknown", || {
        names.get("callee", "any").is_none()
    })
    .await;
    let error = names.resolve("callee", "any").await.unwrap_err();
    assert_eq!(error, ResolveError::NoHost);
}

/// Advertised as a name, which mDNS refuses: nothing is sent.
fn without_mdns(app_id: &str) -> Me {
    Me {
        address: "localhost".to_owned(),
        ..me(app_id)
    }
}

#[tokio::test]
async fn the_run_registry_carries_on_without_mdns() {
    let directory = tempfile::tempdir().unwrap();
    let me = Me {
        run_registry: Some(directory.path().to_owned()),
        ..without_mdns("caller")
    };
    let (names, registration) = build(&Configuration::default(), &me).await;
    let error = names.resolve("callee", "default").await.unwrap_err();
    assert_eq!(error.to_string(), "couldn't find service: callee");
    registration.unwrap().withdraw().await;
}

#[tokio::test]
async fn a_resolver_that_cannot_start_fails_look_ups_only() {
    let failing = [
        Configuration::default(),
        configured("consul", Value::Null),
        configured("sqlite", Value::Null),
        configured("sqlite", json!({"connectionString": "/nowhere/names.db"})),
        configured("nameformat", json!({"format": "none"})),
        configured("kubernetes", json!({"template": "{{.Data}}"})),
    ];
    for configuration in failing {
        let (names, registration) = build(&configuration, &without_mdns("caller")).await;
        assert!(registration.is_none());
        assert!(names.get("callee", "default").is_none());
        let error = names.resolve("callee", "default").await.unwrap_err();
        assert_eq!(error.to_string(), "name resolver not initialized");
    }
}

#[tokio::test]
async fn formatted_names_are_addresses() {
    let configuration = configured("NameFormat", json!({"format": "127.0.0.1:{appid}"}));
    let (names, _) = build(&configuration, &me("caller")).await;
    let found = names.resolve("8080", "default").await.unwrap();
    assert_eq!(*found, [address("127.0.0.1:8080")]);
    let error = names
        .resolve("callee", "default")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("failed to resolve address for '127.0.0.1:callee': "),
        "{error}"
    );
}

#[test]
fn the_mode_chooses_the_default_and_names_have_no_case() {
    let name = |kubernetes, component: &str| {
        let chosen = configured(component, Value::Null).name_resolution;
        let me = Me {
            kubernetes,
            ..me("caller")
        };
        Component::of(chosen.as_ref(), &me).name
    };
    assert_eq!(name(true, ""), "kubernetes");
    assert_eq!(name(false, ""), "mdns");
    assert_eq!(name(false, "Kubernetes"), "kubernetes");
}
