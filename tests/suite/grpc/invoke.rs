//! `InvokeService`: what SDKs call, towards both kinds of apps.

mod fail;
mod grpc_app;
mod http_app;
mod status;

use api::common::v1::{HttpExtension, InvokeRequest, InvokeResponse, http_extension::Verb};
use api::runtime::v1::InvokeServiceRequest;
use prost::Message;
use prost_types::Any;
use tests::{GrpcAnswer, GrpcRequest, Mesh, RawApp, Sidecar};

/// Path of the rpc.
pub(crate) const INVOKE_SERVICE: &str = "/dapr.proto.runtime.v1.Dapr/InvokeService";

/// An HTTP app behind one sidecar, and another sidecar to call it from.
struct HttpStage {
    mesh: Mesh,
    app: RawApp,
    caller: Sidecar,
    callee: Sidecar,
}

impl HttpStage {
    fn new(app: RawApp) -> Self {
        let mesh = Mesh::mtls();
        let callee = mesh.sidecar("callee").app(&app).start();
        let caller = mesh.sidecar("caller").start();
        callee.wait_until_ready();
        caller.wait_until_ready();
        Self {
            mesh,
            app,
            caller,
            callee,
        }
    }

    /// The app called from another sidecar, and from its own.
    fn ways(&self) -> [(&'static str, &Sidecar); 2] {
        [
            ("another sidecar", &self.caller),
            ("the own sidecar", &self.callee),
        ]
    }
}

/// A POST of `body` to `callee`.
pub(crate) fn post(method: &str, body: impl AsRef<[u8]>) -> InvokeServiceRequest {
    request("callee", Verb::Post, method, body)
}

/// A request as an SDK makes it.
pub(crate) fn request(
    id: &str,
    verb: Verb,
    method: &str,
    body: impl AsRef<[u8]>,
) -> InvokeServiceRequest {
    InvokeServiceRequest {
        id: id.to_owned(),
        message: Some(InvokeRequest {
            method: method.to_owned(),
            data: Some(Any {
                type_url: String::new(),
                value: body.as_ref().to_vec(),
            }),
            content_type: String::new(),
            http_extension: Some(HttpExtension {
                verb: verb.into(),
                querystring: String::new(),
            }),
        }),
    }
}

/// Changes the inner message of a request.
pub(crate) fn with(
    mut request: InvokeServiceRequest,
    change: impl FnOnce(&mut InvokeRequest),
) -> InvokeServiceRequest {
    change(request.message.as_mut().expect("a request has a message"));
    request
}

/// Calls without metadata.
#[track_caller]
pub(crate) fn call(sidecar: &Sidecar, request: &InvokeServiceRequest) -> GrpcAnswer {
    call_with(sidecar, &GrpcRequest::new(INVOKE_SERVICE), request)
}

/// Calls with the metadata of `head`.
#[track_caller]
pub(crate) fn call_with(
    sidecar: &Sidecar,
    head: &GrpcRequest,
    request: &InvokeServiceRequest,
) -> GrpcAnswer {
    head.send(sidecar.grpc(), &[request.encode_to_vec()])
}

/// The answer of an app, which must be there.
#[track_caller]
pub(crate) fn response(answer: &GrpcAnswer) -> InvokeResponse {
    answer.decode()
}

/// The data of an app's answer.
#[track_caller]
pub(crate) fn data(answer: &GrpcAnswer) -> Vec<u8> {
    let data = response(answer).data;
    data.unwrap_or_else(|| panic!("no data in {answer:?}"))
        .value
}
