//! What is common to everything we ask of the API server: objects of which only
//! a few fields are read, names of kinds, pauses between tries, and errors as
//! one readable line.

use std::borrow::Cow;
use std::time::Duration;

use control_plane::error_chain;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Longest wait for the answer to one request; a watch has its own rules.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Where an object lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ObjectKey {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl ObjectKey {
    /// `None` for an object without a name.
    pub(super) fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone()?,
        })
    }
}

/// An object of which only metadata and some of `spec` are read; the rest of
/// an answer is skipped while it is decoded.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Partial<S> {
    #[serde(default)]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) spec: S,
}

impl<S> kube::Resource for Partial<S> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The names of a kind; `group` is empty for the core API.
pub(super) fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version = match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

/// Objects of a kind, of one namespace or of all.
pub(super) fn objects<K>(
    client: &kube::Client,
    resource: &ApiResource,
    namespace: Option<&str>,
) -> kube::Api<K>
where
    K: kube::Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
    K: DeserializeOwned,
{
    match namespace {
        Some(namespace) => kube::Api::namespaced_with(client.clone(), namespace, resource),
        None => kube::Api::all_with(client.clone(), resource),
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error("{}", explain(.0))]
    Kube(#[from] kube::Error),
    /// A name that no object can have; worded as the API server would.
    #[error("{plural} {name:?} not found")]
    NoName { plural: &'static str, name: String },
    #[error("the API server did not answer within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
}

impl RequestError {
    fn code(&self) -> Option<u16> {
        match self {
            Self::Kube(kube::Error::Api(status)) => Some(status.code),
            _ => None,
        }
    }

    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::NoName { .. }) || self.code() == Some(404)
    }

    /// Changed meanwhile, or created by somebody else.
    pub(super) fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Nothing new is wanted in a namespace that is being deleted.
    pub(super) fn is_namespace_ending(&self) -> bool {
        let Self::Kube(kube::Error::Api(status)) = self else {
            return false;
        };
        let causes = status.details.iter().flat_map(|details| &details.causes);
        causes
            .into_iter()
            .any(|cause| cause.reason == "NamespaceTerminating")
    }

    /// The API server understood the object and refuses it.
    pub(super) fn is_invalid(&self) -> bool {
        self.code() == Some(422)
    }
}

/// Gives a request its time limit.
pub(super) async fn request<T>(
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, RequestError> {
    match tokio::time::timeout(REQUEST_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(RequestError::Timeout),
    }
}

/// `None` for an object that does not exist.
pub(super) async fn optional<T>(
    call: impl Future<Output = kube::Result<T>>,
) -> Result<Option<T>, RequestError> {
    match request(call).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The API server's own words, else the chain of causes.
pub(super) fn explain(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return match status.message.as_str() {
            "" => format!("{} (code {})", status.reason, status.code),
            message => message.to_owned(),
        };
    }
    // Its own words name only the layer that failed.
    if let kube::Error::Service(error) = error {
        return error_chain(error.as_ref());
    }
    error_chain(error)
}

/// Growing pauses between tries, a quarter up or down by chance, so that
/// replicas do not ask in step.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            tries: 0,
        }
    }

    /// The next pause.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self
            .first
            .saturating_mul(2_u32.saturating_pow(self.tries))
            .min(self.longest);
        self.tries = self.tries.saturating_add(1);
        pause.mul_f64(0.75 + fastrand::f64() / 2.0)
    }

    /// Starts over.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }

    /// True before the first pause after a reset.
    pub(super) const fn is_fresh(&self) -> bool {
        self.tries == 0
    }
}
