//! The program as a user meets it: lines, streams and exit statuses.
//!
//! [`lines`] and [`files`] need this program only, with shell scripts in the
//! place of a sidecar that fails. [`runs`] starts real sidecars.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod files;
mod lines;
mod runs;
mod tools;
