//! Admission reviews as nobody should send them: always an answer, never a
//! panic, and every patch applies and leaves nothing to patch.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use injector::metrics::Metrics;
use injector::patch::Current;
use injector::review::{Answer, Rules, answer};
use injector::settings::Settings;
use serde_json::{Map, Value, json};

const MUTATIONS: usize = 10_000;
const PODS: usize = 2_000;
const SEED: u64 = 0x00da_94d0;

struct Webhook {
    settings: Settings,
    metrics: Metrics,
}

impl Webhook {
    fn new(native: bool) -> Self {
        let lookup = |name: &str| match name {
            "SIDECAR_IMAGE" => Some("daprd".to_owned()),
            "NATIVE_SIDECAR_ENABLED" => Some(native.to_string()),
            _ => None,
        };
        let settings = Settings::from_lookup(lookup, "dapr-system".to_owned(), true, true, "");
        Self {
            settings: settings.unwrap(),
            metrics: Metrics::default(),
        }
    }

    fn answer(&self, body: &[u8]) -> Answer {
        let rules = Rules {
            sidecar: &self.settings.sidecar,
            requesters: &self.settings.requesters,
            current: Current {
                anchors: "ROOT",
                mtls: true,
            },
            instance: "me",
            metrics: &self.metrics,
        };
        answer(body, Some(b"application/json"), &rules)
    }

    /// Checks the answer; true when there was a patch.
    fn check(&self, body: &[u8]) -> bool {
        let answered = self.answer(body);
        if body.is_empty() {
            assert_eq!(answered.status, 400);
            return false;
        }
        assert_eq!(answered.status, 200);
        let review: Value = serde_json::from_slice(&answered.body).unwrap();
        let response = &review["response"];
        assert!(response["allowed"].is_boolean() && response["uid"].is_string());
        let Some(patch) = response.get("patch") else {
            return false;
        };
        let patch = STANDARD.decode(patch.as_str().unwrap()).unwrap();
        let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
        let mut review: Value = serde_json::from_slice(body).unwrap();
        json_patch::patch(&mut review["request"]["object"], &patch).unwrap();
        let again = self.answer(review.to_string().as_bytes());
        let again: Value = serde_json::from_slice(&again.body).unwrap();
        assert_eq!(again["response"]["allowed"], json!(true));
        assert_eq!(again["response"].get("patch"), None);
        true
    }
}

fn review(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "5f5d2d5c-0b0c-4b0e-8f0a-000000000000",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "admin", "uid": "1", "groups": ["system:masters", "system:authenticated"]},
            "object": pod,
            "oldObject": null,
            "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    })
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "cart-0",
            "labels": {"app": "cart"},
            "annotations": {
                "dapr.io/enabled": "true",
                "dapr.io/app-id": "cart",
                "dapr.io/app-port": "80",
                "dapr.io/env": "A=1,B=2",
                "dapr.io/volume-mounts": "data:/data",
                "dapr.io/unix-domain-socket-path": "/sockets",
                "dapr.io/sidecar-cpu-limit": "1",
            },
        },
        "spec": {
            "volumes": [{"name": "data", "emptyDir": {}}],
            "initContainers": [{"name": "first", "image": "first"}],
            "containers": [
                {"name": "one", "image": "one", "env": [{"name": "X", "value": "y"}]},
                {"name": "two", "image": "two", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
            ],
            "tolerations": [{"key": "a", "operator": "Exists"}],
        },
    })
}

/// Every value inside `value`, itself included, in one order.
fn nodes(value: &mut Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter_mut().map(nodes).sum(),
        Value::Object(members) => members.values_mut().map(nodes).sum::<usize>(),
        _ => 0,
    }
}

/// Replaces the `index`th of [`nodes`].
fn replace(value: &mut Value, index: &mut usize, with: &Value) {
    if *index == 0 {
        *value = with.clone();
        *index = usize::MAX;
        return;
    }
    *index = index.saturating_sub(1);
    let mut visit = |child: &mut Value| {
        if *index != usize::MAX {
            replace(child, index, with);
        }
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(&mut visit),
        Value::Object(members) => members.values_mut().for_each(&mut visit),
        _ => {}
    }
}

fn odd_value(rng: &mut Rng) -> Value {
    match rng.u8(..14) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!(rng.i64(..)),
        3 => json!(-1),
        4 => json!(1e300),
        5 => json!(""),
        6 => json!("x".repeat(rng.usize(..200_000))),
        7 => json!(
            std::iter::repeat_with(|| rng.char(..))
                .take(20)
                .collect::<String>()
        ),
        8 => json!([]),
        9 => json!({}),
        10 => json!([null, 1, "a", [], {}]),
        11 => json!({"": null, "a/b~c": {"dapr.io/enabled": "true"}}),
        12 => json!(vec![json!({"name": "daprd"}); rng.usize(..1000)]),
        _ => {
            let mut nested = Value::Null;
            for _ in 0..rng.usize(..400) {
                nested = json!([nested]);
            }
            nested
        }
    }
}

