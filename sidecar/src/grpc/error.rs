//! Errors in the form gRPC clients get: the one place that makes it.

use api::grpc::{Code, Status};

use crate::invoke::InvokeError;

/// `InvokeService` of `target` failed. Inner codes do not show: only the ends
/// a caller can wait for have one of their own.
pub(super) fn invocation(target: &str, error: &InvokeError) -> Status {
    match error {
        InvokeError::Timeout => Status::new(Code::DeadlineExceeded, error.to_string()),
        InvokeError::Rejected(_) => Status::new(Code::Unknown, error.to_string()),
        _ => Status::new(
            Code::Internal,
            format!("failed to invoke, id: {target}, err: {error}"),
        ),
    }
}

/// A call could not be passed on.
pub(super) fn proxied(error: InvokeError) -> Status {
    match error {
        InvokeError::Timeout => Status::new(Code::DeadlineExceeded, error.to_string()),
        InvokeError::Method(error) => Status::new(Code::InvalidArgument, error.to_string()),
        other => match other.into_rpc_status() {
            Ok(status) => status,
            Err(other) => Status::new(Code::Unknown, other.to_string()),
        },
    }
}
