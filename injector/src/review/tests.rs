//! The decision table.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::settings::Settings;

const JSON: Option<&[u8]> = Some(b"application/json");

struct Fixture {
    settings: Settings,
    metrics: Metrics,
}

impl Fixture {
    fn new() -> Self {
        let lookup = |name: &str| (name == "SIDECAR_IMAGE").then(|| "daprd".to_owned());
        let settings = Settings::from_lookup(lookup, "dapr-system".to_owned(), true, true, "");
        Self {
            settings: settings.unwrap(),
            metrics: Metrics::default(),
        }
    }

    fn answer(&self, body: &[u8], content_type: Option<&[u8]>) -> Answer {
        let rules = Rules {
            sidecar: &self.settings.sidecar,
            requesters: &self.settings.requesters,
            current: Current {
                anchors: "PEM",
                mtls: true,
            },
            instance: "me",
            metrics: &self.metrics,
        };
        answer(body, content_type, &rules)
    }

    /// The `response` of an answer.
    fn ask(&self, review: &Value) -> Value {
        let answer = self.answer(review.to_string().as_bytes(), JSON);
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.content_type, "application/json");
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            body["kind"],
            review
                .get("kind")
                .cloned()
                .unwrap_or_else(|| json!("AdmissionReview"))
        );
        body["response"].take()
    }

    fn counts(&self, line: &str) -> bool {
        let line = format!("dapr_injector_sidecar_injection_{line}");
        self.metrics.render().lines().any(|found| found == line)
    }
}

fn review(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "namespace": "shop",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod,
        },
    })
}

fn pod() -> Value {
    json!({
        "metadata": {"annotations": {"dapr.io/enabled": "true", "dapr.io/app-id": "cart"}},
        "spec": {"containers": [{"name": "cart"}]},
    })
}

fn passes() -> Value {
    json!({"uid": "u-1", "allowed": true})
}

#[test]
fn row_1_and_2_what_is_no_review() {
    let fixture = Fixture::new();
    let empty = fixture.answer(b"", None);
    assert_eq!(
        (empty.status, empty.body),
        (StatusCode::BAD_REQUEST, b"empty body\n".to_vec())
    );
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/json; charset=utf-8"),
        Some("Application/JSON"),
    ] {
        let answer = fixture.answer(b"{}", content_type.map(str::as_bytes));
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(
            answer.body,
            b"invalid Content-Type, expected `application/json`\n"
        );
    }
}

