//! The program as a user meets it: lines, streams and exit statuses.
//!
//! [`lines`] and [`files`] need this program only, with shell scripts in the
//! place of a sidecar that fails. [`runs`] and most others start real sidecars.
//! [`commands`] is about everything but `run`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod commands;
mod diagnostics;
mod files;
mod files_input;
mod golden;
mod lines;
mod many;
mod output;
mod runs;
mod runs_argv;
mod runs_support;
mod signals;
mod tools;
