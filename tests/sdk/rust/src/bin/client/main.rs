//! Calls other apps, and its own sidecar, in every way the crate offers.

mod invoke;
mod proxy;
mod sidecar;

use std::env;
use std::process::ExitCode;

use sdk_rust::report::Report;

use crate::invoke::Kind;

/// An app that nobody runs.
const NOBODY: &str = "nobody";

/// The app to call; none when there is no such server.
fn target(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|app| !app.is_empty())
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut report = Report::default();
    if let Some(app) = target("TARGET_GRPC") {
        proxy::to_grpc(&mut report, &app).await?;
        invoke::calls(&mut report, app, Kind::Grpc).await?;
    }
    if let Some(app) = target("TARGET_HTTP") {
        invoke::calls(&mut report, app, Kind::Http).await?;
    }
    invoke::to_nobody(&mut report, NOBODY).await?;
    proxy::to_nobody(&mut report, NOBODY).await?;
    sidecar::metadata(&mut report).await?;
    sidecar::refusals(&mut report).await?;
    sidecar::shutdown(&mut report).await?;
    Ok(ExitCode::from(u8::from(report.failed())))
}
