//! The one-node cluster of the end-to-end tests; `cargo xtask cluster` builds
//! what it consists of and calls this.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    tests::cluster::node::main(&arguments)
}
