//! gRPC server reflection: what tools such as grpcurl ask a port for. It
//! tells of the services of the sidecar, never of those of an app.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use api::{
    DESCRIPTORS,
    grpc::{Code, Status},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tonic::{
    body::Body as TonicBody,
    codegen::{Service, StdError},
};
use tonic_reflection::{pb, server::Builder};

use crate::message::{Body, BodyError};

/// The two versions of one service; clients try one after the other.
const V1: &str = "grpc.reflection.v1.ServerReflection";
const V1_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";
const METHOD: &str = "/ServerReflectionInfo";

/// The reflection service of a port.
#[derive(Clone)]
pub(crate) struct Reflection {
    /// The service of ours that the port has.
    service: &'static str,
    /// Few sidecars are ever asked, so nothing is made before.
    versions: Arc<OnceLock<Versions>>,
}

struct Versions {
    v1: Version,
    v1_alpha: Version,
}

type Version = Box<dyn Fn(Request<TonicBody>) -> Answer + Send + Sync>;
type Answer = Pin<Box<dyn Future<Output = Response<TonicBody>> + Send>>;

impl Reflection {
    /// Of the API port.
    pub(crate) fn api() -> Self {
        Self::of("dapr.proto.runtime.v1.Dapr")
    }

    /// Of the internal port.
    pub(crate) fn internal() -> Self {
        Self::of("dapr.proto.internals.v1.ServiceInvocation")
    }

    fn of(service: &'static str) -> Self {
        Self {
            service,
            versions: Arc::default(),
        }
    }

    /// Whether an rpc is one of this service.
    pub(crate) fn serves(path: &str) -> bool {
        version(path).is_some()
    }

    /// Answers one rpc.
    pub(crate) async fn serve<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError>,
    {
        let versions = self.versions.get_or_init(|| Versions::new(self.service));
        let version = match version(request.uri().path()) {
            Some(V1_ALPHA) => &versions.v1_alpha,
            _ => &versions.v1,
        };
        let response = version(request.map(TonicBody::new)).await;
        response.map(|body| Body::stream(body.map_err(|status| broken(&status))))
    }
}

impl fmt::Debug for Reflection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reflection")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Versions {
    fn new(service: &str) -> Self {
        const READABLE: &str = "generated descriptors are complete";

        let builder = || {
            Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(pb::v1::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(pb::v1alpha::FILE_DESCRIPTOR_SET)
                .with_service_name(service)
                .with_service_name(V1)
                .with_service_name(V1_ALPHA)
        };
        Self {
            v1: boxed(builder().build_v1().expect(READABLE)),
            v1_alpha: boxed(builder().build_v1alpha().expect(READABLE)),
        }
    }
}

/// The service that an rpc of ours belongs to.
fn version(path: &str) -> Option<&'static str> {
    let service = path.strip_prefix('/')?.strip_suffix(METHOD)?;
    [V1, V1_ALPHA].into_iter().find(|known| *known == service)
}

fn boxed<S>(service: S) -> Version
where
    S: Service<
            Request<TonicBody>,
            Response = Response<TonicBody>,
            Error = std::convert::Infallible,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    Box::new(move |request| {
        let answer = service.clone().call(request);
        Box::pin(async move {
            let Ok(response) = answer.await;
            response
        })
    })
}

fn broken(status: &tonic::Status) -> BodyError {
    BodyError::Receive(Status::new(
        Code::from_wire(i64::from(i32::from(status.code()))),
        status.message(),
    ))
}

#[cfg(test)]
mod tests;
