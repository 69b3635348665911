//! HTTPEndpoint: a name for a service outside of Dapr.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    common::{Auth, NameValue, SecretKeyRef},
    kind, schema,
};

/// An HTTP service without a sidecar that apps call by this object's name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "HTTPEndpoint")]
pub struct HttpEndpoint {
    /// Group and version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub api_version: String,
    /// The kind's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub kind: String,
    /// Name, namespace, labels.
    #[serde(default)]
    #[schemars(skip)]
    pub metadata: ObjectMeta,
    /// Where the service is and what to send along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<HttpEndpointSpec>,
    /// Where secrets named in headers and certificates are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// App ids that may call the service; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

kind!(HttpEndpoint, "v1alpha1", "HTTPEndpoint", "httpendpoints");

/// Body of an [`HttpEndpoint`].
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpEndpointSpec {
    /// URL that the path of a call is added to.
    pub base_url: String,
    /// Headers of every call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<NameValue>,
    /// TLS towards the service.
    #[serde(rename = "clientTLS", skip_serializing_if = "Option::is_none")]
    pub client_tls: Option<ClientTls>,
}

/// How the service is verified, and who calls it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientTls {
    /// Root certificates of the service, PEM.
    #[serde(rename = "rootCA", skip_serializing_if = "Option::is_none")]
    pub root_ca: Option<PemValue>,
    /// Client certificate, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PemValue>,
    /// Key of the client certificate, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<PemValue>,
    /// Whether the service may renegotiate; accepted, but it never may.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend(
        "enum" = ["Never", "OnceAsClient", "FreelyAsClient"],
        "default" = "Never"
    ))]
    pub renegotiation: Option<String>,
}

/// PEM text, given here or in a secret.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PemValue {
    /// The text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::anything")]
    pub value: Option<Value>,
    /// Secret that holds the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
}
