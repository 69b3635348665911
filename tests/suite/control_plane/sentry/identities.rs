//! Whom sentry believes to be whom.

use serde_json::json;

use super::{Home, Leaf, TRUST_DOMAIN, leaf, pod, request};

#[test]
fn a_pod_gets_its_own_identity() {
    let home = Home::new("identities");
    let (bare, cp) = (home.bare, home.namespace.as_str());
    let apps = bare.namespace("identities-apps");
    let sentry = home.start().healthy();
    bare.api().apply(&format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{name: mine, namespace: {apps}}}\nspec: {{accessControl: {{trustDomain: private}}}}\n---\n\
         apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{name: plain, namespace: {apps}}}\nspec: {{}}\n"
    ));
    for (name, annotations, id, trust_domain) in [
        ("bare", "", "bare", "public"),
        ("old", "dapr.io/id: legacy", "legacy", "public"),
        (
            "new",
            "dapr.io/id: legacy, dapr.io/app-id: web",
            "web",
            "public",
        ),
        (
            "configured",
            "dapr.io/app-id: web, dapr.io/config: mine",
            "web",
            "private",
        ),
        ("plain", "dapr.io/config: plain", "plain", "public"),
        ("unset", "dapr.io/config: ''", "unset", "public"),
    ] {
        pod(bare, &apps, name, "app", annotations);
        let signed = sentry.sign(&request(bare, &apps, "app", name, id));
        let expected = Leaf {
            id: format!("spiffe://{trust_domain}/ns/{apps}/{id}"),
            dns_names: Vec::new(),
            images: Some(json!([
                { "role": "daprd", "containerName": "daprd", "image": "daprd:1" },
                { "role": "app", "containerName": "web", "image": "web:1" },
            ])),
        };
        assert_eq!(leaf(&signed), expected, "{name}");
    }
    for (service, names) in [
        (
            "injector",
            vec![
                format!("dapr-sidecar-injector.{cp}.svc"),
                format!("dapr-sidecar-injector-unready.{cp}.svc"),
            ],
        ),
        ("operator", vec![format!("dapr-webhook.{cp}.svc")]),
        ("placement", vec![]),
    ] {
        home.pod(service, "cp", &format!("dapr.io/control-plane: {service}"));
        let id = format!("dapr-{service}");
        let mut request = request(bare, cp, "cp", service, &id);
        // What is asked for does not matter.
        request.trust_domain = "anything".to_owned();
        let leaf = leaf(&sentry.sign(&request));
        assert_eq!(leaf.id, format!("spiffe://{TRUST_DOMAIN}/ns/{cp}/{id}"));
        assert_eq!(leaf.dns_names, names);
    }
}

#[test]
fn nobody_gets_the_identity_of_another() {
    let home = Home::new("refusals");
    let (bare, cp) = (home.bare, home.namespace.as_str());
    let apps = bare.namespace("refusals-apps");
    let sentry = home.start().healthy();
    pod(bare, &apps, "web", "app", "dapr.io/app-id: web");
    pod(
        bare,
        &apps,
        "thief",
        "app",
        "dapr.io/control-plane: operator",
    );
    pod(
        bare,
        &apps,
        "lost",
        "app",
        "dapr.io/app-id: web, dapr.io/config: none",
    );
    pod(
        bare,
        &apps,
        "climber",
        "app",
        "dapr.io/app-id: web, dapr.io/config: ../../configurations/x",
    );
    home.pod("odd", "cp", "dapr.io/control-plane: dapr-operator");
    home.pod(
        "both",
        "cp",
        "dapr.io/control-plane: operator, dapr.io/app-id: x",
    );
    home.pod("injector", "cp", "dapr.io/control-plane: injector");
    const DENIED: u32 = 7;
    const INVALID: u32 = 3;
    let web = request(bare, &apps, "app", "web", "web");
    let unbound = bare.api().token(&apps, "app", "dapr.io/sentry", None);
    let foreign = bare.api().token(&apps, "app", "somebody", Some("web"));
    let rows = [
        (
            "app id",
            with(&web, |r| r.id = "other".into()),
            DENIED,
            "app-id mismatch. expected: web, received: other".to_owned(),
        ),
        (
            "namespace",
            with(&web, |r| r.namespace = cp.to_owned()),
            DENIED,
            format!("namespace mismatch; received namespace: {cp}"),
        ),
        (
            "no token",
            with(&web, |r| r.token.clear()),
            DENIED,
            "token review failed: token is required for TokenReview in authentication".to_owned(),
        ),
        (
            "long id",
            with(&web, |r| r.id = "a".repeat(65)),
            DENIED,
            "invalid request: app ID must be 64 characters or less".to_owned(),
        ),
        (
            "unbound",
            with(&web, |r| r.token.clone_from(&unbound)),
            DENIED,
            "kubernetes.io/pod/name claim is missing from Kubernetes token".to_owned(),
        ),
        (
            "validator",
            with(&web, |r| r.token_validator = 1),
            INVALID,
            "the requested validator is not enabled".to_owned(),
        ),
        (
            "csr",
            with(&web, |r| r.certificate_signing_request = "x".into()),
            INVALID,
            "invalid certificate signing request".to_owned(),
        ),
        (
            "thief",
            request(bare, &apps, "app", "thief", "dapr-operator"),
            DENIED,
            format!("control plane service in namespace '{apps}' is not allowed"),
        ),
        (
            "odd",
            request(bare, cp, "cp", "odd", "dapr-operator"),
            DENIED,
            "unknown control plane service 'odd'".to_owned(),
        ),
        (
            "both",
            request(bare, cp, "cp", "both", "dapr-operator"),
            DENIED,
            "control plane service 'both' cannot have annotation 'dapr.io/app-id'".to_owned(),
        ),
        (
            "other service",
            request(bare, cp, "cp", "injector", "dapr-operator"),
            DENIED,
            "app-id mismatch. expected: dapr-injector, received: dapr-operator".to_owned(),
        ),
        (
            "no configuration",
            request(bare, &apps, "app", "lost", "web"),
            DENIED,
            "failed to get configuration".to_owned(),
        ),
        (
            "path as configuration",
            request(bare, &apps, "app", "climber", "web"),
            DENIED,
            "failed to get configuration".to_owned(),
        ),
    ];
    for (what, request, code, text) in rows {
        let answer = sentry.ask(&request);
        assert_eq!((answer.code(), answer.message()), (code, text), "{what}");
    }
    let refused = |token: &str| {
        let answer = sentry.ask(&with(&web, |request| request.token = token.to_owned()));
        assert_eq!(answer.code(), DENIED);
        answer.message()
    };
    for token in [foreign.as_str(), "garbage"] {
        let text = refused(token);
        assert!(text.starts_with("invalid token: "), "{text}");
    }
    // The default of this mode.
    sentry.sign(&with(&web, |request| request.token_validator = 0));

    // A pod of the same name that belongs to another account; the API server
    // may take some seconds to notice that the old pod is gone.
    let path = format!("/api/v1/namespaces/{apps}/pods/web");
    bare.api().delete(&format!("{path}?gracePeriodSeconds=0"));
    pod(bare, &apps, "web", "other", "dapr.io/app-id: web");
    let text = refused(&web.token);
    assert!(
        text == "pod service account mismatch" || text.starts_with("invalid token: "),
        "{text}"
    );
}

fn with<T: Clone>(value: &T, change: impl FnOnce(&mut T)) -> T {
    let mut value = value.clone();
    change(&mut value);
    value
}
