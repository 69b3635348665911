//! A certificate authority of the test's own: writes the three files sentry
//! starts from, so that SVIDs made here and those sentry signs share a root;
//! and makes the certificates nobody should accept.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ED25519, SanType, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// The trust domain of the control plane in every test.
pub const CONTROL_PLANE: &str = "localhost";

/// A root, an issuer under it, and the directory with both.
#[derive(Debug)]
pub struct Ca {
    directory: TempDir,
    root: String,
    issuer: Certificate,
    issuing: Issuer<'static, KeyPair>,
}

/// A certificate chain and its key.
#[derive(Debug)]
pub struct Svid {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

/// An SVID about to be made.
#[derive(Debug)]
pub struct SvidBuilder<'a> {
    ca: &'a Ca,
    params: CertificateParams,
}

// === impl Ca ===

impl Ca {
    /// A new root with its own keys.
    pub fn new() -> Self {
        let root_key = key();
        let mut root = authority(CONTROL_PLANE);
        root.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
        ];
        let root_certificate = root.self_signed(&root_key).expect("a root signs itself");
        let root_pem = root_certificate.pem();
        let signing_root = Issuer::new(root, root_key);

        let issuer_key = key();
        let mut issuer = authority(&format!("spiffe://{CONTROL_PLANE}/ns/default/dapr-sentry"));
        issuer.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
        ];
        issuer.use_authority_key_identifier_extension = true;
        let issuer_certificate = issuer
            .signed_by(&issuer_key, &signing_root)
            .expect("the root signs");

        let directory = TempDir::new().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).expect("the directory is ours");
        };
        write("ca.crt", &root_pem);
        write("issuer.crt", &issuer_certificate.pem());
        write("issuer.key", &issuer_key.serialize_pem());
        Self {
            directory,
            root: root_pem,
            issuer: issuer_certificate,
            issuing: Issuer::new(issuer, issuer_key),
        }
    }

    /// The directory sentry takes as `--issuer-credentials`.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The trust anchors as PEM.
    pub fn anchors(&self) -> &str {
        &self.root
    }

    /// An SVID for a SPIFFE id.
    pub fn svid(&self, id: &str) -> SvidBuilder<'_> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![uri(id)];
        params.is_ca = IsCa::NoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        let skew = Duration::from_mins(15);
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + now.saturating_sub(skew);
        params.not_after = epoch + now + Duration::from_hours(1);
        SvidBuilder { ca: self, params }
    }

    /// An SVID as sentry gives it to an app in namespace `default`.
    pub fn app(&self, app_id: &str) -> Svid {
        self.svid(&format!("spiffe://public/ns/default/{app_id}"))
            .issue()
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}

// === impl SvidBuilder ===

impl SvidBuilder<'_> {
    /// Its time is over.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.params.not_before = date_time_ymd(2020, 1, 1);
        self.params.not_after = date_time_ymd(2020, 1, 2);
        self
    }

    /// Its time has not come.
    #[must_use]
    pub fn not_yet_valid(mut self) -> Self {
        self.params.not_before = date_time_ymd(2090, 1, 1);
        self.params.not_after = date_time_ymd(2090, 1, 2);
        self
    }

    /// A leaf that may sign others.
    #[must_use]
    pub fn as_authority(mut self) -> Self {
        self.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self.params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        self
    }

    /// A second SPIFFE id beside the first.
    #[must_use]
    pub fn also(mut self, id: &str) -> Self {
        self.params.subject_alt_names.push(uri(id));
        self
    }

    /// No SPIFFE id, a DNS name instead.
    #[must_use]
    pub fn named(mut self, dns: &str) -> Self {
        self.params.subject_alt_names = vec![SanType::DnsName(
            dns.to_owned().try_into().expect("a DNS name is ASCII"),
        )];
        self
    }

    /// Signs it.
    pub fn issue(self) -> Svid {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("the provider makes keys");
        let leaf = self
            .params
            .signed_by(&key, &self.ca.issuing)
            .expect("the issuer signs");
        Svid {
            chain: vec![leaf.der().clone(), self.ca.issuer.der().clone()],
            key: key.serialize_der(),
        }
    }
}

// === impl Svid ===

impl Svid {
    /// Leaf, then issuer.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    /// The private key.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }
}

/// P-256, because every implementation reads its PKCS#8 form.
fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("the provider makes keys")
}

fn authority(organization: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, organization);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2124, 1, 1);
    params
}

fn uri(id: &str) -> SanType {
    SanType::URI(id.to_owned().try_into().expect("a SPIFFE id is ASCII"))
}
