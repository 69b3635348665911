//! The exact shape of a workload certificate: empty subject, hence a critical
//! SAN with one URI, behind DNS names where there are any; digitalSignature;
//! serverAuth and clientAuth; no basic constraints. Mirrors Dapr 1.18
//! pkg/sentry/server/ca/bundle/cert.go.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustls_pki_types::SubjectPublicKeyInfoDer;

use super::der::{
    BIT_STRING, BOOLEAN, GENERALIZED_TIME, INTEGER, OBJECT_ID, OCTET_STRING, SEQUENCE, UTC_TIME,
    element,
};

const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 1.3.6.1.4.1.57683.100.1, Dapr's list of the images in the pod.
const CONTAINER_IMAGES: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xc2, 0x53, 0x64, 0x01];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
/// Bit 0, digitalSignature, and how many bits of the byte are unused.
const DIGITAL_SIGNATURE: &[u8] = &[7, 0x80];
/// X.509 version 3.
const VERSION: &[u8] = &[2];
const TRUE: &[u8] = &[0xff];

/// What differs between two leaves.
pub(super) struct Leaf<'a> {
    /// Positive, without leading zeros.
    pub(super) serial: &'a [u8],
    /// Content of the signature's `AlgorithmIdentifier`.
    pub(super) algorithm: &'a [u8],
    /// The issuer's subject as DER.
    pub(super) issuer: &'a [u8],
    pub(super) issuer_key_id: Option<&'a [u8]>,
    /// Seconds since the epoch.
    pub(super) not_before: i64,
    /// Seconds since the epoch.
    pub(super) not_after: i64,
    pub(super) public_key: &'a SubjectPublicKeyInfoDer<'a>,
    pub(super) uri: &'a str,
    pub(super) dns_names: &'a [String],
    /// JSON for the extension that names the pod's images.
    pub(super) images: Option<&'a [u8]>,
}

impl Leaf<'_> {
    /// What is to be signed; `None` for times outside the calendar.
    pub(super) fn to_be_signed(&self) -> Option<Vec<u8>> {
        let validity = element(SEQUENCE, &[&time(self.not_before)?, &time(self.not_after)?]);
        Some(element(
            SEQUENCE,
            &[
                &element(0xa0, &[&element(INTEGER, &[VERSION])]),
                &element(INTEGER, &[self.serial]),
                &element(SEQUENCE, &[self.algorithm]),
                self.issuer,
                &validity,
                // The subject: empty.
                &element(SEQUENCE, &[]),
                self.public_key,
                &element(0xa3, &[&self.extensions()]),
            ],
        ))
    }

    fn extensions(&self) -> Vec<u8> {
        let usages = element(
            SEQUENCE,
            &[
                &element(OBJECT_ID, &[SERVER_AUTH]),
                &element(OBJECT_ID, &[CLIENT_AUTH]),
            ],
        );
        let authority = self.issuer_key_id.map(|id| {
            let id = element(SEQUENCE, &[&element(0x80, &[id])]);
            extension(AUTHORITY_KEY_ID, false, &id)
        });
        // [2] is dNSName, [6] uniformResourceIdentifier; Go writes them in this order.
        let mut names: Vec<u8> = Vec::new();
        for name in self.dns_names {
            names.extend(element(0x82, &[name.as_bytes()]));
        }
        names.extend(element(0x86, &[self.uri.as_bytes()]));
        let names = element(SEQUENCE, &[&names]);
        let images = self
            .images
            .map(|json| extension(CONTAINER_IMAGES, false, &element(OCTET_STRING, &[json])));
        element(
            SEQUENCE,
            &[
                &extension(KEY_USAGE, true, &element(BIT_STRING, &[DIGITAL_SIGNATURE])),
                &extension(EXTENDED_KEY_USAGE, false, &usages),
                &authority.unwrap_or_default(),
                &extension(SUBJECT_ALT_NAME, true, &names),
                &images.unwrap_or_default(),
            ],
        )
    }
}

/// A signed structure of its three parts.
pub(super) fn assemble(to_be_signed: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    element(
        SEQUENCE,
        &[
            to_be_signed,
            &element(SEQUENCE, &[algorithm]),
            &element(BIT_STRING, &[&[0], signature]),
        ],
    )
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical {
        element(BOOLEAN, &[TRUE])
    } else {
        Vec::new()
    };
    element(
        SEQUENCE,
        &[
            &element(OBJECT_ID, &[id]),
            &critical,
            &element(OCTET_STRING, &[value]),
        ],
    )
}

/// RFC 5280: two-digit years until 2049, four digits from then on.
fn time(seconds: i64) -> Option<Vec<u8>> {
    let time = Timestamp::from_second(seconds)
        .ok()?
        .to_zoned(TimeZone::UTC);
    let (tag, format) = if (1950..2050).contains(&time.year()) {
        (UTC_TIME, "%y%m%d%H%M%SZ")
    } else {
        (GENERALIZED_TIME, "%Y%m%d%H%M%SZ")
    };
    let mut text = String::with_capacity(15);
    write!(text, "{}", time.strftime(format)).ok()?;
    Some(element(tag, &[text.as_bytes()]))
}
