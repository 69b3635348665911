//! What the other tests here rely on: the control plane of Kubernetes itself.

use serde_json::json;
use tests::Bare;

#[test]
fn objects_of_our_kinds_are_kept() {
    let bare = Bare::shared();
    let namespace = bare.namespace("kinds");
    let yaml = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{name: one, namespace: {namespace}}}\nspec: {{tracing: {{samplingRate: \"1\"}}}}\n"
    );
    bare.api().apply(&yaml);
    let path = format!("/apis/dapr.io/v1alpha1/namespaces/{namespace}/configurations/one");
    let kept = bare.api().get(&path).unwrap();
    assert_eq!(kept["spec"]["tracing"]["samplingRate"], json!("1"));
    bare.api().delete(&path);
    assert_eq!(bare.api().get(&path), None);
}

#[test]
fn a_service_account_may_do_what_it_was_granted() {
    let bare = Bare::shared();
    let namespace = bare.namespace("accounts");
    let kubeconfig = bare.kubeconfig(&namespace, "reader");
    let get = || {
        let mut command = bare
            .api()
            .kubectl(&["get", "secrets", "--namespace", &namespace]);
        // The last one counts.
        let output = command.arg("--kubeconfig").arg(&kubeconfig).output();
        output.unwrap()
    };
    let refused = get();
    assert!(!refused.status.success());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("Forbidden"), "{text}");

    bare.api().must(&[
        "create",
        "role",
        "reader",
        "--namespace",
        &namespace,
        "--verb=get,list",
        "--resource=secrets",
    ]);
    let subject = format!("--serviceaccount={namespace}:reader");
    bare.api().must(&[
        "create",
        "rolebinding",
        "reader",
        "--namespace",
        &namespace,
        "--role=reader",
        &subject,
    ]);
    tests::holds("the grant is in force", || get().status.success());
}

#[test]
fn tokens_are_bound_to_a_pod_and_an_audience() {
    let bare = Bare::shared();
    let namespace = bare.namespace("tokens");
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: one, namespace: {namespace}}}\nspec: {{containers: [{{name: a, image: a}}]}}\n"
    );
    let pod = bare.api().create(&pod).unwrap();
    let token = bare
        .api()
        .token(&namespace, "default", "somebody", Some("one"));
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": { "token": token, "audiences": ["somebody"] },
    });
    let answer = bare.api().create(&review.to_string()).unwrap();
    let status = &answer["status"];
    assert_eq!(status["authenticated"], json!(true), "{status}");
    let extra = &status["user"]["extra"];
    assert_eq!(
        extra["authentication.kubernetes.io/pod-uid"],
        json!([pod["metadata"]["uid"]])
    );
}
