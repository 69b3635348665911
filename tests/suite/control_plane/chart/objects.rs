//! Deployments, Services, budgets and the trust bundle.

use serde_json::{Value, json};

use super::{NAMESPACE, PROGRAMS, names, refused, render};

#[test]
fn a_default_pod_is_one_container_that_a_strict_namespace_accepts() {
    let chart = render(&[]);
    for (name, part) in PROGRAMS {
        let deployment = chart.get("Deployment", name);
        assert_eq!(deployment["metadata"]["labels"]["app"], name);
        assert_eq!(deployment["spec"]["replicas"], 1);
        let selector = &deployment["spec"]["selector"]["matchLabels"];
        assert_eq!(*selector, json!({ "app": name }));
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(*rolling, json!({ "maxSurge": 1, "maxUnavailable": 0 }));

        let pod = chart.pod(name);
        assert_eq!(
            pod["metadata"]["annotations"]["dapr.io/control-plane"],
            part
        );
        assert_eq!(names(&pod["spec"]["containers"]), [name]);
        assert_eq!(pod["spec"].get("initContainers"), None);
        let container = chart.container(name);
        assert_eq!(container["image"], format!("localhost/dapr/{part}:edge"));
        assert_eq!(container["command"], json!([format!("/{part}")]));
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/healthz");
        assert_eq!(
            container["securityContext"],
            json!({
                "runAsNonRoot": true,
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
                "seccompProfile": { "type": "RuntimeDefault" },
            })
        );
        let nodes = &pod["spec"]["affinity"]["nodeAffinity"];
        let terms = &nodes["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
        assert_eq!(
            terms[0]["matchExpressions"],
            json!([{ "key": "kubernetes.io/os", "operator": "In", "values": ["linux"] }])
        );
        assert_eq!(pod["spec"]["affinity"].get("podAntiAffinity"), None);
    }
    assert_eq!(chart.of("PodDisruptionBudget").count(), 0);
    assert_eq!(chart.of("ResourceQuota").count(), 0);
}

#[test]
fn every_object_says_what_it_belongs_to() {
    let chart = render(&["global.k8sLabels={\"team\":\"{{ .Release.Name }}-team\"}"]);
    for object in &chart.0 {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["team"], "dapr-team", "{object}");
        assert_eq!(labels["app.kubernetes.io/part-of"], "dapr", "{object}");
        assert_eq!(labels["app.kubernetes.io/version"], "edge", "{object}");
    }
}

#[test]
fn high_availability_is_three_spread_replicas_with_budgets() {
    let chart = render(&["global.ha.enabled=true"]);
    for (name, _) in PROGRAMS {
        assert_eq!(chart.get("Deployment", name)["spec"]["replicas"], 3);
        let apart = &chart.pod(name)["spec"]["affinity"]["podAntiAffinity"];
        let term = &apart["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"];
        assert_eq!(term["topologyKey"], "topology.kubernetes.io/zone");
        assert_eq!(
            term["labelSelector"]["matchExpressions"],
            json!([{ "key": "app", "operator": "In", "values": [name] }])
        );
    }
    for (budget, app) in [
        ("dapr-operator-disruption-budget", "dapr-operator"),
        ("dapr-sentry-budget", "dapr-sentry"),
        (
            "dapr-sidecar-injector-disruption-budget",
            "dapr-sidecar-injector",
        ),
    ] {
        assert_eq!(
            chart.get("PodDisruptionBudget", budget)["spec"],
            json!({ "maxUnavailable": "25%", "selector": { "matchLabels": { "app": app } } })
        );
    }
    let least = render(&[
        "global.ha.enabled=true",
        "global.ha.disruption.minimumAvailable=2",
    ]);
    let budget = least.get("PodDisruptionBudget", "dapr-sentry-budget");
    assert_eq!(budget["spec"]["minAvailable"], 2);
    assert_eq!(budget["spec"].get("maxUnavailable"), None);
}

/// The four Services: name, value with annotations, ports without metrics.
fn services() -> [(&'static str, &'static str, Value); 4] {
    let port = |name: &str, port: u16, target: Value, protocol: &str| json!({ "name": name, "port": port, "targetPort": target, "protocol": "TCP", "appProtocol": protocol });
    [
        (
            "dapr-api",
            "dapr_operator.apiService.annotations",
            json!([
                port("grpc", 443, json!(6500), "tls"),
                port("legacy", 80, json!(6500), "tls")
            ]),
        ),
        (
            "dapr-webhook",
            "dapr_operator.webhookService.annotations",
            json!([{ "port": 443, "targetPort": 19443, "protocol": "TCP", "appProtocol": "https" }]),
        ),
        (
            "dapr-sentry",
            "dapr_sentry.service.annotations",
            json!([port("grpc", 443, json!(50001), "tls")]),
        ),
        (
            "dapr-sidecar-injector",
            "dapr_sidecar_injector.service.annotations",
            json!([port("https", 443, json!("https"), "https")]),
        ),
    ]
}

