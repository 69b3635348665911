//! The methods of the API. Answers, codes and wording mirror Dapr 1.18
//! pkg/operator/api; kinds that we do not serve have empty lists and silent
//! streams.

use std::sync::Arc;
use std::time::Duration;

use api::operator::v1::operator_server::Operator;
use api::operator::v1::{
    ComponentUpdateEvent, ComponentUpdateRequest, ConfigurationUpdateEvent,
    ConfigurationUpdateRequest, GetConfigurationRequest, GetConfigurationResponse,
    GetResiliencyRequest, GetResiliencyResponse, HttpEndpointUpdateEvent,
    HttpEndpointUpdateRequest, ListComponentResponse, ListComponentsRequest,
    ListHttpEndpointsRequest, ListHttpEndpointsResponse, ListMcpServersRequest,
    ListMcpServersResponse, ListResiliencyRequest, ListResiliencyResponse,
    ListSubscriptionsRequest, ListSubscriptionsResponse, ListWorkflowAccessPolicyRequest,
    ListWorkflowAccessPolicyResponse, McpServerUpdateEvent, McpServerUpdateRequest,
    ResiliencyUpdateEvent, ResiliencyUpdateRequest, ResourceEventType, SubscriptionUpdateEvent,
    SubscriptionUpdateRequest, WorkflowAccessPolicyUpdateEvent, WorkflowAccessPolicyUpdateRequest,
};
use bytes::Bytes;
use control_plane::is_object_name;
use kube::core::DynamicObject;
use lifecycle::drain::Watch;
use security::AppIdentity;
use tokio::time::timeout;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::super::cluster::{RequestError, objects, request};
use super::super::resource::{Hub, Object, Secrets};
use super::assigned::Pods;
use super::caller::{authorize, authorize_configuration};
use super::stream::{Source, changes, shutting_down, silence};

/// Longest wait for the first complete list of a kind; readiness keeps callers
/// away before that.
const SYNC_TIMEOUT: Duration = Duration::from_secs(30);

type Answer<T> = Result<Response<T>, Status>;

/// One hub per kind.
pub(in super::super) struct Hubs {
    pub(in super::super) configurations: Hub,
    pub(in super::super) resiliencies: Hub,
    pub(in super::super) http_endpoints: Hub,
    pub(in super::super) components: Hub,
}

/// Answers calls.
pub(in super::super) struct Service {
    pub(in super::super) client: kube::Client,
    pub(in super::super) hubs: Hubs,
    pub(in super::super) secrets: Secrets,
    pub(in super::super) pods: Pods,
    pub(in super::super) closing: Watch,
}

impl Service {
    /// From what we know, else from the API server: an object may have been
    /// created just before its app.
    async fn get(&self, hub: &Hub, namespace: &str, name: &str) -> Result<Arc<Object>, Refusal> {
        if let Some(object) = hub.get(namespace, name) {
            return Ok(object);
        }
        let kind = hub.kind();
        if !is_object_name(name) {
            return Err(Refusal::Request(RequestError::NoName {
                plural: kind.plural(),
                name: name.to_owned(),
            }));
        }
        let api = objects::<DynamicObject>(&self.client, &kind.resource(), Some(namespace));
        let object = request(api.get(name)).await?;
        let (_, object) = Object::new(kind, object).ok_or(Refusal::Nameless)?;
        Ok(Arc::new(object))
    }

    /// All objects in the namespace that `choose` lets through, with secrets.
    async fn list(
        &self,
        hub: &Hub,
        namespace: &str,
        choose: impl Fn(&Object) -> bool,
    ) -> Result<Vec<Bytes>, Status> {
        if timeout(SYNC_TIMEOUT, hub.synced()).await.is_err() {
            let plural = hub.kind().plural();
            return Err(Status::unavailable(format!("{plural} are not known yet")));
        }
        let mut found = Vec::new();
        for object in hub
            .list(namespace)
            .into_iter()
            .filter(|object| choose(object))
        {
            let filled = self.secrets.fill(hub.kind(), namespace, &object).await;
            found.push(filled.map_err(|error| {
                let (plural, name) = (hub.kind().plural(), object.name.as_str());
                Status::unknown(format!(
                    "error listing {plural}: {namespace}/{name}: {error}"
                ))
            })?);
        }
        Ok(found)
    }

    #[allow(clippy::result_large_err, reason = "tonic's own type")]
    fn open(&self) -> Result<(), Status> {
        if self.closing.is_started() {
            return Err(shutting_down());
        }
        Ok(())
    }

