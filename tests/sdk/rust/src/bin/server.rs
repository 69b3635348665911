//! An app that its sidecar calls by gRPC. The crate's own callback service
//! takes no invocations, so that its trait is implemented here.

use std::env;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use dapr::client::AppApiTokenLayer;
use sdk_rust::common::{InvokeRequest, InvokeResponse};
use sdk_rust::echo::Message;
use sdk_rust::echo::echo_server::{Echo, EchoServer};
use sdk_rust::runtime::app_callback_health_check_server::{
    AppCallbackHealthCheck, AppCallbackHealthCheckServer,
};
use sdk_rust::runtime::app_callback_server::{AppCallback, AppCallbackServer};
use sdk_rust::runtime::{
    BindingEventRequest, BindingEventResponse, HealthCheckResponse, JobEventRequest,
    JobEventResponse, ListInputBindingsResponse, ListTopicSubscriptionsResponse,
    TopicEventBulkRequest, TopicEventBulkResponse, TopicEventRequest, TopicEventResponse,
};
use tokio_stream::{Stream, StreamExt, iter};
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::service::LayerExt as _;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status, Streaming, async_trait};
use tonic_types::{ErrorDetails, StatusExt};

struct App;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::var("APP_PORT")?.parse()?;
    let echo = EchoServer::new(App)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let token = AppApiTokenLayer::from_env();
    Server::builder()
        .add_service(token.named_layer(AppCallbackServer::new(App)))
        .add_service(token.named_layer(echo))
        // Probes come without a token.
        .add_service(AppCallbackHealthCheckServer::new(App))
        .serve(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await?;
    Ok(())
}

/// Repeats in the answer's metadata what the request's said.
fn repeat(request: &MetadataMap, answer: &mut MetadataMap) {
    for (said, repeated) in [("x-in", "x-echo"), ("dapr-caller-app-id", "x-caller")] {
        if let Some(value) = request.get(said) {
            answer.insert(repeated, value.clone());
        }
    }
}

#[async_trait]
impl AppCallback for App {
    async fn on_invoke(
        &self,
        request: Request<InvokeRequest>,
    ) -> Result<Response<InvokeResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        match request.method.as_str() {
            "echo" => {
                let mut answer = Response::new(InvokeResponse {
                    data: request.data,
                    content_type: request.content_type,
                });
                repeat(&metadata, answer.metadata_mut());
                Ok(answer)
            }
            "fail" => Err(Status::not_found("no luck")),
            method => Err(Status::unimplemented(format!("no method {method}"))),
        }
    }

    async fn list_topic_subscriptions(
        &self,
        _: Request<()>,
    ) -> Result<Response<ListTopicSubscriptionsResponse>, Status> {
        Ok(Response::new(ListTopicSubscriptionsResponse::default()))
    }

    async fn list_input_bindings(
        &self,
        _: Request<()>,
    ) -> Result<Response<ListInputBindingsResponse>, Status> {
        Ok(Response::new(ListInputBindingsResponse::default()))
    }

    async fn on_topic_event(
        &self,
        _: Request<TopicEventRequest>,
    ) -> Result<Response<TopicEventResponse>, Status> {
        Err(Status::unimplemented("no topics"))
    }

    async fn on_bulk_topic_event(
        &self,
        _: Request<TopicEventBulkRequest>,
    ) -> Result<Response<TopicEventBulkResponse>, Status> {
        Err(Status::unimplemented("no topics"))
    }

    async fn on_binding_event(
        &self,
        _: Request<BindingEventRequest>,
    ) -> Result<Response<BindingEventResponse>, Status> {
        Err(Status::unimplemented("no bindings"))
    }

    async fn on_job_event(
        &self,
        _: Request<JobEventRequest>,
    ) -> Result<Response<JobEventResponse>, Status> {
        Err(Status::unimplemented("no jobs"))
    }
}

#[async_trait]
impl AppCallbackHealthCheck for App {
    async fn health_check(&self, _: Request<()>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse::default()))
    }
}

type Messages = Pin<Box<dyn Stream<Item = Result<Message, Status>> + Send>>;

#[async_trait]
impl Echo for App {
    type ServerStreamStream = Messages;
    type BidiStream = Streaming<Message>;

    async fn unary(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        let text = request.into_inner().text;
        if text == "fail" {
            return Err(Status::with_error_details(
                Code::FailedPrecondition,
                "asked to fail",
                ErrorDetails::with_error_info("ASKED_TO_FAIL", "testing", []),
            ));
        }
        Ok(Response::new(Message { text, count: 0 }))
    }

    async fn server_stream(&self, request: Request<Message>) -> Result<Response<Messages>, Status> {
        let Message { text, count } = request.into_inner();
        let messages = (0..count).map(move |number| {
            Ok(Message {
                text: format!("{text} {number}"),
                count: 0,
            })
        });
        Ok(Response::new(Box::pin(iter(messages))))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<Message>>,
    ) -> Result<Response<Message>, Status> {
        let mut requests = request.into_inner();
        let mut texts = Vec::new();
        while let Some(message) = requests.next().await {
            texts.push(message?.text);
        }
        let text = texts.join(",");
        Ok(Response::new(Message { text, count: 0 }))
    }

    async fn bidi(
        &self,
        request: Request<Streaming<Message>>,
    ) -> Result<Response<Streaming<Message>>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}
