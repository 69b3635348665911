//! What a service account token says, before and after the API server vouched
//! for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Refusal;
use crate::sentry::cluster::TokenReview;

/// Owner of a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<KubernetesClaims>,
}

#[derive(Deserialize)]
struct KubernetesClaims {
    pod: Option<PodClaim>,
}

#[derive(Deserialize)]
struct PodClaim {
    #[serde(default)]
    name: String,
}

/// The user name, if the token is good.
pub(super) fn reviewed(review: TokenReview) -> Result<String, Refusal> {
    let status = review.status;
    if !status.error.is_empty() {
        return Err(Refusal::Token(status.error));
    }
    if !status.authenticated {
        return Err(Refusal::NotAuthenticated);
    }
    Ok(status.user.username)
}

/// `system:serviceaccount:<namespace>:<name>`.
pub(super) fn account(username: &str) -> Result<Account<'_>, Refusal> {
    let mut parts = username.split(':');
    match (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) {
        (Some("system"), Some("serviceaccount"), Some(namespace), Some(name), None) => {
            Ok(Account { namespace, name })
        }
        _ => Err(Refusal::Username),
    }
}

/// The pod a token is bound to. Nothing is verified here: the API server has
/// done so. A bare object is taken as well as a JWT, as test doubles send it.
pub(super) fn pod_name(token: &str) -> Result<String, Refusal> {
    let parse = |reason: &dyn std::fmt::Display| Refusal::Parse(reason.to_string());
    let token = token.trim();
    let claims: Claims = if token.starts_with('{') {
        serde_json::from_str(token).map_err(|error| parse(&error))?
    } else {
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(parse(&"not a JWT"));
        };
        let payload = URL_SAFE_NO_PAD
            .decode(payload.trim_end_matches('='))
            .map_err(|error| parse(&error))?;
        serde_json::from_slice(&payload).map_err(|error| parse(&error))?
    };
    claims
        .kubernetes
        .and_then(|claims| claims.pod)
        .map(|pod| pod.name)
        .filter(|name| !name.is_empty())
        .ok_or(Refusal::NoPodClaim)
}
