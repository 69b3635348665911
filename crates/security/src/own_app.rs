//! TLS to the own app: encrypted, with a certificate nobody checks, because
//! the app is beside us and has whatever certificate its user gave it.

use std::sync::Arc;

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, Error};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::provider::verify_signatures;
use crate::tls;

/// TLS 1.2 or 1.3 with any certificate, offering these application protocols.
pub fn own_app_client(protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut config = tls::client(AnyCertificate, None);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// Checks only that the other side has the key of the certificate it shows.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    verify_signatures!();
}
