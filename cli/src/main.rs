//! `dapr`: runs sidecars and their apps on this machine, and looks after them.
//!
//! Each command is one module with a row in [`commands::COMMANDS`]. Commands
//! print for themselves and return an exit status; only mistakes on the
//! command line end in 255, everything else in 0 or 1.

mod annotate;
mod args;
mod binaries;
mod build_info;
mod cluster;
mod commands;
mod completion;
mod console;
mod http;
mod init;
mod instances;
mod invoke;
mod list;
mod logs;
mod root;
mod run;
mod run_file;
mod stop;
mod uninstall;
mod version;
mod yaml;

use std::process::ExitCode;

/// What every command gets: where things live and how to speak.
struct Cli {
    console: console::Console,
    root: root::Root,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    ExitCode::from(commands::main(&arguments))
}