fn mutated(rng: &mut Rng) -> Vec<u8> {
    let mut value = review(&pod());
    for _ in 0..rng.usize(..4) {
        let mut index = rng.usize(..nodes(&mut value));
        let with = odd_value(rng);
        replace(&mut value, &mut index, &with);
    }
    let mut body = value.to_string().into_bytes();
    for _ in 0..rng.usize(..4) {
        match rng.u8(..6) {
            0 | 1 => {
                if let Some(at) = rng.choice(0..body.len()) {
                    body[at] ^= 1 << rng.u8(..8);
                }
            }
            2 => body.truncate(rng.usize(..=body.len())),
            3 => {
                let at = rng.usize(..=body.len());
                body.splice(at..at, std::iter::repeat_n(rng.u8(..), rng.usize(..50)));
            }
            4 => {
                let depth = rng.usize(..20_000);
                let at = rng.usize(..=body.len());
                body.splice(at..at, std::iter::repeat_n(b'[', depth));
            }
            _ => {
                let end = rng.usize(..=body.len());
                let start = rng.usize(..=end);
                body.drain(start..end);
            }
        }
    }
    body
}

#[test]
fn every_mutated_review_is_answered() {
    let mut rng = Rng::with_seed(SEED);
    let webhooks = [Webhook::new(true), Webhook::new(false)];
    let mut patched = 0;
    for number in 0..MUTATIONS {
        let body = mutated(&mut rng);
        patched += usize::from(webhooks[number % 2].check(&body));
    }
    // The generator must reach the code behind the gates, too.
    assert!((MUTATIONS / 10..MUTATIONS).contains(&patched), "{patched}");
}

fn odd_text(rng: &mut Rng) -> String {
    let texts = [
        "",
        " ",
        "true",
        "false",
        "1",
        "0",
        "-1",
        "99999999999999999999",
        "0x1",
        "a",
        "a=b,c=d:e:f",
        "a:b,c:/d",
        "'",
        "\"\"",
        "é=ü,\u{0}",
        ",,,=,:",
        "1Mi",
        "-1Gi",
        "1e400",
        "daprd",
        "~1/~0",
    ];
    (*rng.choice(&texts).unwrap()).to_owned()
}

fn annotations(rng: &mut Rng) -> Map<String, Value> {
    const OWN: [&str; 24] = [
        "id",
        "port",
        "protocol",
        "profiling",
        "max-concurrency",
        "api-token-secret",
        "app-token-secret",
        "enable-debug",
        "debug-port",
        "enable-native-sidecar",
        "env",
        "env-from-secret",
        "pluggable-components",
        "inject-pluggable-components",
        "sidecar-image",
        "sidecar-seccomp-profile-type",
        "volume-mounts",
        "volume-mounts-rw",
        "sidecar-cpu-request",
        "sidecar-cpu-limit",
        "sidecar-memory-request",
        "sidecar-memory-limit",
        "sidecar-liveness-probe-threshold",
        "sidecar-readiness-probe-delay-seconds",
    ];
    let flags = api::flags::TABLE
        .iter()
        .filter_map(|row| row.annotation.map(str::to_owned));
    let names = OWN
        .iter()
        .map(|name| format!("dapr.io/{name}"))
        .chain(flags);
    let mut given: Map<String, Value> = names
        .filter(|_| rng.u8(..3) == 0)
        .map(|name| (name, Value::Null))
        .collect();
    for value in given.values_mut() {
        *value = json!(odd_text(rng));
    }
    given.insert("dapr.io/enabled".to_owned(), json!("true"));
    given.insert("dapr.io/app-id".to_owned(), json!("cart"));
    given
}

#[test]
fn every_patch_applies_whatever_the_annotations_say() {
    let mut rng = Rng::with_seed(SEED);
    let webhooks = [Webhook::new(true), Webhook::new(false)];
    for number in 0..PODS {
        let mut pod = pod();
        pod["metadata"]["annotations"] = Value::Object(annotations(&mut rng));
        for list in ["volumes", "initContainers", "containers", "tolerations"] {
            match rng.u8(..6) {
                0 => pod["spec"][list] = Value::Null,
                1 => pod["spec"][list] = json!([]),
                2 => drop(pod["spec"].as_object_mut().unwrap().remove(list)),
                _ => {}
            }
        }
        if rng.bool() {
            pod["metadata"]["labels"] = Value::Null;
        }
        let body = review(&pod).to_string();
        assert!(webhooks[number % 2].check(body.as_bytes()), "{body}");
    }
}
