//! Ready-made scripts: the four kinds of methods, and service invocation.

use api::common::v1::{InvokeRequest, InvokeResponse};
use api::internals::v1::Status;
use http::HeaderMap;
use prost::Message;

use super::wire::{GrpcMessage, GrpcStatus};
use super::{GrpcApp, GrpcCall};

/// Path of service invocation.
pub const ON_INVOKE: &str = "/dapr.proto.runtime.v1.AppCallback/OnInvoke";

impl GrpcApp {
    /// Service `testing.Kinds`: what a method does follows from its name, its
    /// messages are plain text. Where the request is one message, the answer
    /// comes after its half-close.
    ///
    /// * `Unary`: the message back, with initial and trailing metadata
    /// * `ServerStream`: as many messages as the text says, counted from 0
    /// * `ClientStream`: all texts, joined by commas
    /// * `Bidi`: each message back at once
    /// * `Fail`: [`failure`] and nothing else
    /// * `FailLate`: initial metadata, one message, then [`failure`]
    /// * `Hang`: initial metadata, then nothing until the call is given up
    /// * `Silent`: nothing until the call is given up
    ///
    /// Any other method is unimplemented. `OnInvoke` answers data and content
    /// type of the request.
    pub fn kinds() -> Self {
        Self::new(kinds)
    }

    /// Answers `OnInvoke` with what `answer` makes of metadata and request.
    pub fn on_invoke(
        answer: impl Fn(&HeaderMap, InvokeRequest) -> Result<InvokeResponse, GrpcStatus>
        + Send
        + Sync
        + Clone
        + 'static,
    ) -> Self {
        Self::new(move |call| invoke(call, answer.clone()))
    }
}

/// Script of [`GrpcApp::kinds`].
pub async fn kinds(mut call: GrpcCall) {
    if call.path() == ON_INVOKE {
        return invoke(call, |_, request| Ok(echo(request))).await;
    }
    match call.method() {
        "Unary" => {
            let message = call.receive().await;
            call.receive_all().await;
            call.head(&[("x-initial", "1"), ("x-initial-bin", "AAEC/w")]);
            if let Some(message) = message {
                call.send(message.data).await;
            }
            call.end(&GrpcStatus::ok().trailer("x-trailing", "2"));
        }
        "ServerStream" => {
            let count = call.receive().await.and_then(|m| m.text().parse().ok());
            call.receive_all().await;
            for number in 0..count.unwrap_or(0_u32) {
                call.send(number.to_string()).await;
            }
            call.end(&GrpcStatus::ok());
        }
        "ClientStream" => {
            let messages = call.receive_all().await;
            let texts: Vec<_> = messages.iter().map(GrpcMessage::text).collect();
            call.send(texts.join(",")).await;
            call.end(&GrpcStatus::ok());
        }
        "Bidi" => {
            call.head(&[]);
            while let Some(message) = call.receive().await {
                call.send(message.data).await;
            }
            call.end(&GrpcStatus::ok());
        }
        "Fail" => call.end(&failure()),
        "FailLate" => {
            call.head(&[("x-initial", "1")]);
            call.send("before").await;
            call.end(&failure());
        }
        "Hang" => {
            call.head(&[]);
            call.gone().await;
        }
        "Silent" => call.gone().await,
        _ => call.end(&GrpcStatus::error(12, "unknown method")),
    }
}

/// How `Fail` and `FailLate` end: 9, with details, a message that needs
/// escapes, and a trailer.
pub fn failure() -> GrpcStatus {
    let details = Status {
        code: 9,
        message: "asked to fail: 100 % zażółć".to_owned(),
        details: vec![prost_types::Any {
            type_url: "type.googleapis.com/testing.Detail".to_owned(),
            value: vec![8, 42],
        }],
    };
    GrpcStatus::error(9, &details.message)
        .details(details.encode_to_vec())
        .trailer("x-trailing", "2")
}

fn echo(request: InvokeRequest) -> InvokeResponse {
    InvokeResponse {
        data: request.data,
        content_type: request.content_type,
    }
}

async fn invoke(
    mut call: GrpcCall,
    answer: impl Fn(&HeaderMap, InvokeRequest) -> Result<InvokeResponse, GrpcStatus>,
) {
    if call.path() != ON_INVOKE {
        return call.end(&GrpcStatus::error(12, "unknown method"));
    }
    let Some(request) = call.decode::<InvokeRequest>().await else {
        return;
    };
    call.receive_all().await;
    match answer(call.headers(), request) {
        Ok(response) => call.answer(&response).await,
        Err(status) => call.end(&status),
    }
}