    fn changes<E: Send + 'static>(
        &self,
        hub: &Hub,
        caller: AppIdentity,
        event: fn(Bytes, ResourceEventType) -> E,
    ) -> Response<BoxStream<E>> {
        let subscription = hub.subscribe(&caller.namespace);
        Response::new(changes(
            Source {
                kind: hub.kind(),
                subscription,
                caller,
                name: None,
                secrets: self.secrets.clone(),
                closing: self.closing.clone(),
            },
            event,
        ))
    }

    #[allow(clippy::result_large_err, reason = "tonic's own type")]
    fn silence<T, E: Send + 'static>(
        &self,
        request: &Request<T>,
        namespace: &str,
    ) -> Answer<BoxStream<E>> {
        self.open()?;
        authorize(request, namespace)?;
        Ok(Response::new(silence(self.closing.clone())))
    }
}

/// Why an object could not be read.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("the object has no name")]
    Nameless,
}

impl Refusal {
    /// What is not there is the caller's fault; anything else may work when it
    /// is tried again, and `Unavailable` is the code sidecars try again at.
    fn status(&self, what: &str) -> Status {
        let message = format!("error getting {what}: {self}");
        match self {
            Self::Request(error) if !error.is_not_found() => Status::unavailable(message),
            _ => Status::unknown(message),
        }
    }
}

#[async_trait]
impl Operator for Service {
    type ConfigurationUpdateStream = BoxStream<ConfigurationUpdateEvent>;
    type ResiliencyUpdateStream = BoxStream<ResiliencyUpdateEvent>;
    type HTTPEndpointUpdateStream = BoxStream<HttpEndpointUpdateEvent>;
    type ComponentUpdateStream = BoxStream<ComponentUpdateEvent>;
    type SubscriptionUpdateStream = BoxStream<SubscriptionUpdateEvent>;
    type MCPServerUpdateStream = BoxStream<McpServerUpdateEvent>;
    type WorkflowAccessPolicyUpdateStream = BoxStream<WorkflowAccessPolicyUpdateEvent>;

    async fn get_configuration(
        &self,
        request: Request<GetConfigurationRequest>,
    ) -> Answer<GetConfigurationResponse> {
        authorize(&request, &request.get_ref().namespace)?;
        let GetConfigurationRequest { name, namespace } = request.into_inner();
        let what = format!("configuration {namespace}/{name}");
        let hub = &self.hubs.configurations;
        let object = self
            .get(hub, &namespace, &name)
            .await
            .map_err(|refusal| refusal.status(&what))?;
        let configuration = self
            .secrets
            .fill(hub.kind(), &namespace, &object)
            .await
            .map_err(|error| Status::unknown(format!("error getting {what}: {error}")))?;
        Ok(Response::new(GetConfigurationResponse { configuration }))
    }

    async fn get_resiliency(
        &self,
        request: Request<GetResiliencyRequest>,
    ) -> Answer<GetResiliencyResponse> {
        authorize(&request, &request.get_ref().namespace)?;
        let GetResiliencyRequest { name, namespace } = request.into_inner();
        let object = self
            .get(&self.hubs.resiliencies, &namespace, &name)
            .await
            .map_err(|refusal| refusal.status("resiliency"))?;
        Ok(Response::new(GetResiliencyResponse {
            resiliency: object.json.clone(),
        }))
    }

    async fn list_resiliency(
        &self,
        request: Request<ListResiliencyRequest>,
    ) -> Answer<ListResiliencyResponse> {
        let caller = authorize(&request, &request.get_ref().namespace)?;
        let hub = &self.hubs.resiliencies;
        let resiliencies = self.list(hub, &caller.namespace, |_| true).await?;
        Ok(Response::new(ListResiliencyResponse { resiliencies }))
    }

    async fn list_http_endpoints(
        &self,
        request: Request<ListHttpEndpointsRequest>,
    ) -> Answer<ListHttpEndpointsResponse> {
        let caller = authorize(&request, &request.get_ref().namespace)?;
        let hub = &self.hubs.http_endpoints;
        let http_endpoints = self.list(hub, &caller.namespace, |_| true).await?;
        Ok(Response::new(ListHttpEndpointsResponse { http_endpoints }))
    }

    async fn list_components(
        &self,
        request: Request<ListComponentsRequest>,
    ) -> Answer<ListComponentResponse> {
        let caller = authorize(&request, &request.get_ref().namespace)?;
        let hub = &self.hubs.components;
        let in_scope = |object: &Object| object.is_in_scope(&caller.app_id);
        let components = self.list(hub, &caller.namespace, in_scope).await?;
        Ok(Response::new(ListComponentResponse { components }))
    }

