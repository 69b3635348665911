//! sentry in a cluster: with the grants of the chart and no more.

mod detour;
mod identities;
mod jwks;
mod start;
mod trust_bundle;

use std::process::Command;

use api::sentry::v1::{SignCertificateRequest, SignCertificateResponse};
use serde_json::Value;
use tests::ports::reserve;
use tests::{Bare, PeerClient, Process, Request, RpcAnswer, binaries, holds};
use x509_parser::prelude::{FromDer, GeneralName, Pem, X509Certificate};

const TRUST_DOMAIN: &str = "cluster.local";
/// Validator of pods.
const KUBERNETES: i32 = 2;

/// A namespace as the chart prepares it, before sentry runs.
struct Home {
    bare: &'static Bare,
    namespace: String,
}

/// One replica.
struct Replica {
    process: Process,
    port: u16,
    health: u16,
}

/// What a certificate says.
#[derive(Debug, PartialEq, Eq)]
struct Leaf {
    id: String,
    dns_names: Vec<String>,
    /// JSON of Dapr's extension.
    images: Option<Value>,
}

impl Home {
    fn new(prefix: &str) -> Self {
        let bare = Bare::shared();
        let namespace = bare.namespace(prefix);
        bare.api().apply(&GRANTS.replace("HOME", &namespace));
        bare.api().apply(&OBJECTS.replace("HOME", &namespace));
        Self { bare, namespace }
    }

    /// `flags` come last.
    fn command(&self, port: u16, health: u16, flags: &[&str]) -> Command {
        let program = binaries::sentry();
        let mut command = self.bare.program(&program, &self.namespace, "dapr-sentry");
        command
            .args(["--mode", "kubernetes", "--trust-domain", TRUST_DOMAIN])
            .args(["--listen-address", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .args(["--healthz-listen-address", "127.0.0.1"])
            .args(["--healthz-port", &health.to_string()])
            .arg("--enable-metrics=false")
            .args(flags);
        command
    }

    fn start(&self) -> Replica {
        let (port, health) = (reserve(), reserve());
        let process = Process::spawn("sentry", self.command(port, health, &[]));
        Replica {
            process,
            port,
            health,
        }
    }

    /// Secret or ConfigMap `dapr-trust-bundle`.
    fn path(&self, kind: &str) -> String {
        format!(
            "/api/v1/namespaces/{}/{kind}/dapr-trust-bundle",
            self.namespace
        )
    }

    fn data(&self, kind: &str, key: &str) -> Option<String> {
        let object = self.bare.api().get(&self.path(kind))?;
        object["data"][key].as_str().map(ToOwned::to_owned)
    }

    /// The anchors that the ConfigMap shows.
    fn anchors(&self) -> Option<String> {
        self.data("configmaps", "ca.crt")
    }

    fn pod(&self, name: &str, account: &str, annotations: &str) {
        pod(self.bare, &self.namespace, name, account, annotations);
    }
}

impl Replica {
    fn is_healthy(&self) -> bool {
        let answer = Request::get("/healthz").try_send(self.health);
        answer.is_ok_and(|answer| answer.status == 200)
    }

    #[track_caller]
    fn healthy(self) -> Self {
        holds("sentry is healthy", || {
            let process = &self.process;
            assert!(
                process.exited().is_none(),
                "sentry ended: {}",
                process.stdout()
            );
            self.is_healthy()
        });
        self
    }

    #[track_caller]
    fn ask(&self, request: &SignCertificateRequest) -> RpcAnswer {
        PeerClient::tls(self.port, None)
            .unwrap()
            .unary("/dapr.proto.sentry.v1.CA/SignCertificate", request)
            .unwrap()
    }

    #[track_caller]
    fn sign(&self, request: &SignCertificateRequest) -> SignCertificateResponse {
        let answer = self.ask(request);
        assert_eq!(answer.code(), 0, "{}", answer.message());
        prost::Message::decode(answer.messages[0].clone()).unwrap()
    }

    fn lines(&self, text: &str) -> usize {
        let output = self.process.stdout();
        output.lines().filter(|line| line.contains(text)).count()
    }
}

/// A pod that no node runs, and its service account.
fn pod(bare: &Bare, namespace: &str, name: &str, account: &str, annotations: &str) {
    bare.api().apply(&format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {account}, namespace: {namespace}}}\n---\n\
         apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  annotations: {{{annotations}}}\n\
         spec:\n  serviceAccountName: {account}\n  containers:\n  - {{name: web, image: 'web:1'}}\n  \
         initContainers:\n  - {{name: setup, image: 'setup:1'}}\n  - {{name: daprd, image: 'daprd:1', restartPolicy: Always}}\n"
    ));
}

