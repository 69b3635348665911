//! Who may ask for what, and what the answers hold.

use api::operator::v1::{
    GetConfigurationRequest, GetConfigurationResponse, GetResiliencyRequest, GetResiliencyResponse,
    ListComponentResponse, ListComponentsRequest, ListHttpEndpointsRequest,
    ListHttpEndpointsResponse, ListResiliencyRequest, ListResiliencyResponse,
    ListSubscriptionsRequest,
};
use bytes::Bytes;
use prost::Message;
use serde_json::{Value, json};
use tests::{PeerClient, RpcAnswer, eventually};

use super::{Home, method};

const UNKNOWN: u32 = 2;
const PERMISSION_DENIED: u32 = 7;
const UNIMPLEMENTED: u32 = 12;

#[track_caller]
fn call(client: &PeerClient, name: &str, request: &impl Message) -> RpcAnswer {
    client.unary(&method(name), request).unwrap()
}

#[track_caller]
fn decode<M: Message + Default>(answer: &RpcAnswer) -> M {
    assert_eq!(answer.code(), 0, "{}", answer.message());
    M::decode(answer.messages[0].clone()).unwrap()
}

fn names(objects: &[Bytes]) -> Vec<String> {
    let name = |object: &Bytes| {
        let object: Value = serde_json::from_slice(object).unwrap();
        object["metadata"]["name"].as_str().unwrap().to_owned()
    };
    objects.iter().map(name).collect()
}

#[test]
fn only_apps_of_the_namespace_get_an_answer() {
    let home = Home::new("callers");
    let operator = home.operator();
    assert!(
        PeerClient::plain(operator.port)
            .and_then(
                |client| client.unary(&method("ListResiliency"), &ListResiliencyRequest::default())
            )
            .is_err()
    );
    let anonymous = PeerClient::tls(operator.port, None).and_then(|client| {
        client.unary(&method("ListResiliency"), &ListResiliencyRequest::default())
    });
    assert!(anonymous.is_err(), "{anonymous:?}");
    let stranger = tests::Ca::new().app("cart");
    let stranger = PeerClient::tls(operator.port, Some(&stranger)).and_then(|client| {
        client.unary(&method("ListResiliency"), &ListResiliencyRequest::default())
    });
    assert!(stranger.is_err(), "{stranger:?}");

    let apps = home.apps.as_str();
    let client = operator.connect(&home.app("cart"));
    let own = ListResiliencyRequest {
        namespace: apps.to_owned(),
    };
    assert_eq!(call(&client, "ListResiliency", &own).code(), 0);
    for namespace in ["", "default", home.namespace.as_str()] {
        let refused =
            format!("identity does not match requested namespace exp={namespace} got={apps}");
        let list = ListResiliencyRequest {
            namespace: namespace.to_owned(),
        };
        for name in [
            "ListResiliency",
            "ListHTTPEndpoints",
            "ListComponents",
            "ListMCPServers",
            "ListWorkflowAccessPolicy",
            "ResiliencyUpdate",
            "HTTPEndpointUpdate",
            "ComponentUpdate",
            "SubscriptionUpdate",
            "MCPServerUpdate",
            "WorkflowAccessPolicyUpdate",
        ] {
            let answer = call(&client, name, &list);
            assert_eq!(answer.code(), PERMISSION_DENIED, "{name}");
            assert_eq!(answer.message(), refused, "{name}");
        }
        let answer = call(&client, "ConfigurationUpdate", &list);
        assert_eq!(
            answer.message(),
            format!(
                "failed to authorize configuration update request: rpc error: code = PermissionDenied desc = {refused}"
            )
        );
        let get = GetConfigurationRequest {
            name: "any".to_owned(),
            namespace: namespace.to_owned(),
        };
        for name in ["GetConfiguration", "GetResiliency"] {
            assert_eq!(call(&client, name, &get).message(), refused, "{name}");
        }
    }
    assert_eq!(
        call(&client, "ListSubscriptions", &()).code(),
        PERMISSION_DENIED
    );
    let subscriptions = ListSubscriptionsRequest {
        namespace: apps.to_owned(),
    };
    assert_eq!(
        call(&client, "ListSubscriptionsV2", &subscriptions).code(),
        0
    );
    let answer = call(&client, "Nope", &());
    assert_eq!(answer.code(), UNIMPLEMENTED);
    assert_eq!(
        answer.message(),
        "unknown method Nope for service dapr.proto.operator.v1.Operator"
    );
    let nobody = home.ca.svid("spiffe://public/elsewhere").issue();
    let answer = call(&operator.connect(&nobody), "ListResiliency", &own);
    assert_eq!(answer.code(), PERMISSION_DENIED);
    assert_eq!(answer.message(), "failed to determine identity");
}

