//! Environment to settings.

use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let lookup = |name: &str| {
        let found = pairs.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::from_lookup(lookup, "dapr-system".to_owned(), true, true, "")
}

fn sidecar(pairs: &[(&str, &str)]) -> Sidecar {
    let image = [("SIDECAR_IMAGE", "daprd")];
    read(&[pairs, &image].concat()).unwrap().sidecar
}

#[test]
fn defaults() {
    assert_eq!(
        sidecar(&[]),
        Sidecar {
            image: "daprd".to_owned(),
            pull_policy: "Always",
            namespace: "dapr-system".to_owned(),
            trust_domain: "cluster.local".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            placement: Some("dapr-placement-server.dapr-system.svc.cluster.local:50005".to_owned()),
            actors_service: None,
            reminders_service: None,
            scheduler: Some("dapr-scheduler-server-a.dapr-system.svc.cluster.local:443".to_owned()),
            ignore_entrypoint: Vec::new(),
            run_as_non_root: true,
            run_as_user: None,
            run_as_group: None,
            read_only_root: true,
            drop_all: true,
            downward_api: false,
            native: true,
            token_volume: true,
        }
    );
    let identity = read(&[("SIDECAR_IMAGE", "daprd")]).unwrap().identity;
    assert_eq!(
        identity.sentry_address,
        "dapr-sentry.dapr-system.svc.cluster.local:443"
    );
    assert_eq!(
        identity.anchors_file,
        Path::new("/var/run/dapr.io/tls/ca.crt")
    );
}

#[test]
fn pull_policies() {
    for (value, policy) in [
        ("Always", "Always"),
        ("Never", "Never"),
        ("IfNotPresent", "IfNotPresent"),
        ("", "IfNotPresent"),
        ("always", "IfNotPresent"),
    ] {
        assert_eq!(
            sidecar(&[("SIDECAR_IMAGE_PULL_POLICY", value)]).pull_policy,
            policy
        );
    }
}

#[test]
fn switches_and_numbers() {
    let found = sidecar(&[
        ("SIDECAR_RUN_AS_NON_ROOT", "false"),
        ("SIDECAR_READ_ONLY_ROOT_FILESYSTEM", "no"),
        ("SIDECAR_DROP_ALL_CAPABILITIES", "false"),
        ("NATIVE_SIDECAR_ENABLED", "false"),
        ("ENABLE_K8S_DOWNWARD_APIS", "1"),
        ("SIDECAR_RUN_AS_USER", "1000"),
        ("SIDECAR_RUN_AS_GROUP", ""),
    ]);
    assert!(!found.run_as_non_root && !found.read_only_root && !found.drop_all && !found.native);
    assert!(found.downward_api);
    assert_eq!((found.run_as_user, found.run_as_group), (Some(1000), None));
    // An empty variable is an unset one.
    assert!(sidecar(&[("NATIVE_SIDECAR_ENABLED", "")]).native);
}

#[test]
fn services_of_real_images() {
    let off = sidecar(&[("ACTORS_ENABLED", "false")]);
    assert_eq!((off.placement, off.actors_service), (None, None));
    let other = sidecar(&[
        ("ACTORS_SERVICE_NAME", "mine"),
        ("ACTORS_SERVICE_ADDRESS", "my-actors:700"),
        ("REMINDERS_SERVICE_NAME", "r"),
        ("REMINDERS_SERVICE_ADDRESS", "my-reminders:800"),
        ("KUBE_CLUSTER_DOMAIN", "corp"),
    ]);
    assert_eq!(other.placement, None);
    assert_eq!(
        other.actors_service.unwrap(),
        "mine:my-actors.dapr-system.svc.corp:700"
    );
    assert_eq!(
        other.reminders_service.unwrap(),
        "r:my-reminders.dapr-system.svc.corp:800"
    );
    let named = sidecar(&[
        ("ACTORS_SERVICE_NAME", "placement"),
        ("ACTORS_SERVICE_ADDRESS", "p:1"),
    ]);
    assert_eq!(
        named.placement.unwrap(),
        "p.dapr-system.svc.cluster.local:1"
    );
    for address in ["", "host", "host:", ":1", "host:0", "host:x", "host:70000"] {
        let pairs = [
            ("SIDECAR_IMAGE", "i"),
            ("ACTORS_SERVICE_NAME", "a"),
            ("ACTORS_SERVICE_ADDRESS", address),
        ];
        let error = read(&pairs).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("invalid value for ACTORS_SERVICE_ADDRESS: {address:?} must be 'name:port'")
        );
    }
}

#[test]
fn tolerations_that_are_none_are_ignored() {
    let of = |text| sidecar(&[("IGNORE_ENTRYPOINT_TOLERATIONS", text)]).ignore_entrypoint;
    for text in ["hi", "{}", "[1]", "[{\\\"key\\\":\\\"a\\\"}]"] {
        assert_eq!(of(text), [], "{text}");
    }
    let found = of(r#"[{"key":"virtual-kubelet.io/provider","operator":"Exists"}]"#);
    let equal = |json| found[0].equals(&json);
    assert!(equal(
        serde_json::json!({"key": "virtual-kubelet.io/provider", "operator": "Exists"})
    ));
    assert!(!equal(
        serde_json::json!({"key": "virtual-kubelet.io/provider"})
    ));
    assert!(!equal(
        serde_json::json!({"key": "virtual-kubelet.io/provider", "operator": "Exists", "tolerationSeconds": 5})
    ));
}

#[test]
fn mistakes_name_the_variable() {
    for (pairs, text) in [
        (vec![], "required key SIDECAR_IMAGE missing value"),
        (
            vec![("SIDECAR_IMAGE", "i"), ("SIDECAR_RUN_AS_USER", "invalid")],
            "invalid value for SIDECAR_RUN_AS_USER: \"invalid\" is not a whole number",
        ),
        (
            vec![
                ("SIDECAR_IMAGE", "i"),
                ("ALLOWED_SERVICE_ACCOUNTS", "a:b,oops"),
            ],
            "failed to parse allowed service accounts: invalid pattern \"oops\", must contain exactly one ':' separating namespace and name",
        ),
        (
            vec![
                ("SIDECAR_IMAGE", "i"),
                ("DAPR_CONTROL_PLANE_TRUST_DOMAIN", "a b"),
            ],
            "invalid value for DAPR_CONTROL_PLANE_TRUST_DOMAIN: \"a b\": trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores",
        ),
    ] {
        assert_eq!(read(&pairs).unwrap_err().to_string(), text);
    }
}