/// What the sidecar of this pod asks for.
fn request(
    bare: &Bare,
    namespace: &str,
    account: &str,
    pod: &str,
    id: &str,
) -> SignCertificateRequest {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::default();
    let csr = params.serialize_request(&key).unwrap().pem().unwrap();
    SignCertificateRequest {
        id: id.to_owned(),
        namespace: namespace.to_owned(),
        token: bare
            .api()
            .token(namespace, account, "dapr.io/sentry", Some(pod)),
        token_validator: KUBERNETES,
        certificate_signing_request: csr.into_bytes().into(),
        ..SignCertificateRequest::default()
    }
}

fn leaf(response: &SignCertificateResponse) -> Leaf {
    let blocks: Vec<_> = Pem::iter_from_buffer(&response.workload_certificate)
        .map(Result::unwrap)
        .collect();
    assert_eq!(blocks.len(), 2, "leaf and issuer");
    let (_, leaf) = X509Certificate::from_der(&blocks[0].contents).unwrap();
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical);
    let (mut ids, mut dns_names) = (Vec::new(), Vec::new());
    for name in &names.value.general_names {
        match name {
            GeneralName::URI(id) => ids.push((*id).to_owned()),
            GeneralName::DNSName(name) => dns_names.push((*name).to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    let images = leaf.extensions().iter().find(|extension| {
        extension.oid.to_id_string() == "1.3.6.1.4.1.57683.100.1" && !extension.critical
    });
    Leaf {
        id: ids.remove(0),
        dns_names,
        // An octet string of less than 64 KiB within the extension's own.
        images: images.map(|extension| {
            let start = extension
                .value
                .iter()
                .position(|byte| *byte == b'[')
                .unwrap();
            serde_json::from_slice(&extension.value[start..]).unwrap()
        }),
    }
}

/// As the chart renders them empty.
const OBJECTS: &str = "
apiVersion: v1
kind: Secret
metadata:
  name: dapr-trust-bundle
  namespace: HOME
  labels: {app.kubernetes.io/managed-by: Helm}
  annotations: {helm.sh/resource-policy: keep, meta.helm.sh/release-name: dapr}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: dapr-trust-bundle
  namespace: HOME
  annotations: {helm.sh/resource-policy: keep}
---
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: daprsystem, namespace: HOME}
spec:
  mtls: {enabled: true, sentryAddress: 'dapr-sentry:443', controlPlaneTrustDomain: cluster.local, workloadCertTTL: 1h, allowedClockSkew: 1m}
";

/// As in the chart.
const GRANTS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: dapr-sentry, namespace: HOME}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: dapr-sentry-HOME}
rules:
- {apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]}
- {apiGroups: [''], resources: [pods], verbs: [get, list]}
- {apiGroups: [dapr.io], resources: [configurations], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: dapr-sentry-HOME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: dapr-sentry-HOME}
subjects: [{kind: ServiceAccount, name: dapr-sentry, namespace: HOME}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: dapr-sentry, namespace: HOME}
rules:
- apiGroups: ['']
  resources: [secrets, configmaps]
  resourceNames: [dapr-trust-bundle]
  verbs: [get, update, patch, create]
- {apiGroups: [dapr.io], resources: [configurations], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dapr-sentry, namespace: HOME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: dapr-sentry}
subjects: [{kind: ServiceAccount, name: dapr-sentry, namespace: HOME}]
";
