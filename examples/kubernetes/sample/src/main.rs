//! The app of the Kubernetes examples. `sample serve` answers, `sample call`
//! asks; both speak plain HTTP to their sidecar and know nothing else.
//! `serve-grpc` and `call-grpc` do the same over gRPC.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod call;
mod greeter;
mod serve;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
usage: sample serve                              answer on APP_PORT, with ANSWER or the pod's name
       sample call TARGET PATH [TIMES]           POST to an app through the sidecar, once or TIMES times; 0 for ever
       sample serve-grpc                         greet on APP_PORT
       sample call-grpc TARGET NAME [TIMES]      be greeted by an app through the sidecar
       sample call-grpc --stream TARGET NAME...  the same in streams
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["serve"] => serve::run(),
        ["serve-grpc"] => greeter::serve::run(),
        ["call", target, path] => call::run(target, path, 1),
        ["call-grpc", "--stream", target, names @ ..] if !names.is_empty() => {
            greeter::call::stream(target, names)
        }
        ["call-grpc", target, name] => greeter::call::run(target, name, 1),
        [kind @ ("call" | "call-grpc"), target, what, times] => match (*kind, times.parse()) {
            ("call", Ok(times)) => call::run(target, what, times),
            (_, Ok(times)) => greeter::call::run(target, what, times),
            (_, Err(_)) => return usage(),
        },
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    print!("{USAGE}");
    ExitCode::from(2)
}

/// A number from the environment.
fn number(name: &str, default: u16) -> u16 {
    let value = env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}
