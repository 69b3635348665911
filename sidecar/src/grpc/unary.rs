//! The unary rpcs this sidecar answers itself: reading their one message,
//! writing the answer.

use api::{
    envelope::FrameReader,
    grpc::{Code, Status},
    runtime::v1::{GetMetadataRequest, SetMetadataRequest, ShutdownRequest},
};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use prost::Message;

use super::{DAPR, Front, metadata};
use crate::{message::Body, rpc};

pub(super) async fn serve(front: &Front, request: Request<Incoming>) -> Response<Body> {
    answer(front, request)
        .await
        .unwrap_or_else(|status| rpc::failed(&status))
}

async fn answer(front: &Front, request: Request<Incoming>) -> Result<Response<Body>, Status> {
    let (parts, body) = request.into_parts();
    let limit = front.message_limit;
    let name = parts.uri.path().strip_prefix(DAPR).unwrap_or_default();
    match name {
        "GetMetadata" => {
            message::<GetMetadataRequest>(&parts.headers, body, limit).await?;
            Ok(reply(&metadata::get(&front.api)))
        }
        "SetMetadata" => {
            let request: SetMetadataRequest = message(&parts.headers, body, limit).await?;
            metadata::set(&front.api, request);
            Ok(reply(&()))
        }
        _ => {
            message::<ShutdownRequest>(&parts.headers, body, limit).await?;
            metadata::shutdown(&front.api, &parts.headers);
            Ok(reply(&()))
        }
    }
}

fn reply(message: &impl Message) -> Response<Body> {
    let trailers = rpc::trailers(&Status::new(Code::Ok, ""));
    rpc::answered(HeaderMap::new(), Some(rpc::framed(message)), trailers)
}

/// The one message of a unary rpc.
///
/// # Errors
/// There is none, or it is too long, or not what it should be.
pub(super) async fn message<M: Message + Default>(
    headers: &HeaderMap,
    mut body: Incoming,
    limit: usize,
) -> Result<M, Status> {
    let mut reader = FrameReader::with_encoding(limit, headers)?;
    let mut message = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Status::new(Code::Canceled, error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        reader.push(data);
        while let Some(next) = reader.next_message().map_err(|error| error.status())? {
            if message.replace(next).is_some() {
                return Err(Status::new(
                    Code::Internal,
                    "cardinality violation: received multiple request messages for a unary RPC",
                ));
            }
        }
    }
    reader.finish().map_err(|error| error.status())?;
    let message = message.ok_or_else(|| Status::new(Code::Internal, "unexpected EOF"))?;
    M::decode(message).map_err(|error| {
        Status::new(
            Code::Internal,
            format!("grpc: error unmarshalling request: {error}"),
        )
    })
}
