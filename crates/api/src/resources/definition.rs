//! The CustomResourceDefinitions of all kinds.

use std::collections::BTreeMap;

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionNames,
        CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceValidation,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use schemars::JsonSchema;

use super::{
    Component, Configuration, GROUP, HttpEndpoint, Resiliency, Subscription, SubscriptionV1, schema,
};

/// Every definition, in a fixed order.
pub fn definitions() -> [CustomResourceDefinition; 5] {
    let mut subscription = definition::<Subscription>();
    subscription
        .spec
        .versions
        .insert(0, version::<SubscriptionV1>(false));
    // Nothing reads subscriptions, so no server has to translate them.
    subscription.spec.conversion = Some(CustomResourceConversion {
        strategy: "None".to_owned(),
        webhook: None,
    });
    [
        definition::<Component>(),
        definition::<Configuration>(),
        definition::<HttpEndpoint>(),
        definition::<Resiliency>(),
        subscription,
    ]
}

/// The definition of a kind whose one version is the stored one.
fn definition<K: k8s_openapi::Resource + JsonSchema>() -> CustomResourceDefinition {
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("{}.{GROUP}", K::URL_PATH_SEGMENT)),
            labels: Some(BTreeMap::from([(
                "app.kubernetes.io/part-of".to_owned(),
                "dapr".to_owned(),
            )])),
            ..ObjectMeta::default()
        },
        spec: CustomResourceDefinitionSpec {
            group: GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                kind: K::KIND.to_owned(),
                list_kind: Some(format!("{}List", K::KIND)),
                plural: K::URL_PATH_SEGMENT.to_owned(),
                singular: Some(K::KIND.to_ascii_lowercase()),
                ..CustomResourceDefinitionNames::default()
            },
            scope: "Namespaced".to_owned(),
            versions: vec![version::<K>(true)],
            ..CustomResourceDefinitionSpec::default()
        },
        ..CustomResourceDefinition::default()
    }
}

fn version<K: k8s_openapi::Resource + JsonSchema>(stored: bool) -> CustomResourceDefinitionVersion {
    CustomResourceDefinitionVersion {
        name: K::VERSION.to_owned(),
        served: true,
        storage: stored,
        schema: Some(CustomResourceValidation {
            open_api_v3_schema: Some(schema::of::<K>()),
        }),
        ..CustomResourceDefinitionVersion::default()
    }
}
