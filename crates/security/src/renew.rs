//! Keeps an identity fresh. Renewal is due at about half of the time from
//! receipt to the end of validity: never counted from NotBefore, which is
//! back-dated and says nothing about when the certificate was made.

use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use crate::SCOPE;
use crate::client::{SentryClient, SvidRequest};
use crate::identity::Identity;
use crate::svid::Svid;

/// Renew within this part of the remaining life; the spread keeps sidecars that
/// started together from asking together.
const FRACTION: std::ops::Range<f64> = 0.45..0.55;
/// Lower bound between renewals: certificates of milliseconds are renewed in
/// time, expired ones (clocks that disagree) do not become a hot loop.
const MIN_PAUSE: Duration = Duration::from_millis(10);
/// Longest sleep, since a suspended machine does not advance timers.
const MAX_SLEEP: Duration = Duration::from_mins(1);
/// Pause after a failure: from the first to the second value.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Renews `identity` from sentry for ever. On failure the old SVID stays in
/// use, also past its end.
pub async fn renew(identity: Identity, client: SentryClient, request: SvidRequest) {
    renew_with(identity, || client.request(&request)).await;
}

/// As [`renew`], for an authority that signs for itself.
pub async fn renew_with<F, E>(identity: Identity, mut request: impl FnMut() -> F)
where
    F: Future<Output = Result<Svid, E>>,
    E: std::fmt::Display,
{
    let mut retry = RETRY.0;
    let mut due = due(&identity.svid(), SystemTime::now());
    loop {
        while let Ok(left) = due.duration_since(SystemTime::now()) {
            if left.is_zero() {
                break;
            }
            sleep(left.min(MAX_SLEEP)).await;
        }
        match request().await {
            Ok(svid) => {
                due = self::due(&svid, SystemTime::now());
                tracing::info!(target: SCOPE, id = %svid.spiffe_id(), "identity renewed");
                identity.replace(svid);
                retry = RETRY.0;
            }
            Err(error) => {
                let seconds = retry.as_secs_f32();
                tracing::error!(
                    target: SCOPE,
                    "Error renewing identity, trying again in {seconds} seconds: {error}"
                );
                due = SystemTime::now() + retry;
                retry = (retry * 2).min(RETRY.1);
            }
        }
    }
}

fn due(svid: &Svid, now: SystemTime) -> SystemTime {
    due_between(svid.issued_at(), svid.not_after(), fastrand::f64()).max(now + MIN_PAUSE)
}

fn due_between(issued_at: SystemTime, not_after: SystemTime, spread: f64) -> SystemTime {
    let life = not_after.duration_since(issued_at).unwrap_or_default();
    issued_at + life.mul_f64(FRACTION.start + (FRACTION.end - FRACTION.start) * spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_due_about_half_way_from_receipt_to_end() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let earliest = due_between(at(1000), at(2000), 0.0);
        let latest = due_between(at(1000), at(2000), 1.0);
        assert_eq!((earliest, latest), (at(1450), at(1550)));
    }

    #[test]
    fn an_expired_certificate_is_due_at_once() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(due_between(at(2000), at(1000), 0.5), at(2000));
    }
}
