//! What the programs are told: arguments, environment, Configuration.

use serde_json::{Value, json};

use super::{PROGRAMS, refused, render};

const INJECTOR: &str = "dapr-sidecar-injector";

#[test]
fn the_operator_gets_its_arguments_in_order() {
    let plain = render(&[]);
    let args = "--watch-interval 0 --max-pod-restarts-per-minute 20 --log-level info \
        --trust-anchors-file /var/run/secrets/dapr.io/tls/ca.crt --enable-metrics --metrics-port 9090";
    assert_eq!(plain.args("dapr-operator").join(" "), args);
    let all = render(&[
        "global.logAsJson=true",
        "dapr_operator.watchInterval=\"2m\"",
        "dapr_operator.watchNamespace=\"one\"",
        "dapr_operator.serviceReconciler.enabled=false",
        "global.argoRolloutServiceReconciler.enabled=true",
        "global.operator.watchdogCanPatchPodLabels=true",
    ]);
    let args = "--watch-interval 2m --max-pod-restarts-per-minute 20 --log-level info \
        --trust-anchors-file /var/run/secrets/dapr.io/tls/ca.crt --log-as-json --enable-metrics --metrics-port 9090 \
        --watch-namespace one --disable-service-reconciler --enable-argo-rollout-service-reconciler \
        --watchdog-can-patch-pod-labels";
    assert_eq!(all.args("dapr-operator").join(" "), args);
}

#[test]
fn sentry_gets_extra_arguments_last() {
    let built_in = "--mode kubernetes --log-level info --enable-metrics --metrics-port 9090 --trust-domain cluster.local";
    assert_eq!(render(&[]).args("dapr-sentry").join(" "), built_in);
    let more = render(&["dapr_sentry.extraArgs=[\"--a\",\"--b=c\"]"]);
    let args = more.args("dapr-sentry").join(" ");
    assert_eq!(args, format!("{built_in} --a --b=c"));
}

#[test]
fn sentry_is_told_about_tokens_and_their_discovery() {
    let chart = render(&[
        "dapr_sentry.jwt={\"enabled\":true,\"issuer\":\"https://issuer\",\"signingAlgorithm\":\"ES256\",\"keyID\":\"k\"}",
        "dapr_sentry.oidc={\"enabled\":true,\"server\":{\"port\":444},\"allowedHosts\":[\"a\",\"b\"],\"tls\":{\"enabled\":false}}",
    ]);
    let args = chart.args("dapr-sentry");
    for expected in [
        "--jwt-enabled=true",
        "--jwt-issuer=https://issuer",
        "--jwt-signing-algorithm=ES256",
        "--jwt-key-id=k",
        "--oidc-enabled=true",
        "--oidc-server-listen-address=0.0.0.0",
        "--oidc-allowed-hosts=a,b",
        // Off has to be said: on is sentry's default.
        "--oidc-server-tls-enabled=false",
    ] {
        assert!(args.contains(&expected), "{expected} in {args:?}");
    }
    let ports = &chart.get("Service", "dapr-sentry")["spec"]["ports"];
    assert_eq!(
        ports[1],
        json!({ "name": "oidc", "port": 444, "targetPort": 9080, "protocol": "TCP", "appProtocol": "http" })
    );
    assert!(!render(&[]).args("dapr-sentry").join(" ").contains("jwt"));
}

#[test]
fn the_injector_gets_its_arguments() {
    let args = "--log-level info --enable-metrics --metrics-port 9090 --healthz-port 8080 --scheduler-enabled=false";
    assert_eq!(render(&[]).args(INJECTOR).join(" "), args);
    let chart = render(&[
        "global.scheduler.enabled=true",
        "dapr_sidecar_injector.hostNetwork=true",
        "dapr_sidecar_injector.healthzPort=8181",
    ]);
    let args = chart.args(INJECTOR);
    assert!(args.ends_with(&["--healthz-port", "8181", "--scheduler-enabled=true"]));
    assert_eq!(chart.pod(INJECTOR)["spec"]["hostNetwork"], true);
    let probe = &chart.container(INJECTOR)["readinessProbe"];
    assert_eq!(probe["httpGet"]["port"], 8181);
}

