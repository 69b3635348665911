//! What a Configuration asks for and this version does not do. Settings that
//! protect something stop the start; others are said once and left out.

use tracing::warn;

use super::SCOPE;
use crate::{config::Config, resources::Configuration};

/// Middleware types that keep callers out.
const PROTECTIVE: [&str; 5] = [
    "middleware.http.bearer",
    "middleware.http.oauth2",
    "middleware.http.oauth2clientcredentials",
    "middleware.http.opa",
    "middleware.http.routerchecker",
];

/// A protection that would silently be missing.
#[derive(Debug, thiserror::Error)]
#[error(
    "{setting} is not available in this version and would leave calls unprotected; remove it to start without it"
)]
pub(crate) struct Unprotected {
    setting: String,
}

pub(super) fn check(config: &Config, configuration: &Configuration) -> Result<(), Unprotected> {
    let refuse = |setting: String| Err(Unprotected { setting });
    if let Some(api) = &configuration.api
        && !(api.allowed.is_empty() && api.denied.is_empty())
    {
        return refuse("spec.api".to_owned());
    }
    let pipelines = [
        ("spec.httpPipeline", &configuration.http_pipeline),
        ("spec.appHttpPipeline", &configuration.app_http_pipeline),
    ];
    for (field, pipeline) in pipelines {
        for handler in pipeline.iter().flat_map(|pipeline| &pipeline.handlers) {
            if PROTECTIVE.contains(&handler.kind.as_str()) {
                return refuse(format!(
                    "{field} handler {} of type {}",
                    handler.name, handler.kind
                ));
            }
            warn!(target: SCOPE, "{field} handler {} of type {} is not available in this version and is left out", handler.name, handler.kind);
        }
    }
    for setting in &config.unavailable {
        warn!(target: SCOPE, "not available in this version: {setting}");
    }
    Ok(())
}
