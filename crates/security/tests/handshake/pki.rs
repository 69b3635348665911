//! Certificates for the handshake matrix, right and wrong ones.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose as Eku, IsCa, KeyPair, KeyUsagePurpose as Usage,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize,
    SanType,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use security::{Svid, TrustAnchors, crypto_provider};

/// A root that signs leaves itself.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a leaf looks like; `app` makes a correct one.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) uris: Vec<String>,
    pub(crate) ca: bool,
    pub(crate) signs: bool,
    /// serverAuth, clientAuth
    pub(crate) usages: (bool, bool),
    /// From and to, relative to now.
    pub(crate) days: (i64, i64),
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Ed25519,
    P256,
    P384,
    Rsa,
}

pub(crate) type Certified = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Ed25519, Self::P256, Self::P384, Self::Rsa];

    fn key(self) -> KeyPair {
        match self {
            Self::Ed25519 => KeyPair::generate_for(&PKCS_ED25519),
            Self::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            Self::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        }
        .unwrap()
    }
}

impl Leaf {
    pub(crate) fn app(namespace: &str, app_id: &str) -> Self {
        Self::id(&format!("spiffe://public/ns/{namespace}/{app_id}"))
    }

    pub(crate) fn id(id: &str) -> Self {
        Self {
            uris: vec![id.to_owned()],
            ca: false,
            signs: false,
            usages: (true, true),
            days: (-1, 1),
            kind: Kind::Ed25519,
        }
    }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::made(name, (-1, 1), Kind::Ed25519)
    }

    pub(crate) fn valid(name: &str, days: (i64, i64)) -> Self {
        Self::made(name, days, Kind::Ed25519)
    }

    pub(crate) fn of_kind(name: &str, kind: Kind) -> Self {
        Self::made(name, (-1, 1), kind)
    }

    fn made(name: &str, days: (i64, i64), kind: Kind) -> Self {
        let mut params = params(days);
        params
            .distinguished_name
            .push(DnType::OrganizationName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![Usage::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, kind.key()).unwrap())
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        TrustAnchors::from_pem(self.0.pem().as_bytes()).unwrap()
    }

    pub(crate) fn issue(&self, leaf: &Leaf) -> Certified {
        let mut params = params(leaf.days);
        params.subject_alt_names = leaf
            .uris
            .iter()
            .map(|uri| SanType::URI(uri.as_str().try_into().unwrap()))
            .collect();
        params.key_usages = vec![Usage::DigitalSignature];
        if leaf.signs {
            params.key_usages.push(Usage::CrlSign);
        }
        if leaf.ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let (server, client) = leaf.usages;
        let usages = [(server, Eku::ServerAuth), (client, Eku::ClientAuth)];
        params.extended_key_usages = usages
            .into_iter()
            .filter_map(|(wanted, usage)| wanted.then_some(usage))
            .collect();
        let key = leaf.kind.key();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (vec![certificate.into()], key.into())
    }

    pub(crate) fn svid(&self, leaf: &Leaf) -> Svid {
        self.svid_with(leaf, self.anchors())
    }

    pub(crate) fn svid_with(&self, leaf: &Leaf, anchors: TrustAnchors) -> Svid {
        let (chain, key) = self.issue(leaf);
        Svid::new(chain, key, anchors).unwrap()
    }
}

fn params((from, to): (i64, i64)) -> CertificateParams {
    let day = |days: i64| {
        let span = Duration::from_hours(24 * days.unsigned_abs());
        let now = SystemTime::now();
        if days < 0 { now - span } else { now + span }
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = day(from).into();
    params.not_after = day(to).into();
    params
}

/// A client that shows what it is given and believes every server.
pub(crate) fn raw_client(certificate: Option<Certified>) -> Arc<ClientConfig> {
    client(certificate, rustls::DEFAULT_VERSIONS)
}

pub(crate) fn raw_client_of_version(
    certificate: Option<Certified>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    client(certificate, &[version])
}

fn client(
    certificate: Option<Certified>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(crypto_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    let mut config = match certificate {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        crypto_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