#[test]
fn the_injector_is_told_how_sidecars_look() {
    let chart = render(&[]);
    for (name, value) in [
        ("SIDECAR_IMAGE", "localhost/dapr/daprd:edge"),
        ("SIDECAR_IMAGE_PULL_POLICY", "IfNotPresent"),
        ("NATIVE_SIDECAR_ENABLED", "true"),
        ("SIDECAR_DROP_ALL_CAPABILITIES", "true"),
        ("SIDECAR_RUN_AS_NON_ROOT", "true"),
        ("SIDECAR_READ_ONLY_ROOT_FILESYSTEM", "true"),
        ("ENABLE_K8S_DOWNWARD_APIS", "false"),
        ("KUBE_CLUSTER_DOMAIN", "cluster.local"),
        ("ACTORS_ENABLED", "false"),
        (
            "DAPR_TRUST_ANCHORS_FILE",
            "/var/run/secrets/dapr.io/tls/ca.crt",
        ),
        ("DAPR_CONTROL_PLANE_TRUST_DOMAIN", "cluster.local"),
        (
            "DAPR_SENTRY_ADDRESS",
            "dapr-sentry.dapr-system.svc.cluster.local:443",
        ),
    ] {
        assert_eq!(chart.env(INJECTOR, name), Some(value), "{name}");
    }
    for name in [
        "SIDECAR_RUN_AS_USER",
        "SIDECAR_RUN_AS_GROUP",
        "ALLOWED_SERVICE_ACCOUNTS",
    ] {
        assert_eq!(chart.env(INJECTOR, name), None, "{name}");
    }
    for native in [true, false] {
        let chart = render(&[&format!("dapr_sidecar_injector.nativeSidecar={native}")]);
        let told = chart.env(INJECTOR, "NATIVE_SIDECAR_ENABLED");
        assert_eq!(told, Some(native.to_string().as_str()));
    }
    let chart = render(&[
        "dapr_sidecar_injector.sidecarRunAsUser=1000650000",
        "dapr_sidecar_injector.allowedServiceAccounts=\"a:b,c:*\"",
    ]);
    assert_eq!(
        chart.env(INJECTOR, "SIDECAR_RUN_AS_USER"),
        Some("1000650000")
    );
    assert_eq!(
        chart.env(INJECTOR, "ALLOWED_SERVICE_ACCOUNTS"),
        Some("a:b,c:*")
    );
}

#[test]
fn tolerations_arrive_as_json() {
    let told = |values: &[&str]| -> Value {
        let chart = render(values);
        let text = chart
            .env(INJECTOR, "IGNORE_ENTRYPOINT_TOLERATIONS")
            .unwrap();
        serde_json::from_str(text).unwrap()
    };
    let keys = [
        "alibabacloud.com/eci",
        "azure.com/aci",
        "aws",
        "huawei.com/cci",
    ];
    let expected: Vec<_> = keys
        .iter()
        .map(|key| json!({ "effect": "NoSchedule", "key": key }))
        .collect();
    assert_eq!(told(&[]), json!(expected));
    // Text as people write it, and as Dapr's chart wants it.
    for text in [r#""[{\"key\":\"a\"}]""#, r#""[{\\\"key\\\":\\\"a\\\"}]""#] {
        let value = format!("dapr_sidecar_injector.ignoreEntrypointTolerations={text}");
        assert_eq!(told(&[&value]), json!([{ "key": "a" }]));
    }
}

#[test]
fn extra_variables_arrive_as_they_are() {
    let value = "a=1,b={2}:\"3\" $(X)";
    for (name, key) in [
        ("dapr-operator", "dapr_operator"),
        ("dapr-sentry", "dapr_sentry"),
        (INJECTOR, "dapr_sidecar_injector"),
    ] {
        let extra = format!("{key}.extraEnvVars={}", json!({ "ADDED": value }));
        let chart = render(&[&extra]);
        assert_eq!(chart.env(name, "ADDED"), Some(value));
    }
}

#[test]
fn users_that_contradict_the_rule_about_root_are_refused() {
    let injector = |key: &str| format!("dapr_sidecar_injector.{key}");
    let (user, root) = (
        injector("sidecarRunAsUser"),
        injector("sidecarRunAsNonRoot"),
    );
    let text = refused(&[&format!("{user}=1000"), &format!("{root}=false")]);
    let expected = "sidecarRunAsUser must be 0 or value ommited when sidecarRunAsNonRoot is false";
    assert!(text.contains(expected), "{text}");
    let text = refused(&[&format!("{user}=0")]);
    let expected = "sidecarRunAsUser must positive when sidecarRunAsNonRoot is true (or default)";
    assert!(text.contains(expected), "{text}");
    render(&[&format!("{user}=0"), &format!("{root}=false")]);
}

#[test]
fn the_configuration_says_everything_about_mtls() {
    let chart = render(&[
        "global.mtls.enabled=false",
        "global.mtls.workloadCertTTL=\"1h\"",
    ]);
    assert_eq!(
        chart.get("Configuration", "daprsystem")["spec"],
        json!({ "mtls": {
            "enabled": false,
            "workloadCertTTL": "1h",
            "allowedClockSkew": "15m",
            "controlPlaneTrustDomain": "cluster.local",
            "sentryAddress": "dapr-sentry.dapr-system.svc.cluster.local:443",
        } })
    );
    let elsewhere = render(&["global.mtls.sentryAddress=\"sentry:1\""]);
    let configuration = elsewhere.get("Configuration", "daprsystem");
    assert_eq!(configuration["spec"]["mtls"]["sentryAddress"], "sentry:1");
    assert_eq!(
        elsewhere.env(INJECTOR, "DAPR_SENTRY_ADDRESS"),
        Some("sentry:1")
    );
    let without = render(&["dapr_config.dapr_config_chart_included=false"]);
    assert_eq!(without.of("Configuration").count(), 0);
}

#[test]
fn nothing_runs_as_root_by_default() {
    let chart = render(&["dapr_sidecar_injector.runAsNonRoot=false"]);
    let context = &chart.container(INJECTOR)["securityContext"];
    assert_eq!(context["runAsUser"], 1000);
    assert_eq!(context.get("runAsNonRoot"), None);
    for (name, _) in PROGRAMS {
        let context = &chart.container(name)["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false);
    }
}
