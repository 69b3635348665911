//! `GetMetadata` and `SetMetadata`.

use std::collections::BTreeMap;

use api::runtime::v1::{
    AppConnectionHealthProperties, AppConnectionProperties, GetMetadataRequest,
    GetMetadataResponse, SetMetadataRequest, actor_runtime::ActorRuntimeStatus,
};
use serde_json::json;
use tests::{GrpcApp, Sidecar, sidecar};

use super::{ask, rpc};
use crate::table::Table;

fn get(sidecar: &Sidecar) -> GetMetadataResponse {
    ask(sidecar, "GetMetadata", &GetMetadataRequest {}).decode()
}

fn set(sidecar: &Sidecar, key: &str, value: &str) {
    let request = SetMetadataRequest {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let answer = ask(sidecar, "SetMetadata", &request);
    answer.expect(0, "");
    assert_eq!(answer.messages.len(), 1);
    assert_eq!(answer.messages[0].data.len(), 0);
}

#[test]
fn the_sidecar_describes_itself() {
    let app = GrpcApp::kinds();
    let sidecar = sidecar("described")
        .grpc_app(&app)
        .flag("app-max-concurrency", "7")
        .switch("enable-app-health-check")
        .run();
    let metadata = get(&sidecar);
    assert_eq!(metadata.id, "described");
    assert_eq!(metadata.runtime_version, env!("CARGO_PKG_VERSION"));
    assert_eq!(
        metadata.extended_metadata,
        BTreeMap::from([(
            "daprRuntimeVersion".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned()
        )])
    );
    assert_eq!(
        metadata.app_connection_properties,
        Some(AppConnectionProperties {
            port: app.port().into(),
            protocol: "grpc".to_owned(),
            channel_address: "127.0.0.1".to_owned(),
            max_concurrency: 7,
            health: Some(AppConnectionHealthProperties {
                health_check_path: String::new(),
                health_probe_interval: "5s".to_owned(),
                health_probe_timeout: "500ms".to_owned(),
                health_threshold: 3,
            }),
        })
    );
    let actors = metadata.actor_runtime.unwrap();
    assert_eq!(actors.runtime_status(), ActorRuntimeStatus::Disabled);
    assert_eq!(actors.placement, "placement: disconnected");
    assert!(!actors.host_ready);
    assert!(metadata.registered_components.is_empty());
    assert!(metadata.subscriptions.is_empty());
    assert!(metadata.scheduler.is_none());
}

/// Both APIs tell of one thing.
#[test]
fn what_is_set_over_one_api_is_read_over_both() {
    let sidecar = sidecar("extended").run();
    set(&sidecar, "grpc", "over grpc");
    set(&sidecar, "", "dropped");
    set(&sidecar, "empty", "");
    tests::Request::new("PUT", "/v1.0/metadata/http")
        .body("over http")
        .send(sidecar.http())
        .expect(204, "");
    set(&sidecar, "twice", "1");
    set(&sidecar, "twice", "2");
    let mut extended = get(&sidecar).extended_metadata;
    extended.remove("daprRuntimeVersion");
    let expected = [
        ("empty", ""),
        ("grpc", "over grpc"),
        ("http", "over http"),
        ("twice", "2"),
    ];
    let expected: BTreeMap<_, _> = expected
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    assert_eq!(extended, expected);
    let json = sidecar.get("/v1.0/metadata").json();
    for (key, value) in expected {
        assert_eq!(json["extended"][key], json!(value));
    }
}

#[test]
fn resources_are_named() {
    let directory = tempfile::TempDir::new().unwrap();
    for (kind, name, spec) in [
        ("Resiliency", "careful", "{policies: {}, targets: {}}"),
        ("HTTPEndpoint", "outside", "{baseUrl: 'http://example.com'}"),
    ] {
        std::fs::write(
            directory.path().join(format!("{name}.yaml")),
            format!("apiVersion: dapr.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\nspec: {spec}\n"),
        )
        .unwrap();
    }
    let sidecar = sidecar("owner")
        .flag("resources-path", directory.path().to_str().unwrap())
        .run();
    let metadata = get(&sidecar);
    let names: Vec<_> = metadata
        .resiliencies
        .iter()
        .map(|r| r.name.as_str())
        .collect();
    assert_eq!(names, ["careful"]);
    // As the HTTP API has them.
    let http = sidecar.get("/v1.0/metadata").json();
    let endpoints: Vec<_> = metadata
        .http_endpoints
        .iter()
        .map(|endpoint| json!({"name": endpoint.name}))
        .collect();
    match http.get("httpEndpoints") {
        Some(named) => assert_eq!(named, &json!(endpoints)),
        None => assert_eq!(endpoints, [json!(null); 0]),
    }
}

/// The three APIs of the sidecar are its own, whoever is named.
#[test]
fn an_app_id_does_not_send_them_elsewhere() {
    let app = GrpcApp::kinds();
    let sidecar = sidecar("owner").grpc_app(&app).run();
    let mut table = Table::default();
    for name in ["dapr-app-id", "dapr-callee-app-id"] {
        for id in ["owner", "nobody"] {
            table.row(&format!("{name}: {id}"), || {
                let request = rpc("GetMetadata").metadata(name, id);
                let answer = request.send(sidecar.grpc(), &[""]);
                assert_eq!(answer.decode::<GetMetadataResponse>().id, "owner");
            });
        }
    }
    assert_eq!(app.take().len(), 0);
}

#[test]
fn requests_that_are_none_are_refused() {
    let sidecar = sidecar("strict").run();
    let mut table = Table::default();
    for name in ["GetMetadata", "SetMetadata", "Shutdown"] {
        table.row(name, || {
            let answer = rpc(name).send(sidecar.grpc(), &[b"\xff\xff\xff"]);
            assert_eq!(answer.code(), 13, "{answer:?}");
        });
    }
    table.row("it is still there", || {
        assert_eq!(get(&sidecar).id, "strict");
    });
}
