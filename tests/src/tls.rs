//! TLS as an attacker or a foreign peer would set it up: any certificate or
//! none, no judgement of the other side.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};

use crate::ca::Svid;

/// A client that presents `svid`, or nothing, and accepts every server.
pub fn client(svid: Option<&Svid>, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone));
    let mut config = match svid {
        Some(svid) => builder
            .with_client_auth_cert(svid.chain(), svid.key())
            .expect("key and certificate belong together"),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// A server that presents `svid` and accepts every client certificate.
pub fn server(svid: &Svid) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_client_cert_verifier(Arc::new(Anyone))
        .with_single_cert(svid.chain(), svid.key())
        .expect("key and certificate belong together");
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// A server as an app has it: a certificate nobody knows, no client
/// certificate asked for.
pub fn self_signed() -> Arc<ServerConfig> {
    app(&AppTls::default())
}

/// Certificate and key of an app, for one that reads files.
pub fn self_signed_pem() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
        .expect("a certificate signs itself");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// How an app speaks TLS.
#[derive(Clone, Copy, Debug)]
pub struct AppTls {
    /// Application protocols it agrees to, best first; none for an app that
    /// has never heard of them.
    pub alpn: &'static [&'static str],
    /// Not above TLS 1.2.
    pub old: bool,
    /// With a certificate whose time is over.
    pub expired: bool,
}

impl Default for AppTls {
    fn default() -> Self {
        Self {
            alpn: &["h2"],
            old: false,
            expired: false,
        }
    }
}

/// [`self_signed`] in every detail.
pub fn app(how: &AppTls) -> Arc<ServerConfig> {
    let key = rcgen::KeyPair::generate().expect("the provider makes keys");
    let mut params =
        rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a DNS name is one");
    if how.expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    }
    let certificate = params
        .self_signed(&key)
        .expect("a certificate signs itself");
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let versions: &[_] = if how.old {
        &[&rustls::version::TLS12]
    } else {
        rustls::ALL_VERSIONS
    };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("the provider has these versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .expect("key and certificate belong together");
    config.alpn_protocols = how
        .alpn
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Believes everybody.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
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
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl ClientCertVerifier for Anyone {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
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
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