#[test]
fn configurations_come_with_their_secrets() {
    let home = Home::new("configurations");
    let operator = home.operator();
    let apps = home.apps.as_str();
    let client = operator.connect(&home.app("cart"));
    home.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "otel", "namespace": apps },
        "stringData": { "token": "s3cret" },
    }));
    let configure = |name: &str, secret: &str, key: &str| {
        let header = json!({ "name": "auth", "secretKeyRef": { "name": secret, "key": key } });
        let otel = json!({ "protocol": "grpc", "endpointAddress": "x:1", "isSecure": false, "headers": [header] });
        let tracing = json!({ "samplingRate": "1", "otel": otel });
        home.resource(
            "Configuration",
            name,
            &json!({ "spec": { "tracing": tracing } }),
        );
    };
    configure("good", "otel", "token");
    configure("no-key", "otel", "nope");
    configure("no-secret", "nope", "token");
    configure("escape", "../../../kube-system/secrets/otel", "token");
    let get = |name: &str| {
        let request = GetConfigurationRequest {
            name: name.to_owned(),
            namespace: apps.to_owned(),
        };
        call(&client, "GetConfiguration", &request)
    };
    // At once: what the watch has not seen is looked up.
    let answer: GetConfigurationResponse = decode(&get("good"));
    let object: Value = serde_json::from_slice(&answer.configuration).unwrap();
    assert_eq!(object["kind"], "Configuration");
    assert_eq!(object["apiVersion"], "dapr.io/v1alpha1");
    assert_eq!(object["metadata"].get("managedFields"), None);
    let header = &object["spec"]["tracing"]["otel"]["headers"][0];
    assert_eq!(header["value"], "s3cret");
    assert_eq!(header["secretKeyRef"]["key"], "token");
    for (name, reason) in [
        ("no-key", "secret otel has no key nope"),
        (
            "no-secret",
            "failed to read secret nope: secrets \"nope\" not found",
        ),
        ("escape", "not found"),
        ("missing", "configurations.dapr.io \"missing\" not found"),
        ("../resiliencies/x", "not found"),
    ] {
        let answer = get(name);
        assert_eq!(answer.code(), UNKNOWN, "{name}");
        let message = answer.message();
        assert!(
            message.starts_with(&format!("error getting configuration {apps}/{name}: ")),
            "{message}"
        );
        assert!(message.ends_with(reason), "{message}");
    }
}

#[test]
fn lists_hold_what_the_caller_may_load() {
    let home = Home::new("lists");
    let operator = home.operator();
    let apps = home.apps.as_str();
    let client = operator.connect(&home.app("cart"));
    home.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "api", "namespace": apps },
        "stringData": { "token": "s3cret" },
    }));
    let policies = json!({ "spec": { "policies": {}, "targets": {} }, "scopes": ["other"] });
    home.resource("Resiliency", "theirs", &policies);
    let header = json!({ "name": "auth", "secretKeyRef": { "name": "api", "key": "token" } });
    home.resource(
        "HTTPEndpoint",
        "weather",
        &json!({ "spec": { "baseUrl": "https://x", "headers": [header] }, "scopes": ["other"] }),
    );
    let store = json!({ "type": "state.x", "version": "v1", "metadata": [] });
    home.resource(
        "Component",
        "mine",
        &json!({ "spec": store, "scopes": ["cart"] }),
    );
    home.resource(
        "Component",
        "theirs",
        &json!({ "spec": store, "scopes": ["other"] }),
    );

    let namespace = apps.to_owned();
    let components = eventually("the component is known", || {
        let request = ListComponentsRequest {
            namespace: namespace.clone(),
        };
        let list: ListComponentResponse = decode(&call(&client, "ListComponents", &request));
        (!list.components.is_empty()).then_some(list.components)
    });
    assert_eq!(names(&components), ["mine"]);
    let policies = eventually("the policies are known", || {
        let request = ListResiliencyRequest {
            namespace: namespace.clone(),
        };
        let list: ListResiliencyResponse = decode(&call(&client, "ListResiliency", &request));
        (!list.resiliencies.is_empty()).then_some(list.resiliencies)
    });
    assert_eq!(names(&policies), ["theirs"]);
    let request = GetResiliencyRequest {
        name: "theirs".to_owned(),
        namespace: namespace.clone(),
    };
    let one: GetResiliencyResponse = decode(&call(&client, "GetResiliency", &request));
    assert_eq!(one.resiliency, policies[0]);
    let request = ListHttpEndpointsRequest {
        namespace: namespace.clone(),
    };
    let endpoint: Value = eventually("the endpoint is known", || {
        let list: ListHttpEndpointsResponse = decode(&call(&client, "ListHTTPEndpoints", &request));
        let endpoint = list.http_endpoints.first()?;
        Some(serde_json::from_slice(endpoint).unwrap())
    });
    assert_eq!(endpoint["spec"]["headers"][0]["value"], "czNjcmV0");

    home.bare
        .api()
        .delete(&format!("/api/v1/namespaces/{apps}/secrets/api"));
    let answer = call(&client, "ListHTTPEndpoints", &request);
    assert_eq!(answer.code(), UNKNOWN);
}
