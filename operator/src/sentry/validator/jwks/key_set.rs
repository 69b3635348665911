//! A JSON Web Key Set (RFC 7517): the public keys that tokens may be signed
//! with. Only asymmetric keys that can verify a signature are kept; what else
//! a set holds is named, so that its owner learns of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse, RSAKeyParameters,
};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;

/// Smaller RSA keys are refused, as everywhere in this program.
const MIN_RSA_BITS: usize = 2048;
/// The verifier takes no larger ones.
const MAX_RSA_BITS: usize = 8192;

/// The keys of a set that are used.
pub(in crate::sentry) struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<String>,
}

/// A public key and what it may verify.
pub(super) struct Key {
    id: String,
    pub(super) verifying: DecodingKey,
    /// Its own `alg`, else all that fit its kind.
    pub(super) algorithms: Vec<Algorithm>,
}

/// Why a text is not a key set.
#[derive(Debug, thiserror::Error)]
pub(in crate::sentry) enum KeySetError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another form.
    #[error("not a JSON Web Key Set: expected an object with an array named \"keys\"")]
    Form,
}

/// Why a key is not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unusable {
    /// Keys of other uses are common, and nobody's mistake.
    #[error("not for signatures")]
    OtherUse,
    #[error("has no \"kid\"")]
    NoId,
    #[error("is symmetric")]
    Symmetric,
    #[error("is of an unknown type or curve")]
    UnknownType,
    #[error("has an \"alg\" that does not fit its type or is not supported")]
    Algorithm,
    #[error("is an RSA key of {0} bits, must have {MIN_RSA_BITS} to {MAX_RSA_BITS}")]
    Size(usize),
    #[error("is malformed")]
    Malformed,
}

// === impl KeySet ===

impl KeySet {
    /// Reads a set, or a single key.
    ///
    /// # Errors
    /// It is not JSON, or JSON of another form. Keys that cannot be used are
    /// no error.
    pub(in crate::sentry) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let document: Value = serde_json::from_slice(json)?;
        let entries = match document {
            Value::Object(mut set) => match set.remove("keys") {
                Some(Value::Array(keys)) => keys,
                None if set.contains_key("kty") => vec![Value::Object(set)],
                _ => return Err(KeySetError::Form),
            },
            _ => return Err(KeySetError::Form),
        };
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, entry) in entries.into_iter().enumerate() {
            let id = entry.get("kid").and_then(Value::as_str);
            let name = id.map_or_else(|| format!("key {index}"), |id| format!("key {id:?}"));
            match Key::new(entry) {
                Ok(key) => keys.push(key),
                Err(Unusable::OtherUse) => {}
                Err(reason) => skipped.push(format!("{name} {reason}")),
            }
        }
        Ok(Self { keys, skipped })
    }

    /// Whether a token could be verified at all.
    pub(in crate::sentry) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What the set holds beside usable keys, and why it is left out.
    pub(in crate::sentry) fn skipped(&self) -> &[String] {
        &self.skipped
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        self.named(id).next().is_some()
    }

    /// Usually one; keys of different kinds may share an id.
    pub(super) fn named(&self, id: &str) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.id == id)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ids()).finish()
    }
}

// === impl Key ===

impl Key {
    fn new(entry: Value) -> Result<Self, Unusable> {
        let jwk: Jwk = serde_json::from_value(entry).map_err(|_| Unusable::Malformed)?;
        let common = &jwk.common;
        let operations = common.key_operations.as_deref();
        let verifies = common
            .public_key_use
            .as_ref()
            .is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
            && operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !verifies {
            return Err(Unusable::OtherUse);
        }
        let algorithms = algorithms(&jwk)?;
        let id = common
            .key_id
            .clone()
            .filter(|id| !id.is_empty())
            .ok_or(Unusable::NoId)?;
        let verifying = DecodingKey::from_jwk(&jwk).map_err(|_| Unusable::Malformed)?;
        Ok(Self {
            id,
            verifying,
            algorithms,
        })
    }
}

fn algorithms(jwk: &Jwk) -> Result<Vec<Algorithm>, Unusable> {
    let fitting = match &jwk.algorithm {
        AlgorithmParameters::RSA(parameters) => {
            check_size(parameters)?;
            AlgorithmFamily::Rsa.algorithms()
        }
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return Err(Unusable::UnknownType),
        },
        AlgorithmParameters::OctetKeyPair(parameters) => match parameters.curve {
            EllipticCurve::Ed25519 => AlgorithmFamily::Ed.algorithms(),
            _ => return Err(Unusable::UnknownType),
        },
        AlgorithmParameters::OctetKey(_) => return Err(Unusable::Symmetric),
        _ => return Err(Unusable::UnknownType),
    };
    let Some(named) = jwk.common.key_algorithm else {
        return Ok(fitting.to_vec());
    };
    let named = Algorithm::try_from(named).map_err(|_| Unusable::Algorithm)?;
    if !fitting.contains(&named) {
        return Err(Unusable::Algorithm);
    }
    Ok(vec![named])
}

fn check_size(parameters: &RSAKeyParameters) -> Result<(), Unusable> {
    let modulus = URL_SAFE_NO_PAD
        .decode(&parameters.n)
        .map_err(|_| Unusable::Malformed)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let unused = modulus.get(zeros).map_or(0, |byte| byte.leading_zeros());
    let bits = (modulus.len() - zeros) * 8 - unused as usize;
    if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        Ok(())
    } else {
        Err(Unusable::Size(bits))
    }
}