    async fn list_subscriptions(&self, request: Request<()>) -> Answer<ListSubscriptionsResponse> {
        authorize(&request, "")?;
        Ok(Response::new(ListSubscriptionsResponse::default()))
    }

    async fn list_subscriptions_v2(
        &self,
        request: Request<ListSubscriptionsRequest>,
    ) -> Answer<ListSubscriptionsResponse> {
        authorize(&request, &request.get_ref().namespace)?;
        Ok(Response::new(ListSubscriptionsResponse::default()))
    }

    async fn list_mcp_servers(
        &self,
        request: Request<ListMcpServersRequest>,
    ) -> Answer<ListMcpServersResponse> {
        authorize(&request, &request.get_ref().namespace)?;
        Ok(Response::new(ListMcpServersResponse::default()))
    }

    async fn list_workflow_access_policy(
        &self,
        request: Request<ListWorkflowAccessPolicyRequest>,
    ) -> Answer<ListWorkflowAccessPolicyResponse> {
        authorize(&request, &request.get_ref().namespace)?;
        Ok(Response::new(ListWorkflowAccessPolicyResponse::default()))
    }

    async fn configuration_update(
        &self,
        request: Request<ConfigurationUpdateRequest>,
    ) -> Answer<Self::ConfigurationUpdateStream> {
        self.open()?;
        let caller = authorize_configuration(&request, &request.get_ref().namespace)?;
        let hub = &self.hubs.configurations;
        // Before the look-up, so that nothing that happens meanwhile is lost.
        let subscription = hub.subscribe(&caller.namespace);
        let name = self.pods.configuration_of(&caller).await.map_err(|error| {
            Status::unknown(format!(
                "failed to determine the configuration of app {}: {error}",
                caller.app_id
            ))
        })?;
        if name.is_none() {
            return Ok(Response::new(silence(self.closing.clone())));
        }
        let source = Source {
            kind: hub.kind(),
            subscription,
            caller,
            name,
            secrets: self.secrets.clone(),
            closing: self.closing.clone(),
        };
        Ok(Response::new(changes(source, |configuration, kind| {
            ConfigurationUpdateEvent {
                configuration,
                r#type: kind.into(),
            }
        })))
    }

    async fn resiliency_update(
        &self,
        request: Request<ResiliencyUpdateRequest>,
    ) -> Answer<Self::ResiliencyUpdateStream> {
        self.open()?;
        let caller = authorize(&request, &request.get_ref().namespace)?;
        let event = |resiliency, kind: ResourceEventType| ResiliencyUpdateEvent {
            resiliency,
            r#type: kind.into(),
        };
        Ok(self.changes(&self.hubs.resiliencies, caller, event))
    }

    async fn http_endpoint_update(
        &self,
        request: Request<HttpEndpointUpdateRequest>,
    ) -> Answer<Self::HTTPEndpointUpdateStream> {
        self.open()?;
        let caller = authorize(&request, &request.get_ref().namespace)?;
        let event = |http_endpoints, kind: ResourceEventType| HttpEndpointUpdateEvent {
            http_endpoints,
            r#type: kind.into(),
        };
        Ok(self.changes(&self.hubs.http_endpoints, caller, event))
    }

    async fn component_update(
        &self,
        request: Request<ComponentUpdateRequest>,
    ) -> Answer<Self::ComponentUpdateStream> {
        self.open()?;
        let caller = authorize(&request, &request.get_ref().namespace)?;
        let event = |component, kind: ResourceEventType| ComponentUpdateEvent {
            component,
            r#type: kind.into(),
        };
        Ok(self.changes(&self.hubs.components, caller, event))
    }

    async fn subscription_update(
        &self,
        request: Request<SubscriptionUpdateRequest>,
    ) -> Answer<Self::SubscriptionUpdateStream> {
        self.silence(&request, &request.get_ref().namespace)
    }

    async fn mcp_server_update(
        &self,
        request: Request<McpServerUpdateRequest>,
    ) -> Answer<Self::MCPServerUpdateStream> {
        self.silence(&request, &request.get_ref().namespace)
    }

    async fn workflow_access_policy_update(
        &self,
        request: Request<WorkflowAccessPolicyUpdateRequest>,
    ) -> Answer<Self::WorkflowAccessPolicyUpdateStream> {
        self.silence(&request, &request.get_ref().namespace)
    }
}
