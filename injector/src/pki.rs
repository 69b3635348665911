//! Certificates for tests.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use security::{Svid, TrustAnchors};

/// The name API servers call.
pub(crate) const HOST: &str = "dapr-sidecar-injector.dapr-system.svc";
const ID: &str = "spiffe://cluster.local/ns/dapr-system/dapr-injector";

/// A root that signs leaves itself.
pub(crate) struct Root(CertifiedIssuer<'static, KeyPair>);

impl Root {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        TrustAnchors::from_pem(self.0.pem().as_bytes()).unwrap()
    }

    /// The injector's own.
    pub(crate) fn svid(&self) -> Svid {
        let mut params = named("injector");
        params.subject_alt_names = vec![
            SanType::URI(ID.try_into().unwrap()),
            SanType::DnsName(HOST.try_into().unwrap()),
        ];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.0).unwrap();
        Svid::new(vec![leaf.into()], key.into(), self.anchors()).unwrap()
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// TLS of a client that trusts `anchors`.
pub(crate) fn client(anchors: &TrustAnchors) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for root in anchors.certificates() {
        roots.add(root.clone()).unwrap();
    }
    let provider = Arc::clone(security::crypto_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
