//! What is sent back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Value, json};

use super::request::Review;

/// Status, body and what becomes of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status line.
    pub status: StatusCode,
    /// `Content-Type`
    pub content_type: &'static str,
    /// Body.
    pub body: Vec<u8>,
    /// Closes the connection afterwards.
    pub last: bool,
}

impl Answer {
    /// A refusal before there is a review; ends in a line break, as in Go.
    pub fn text(status: StatusCode, text: &str) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: format!("{text}\n").into_bytes(),
            last: false,
        }
    }
}

impl Review {
    /// Lets the object pass unchanged.
    pub(super) fn allow(&self) -> Answer {
        self.respond(&json!({"uid": self.uid(), "allowed": true}))
    }

    /// Refuses the object, whatever the failure policy says.
    pub(super) fn deny(&self, message: &str) -> Answer {
        self.respond(&json!({
            "uid": self.uid(),
            "allowed": false,
            "status": {"metadata": {}, "message": message},
        }))
    }

    /// Lets the object pass with changes.
    pub(crate) fn patch(&self, operations: &Value) -> Answer {
        self.respond(&json!({
            "uid": self.uid(),
            "allowed": true,
            "patchType": "JSONPatch",
            "patch": STANDARD.encode(operations.to_string()),
        }))
    }

    fn respond(&self, response: &Value) -> Answer {
        let review = json!({
            "kind": self.kind(),
            "apiVersion": self.api_version(),
            "response": response,
        });
        Answer {
            status: StatusCode::OK,
            content_type: "application/json",
            body: review.to_string().into_bytes(),
            last: false,
        }
    }
}
