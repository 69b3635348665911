//! How long a sidecar takes from exec to ready: `GET /v1.0/healthz` answers 204, polled every 0.2 ms.
//!
//! Sentry runs and the app listens before; every start is a new process with a new identity and new ports.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::binaries::Binaries;
use crate::peers::{Setup, sidecars::Authority};
use crate::probe;

/// Pause between two questions.
const POLL: Duration = Duration::from_micros(200);

/// Milliseconds of `count` starts of a sidecar.
pub(crate) fn measure(
    name: &str,
    binaries: &Binaries,
    setup: Setup<'_>,
    count: usize,
) -> anyhow::Result<Vec<f64>> {
    let authority = Authority::start(&format!("{name}-start"), binaries, setup)?;
    // The first start reads the program from disk; it is not one of the measured ones.
    one(&authority, "warmup")?;
    (0..count)
        .map(|index| one(&authority, &format!("start{index}")))
        .collect()
}

fn one(authority: &Authority, app_id: &str) -> anyhow::Result<f64> {
    let start = Instant::now();
    let (mut process, port) = authority.timed_sidecar(app_id)?;
    let address = probe::loopback(port);
    probe::wait(&mut process, POLL, || {
        probe::status(address, "/v1.0/healthz") == Some(204)
    })
    .with_context(|| format!("start the sidecar of {app_id}"))?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}
