//! Certificates and kubeconfigs of a test cluster, in a folder.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use serde_json::{Value, json};

/// An authority for everything a cluster consists of.
#[derive(Debug)]
pub(super) struct Pki {
    folder: PathBuf,
    anchor: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Who a certificate is for.
pub(super) struct Subject<'a> {
    /// Name of the files.
    pub(super) file: &'a str,
    /// The user.
    pub(super) name: &'a str,
    /// The group; empty for none.
    pub(super) group: &'a str,
    /// Names it serves.
    pub(super) names: &'a [&'a str],
    /// Addresses it serves.
    pub(super) addresses: &'a [Ipv4Addr],
}

/// Allowed to do everything.
pub(super) const ADMIN: Subject<'static> = Subject {
    file: "admin",
    name: "admin",
    group: "system:masters",
    names: &[],
    addresses: &[],
};

impl Pki {
    /// Writes `ca.crt`, `ca.key`, and the pair `accounts.key` and
    /// `accounts.pub` for the tokens of service accounts.
    pub(super) fn new(folder: &Path) -> Self {
        let mut params = params("cluster", "");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key();
        let certificate = params.self_signed(&key).expect("a root signs itself");
        let pki = Self {
            folder: folder.to_owned(),
            anchor: certificate.pem(),
            issuer: Issuer::new(params, key),
        };
        pki.write("ca.crt", &pki.anchor);
        pki.write("ca.key", &pki.issuer.key().serialize_pem());
        let accounts = self::key();
        pki.write("accounts.key", &accounts.serialize_pem());
        pki.write("accounts.pub", &accounts.public_key_pem());
        pki
    }

    /// A file of the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes `<file>.crt` and `<file>.key`.
    pub(super) fn certificate(&self, subject: &Subject<'_>) {
        let mut params = params(subject.name, subject.group);
        let names = subject
            .names
            .iter()
            .map(|name| SanType::DnsName((*name).to_owned().try_into().expect("a name is ASCII")));
        let addresses = subject
            .addresses
            .iter()
            .map(|&address| SanType::IpAddress(IpAddr::V4(address)));
        params.subject_alt_names = names.chain(addresses).collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = key();
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the root signs");
        self.write(&format!("{}.crt", subject.file), &certificate.pem());
        self.write(&format!("{}.key", subject.file), &key.serialize_pem());
    }

    /// Writes `<file>.kubeconfig` for somebody with a certificate made before.
    pub(super) fn kubeconfig(&self, subject: &Subject<'_>, server: &str) -> PathBuf {
        let text = |extension: &str| self.file(&format!("{}.{extension}", subject.file));
        let user = json!({
            "client-certificate": text("crt"),
            "client-key": text("key"),
        });
        self.kubeconfig_of(subject.file, &user, server)
    }

    /// Writes `<file>.kubeconfig` for the bearer of a token.
    pub(super) fn kubeconfig_with_token(&self, file: &str, token: &str, server: &str) -> PathBuf {
        self.kubeconfig_of(file, &json!({ "token": token }), server)
    }

    fn kubeconfig_of(&self, file: &str, user: &Value, server: &str) -> PathBuf {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
            "clusters": [{ "name": "test", "cluster": {
                "server": server,
                "certificate-authority": self.file("ca.crt"),
            } }],
            "users": [{ "name": "test", "user": user }],
        });
        let name = format!("{file}.kubeconfig");
        // JSON is YAML.
        self.write(&name, &config.to_string());
        self.file(&name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("the folder is ours");
    }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("the provider makes keys")
}

fn params(name: &str, group: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if !group.is_empty() {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2124, 1, 1);
    params
}
