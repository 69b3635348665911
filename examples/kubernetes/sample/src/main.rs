//! The app of the Kubernetes examples. `sample serve` answers, `sample call`
//! asks; both speak plain HTTP to their sidecar and know nothing else.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod call;
mod serve;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
usage: sample serve                        answer on APP_PORT, with ANSWER or the pod's name
       sample call TARGET PATH [TIMES]     POST to an app through the sidecar, once or TIMES times; 0 for ever
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["serve"] => serve::run(),
        ["call", target, path] => call::run(target, path, 1),
        ["call", target, path, times] => match times.parse() {
            Ok(times) => call::run(target, path, times),
            Err(_) => return usage(),
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
