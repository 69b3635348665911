//! Compressed messages: gzip is the one encoding peers and SDKs use.

use std::io::Read as _;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http::HeaderMap;

use super::ReadError;
use crate::grpc::{Code, Status};

/// How messages with the compression flag are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Status> {
        let Some(name) = headers.get("grpc-encoding") else {
            return Ok(Self::Identity);
        };
        match name.as_bytes() {
            b"" | b"identity" => Ok(Self::Identity),
            b"gzip" => Ok(Self::Gzip),
            other => Err(Status::new(
                Code::Unimplemented,
                format!(
                    "grpc: Decompressor is not installed for grpc-encoding \"{}\"",
                    other.escape_ascii()
                ),
            )),
        }
    }
}

/// The message inside; reading ends with the first byte over `limit`.
pub(super) fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, ReadError> {
    let mut message = Vec::new();
    let room = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed)
        .take(room)
        .read_to_end(&mut message)
        .map_err(|error| ReadError::Corrupt(error.to_string()))?;
    if message.len() > limit {
        return Err(ReadError::TooLargeUnpacked { limit });
    }
    Ok(message.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::envelope::FrameReader;

    fn pack(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn frame(flag: u8, message: &[u8]) -> Bytes {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag], &length[..], message].concat().into()
    }

    fn reader(limit: usize, encoding: &'static str) -> Result<FrameReader, Status> {
        let value = HeaderValue::from_static(encoding);
        let headers = HeaderMap::from_iter([(HeaderName::from_static("grpc-encoding"), value)]);
        FrameReader::with_encoding(limit, &headers)
    }

    fn read(limit: usize, bytes: Bytes) -> Result<Option<Bytes>, ReadError> {
        let Ok(mut reader) = reader(limit, "gzip") else {
            unreachable!("gzip is known");
        };
        reader.push(bytes);
        reader.next_message()
    }

    #[test]
    fn packed_and_plain_messages_of_one_stream() {
        let parts = [
            frame(1, &pack(b"hello")),
            frame(0, b"plain"),
            frame(1, &pack(b"")),
        ];
        let mut reader = reader(100, "gzip").unwrap();
        for chunk in parts.concat().chunks(3) {
            reader.push(Bytes::copy_from_slice(chunk));
        }
        for expected in ["hello", "plain", ""] {
            assert_eq!(reader.next_message().unwrap().unwrap(), expected);
        }
        assert_eq!(reader.next_message(), Ok(None));
        reader.finish().unwrap();
    }

    #[test]
    fn members_one_after_another_are_one_message() {
        let two = [pack(b"a"), pack(b"b")].concat();
        assert_eq!(read(100, frame(1, &two)).unwrap().unwrap(), "ab");
    }

    #[test]
    fn the_limit_counts_after_unpacking() {
        let exact = pack(&[7; 1000]);
        assert_eq!(read(1000, frame(1, &exact)).unwrap().unwrap().len(), 1000);
        let error = read(999, frame(1, &exact)).unwrap_err();
        assert_eq!(error, ReadError::TooLargeUnpacked { limit: 999 });
        assert_eq!(error.status().code, Code::ResourceExhausted);
    }

    #[test]
    fn a_bomb_is_refused_without_being_unpacked() {
        let bomb = pack(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        let error = read(100_000, frame(1, &bomb)).unwrap_err();
        assert_eq!(
            error.status(),
            Status::new(
                Code::ResourceExhausted,
                "grpc: received message after decompression larger than max 100000"
            )
        );
    }

    #[test]
    fn what_is_no_gzip_is_refused() {
        let mut cut = pack(b"hello");
        cut.truncate(cut.len() - 9);
        let mut spoilt = pack(b"hello");
        *spoilt.last_mut().unwrap() ^= 1;
        for bad in [&b"hello"[..], b"", &cut, &spoilt] {
            let error = read(100, frame(1, bad)).unwrap_err();
            assert!(matches!(error, ReadError::Corrupt(_)), "{bad:?}: {error}");
            assert_eq!(error.status().code, Code::Internal);
        }
    }

    #[test]
    fn the_flag_without_an_encoding_is_refused() {
        for encoding in ["", "identity"] {
            let mut reader = reader(100, encoding).unwrap();
            reader.push(frame(1, &pack(b"x")));
            assert_eq!(reader.next_message(), Err(ReadError::Compressed));
        }
    }

    #[test]
    fn other_encodings_are_not_installed() {
        for name in ["snappy", "GZIP", "gzip, identity"] {
            assert_eq!(
                reader(100, name).unwrap_err(),
                Status::new(
                    Code::Unimplemented,
                    format!("grpc: Decompressor is not installed for grpc-encoding \"{name}\"")
                )
            );
        }
    }
}
