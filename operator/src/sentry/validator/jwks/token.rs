//! One token: which key it names, and whether that key, its times, its
//! audience and its subject vouch for the caller.

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Header, Validation};
use security::SpiffeId;
use serde::de::IgnoredAny;

use super::key_set::{Key, KeySet};

/// How far the issuer's clock may be from ours, in seconds.
const SKEW: u64 = 5 * 60;
/// Characters of a key's name that are repeated to the caller.
const SHOWN: usize = 64;

/// A token whose header has been read and nothing of it believed.
pub(super) struct Token<'a> {
    text: &'a str,
    header: Header,
    key_id: String,
}

/// What is wrong with a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::sentry) enum Invalid {
    #[error("could not verify message: not a signed JWT: {0}")]
    Form(String),
    #[error("could not verify message: no key ID (\"kid\") specified in token")]
    NoKeyId,
    #[error("could not verify message: unknown extensions (\"crit\") in token")]
    Extensions,
    #[error("could not verify message: no key with ID {0:?} in the key set")]
    UnknownKey(String),
    #[error("could not verify message: key {0:?} is not for the token's algorithm")]
    Algorithm(String),
    #[error("could not verify message: the signature is not of key {0:?}")]
    Signature(String),
    #[error("\"exp\" not satisfied: the token has expired")]
    Expired,
    #[error("\"nbf\" not satisfied: the token is not valid yet")]
    NotYet,
    #[error("\"aud\" not satisfied: must contain {0}")]
    Audience(SpiffeId),
    #[error("\"sub\" not satisfied: must be {0}")]
    Subject(SpiffeId),
    #[error("{0:?} not satisfied: not of the expected form")]
    Claim(String),
}

// === impl Token ===

impl<'a> Token<'a> {
    /// A line end behind the token is not part of it.
    pub(super) fn parse(text: &'a str) -> Result<Self, Invalid> {
        let text = text.trim_ascii();
        // An algorithm that is not accepted anywhere is not of the expected form.
        let mut header =
            jsonwebtoken::decode_header(text).map_err(|error| form("header", &error))?;
        let key_id = header
            .kid
            .take()
            .filter(|id| !id.is_empty())
            .ok_or(Invalid::NoKeyId)?;
        // RFC 7515 §4.1.11: what must be understood, and is not, is refused.
        if header.crit.is_some() {
            return Err(Invalid::Extensions);
        }
        Ok(Self {
            text,
            header,
            key_id,
        })
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether a key of the set signed it, now is within its time, and it is
    /// about `subject` and for `audience`.
    pub(super) fn verify(
        &self,
        keys: &KeySet,
        audience: &SpiffeId,
        subject: &SpiffeId,
    ) -> Result<(), Invalid> {
        let key = self.key(keys)?;
        let mut validation = Validation::new(self.header.alg);
        validation.leeway = SKEW;
        validation.validate_nbf = true;
        validation.sub = Some(subject.as_str().to_owned());
        validation.set_audience(&[audience.as_str()]);
        // As in Dapr, a token without "exp" has no end.
        validation.set_required_spec_claims(&["aud", "sub"]);
        jsonwebtoken::decode::<IgnoredAny>(self.text, &key.verifying, &validation)
            .map(drop)
            .map_err(|error| self.invalid(&error, audience, subject))
    }

    /// The algorithm is the key's choice; the token merely says which of them
    /// it used.
    fn key<'k>(&self, keys: &'k KeySet) -> Result<&'k Key, Invalid> {
        let mut named = keys.named(&self.key_id).peekable();
        if named.peek().is_none() {
            return Err(Invalid::UnknownKey(self.shown_key_id()));
        }
        named
            .find(|key| key.algorithms.contains(&self.header.alg))
            .ok_or_else(|| Invalid::Algorithm(self.shown_key_id()))
    }

    fn invalid(&self, error: &Error, audience: &SpiffeId, subject: &SpiffeId) -> Invalid {
        let claim = |name: &str| match name {
            "aud" => Invalid::Audience(audience.clone()),
            "sub" => Invalid::Subject(subject.clone()),
            other => Invalid::Claim(other.to_owned()),
        };
        match error.kind() {
            ErrorKind::ExpiredSignature => Invalid::Expired,
            ErrorKind::ImmatureSignature => Invalid::NotYet,
            ErrorKind::InvalidAudience => claim("aud"),
            ErrorKind::InvalidSubject => claim("sub"),
            ErrorKind::MissingRequiredClaim(name) | ErrorKind::InvalidClaimFormat(name) => {
                claim(name)
            }
            ErrorKind::InvalidSignature => Invalid::Signature(self.shown_key_id()),
            _ => form("payload", error),
        }
    }

    fn shown_key_id(&self) -> String {
        self.key_id.chars().take(SHOWN).collect()
    }
}

/// Says what was expected of `part`, never what the token holds.
fn form(part: &str, error: &Error) -> Invalid {
    Invalid::Form(match error.kind() {
        ErrorKind::InvalidToken => "expected three parts with dots between".to_owned(),
        ErrorKind::Base64(_) => format!("the {part} is not in base64url"),
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => {
            format!("the {part} is not JSON of the expected form")
        }
        kind => format!("{kind:?}"),
    })
}
