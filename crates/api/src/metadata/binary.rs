//! Values of `-bin` metadata: base64, with padding or without.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::HeaderValue;

/// Lenient as peers are when they read; writes without padding, as they do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The wire form of raw bytes.
pub fn encode(raw: &[u8]) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(BASE64.encode(raw)))
        .unwrap_or(HeaderValue::from_static(""))
}

/// Raw bytes of the wire form; `None` when it is not base64.
pub fn decode(value: &HeaderValue) -> Option<Bytes> {
    BASE64.decode(value.as_bytes()).ok().map(Bytes::from)
}
