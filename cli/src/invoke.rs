//! `dapr invoke`: calls a method of an app through that app's own sidecar.

use std::fs;
use std::io;

use crate::Cli;
use crate::args::{Flag, Parsed};
use crate::commands::Command;
use crate::http::{Endpoint, Request, send};
use crate::instances::{scan, socket};

pub(crate) const COMMAND: Command = Command {
    name: "invoke",
    usage: "invoke",
    about: "Invoke a method on a given Dapr application.",
    example: "# Call a method of an app with POST\n\
              dapr invoke --app-id cart --method add --data '{\"item\":1}'\n\n\
              # With GET, a path and a query\n\
              dapr invoke --app-id cart --method 'items/1?full=true' --verb GET\n\n\
              # With the bytes of a file\n\
              dapr invoke --app-id cart --method image --verb PUT --data-file photo.jpg\n",
    flags: &[
        Flag::text("app-id", "", "The application id to invoke")
            .short('a')
            .required(),
        Flag::text("method", "", "The method to invoke")
            .short('m')
            .required(),
        Flag::text("verb", "POST", "The HTTP verb to use").short('v'),
        Flag::text("data", "", "The body to send").short('d'),
        Flag::text("data-file", "", "A file that holds the body to send").short('f'),
        Flag::text(
            "unix-domain-socket",
            "",
            "Directory of the sidecar's sockets; without it the sidecar's command line tells",
        )
        .short('u'),
    ],
    run,
};

#[derive(Debug, thiserror::Error)]
enum InvokeError {
    #[error("Only one of --data and --data-file allowed in the same invoke command")]
    TwoBodies,
    #[error("Error reading payload from '{file}'. Error: {source}")]
    Payload { file: String, source: io::Error },
    #[error("error invoking app {id}: app ID {id} not found")]
    Unknown { id: String },
    #[error("error invoking app {id}: {verb:?} is not an HTTP method")]
    Verb { id: String, verb: String },
    #[error("error invoking app {id}: {source}")]
    Send { id: String, source: io::Error },
    #[error("error invoking app {id}: {status} {reason}")]
    Refused {
        id: String,
        status: u16,
        reason: String,
        cause: Option<String>,
    },
}

fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    match invoke(parsed) {
        Ok(body) => {
            if !body.is_empty() {
                let lost = cli.console.data(&[&body[..], b"\n"].concat());
                if lost != 0 {
                    return lost;
                }
            }
            cli.console.success("App invoked successfully");
            0
        }
        Err(error) => {
            cli.console.failure(&error.to_string());
            if let InvokeError::Refused {
                cause: Some(cause), ..
            } = error
            {
                cli.console.failure(&cause);
            }
            1
        }
    }
}

fn invoke(parsed: &Parsed) -> Result<Vec<u8>, InvokeError> {
    let body = payload(parsed)?;
    let id = parsed.text("app-id").to_owned();
    let verb = parsed.text("verb");
    if verb.is_empty() || !verb.bytes().all(is_token) {
        let verb = verb.to_owned();
        return Err(InvokeError::Verb { id, verb });
    }
    let endpoint = endpoint(parsed, &id).ok_or_else(|| InvokeError::Unknown { id: id.clone() })?;

    let token = std::env::var("DAPR_API_TOKEN").unwrap_or_default();
    let mut headers = vec![("Content-Type", "application/json")];
    if !token.is_empty() {
        headers.push(("dapr-api-token", &token));
    }
    let method = without_fragment(parsed.text("method"));
    let method = encode(method.trim_start_matches('/'));
    let request = Request {
        method: verb,
        path: &format!("/v1.0/invoke/{}/method/{method}", encode(&id)),
        headers: &headers,
        body: &body,
    };
    let answer = send(&endpoint, request, None).map_err(|source| InvokeError::Send {
        id: id.clone(),
        source,
    })?;
    if !(200..400).contains(&answer.status) {
        return Err(InvokeError::Refused {
            id,
            status: answer.status,
            reason: answer.reason,
            cause: cause(&answer.body),
        });
    }
    Ok(answer.body)
}

/// Why the sidecar could not make the call; nothing where the app answered.
fn cause(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    answer.get("errorCode")?;
    answer.get("message")?.as_str().map(str::to_owned)
}

fn payload(parsed: &Parsed) -> Result<Vec<u8>, InvokeError> {
    let (data, file) = (parsed.text("data"), parsed.text("data-file"));
    match (data, file) {
        (data, "") => Ok(data.as_bytes().to_vec()),
        ("", file) => fs::read(file).map_err(|source| InvokeError::Payload {
            file: file.to_owned(),
            source,
        }),
        _ => Err(InvokeError::TwoBodies),
    }
}

/// The HTTP API of the first sidecar with this app id. One whose socket is
/// named need not be among the processes that can be seen here.
fn endpoint(parsed: &Parsed, id: &str) -> Option<Endpoint> {
    match parsed.text("unix-domain-socket") {
        "" => scan()
            .into_iter()
            .find(|instance| instance.app_id == id)?
            .endpoint(),
        directory => {
            let path = socket(directory, id, "http");
            path.exists().then_some(Endpoint::Unix(path))
        }
    }
}

/// Characters of an HTTP method, RFC 9110 section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// A fragment stays with the client, and sidecars refuse `#` in a path. In a
/// query it is meant.
fn without_fragment(method: &str) -> &str {
    match method.find(['?', '#']) {
        Some(at) if method[at..].starts_with('#') => &method[..at],
        _ => method,
    }
}

/// Escapes what may not stand in a request line and leaves the rest, so that
/// a method can bring its own query string and escapes.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#' => {
                format!("%{byte:02X}")
            }
            0x21..=0x7e => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_break_out_of_the_request_line() {
        assert_eq!(encode("a/b?c=d&e=%20"), "a/b?c=d&e=%20");
        assert_eq!(encode("a b\r\nc#ü"), "a%20b%0D%0Ac%23%C3%BC");
        assert!("PROPFIND".bytes().all(is_token));
        assert!(!"GET /".bytes().all(is_token));
    }
}
