//! `operator`: keeps Services for apps and serves configuration to sidecars.

use std::process::ExitCode;

fn main() -> ExitCode {
    operator::operator::main(std::env::args().skip(1))
}
