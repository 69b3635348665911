//! The custom resources users write, as Rust types, and the
//! CustomResourceDefinitions made from them (`crds/`, by `cargo xtask gen`).
//!
//! They say what a cluster stores: required members are plain, everything else
//! is optional, and free-form members keep their JSON. What a manifest means is
//! decided elsewhere. Only with the feature `crds`; sidecars do without.

pub mod common;
pub mod component;
pub mod configuration;
mod definition;
pub mod http_endpoint;
pub mod resiliency;
mod schema;
pub mod subscription;

#[cfg(test)]
mod tests;

pub use component::Component;
pub use configuration::Configuration;
pub use definition::definitions;
pub use http_endpoint::HttpEndpoint;
pub use resiliency::Resiliency;
pub use subscription::{Subscription, SubscriptionV1};

/// API group of every kind here.
pub const GROUP: &str = "dapr.io";

/// What typed clients ask about a kind: names, version, metadata.
macro_rules! kind {
    ($type:ty, $version:literal, $kind:literal, $plural:literal) => {
        impl k8s_openapi::Resource for $type {
            const API_VERSION: &'static str = concat!("dapr.io/", $version);
            const GROUP: &'static str = $crate::resources::GROUP;
            const KIND: &'static str = $kind;
            const VERSION: &'static str = $version;
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = k8s_openapi::NamespaceResourceScope;
        }

        impl k8s_openapi::Metadata for $type {
            type Ty = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

            fn metadata(&self) -> &Self::Ty {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut Self::Ty {
                &mut self.metadata
            }
        }
    };
}
use kind;
