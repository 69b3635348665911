use api::envelope::FrameReader;
use bytes::{BufMut as _, BytesMut};
use http_body_util::Full;
use prost::Message;
use tonic_reflection::pb::{v1, v1alpha};

use super::*;

fn path(service: &str) -> String {
    format!("/{service}{METHOD}")
}

fn request(service: &str, messages: &[Vec<u8>]) -> Request<Full<Bytes>> {
    let mut body = BytesMut::new();
    for message in messages {
        body.put_u8(0);
        body.put_u32(u32::try_from(message.len()).unwrap());
        body.extend_from_slice(message);
    }
    Request::post(path(service))
        .header("content-type", "application/grpc")
        .body(Full::new(body.freeze()))
        .unwrap()
}

/// Messages and trailers of the answer.
async fn ask(reflection: &Reflection, request: Request<Full<Bytes>>) -> (Vec<Bytes>, Status) {
    let collected = reflection
        .serve(request)
        .await
        .into_body()
        .collect()
        .await
        .unwrap();
    let status = Status::from_headers(collected.trailers().unwrap()).unwrap();
    let mut reader = FrameReader::new(usize::MAX);
    reader.push(collected.to_bytes());
    let mut messages = Vec::new();
    while let Some(message) = reader.next_message().unwrap() {
        messages.push(message);
    }
    (messages, status)
}

fn question(question: v1::server_reflection_request::MessageRequest) -> Vec<u8> {
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    request.encode_to_vec()
}

/// The file with a symbol in it, by its name.
async fn file_with(reflection: &Reflection, symbol: &str) -> Option<String> {
    use v1::{
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };

    let question = question(MessageRequest::FileContainingSymbol(symbol.to_owned()));
    let (messages, _) = ask(reflection, request(V1, &[question])).await;
    let answer = v1::ServerReflectionResponse::decode(messages.first()?.clone()).unwrap();
    let Some(MessageResponse::FileDescriptorResponse(files)) = answer.message_response else {
        return None;
    };
    let file = prost_types::FileDescriptorProto::decode(&files.file_descriptor_proto[0][..]);
    file.unwrap().name
}

#[tokio::test]
async fn each_port_lists_its_own_service() {
    for (reflection, service) in [
        (Reflection::api(), "dapr.proto.runtime.v1.Dapr"),
        (
            Reflection::internal(),
            "dapr.proto.internals.v1.ServiceInvocation",
        ),
    ] {
        let expected = [service, V1, V1_ALPHA];

        let list = v1::server_reflection_request::MessageRequest::ListServices("*".to_owned());
        let question = question(list);
        let (messages, status) = ask(&reflection, request(V1, &[question.clone(), question])).await;
        assert_eq!((messages.len(), status.code), (2, Code::Ok));
        let answer = v1::ServerReflectionResponse::decode(messages[0].clone()).unwrap();
        let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
            answer.message_response
        else {
            unreachable!("{answer:?} is no list");
        };
        let names: Vec<_> = list.service.iter().map(|service| &service.name).collect();
        assert_eq!(names, expected);

        let list = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
        let question = v1alpha::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(list),
        };
        let request = request(V1_ALPHA, &[question.encode_to_vec()]);
        let (messages, _) = ask(&reflection, request).await;
        let answer = v1alpha::ServerReflectionResponse::decode(messages[0].clone()).unwrap();
        let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
            answer.message_response
        else {
            unreachable!("{answer:?} is no list");
        };
        let names: Vec<_> = list.service.iter().map(|service| &service.name).collect();
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn symbols_lead_to_the_file_that_declares_them() {
    let reflection = Reflection::api();
    for (symbol, file) in [
        (
            "dapr.proto.runtime.v1.Dapr",
            Some("dapr/proto/runtime/v1/dapr.proto"),
        ),
        (
            "dapr.proto.runtime.v1.Dapr.InvokeService",
            Some("dapr/proto/runtime/v1/dapr.proto"),
        ),
        (
            "dapr.proto.common.v1.InvokeRequest",
            Some("dapr/proto/common/v1/common.proto"),
        ),
        ("google.protobuf.Any", Some("google/protobuf/any.proto")),
        ("no.such.Symbol", None),
    ] {
        let found = file_with(&reflection, symbol).await;
        assert_eq!(found.as_deref(), file, "{symbol}");
    }
}

#[tokio::test]
async fn a_failure_is_told_in_the_trailers() {
    let reflection = Reflection::api();
    let question = question(
        v1::server_reflection_request::MessageRequest::FileByFilename("no.proto".to_owned()),
    );
    let (messages, status) = ask(&reflection, request(V1, &[question])).await;
    assert_eq!((messages.len(), status.code), (0, Code::NotFound));
}

#[test]
fn only_the_rpcs_of_reflection_are_served() {
    assert!(Reflection::serves(&path(V1)) && Reflection::serves(&path(V1_ALPHA)));
    for path in [
        "/grpc.reflection.v1.ServerReflection/Other",
        "/grpc.reflection.v2.ServerReflection/ServerReflectionInfo",
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.Health/Check",
        "/",
    ] {
        assert!(!Reflection::serves(path), "{path}");
    }
}
