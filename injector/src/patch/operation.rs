//! One operation of a JSON patch (RFC 6902). Only `add` is needed.

use serde::Serialize;
use serde_json::Value;

/// Sets a member, or appends to a list when the path ends in `-`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "add")]
pub struct Operation {
    path: String,
    value: Value,
}

impl Operation {
    /// `path` as the names of members, not yet escaped.
    pub fn add<'a>(path: impl AsRef<[&'a str]>, value: Value) -> Self {
        let path = path.as_ref().iter().fold(String::new(), |path, name| {
            path + "/" + &name.replace('~', "~0").replace('/', "~1")
        });
        Self { path, value }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_escaped() {
        let operation = Operation::add(["metadata", "labels", "a~b/c"], json!("x"));
        assert_eq!(
            serde_json::to_value(operation).unwrap(),
            json!({"op": "add", "path": "/metadata/labels/a~0b~1c", "value": "x"})
        );
    }
}