#[test]
fn services_have_their_ports_and_annotations() {
    let scraped = json!({ "prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/path": "/" });
    let metrics = json!({ "name": "metrics", "port": 9090, "targetPort": 9090, "protocol": "TCP", "appProtocol": "http" });
    for (name, value, ports) in services() {
        // Nobody scrapes the webhook.
        let has_metrics = name != "dapr-webhook";
        for prometheus in [true, false] {
            for own in [false, true] {
                let mut values = vec![format!("global.prometheus.enabled={prometheus}")];
                if own {
                    values.push(format!("{value}={{\"own\":\"yes\"}}"));
                }
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let chart = render(&values);
                let service = chart.get("Service", name);

                let mut annotations = json!({});
                let mut expected = ports.clone();
                if prometheus && has_metrics {
                    annotations = scraped.clone();
                    expected.as_array_mut().unwrap().push(metrics.clone());
                }
                if own {
                    annotations["own"] = json!("yes");
                }
                assert_eq!(service["spec"]["ports"], expected, "{name} {values:?}");
                let found = service["metadata"].get("annotations").cloned();
                assert_eq!(
                    found.unwrap_or_else(|| json!({})),
                    annotations,
                    "{name} {values:?}"
                );
                assert_eq!(service["spec"]["type"], "ClusterIP");
            }
        }
    }
}

#[test]
fn metrics_can_be_switched_off() {
    let (on, off) = (render(&[]), render(&["global.prometheus.enabled=false"]));
    for (name, _) in PROGRAMS {
        let args = on.args(name).join(" ");
        assert!(
            args.contains("--enable-metrics --metrics-port 9090"),
            "{args}"
        );
        assert!(off.args(name).contains(&"--enable-metrics=false"));
        assert!(!off.args(name).contains(&"--metrics-port"));
        assert!(!names(&off.container(name)["ports"]).contains(&"metrics"));
        let annotations = &off.pod(name)["metadata"]["annotations"];
        assert_eq!(annotations.get("prometheus.io/scrape"), None);
    }
}

#[test]
fn what_users_add_to_pods_stands_behind_our_own() {
    for (name, part) in PROGRAMS {
        let values = ["initContainers", "extraContainers", "extraVolumes"]
            .map(|key| format!("global.{key}={{\"{part}\":[{{\"name\":\"added\"}}]}}"));
        let mount = format!(
            "global.extraVolumeMounts={{\"{part}\":[{{\"name\":\"added\",\"mountPath\":\"/x\"}}]}}"
        );
        let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
        values.push(&mount);
        let chart = render(&values);
        for (other, _) in PROGRAMS {
            let spec = &chart.pod(other)["spec"];
            let added = other == name;
            let count = |list: &Value| names(list).iter().filter(|it| **it == "added").count();
            assert_eq!(count(&spec["initContainers"]), usize::from(added));
            assert_eq!(count(&spec["volumes"]), usize::from(added));
            let mounts = &chart.container(other)["volumeMounts"];
            assert_eq!(count(mounts), usize::from(added));
            let expected: &[&str] = if added { &[name, "added"] } else { &[other] };
            assert_eq!(names(&spec["containers"]), expected);
        }
    }
}

#[test]
fn the_trust_bundle_outlives_the_release_and_comes_empty() {
    let chart = render(&[]);
    for kind in ["Secret", "ConfigMap"] {
        let object = chart.get(kind, "dapr-trust-bundle");
        let policy = &object["metadata"]["annotations"]["helm.sh/resource-policy"];
        assert_eq!(*policy, "keep");
        assert_eq!(object.get("data"), None);
    }
    let root = "dapr_sentry.tls.root.certPEM=\"ROOT\\n\"";
    let chart = render(&[root]);
    assert_eq!(chart.get("Secret", "dapr-trust-bundle").get("data"), None);
    let anchors = &chart.get("ConfigMap", "dapr-trust-bundle")["data"];
    assert_eq!(*anchors, json!({ "ca.crt": "ROOT\n" }));
    let chart = render(&[
        root,
        "dapr_sentry.tls.issuer={\"certPEM\":\"CERT\",\"keyPEM\":\"KEY\"}",
        "global.issuerFilenames={\"cert\":\"tls.crt\",\"key\":\"tls.key\"}",
    ]);
    assert_eq!(
        chart.get("Secret", "dapr-trust-bundle")["data"],
        json!({ "ca.crt": "Uk9PVA==", "tls.crt": "Q0VSVA==", "tls.key": "S0VZ" })
    );
}

