//! The program `injector`.

use std::process::ExitCode;

fn main() -> ExitCode {
    injector::main(std::env::args().skip(1))
}