#[test]
fn row_3_and_4_unreadable_and_without_request() {
    let fixture = Fixture::new();
    for body in [
        "{",
        "[]",
        "7",
        "{\"request\":[1]}",
        "{\"request\":{\"uid\":7}}",
        "\u{0}",
    ] {
        let answer = fixture.answer(body.as_bytes(), JSON);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(body["response"]["allowed"], json!(false));
        assert!(
            body["response"]["status"]["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    assert!(fixture.counts("failed_total{reason=\"patch\"} 6"));
    for review in [json!({}), json!({"request": null})] {
        assert_eq!(fixture.ask(&review), json!({"uid": "", "allowed": true}));
    }
    assert!(fixture.counts("requests_total 8"));
}

#[test]
fn row_5_another_kind() {
    let fixture = Fixture::new();
    let mut review = review(&pod());
    review["request"]["kind"]["kind"] = json!("Deployment");
    assert_eq!(fixture.ask(&review), passes());
    assert!(fixture.counts("failed_total{reason=\"pod_patch\"} 1"));
}

#[test]
fn row_6_pods_that_want_none() {
    let fixture = Fixture::new();
    for enabled in [json!("false"), json!(""), json!("enabled"), Value::Null] {
        let mut review = review(&pod());
        review["request"]["object"]["metadata"]["annotations"]["dapr.io/enabled"] = enabled;
        review["request"]["userInfo"] = json!({"username": "nobody"});
        assert_eq!(fixture.ask(&review), passes());
    }
    assert!(!fixture.metrics.render().contains("failed_total{"));
}

#[test]
fn row_7_requesters() {
    let fixture = Fixture::new();
    for user in [
        Value::Null,
        json!({"username": "jane"}),
        json!({"username": "jane", "groups": ["dev"]}),
    ] {
        let mut review = review(&pod());
        review["request"]["userInfo"] = user;
        assert_eq!(fixture.ask(&review), passes());
    }
    assert!(fixture.counts("failed_total{app_id=\"cart\",reason=\"pod_patch\"} 3"));
    let mut review = review(&pod());
    review["request"]["userInfo"] = json!({"username": "admin", "groups": ["system:masters"]});
    assert_eq!(fixture.ask(&review)["patchType"], json!("JSONPatch"));
}

#[test]
fn row_8_pods_that_are_none() {
    let fixture = Fixture::new();
    for pod in [Value::Null, json!([]), json!({"spec": {"containers": 1}})] {
        let response = fixture.ask(&review(&pod));
        assert_eq!(response["allowed"], json!(false));
        let message = response["status"]["message"].as_str().unwrap();
        assert!(
            message.starts_with("could not unmarshal raw object: "),
            "{message}"
        );
        // Nobody is told about somebody else's pod.
        let mut foreign = review(&pod);
        foreign["request"]["userInfo"] = json!({"username": "jane"});
        assert_eq!(fixture.ask(&foreign), passes());
    }
}

#[test]
fn row_9_pods_that_have_one() {
    let fixture = Fixture::new();
    for list in ["containers", "initContainers"] {
        let mut pod = pod();
        pod["spec"][list] = json!([{"name": "daprd"}]);
        assert_eq!(fixture.ask(&review(&pod)), passes());
    }
}

#[test]
fn row_10_app_ids() {
    let fixture = Fixture::new();
    let mut nameless = pod();
    nameless["metadata"]["annotations"]
        .as_object_mut()
        .unwrap()
        .remove("dapr.io/app-id");
    nameless["metadata"]["generateName"] = json!("cart-");
    let response = fixture.ask(&review(&nameless));
    assert_eq!(
        response,
        json!({"uid": "u-1", "allowed": false, "status": {
            "metadata": {}, "message": "value for the dapr.io/app-id annotation is empty",
        }})
    );
    nameless["metadata"]["name"] = json!("cart-0");
    let response = fixture.ask(&review(&nameless));
    assert_eq!(response["allowed"], json!(true));
    assert!(fixture.counts("succeeded_total{app_id=\"cart-0\"} 1"));
}

#[test]
fn row_11_the_patch() {
    let fixture = Fixture::new();
    for version in ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"] {
        let mut review = review(&pod());
        review["apiVersion"] = json!(version);
        let answer = fixture.answer(review.to_string().as_bytes(), JSON);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["apiVersion"], json!(version));
        assert_eq!(body["response"]["uid"], json!("u-1"));
        let patch = STANDARD
            .decode(body["response"]["patch"].as_str().unwrap())
            .unwrap();
        let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
        let mut pod = pod();
        json_patch::patch(&mut pod, &patch).unwrap();
        assert_eq!(pod["spec"]["initContainers"][0]["name"], json!("daprd"));
        // The namespace is that of the request.
        let namespace = json!({"name": "NAMESPACE", "value": "shop"});
        assert_eq!(pod["spec"]["initContainers"][0]["env"][0], namespace);
        assert!(!answer.last);
    }
    assert!(fixture.counts("succeeded_total{app_id=\"cart\"} 2"));
}

#[test]
fn the_self_test_is_answered_with_our_mark_and_counted_nowhere() {
    let fixture = Fixture::new();
    let lease = crate::self_test::lease("dapr-system", "n");
    let mut review = review(&lease);
    review["request"]["kind"]["kind"] = json!("Lease");
    review["request"]["namespace"] = json!("dapr-system");
    review["request"]["dryRun"] = json!(true);
    let answer = fixture.answer(review.to_string().as_bytes(), JSON);
    assert!(answer.last);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let patch = STANDARD
        .decode(body["response"]["patch"].as_str().unwrap())
        .unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut patched = lease;
    json_patch::patch(&mut patched, &patch).unwrap();
    assert_eq!(crate::self_test::answered_by(&patched), Some("me"));
    assert!(fixture.counts("requests_total 0"));
    // Nothing that is kept, and nothing of others.
    for (key, value) in [("dryRun", json!(false)), ("namespace", json!("shop"))] {
        let mut other = review.clone();
        other["request"][key] = value;
        assert_eq!(fixture.ask(&other), passes());
    }
}
