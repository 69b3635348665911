//! Calls to the API server. Each has a budget and is made once: whoever calls
//! knows whether trying again makes sense. Answers are read into types that
//! keep only what sentry looks at, and never reach the log.

mod error;
mod objects;

use std::time::Duration;

use control_plane::is_object_name;
use http::{Method, Request};
use kube::Client;
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

pub(in crate::sentry) use error::CallError;
pub(super) use objects::{
    ConfigurationObject, Container, ContainerStatus, Metadata, Named, Pod, TokenReview,
};

use super::SCOPE;

/// For one call. Callers of sentry wait a few seconds for two or three of them.
const BUDGET: Duration = Duration::from_secs(4);
/// Pauses of [`patiently`].
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Kinds that are looked up by name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Pod,
    Configuration,
    Secret,
    ConfigMap,
}

/// The API server; cheap to clone.
#[derive(Clone)]
pub(super) struct Cluster {
    client: Client,
}

// === impl Cluster ===

impl Cluster {
    pub(super) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The object as it is now.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Result<T, CallError> {
        let path = kind.path(namespace, name);
        self.call(Method::GET, &path, "", Vec::new()).await
    }

    /// The object as it is now; `None` when there is none. Some API servers of
    /// tests know how to list but not how to get, so a missing object is asked
    /// for a second time.
    pub(super) async fn find<T: DeserializeOwned + Named>(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<T>, CallError> {
        // Names come from users; none of them may lead to another resource.
        if !(is_object_name(namespace) && is_object_name(name)) {
            return Ok(None);
        }
        match self.get(kind, namespace, name).await {
            Ok(object) => return Ok(Some(object)),
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
        #[derive(serde::Deserialize)]
        struct List<T> {
            items: Vec<T>,
        }
        let path = format!(
            "{}?fieldSelector=metadata.name%3D{name}%2Cmetadata.namespace%3D{namespace}",
            kind.list()
        );
        match self
            .call::<List<T>>(Method::GET, &path, "", Vec::new())
            .await
        {
            Ok(list) => Ok(list.items.into_iter().find(|item| {
                let metadata = item.metadata();
                metadata.name == name && metadata.namespace == namespace
            })),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Who a token belongs to.
    pub(super) async fn review(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<TokenReview, CallError> {
        let review = serde_json::json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": { "token": token, "audiences": audiences },
        });
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let body = serde_json::to_vec(&review)?;
        self.call(Method::POST, path, "application/json", body)
            .await
    }

    /// Replaces an object; its resource version says which one was read.
    pub(super) async fn replace(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        object: &impl serde::Serialize,
    ) -> Result<(), CallError> {
        let path = kind.path(namespace, name);
        let body = serde_json::to_vec(object)?;
        let answer: Result<serde::de::IgnoredAny, _> = self
            .call(Method::PUT, &path, "application/json", body)
            .await;
        answer.map(|_| ())
    }

    /// Applies an object, which creates it where it is missing. Unlike a POST
    /// this can be granted for one name.
    pub(super) async fn apply(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        object: &impl serde::Serialize,
    ) -> Result<(), CallError> {
        let path = format!("{}?fieldManager=sentry", kind.path(namespace, name));
        let body = serde_json::to_vec(object)?;
        let content = "application/apply-patch+yaml";
        let answer: Result<serde::de::IgnoredAny, _> =
            self.call(Method::PATCH, &path, content, body).await;
        answer.map(|_| ())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<T, CallError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::ACCEPT, "application/json");
        if !content_type.is_empty() {
            request = request.header(http::header::CONTENT_TYPE, content_type);
        }
        let request = request.body(body)?;
        // The client's own parser logs what it cannot read, keys included.
        let text = timeout(BUDGET, self.client.request_text(request))
            .await
            .map_err(|_| CallError::Timeout)??;
        Ok(serde_json::from_str(&text)?)
    }
}

// === impl Kind ===

impl Kind {
    const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Pod => ("/api/v1", "pods"),
            Self::Configuration => ("/apis/dapr.io/v1alpha1", "configurations"),
            Self::Secret => ("/api/v1", "secrets"),
            Self::ConfigMap => ("/api/v1", "configmaps"),
        }
    }

    /// As objects call themselves.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Configuration => "Configuration",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }

    fn list(self) -> String {
        let (group, plural) = self.parts();
        format!("{group}/{plural}")
    }

    fn path(self, namespace: &str, name: &str) -> String {
        let (group, plural) = self.parts();
        format!("{group}/namespaces/{namespace}/{plural}/{name}")
    }
}

/// Repeats `call` while the API server is away, too busy, or does not know our
/// grants yet. Tells once per reason.
pub(super) async fn patiently<T>(
    what: &str,
    mut call: impl AsyncFnMut() -> Result<T, CallError>,
) -> Result<T, CallError> {
    let (mut pause, longest) = PAUSE;
    let mut told = String::new();
    loop {
        let error = match call().await {
            Err(error) if error.is_undecided() || error.is_forbidden() => error.to_string(),
            decided => return decided,
        };
        if error != told {
            tracing::warn!(target: SCOPE, "cannot {what} yet, trying again: {error}");
            told = error;
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}