#[test]
fn operator_and_injector_prove_who_they_are() {
    let chart = render(&["global.mtls.controlPlaneTrustDomain=\"example.org\""]);
    for name in ["dapr-operator", "dapr-sidecar-injector"] {
        assert_eq!(
            chart.pod(name)["spec"]["volumes"],
            json!([
                {
                    "name": "dapr-trust-bundle",
                    "configMap": {
                        "name": "dapr-trust-bundle",
                        "items": [{ "key": "ca.crt", "path": "ca.crt" }],
                    },
                },
                {
                    "name": "dapr-identity-token",
                    "projected": { "sources": [{ "serviceAccountToken": {
                        "path": "token",
                        "expirationSeconds": 600,
                        "audience": format!("spiffe://example.org/ns/{NAMESPACE}/dapr-sentry"),
                    } }] },
                },
            ])
        );
    }
    let without = render(&["global.mtls.mountSentryVolume=false"]);
    let volumes = &without.pod("dapr-operator")["spec"]["volumes"];
    assert_eq!(names(volumes), ["dapr-trust-bundle"]);
    // Sentry must start without a Secret, to make it anew.
    assert_eq!(chart.pod("dapr-sentry")["spec"].get("volumes"), None);
}

#[test]
fn images_come_from_the_registry_unless_named_whole() {
    let chart = render(&[
        "global.registry=\"example.org/apps\"",
        "global.tag=1.5",
        "dapr_sentry.image.name=\"elsewhere/sentry@sha256:00\"",
    ]);
    let image = |name| chart.container(name)["image"].as_str().unwrap().to_owned();
    assert_eq!(image("dapr-operator"), "example.org/apps/operator:1.5");
    assert_eq!(image("dapr-sentry"), "elsewhere/sentry@sha256:00");
    let sidecar = chart.env("dapr-sidecar-injector", "SIDECAR_IMAGE");
    assert_eq!(sidecar, Some("example.org/apps/daprd:1.5"));
}

#[test]
fn pull_secrets_have_three_forms() {
    for (form, expected) in [
        ("\"one\"", json!([{ "name": "one" }])),
        (
            "[\"one\",\"two\"]",
            json!([{ "name": "one" }, { "name": "two" }]),
        ),
        ("[{\"name\":\"one\"}]", json!([{ "name": "one" }])),
    ] {
        let chart = render(&[&format!("global.imagePullSecrets={form}")]);
        for (name, _) in PROGRAMS {
            assert_eq!(chart.pod(name)["spec"]["imagePullSecrets"], expected);
        }
    }
}

#[test]
fn a_critical_priority_class_gets_its_quota() {
    let chart = render(&["global.priorityClassName=\"system-cluster-critical\""]);
    let quota = chart.get("ResourceQuota", "system-critical-quota");
    let scope = &quota["spec"]["scopeSelector"]["matchExpressions"][0];
    assert_eq!(scope["values"], json!(["system-cluster-critical"]));
    let pod = chart.pod("dapr-operator");
    assert_eq!(pod["spec"]["priorityClassName"], "system-cluster-critical");
    let plain = render(&["global.priorityClassName=\"mine\""]);
    assert_eq!(plain.of("ResourceQuota").count(), 0);
}

#[test]
fn wrong_values_are_named_and_unknown_ones_accepted() {
    for (value, place) in [
        ("global.ha.enabled=\"true\"", "/global/ha/enabled"),
        (
            "global.imagePullPolicy=\"never\"",
            "/global/imagePullPolicy",
        ),
        (
            "global.ha.podAntiAffinityPolicy=\"sometimes\"",
            "/global/ha/podAntiAffinityPolicy",
        ),
        (
            "dapr_sidecar_injector.webhookFailurePolicy=\"fail\"",
            "/dapr_sidecar_injector/webhookFailurePolicy",
        ),
        ("global.prometheus.port=0", "/global/prometheus/port"),
    ] {
        let text = refused(&[value]);
        assert!(text.contains(place), "{value}: {text}");
    }
    let chart = render(&[
        "dapr_placement.replicaScheduling=\"x\"",
        "dapr_scheduler.cluster.storageSize=\"16Gi\"",
        "global.reminders.serviceName=\"x\"",
    ]);
    assert_eq!(chart.of("StatefulSet").count(), 0);
}
