//! Reflection, in both versions: the services of the server that is asked.

use prost::Message;
use tests::{GrpcApp, GrpcClient, GrpcRequest};

use crate::grpc::{Stage, connect};
use crate::table::Table;

/// `ServerReflectionRequest`, the members used here.
#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(string, tag = "4")]
    file_containing_symbol: String,
    #[prost(string, optional, tag = "7")]
    list_services: Option<String>,
}

/// `ServerReflectionResponse`.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
    #[prost(message, optional, tag = "7")]
    error: Option<Failure>,
}

#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    descriptors: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    service: Vec<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Failure {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

fn list() -> Question {
    Question {
        list_services: Some(String::new()),
        ..Question::default()
    }
}

fn symbol(name: &str) -> Question {
    Question {
        file_containing_symbol: name.to_owned(),
        ..Question::default()
    }
}

/// Asks in one stream, one question at a time.
#[track_caller]
fn ask<const N: usize>(
    client: &GrpcClient,
    request: &GrpcRequest,
    questions: [Question; N],
) -> [Answer; N] {
    let mut stream = client.open(request).unwrap();
    let answers = questions.map(|question| {
        stream.send(question.encode_to_vec()).unwrap();
        let message = stream.receive().unwrap().expect("an answer");
        Answer::decode(message.data).unwrap()
    });
    stream.finish();
    stream.answer().unwrap().expect(0, "");
    answers
}

/// The code of a question that has no answer: by the protocol's own message,
/// or by the end of the stream.
#[track_caller]
fn refusal(client: &GrpcClient, request: &GrpcRequest, question: &Question) -> u32 {
    let answer = client.call(request, &[question.encode_to_vec()]).unwrap();
    match answer.messages.first() {
        None => answer.code(),
        Some(message) => {
            let error = Answer::decode(message.data.clone()).unwrap().error;
            let error = error.expect("a failure");
            u32::try_from(error.code).unwrap()
        }
    }
}

fn names(answer: &Answer) -> Vec<&str> {
    let services = answer.services.as_ref().expect("a list of services");
    let mut names: Vec<_> = services.service.iter().map(|s| s.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn it_tells_the_services_of_the_server_that_is_asked() {
    let stage = Stage::new(GrpcApp::kinds());
    let svid = stage.mesh.ca().app("stranger");
    let internal = GrpcClient::tls(stage.callee.internal(), Some(&svid)).unwrap();
    let api = connect(&stage.caller);
    let mut table = Table::default();
    for path in [V1, V1ALPHA] {
        // An app id does not make it the app's.
        for request in [GrpcRequest::new(path), GrpcRequest::new(path).to("callee")] {
            for (server, client, service, rpc) in [
                ("API", &api, "dapr.proto.runtime.v1.Dapr", "InvokeService"),
                (
                    "internal",
                    &internal,
                    "dapr.proto.internals.v1.ServiceInvocation",
                    "CallLocalStream",
                ),
            ] {
                table.row(&format!("{server}, {request:?}"), || {
                    let [listed, described] = ask(client, &request, [list(), symbol(service)]);
                    let names = names(&listed);
                    for name in [
                        service,
                        "grpc.reflection.v1.ServerReflection",
                        "grpc.reflection.v1alpha.ServerReflection",
                    ] {
                        assert!(names.contains(&name), "{names:?}");
                    }
                    let files = described.files.as_ref().expect("a file");
                    let found = files.descriptors.iter().any(|file| {
                        let file = prost_types::FileDescriptorProto::decode(&file[..]).unwrap();
                        file.service
                            .iter()
                            .flat_map(|service| &service.method)
                            .any(|method| method.name() == rpc)
                    });
                    assert!(found, "no {rpc} in {} files", files.descriptors.len());
                    assert_eq!(refusal(client, &request, &symbol("no.Such")), 5);
                });
            }
        }
    }
    assert_eq!(stage.app.take().len(), 0, "the app was asked");
}
