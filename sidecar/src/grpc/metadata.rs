//! `GetMetadata`, `SetMetadata` and `Shutdown`: what the routes of the HTTP
//! API with these names say and do.

use api::runtime::v1::{
    ActorRuntime, AppConnectionHealthProperties, AppConnectionProperties, GetMetadataResponse,
    MetadataResiliency, SetMetadataRequest, actor_runtime::ActorRuntimeStatus,
};
use http::HeaderMap;

use crate::http::{Api, AppConnection};

pub(super) fn get(api: &Api) -> GetMetadataResponse {
    GetMetadataResponse {
        id: api.me.app_id.clone(),
        extended_metadata: api.metadata.extended(),
        app_connection_properties: Some(app_connection(api.metadata.app())),
        runtime_version: env!("CARGO_PKG_VERSION").to_owned(),
        // There are no actors; clients read that here.
        actor_runtime: Some(ActorRuntime {
            runtime_status: ActorRuntimeStatus::Disabled.into(),
            active_actors: Vec::new(),
            host_ready: false,
            placement: "placement: disconnected".to_owned(),
        }),
        resiliencies: api
            .policies
            .resiliency_names()
            .into_iter()
            .map(|name| MetadataResiliency { name })
            .collect(),
        ..GetMetadataResponse::default()
    }
}

fn app_connection(app: &AppConnection) -> AppConnectionProperties {
    let health = app
        .health
        .as_ref()
        .map(|health| AppConnectionHealthProperties {
            health_check_path: health.health_check_path.clone(),
            health_probe_interval: health.health_probe_interval.clone(),
            health_probe_timeout: health.health_probe_timeout.clone(),
            health_threshold: i32::try_from(health.health_threshold).unwrap_or(i32::MAX),
        });
    AppConnectionProperties {
        port: app.port.map_or(0, i32::from),
        protocol: app.protocol.clone(),
        channel_address: app.channel_address.clone(),
        max_concurrency: app
            .max_concurrency
            .map_or(0, |limit| i32::try_from(limit).unwrap_or(i32::MAX)),
        health,
    }
}

/// Notes a value; nothing without a key.
pub(super) fn set(api: &Api, request: SetMetadataRequest) {
    if !request.key.is_empty() {
        api.metadata.set(request.key, request.value);
    }
}

pub(super) fn shutdown(api: &Api, headers: &HeaderMap) {
    api.shut_down(headers);
}
