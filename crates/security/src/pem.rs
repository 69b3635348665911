//! PEM in and out. Blocks of other kinds are skipped when reading, so a bundle
//! that also holds a key or a comment still yields its certificates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{Error, PemObject as _};

/// Characters per line, as OpenSSL and Go write it.
const LINE: usize = 64;

/// One block with LF line ends.
pub fn encode(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    for line in text.as_bytes().chunks(LINE) {
        // Base64 is ASCII, so every chunk is valid text.
        lines.push_str(&String::from_utf8_lossy(line));
        lines.push('\n');
    }
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

/// Certificates one after another.
pub fn encode_certificates<'a>(
    certificates: impl IntoIterator<Item = &'a CertificateDer<'a>>,
) -> String {
    certificates
        .into_iter()
        .map(|certificate| encode("CERTIFICATE", certificate))
        .collect()
}

/// All `CERTIFICATE` blocks, possibly none.
///
/// # Errors
/// A block is cut short or not base64.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}
