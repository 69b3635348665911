use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::sentry::cluster::TokenReview;

fn pod(value: Value) -> Pod {
    serde_json::from_value(value).unwrap()
}

fn annotated(namespace: &str, annotations: &Value) -> Pod {
    pod(json!({
        "metadata": { "name": "pod-0", "namespace": namespace, "annotations": annotations },
    }))
}

fn review(status: &Value) -> TokenReview {
    serde_json::from_value(json!({ "status": status })).unwrap()
}

#[test]
fn only_an_authenticated_token_has_a_user() {
    let user = json!({ "username": "system:serviceaccount:ns:sa" });
    let good = review(&json!({ "authenticated": true, "user": user }));
    assert_eq!(
        token::reviewed(good).unwrap(),
        "system:serviceaccount:ns:sa"
    );
    for (status, text) in [
        (
            json!({ "error": "expired", "authenticated": true }),
            "invalid token: expired",
        ),
        (
            json!({ "authenticated": false, "user": user }),
            "authentication failed",
        ),
        (json!({}), "authentication failed"),
    ] {
        let error = token::reviewed(review(&status)).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn only_service_accounts_are_workloads() {
    let account = token::account("system:serviceaccount:ns:sa").unwrap();
    assert_eq!((account.namespace, account.name), ("ns", "sa"));
    for username in [
        "",
        "admin",
        "ns:sa",
        "system:node:n1",
        "system:serviceaccount:ns",
        "system:serviceaccount:ns:sa:x",
        "other:serviceaccount:ns:sa",
    ] {
        assert_eq!(
            token::account(username).unwrap_err().to_string(),
            "provided token is not a properly structured service account token"
        );
    }
}

#[test]
fn the_pod_name_is_read_from_jwt_and_bare_object() {
    let claims =
        r#"{"aud":["x"],"kubernetes.io":{"namespace":"ns","pod":{"name":"mypod","uid":"1"}}}"#;
    let jwt = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    for token in [claims, &jwt, &format!("{jwt}\n")] {
        assert_eq!(token::pod_name(token).unwrap(), "mypod");
    }
    let missing = "kubernetes.io/pod/name claim is missing from Kubernetes token";
    for (token, text) in [
        ("{}", missing),
        (r#"{"kubernetes.io":{}}"#, missing),
        (r#"{"kubernetes.io":{"pod":{"name":""}}}"#, missing),
        ("", "failed to parse Kubernetes token: not a JWT"),
        ("a.b", "failed to parse Kubernetes token: not a JWT"),
        ("a.!.c", "failed to parse Kubernetes token: "),
        ("a.e30x.c", "failed to parse Kubernetes token: "),
        ("{", "failed to parse Kubernetes token: "),
        (
            r#"{"kubernetes.io":1}"#,
            "failed to parse Kubernetes token: ",
        ),
    ] {
        let error = token::pod_name(token).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
}

#[test]
fn a_pod_has_one_identity() {
    let app = |annotations: Value| {
        pod::expected(&annotated("ns", &annotations).metadata, "cp")
            .unwrap()
            .id()
            .to_owned()
    };
    assert_eq!(app(json!(null)), "pod-0");
    assert_eq!(app(json!({})), "pod-0");
    assert_eq!(app(json!({ "dapr.io/id": "old" })), "old");
    assert_eq!(
        app(json!({ "dapr.io/id": "old", "dapr.io/app-id": "new" })),
        "new"
    );
    assert_eq!(
        app(json!({ "dapr.io/app-id": "" })),
        "",
        "a key that is there counts"
    );
    assert_eq!(
        pod::expected(
            &annotated("cp", &json!({ "dapr.io/control-plane": "injector" })).metadata,
            "cp"
        )
        .unwrap(),
        Expected::ControlPlane("dapr-injector".into())
    );
    for (namespace, annotations, text) in [
        (
            "ns",
            json!({ "dapr.io/control-plane": "operator" }),
            "control plane service in namespace 'ns' is not allowed",
        ),
        (
            "cp",
            json!({ "dapr.io/control-plane": "dapr-operator" }),
            "unknown control plane service 'pod-0'",
        ),
        (
            "cp",
            json!({ "dapr.io/control-plane": "operator", "dapr.io/app-id": "x" }),
            "control plane service 'pod-0' cannot have annotation 'dapr.io/app-id'",
        ),
    ] {
        let error = pod::expected(&annotated(namespace, &annotations).metadata, "cp").unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn only_control_plane_services_have_dns_names() {
    let service = |name: &str| Expected::ControlPlane(name.into()).dns_names("cp");
    assert_eq!(
        service("dapr-injector"),
        [
            "dapr-sidecar-injector.cp.svc",
            "dapr-sidecar-injector-unready.cp.svc"
        ]
    );
    assert_eq!(service("dapr-operator"), ["dapr-webhook.cp.svc"]);
    assert_eq!(
        service("dapr-scheduler"),
        [0, 1, 2].map(|index| format!(
            "dapr-scheduler-server-{index}.dapr-scheduler-server.cp.svc.cluster.local"
        ))
    );
    assert!(service("dapr-sentry").is_empty() && service("dapr-placement").is_empty());
    assert!(
        Expected::App("dapr-injector".into())
            .dns_names("cp")
            .is_empty()
    );
}

#[test]
fn images_are_listed_with_role_and_digest() {
    let pod = pod(json!({
        "spec": {
            "initContainers": [
                { "name": "migrate", "image": "m:1" },
                { "name": "daprd", "image": "localhost/dapr/daprd:edge", "restartPolicy": "Always" },
            ],
            "containers": [
                { "name": "web", "image": "web:2" },
                { "name": "log", "image": "log:3" },
                { "name": "new", "image": "new:4" },
                { "name": "odd", "image": "odd:5" },
            ],
        },
        "status": {
            "initContainerStatuses": [{ "name": "daprd", "imageID": "sha256:aa" }],
            "containerStatuses": [
                { "name": "web", "imageID": "docker-pullable://a@b/web@sha256:bb" },
                { "name": "log", "imageID": "" },
                { "name": "odd", "imageID": "localhost/odd:5" },
            ],
        },
    }));
    assert_eq!(
        String::from_utf8(images::of(&pod).unwrap()).unwrap(),
        concat!(
            r#"[{"role":"daprd","containerName":"daprd","image":"localhost/dapr/daprd:edge","digest":"sha256:aa"},"#,
            r#"{"role":"app","containerName":"web","image":"web:2","digest":"sha256:bb"},"#,
            r#"{"role":"app","containerName":"log","image":"log:3"},"#,
            r#"{"role":"app","containerName":"new","image":"new:4"},"#,
            r#"{"role":"app","containerName":"odd","image":"odd:5"}]"#,
        )
    );
    assert_eq!(images::of(&Pod::default()), None);
}

#[test]
fn trust_domains_of_configurations_are_checked() {
    assert_eq!(parse("").unwrap(), TrustDomain::public());
    assert_eq!(parse("mine").unwrap().as_str(), "mine");
    assert_eq!(
        parse("My Domain").unwrap_err().to_string(),
        "failed to parse trust domain \"My Domain\": trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"
    );
}
