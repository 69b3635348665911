//! The app in the pods of the end-to-end tests: it answers and says what it
//! saw, calls through its sidecar and says what came back, and knocks at doors
//! that should be closed. Whatever it finds out it prints as one line of JSON.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::print_stdout,
    reason = "a part of the tests: what fails here fails them"
)]

mod call;
mod collect;
mod load;
mod probe;
mod rpc;
mod serve;

use std::env;
use std::process::ExitCode;

use load::Http;
use rpc::Grpc;

const USAGE: &str = "\
usage: test-app serve                         answer on APP_PORT; COLLECTOR is told about ids
       test-app collect PORT                  count the ids that apps report
       test-app count COLLECTOR PREFIX        what it counted
       test-app call METHOD PATH [NAME:VALUE]... one call through the sidecar
       test-app once PATH                     the same, at once; fails unless it is answered 200
       test-app until STATUS PATH             calls until one is answered so
       test-app load TARGET PREFIX RATE SECONDS  many calls, each with its id
       test-app serve-grpc, call-grpc TARGET, until-grpc CODE TARGET, load-grpc ...  the same over gRPC
       test-app probe plain|tls HOST:PORT     is a stranger let in?
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // First of all: a call in the app's first line.
        ["once", path] => return call::once(path),
        ["serve"] => serve::run(),
        ["collect", port] => collect::run(port.parse().expect("a port")),
        ["count", collector, prefix] => collect::count(collector, prefix),
        ["call", method, path, headers @ ..] => call::run(method, path, headers),
        ["until", status, path] => call::until(status.parse().expect("a status"), path),
        [kind @ ("load" | "load-grpc"), target, prefix, rate, seconds] => {
            let number = |text: &str| text.parse().expect("a number");
            let (rate, seconds) = (number(rate), number(seconds));
            match *kind {
                "load" => load::run::<Http>(target, prefix, rate, seconds),
                _ => load::run::<Grpc>(target, prefix, rate, seconds),
            }
        }
        ["serve-grpc"] => rpc::serve(),
        ["call-grpc", target] => rpc::call(target),
        ["until-grpc", code, target] => rpc::until(code.parse().expect("a code"), target),
        ["probe", kind, address] => probe::run(kind, address),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// The port of the sidecar's HTTP API.
fn sidecar() -> u16 {
    port("DAPR_HTTP_PORT", 3500)
}

/// A port from the environment.
fn port(name: &str, default: u16) -> u16 {
    let port = env::var(name).ok();
    port.and_then(|port| port.parse().ok()).unwrap_or(default)
}
