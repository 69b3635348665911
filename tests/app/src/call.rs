//! One call through the sidecar.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};
use tests::{Request, Response};

/// How long a change may take until it counts as lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two calls that wait for one.
pub(crate) const PACE: Duration = Duration::from_millis(20);

/// Prints the answer, or why there is none.
pub(crate) fn run(method: &str, path: &str, headers: &[&str]) {
    let mut request = Request::new(method, path);
    for header in headers {
        let (name, value) = header.split_once(':').expect("NAME:VALUE");
        request = request.header(name, value.trim());
    }
    let shown = match request.try_send(crate::sidecar()) {
        Ok(answer) => shown(&answer),
        Err(error) => json!({ "error": error.to_string() }),
    };
    println!("{shown}");
}

/// Fails unless the very first try is answered with 200.
pub(crate) fn once(path: &str) -> ExitCode {
    match Request::get(path).try_send(crate::sidecar()) {
        Ok(answer) => {
            println!("{}", shown(&answer));
            ExitCode::from(u8::from(answer.status != 200))
        }
        Err(error) => {
            println!("{}", json!({ "error": error.to_string() }));
            ExitCode::FAILURE
        }
    }
}

/// Calls until an answer has this status; prints when that call began.
pub(crate) fn until(status: u16, path: &str) {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let begun = SystemTime::now();
        let answer = Request::get(path).try_send(crate::sidecar());
        if answer.is_ok_and(|answer| answer.status == status) {
            let at = begun.duration_since(SystemTime::UNIX_EPOCH);
            let at = at.expect("after 1970").as_millis() as u64;
            println!("{}", json!({ "at_ms": at }));
            return;
        }
        thread::sleep(PACE);
    }
    println!("{}", json!({ "error": format!("never {status}") }));
}

fn shown(answer: &Response) -> Value {
    let body = answer.text();
    json!({
        "status": answer.status,
        "headers": lines(&answer.headers),
        "body": serde_json::from_str(&body).unwrap_or(Value::String(body)),
    })
}

/// Header lines by their name in lower case, values in order.
pub(crate) fn lines(headers: &[(String, String)]) -> Value {
    let mut by_name = Map::new();
    for (name, value) in headers {
        let values = by_name
            .entry(name.to_ascii_lowercase())
            .or_insert_with(|| json!([]));
        values.as_array_mut().expect("it is one").push(json!(value));
    }
    Value::Object(by_name)
}
