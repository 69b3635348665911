//! `sentry`: issues the identities of sidecars.

use std::process::ExitCode;

fn main() -> ExitCode {
    operator::sentry::main(std::env::args().skip(1))
}
