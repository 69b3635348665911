//! The whole reason of a failure on one line: errors of HTTP clients name only
//! their outermost layer.

use std::error::Error;

/// `error` and what caused it, without repeating what was said already.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        source = error.source();
    }
    text
}
