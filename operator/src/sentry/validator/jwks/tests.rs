use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lifecycle::health::Health;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    PublicKeyData as _, RsaKeySize,
};
use serde_json::{Value, json};

use super::*;
use crate::sentry::der;

const SENTRY: &str = "spiffe://cp.local/ns/default/dapr-sentry";
const APP: &str = "spiffe://public/ns/default/app";

/// An issuer's key pair.
struct Issuer {
    signing: EncodingKey,
    /// Without `kid` and `alg`.
    public: Value,
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm.family() {
            jsonwebtoken::AlgorithmFamily::Rsa => Self::rsa(),
            jsonwebtoken::AlgorithmFamily::Ed => Self::ed25519(),
            _ => Self::elliptic(algorithm),
        }
    }

    fn ed25519() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Self {
            signing: EncodingKey::from_ed_der(&pair.serialize_der()),
            public: json!({
                "kty": "OKP", "crv": "Ed25519", "x": base64url(pair.der_bytes()),
            }),
        }
    }

    fn elliptic(algorithm: Algorithm) -> Self {
        let (curve, name) = match algorithm {
            Algorithm::ES256 => (&PKCS_ECDSA_P256_SHA256, "P-256"),
            _ => (&PKCS_ECDSA_P384_SHA384, "P-384"),
        };
        let pair = KeyPair::generate_for(curve).unwrap();
        let (x, y) = pair.der_bytes()[1..].split_at((pair.der_bytes().len() - 1) / 2);
        Self {
            signing: EncodingKey::from_ec_der(&pair.serialize_der()),
            public: json!({
                "kty": "EC", "crv": name, "x": base64url(x), "y": base64url(y),
            }),
        }
    }

    fn rsa() -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let pkcs8 = pair.serialize_der();
        let (outer, _) = der::read(&pkcs8).unwrap();
        let (_version, rest) = der::read(outer.content).unwrap();
        let (_algorithm, rest) = der::read(rest).unwrap();
        let (pkcs1, _) = der::read(rest).unwrap();
        let (public, _) = der::read(pair.der_bytes()).unwrap();
        let (modulus, rest) = der::read(public.content).unwrap();
        let (exponent, _) = der::read(rest).unwrap();
        Self {
            signing: EncodingKey::from_rsa_der(pkcs1.content),
            public: json!({
                "kty": "RSA",
                // DER puts a zero in front of a number that looks negative.
                "n": base64url(&modulus.content[1..]),
                "e": base64url(exponent.content),
            }),
        }
    }

    /// The public key as an entry of a set.
    fn named(&self, id: &str) -> Value {
        self.with(json!({ "kid": id }))
    }

    fn with(&self, more: Value) -> Value {
        let mut key = self.public.clone();
        let Value::Object(more) = more else {
            panic!("expected an object");
        };
        key.as_object_mut().unwrap().extend(more);
        key
    }

    fn sign(&self, algorithm: Algorithm, id: &str, claims: &Value) -> String {
        let header = Header {
            kid: Some(id.to_owned()),
            ..Header::new(algorithm)
        };
        jsonwebtoken::encode(&header, claims, &self.signing).unwrap()
    }
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn in_seconds(offset: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + offset
}

/// Claims of a good token.
fn claims() -> Value {
    json!({ "sub": APP, "aud": [SENTRY, "other"], "exp": in_seconds(60), "nbf": in_seconds(-60) })
}

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

/// What sentry says to the token.
fn judge(token: &str, keys: &KeySet) -> Result<(), String> {
    Token::parse(token)
        .and_then(|token| token.verify(keys, &id(SENTRY), &id(APP)))
        .map_err(|invalid| invalid.to_string())
}

#[test]
fn keys_of_every_kind_verify_with_the_algorithms_of_their_kind() {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    for algorithms in [
        &[RS256, RS384, RS512, PS256, PS384, PS512][..],
        &[ES256],
        &[ES384],
        &[EdDSA],
    ] {
        let issuer = Issuer::new(algorithms[0]);
        let inferred = set(&[issuer.named("a")]);
        for algorithm in algorithms {
            let token = issuer.sign(*algorithm, "a", &claims());
            assert_eq!(judge(&token, &inferred), Ok(()), "{algorithm:?}");
            let named = set(&[issuer.with(json!({ "kid": "a", "alg": algorithm, "use": "sig" }))]);
            assert_eq!(judge(&token, &named), Ok(()), "{algorithm:?}");
        }
    }
}

#[test]
fn the_key_decides_about_the_algorithm() {
    use Algorithm::{ES256, HS256, RS256, RS384};
    let issuer = Issuer::rsa();
    let refused = "could not verify message: key \"a\" is not for the token's algorithm";
    let only_rs256 = set(&[issuer.with(json!({ "kid": "a", "alg": "RS256" }))]);
    let token = issuer.sign(RS384, "a", &claims());
    assert_eq!(judge(&token, &only_rs256).unwrap_err(), refused);

    // The public key as the secret of a symmetric algorithm.
    let modulus = issuer.public["n"].as_str().unwrap();
    let secrets = [
        modulus.as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(modulus).unwrap(),
        issuer.public.to_string().into_bytes(),
    ];
    for secret in secrets {
        let forger = Issuer {
            signing: EncodingKey::from_secret(&secret),
            public: Value::Null,
        };
        let token = forger.sign(HS256, "a", &claims());
        assert_eq!(
            judge(&token, &set(&[issuer.named("a")])).unwrap_err(),
            refused
        );
    }

    // Another kind of key under the same name.
    let other = Issuer::new(ES256);
    let token = other.sign(ES256, "a", &claims());
    assert_eq!(judge(&token, &only_rs256).unwrap_err(), refused);
    let both = set(&[issuer.named("a"), other.named("a")]);
    assert_eq!(judge(&token, &both), Ok(()));
    assert_eq!(judge(&issuer.sign(RS256, "a", &claims()), &both), Ok(()));

    // No signature at all.
    let part = |value: Value| base64url(value.to_string().as_bytes());
    for algorithm in ["none", "None", "ES512", "HS256 "] {
        let header = part(json!({ "alg": algorithm, "kid": "a", "typ": "JWT" }));
        let token = format!("{header}.{}.", part(claims()));
        let text = judge(&token, &only_rs256).unwrap_err();
        assert!(
            text.starts_with("could not verify message: not a signed JWT: "),
            "{algorithm}: {text}"
        );
    }
}

#[test]
fn every_claim_is_checked() {
    let issuer = Issuer::ed25519();
    let keys = set(&[issuer.named("a")]);
    let aud = format!("\"aud\" not satisfied: must contain {SENTRY}");
    let sub = format!("\"sub\" not satisfied: must be {APP}");
    let exp = "\"exp\" not satisfied: the token has expired".to_owned();
    let nbf = "\"nbf\" not satisfied: the token is not valid yet".to_owned();
    let payload =
        "could not verify message: not a signed JWT: the payload is not JSON of the expected form"
            .to_owned();
    let form = |claim: &str| format!("\"{claim}\" not satisfied: not of the expected form");
    let rows = [
        ("exp", json!(in_seconds(-290)), None),
        ("exp", json!(in_seconds(-310)), Some(&exp)),
        ("exp", json!(0), Some(&exp)),
        ("exp", json!("9999999999"), Some(&form("exp"))),
        ("exp", json!(-1), Some(&form("exp"))),
        ("nbf", json!(in_seconds(290)), None),
        ("nbf", json!(in_seconds(310)), Some(&nbf)),
        ("nbf", json!("0"), Some(&form("nbf"))),
        ("aud", json!(SENTRY), None),
        (
            "aud",
            json!("spiffe://cp.local/ns/other/dapr-sentry"),
            Some(&aud),
        ),
        ("aud", json!([]), Some(&aud)),
        ("aud", json!([1]), Some(&aud)),
        ("aud", Value::Null, Some(&aud)),
        ("sub", json!("spiffe://public/ns/default/other"), Some(&sub)),
        ("sub", json!("spiffe://public/ns/default/app/"), Some(&sub)),
        ("sub", json!(""), Some(&sub)),
        ("sub", json!([APP]), Some(&payload)),
        ("sub", Value::Null, Some(&sub)),
        ("jti", json!("1"), None),
    ]
    .map(|(claim, value, refusal)| (claim, value, refusal.cloned()));
    for (claim, value, refusal) in rows {
        let mut claims = claims();
        claims[claim] = value.clone();
        let token = issuer.sign(Algorithm::EdDSA, "a", &claims);
        assert_eq!(judge(&token, &keys).err(), refusal, "{claim}: {value}");
    }
    for (claim, refusal) in [
        ("exp", None),
        ("nbf", None),
        ("aud", Some(aud)),
        ("sub", Some(sub)),
    ] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        let token = issuer.sign(Algorithm::EdDSA, "a", &claims);
        assert_eq!(judge(&token, &keys).err(), refusal, "no {claim}");
    }
}

#[test]
fn only_a_known_key_signs() {
    let (issuer, other) = (Issuer::ed25519(), Issuer::ed25519());
    let keys = set(&[issuer.named("a")]);
    let token = issuer.sign(Algorithm::EdDSA, "a", &claims());
    assert_eq!(judge(&format!(" {token}\n"), &keys), Ok(()));

    let forged = other.sign(Algorithm::EdDSA, "a", &claims());
    let not_signed = "could not verify message: the signature is not of key \"a\"";
    assert_eq!(judge(&forged, &keys).unwrap_err(), not_signed);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let claims = base64url(self::claims().to_string().as_bytes());
    let altered = format!("{header}.{}.{signature}", claims.replace('A', "B"));
    assert_eq!(judge(&altered, &keys).unwrap_err(), not_signed);
    assert_eq!(
        judge(&format!("{message}."), &keys).unwrap_err(),
        not_signed
    );

    let unknown = issuer.sign(Algorithm::EdDSA, &"b".repeat(1000), &self::claims());
    let text = format!(
        "could not verify message: no key with ID \"{}\" in the key set",
        "b".repeat(64)
    );
    assert_eq!(judge(&unknown, &keys).unwrap_err(), text);

    let sign = |header: &Header| jsonwebtoken::encode(header, &self::claims(), &issuer.signing);
    let nameless = Header::new(Algorithm::EdDSA);
    assert_eq!(
        judge(&sign(&nameless).unwrap(), &keys).unwrap_err(),
        "could not verify message: no key ID (\"kid\") specified in token"
    );
    let extended = Header {
        kid: Some("a".to_owned()),
        crit: Some(vec!["b64".to_owned()]),
        ..Header::new(Algorithm::EdDSA)
    };
    assert_eq!(
        judge(&sign(&extended).unwrap(), &keys).unwrap_err(),
        "could not verify message: unknown extensions (\"crit\") in token"
    );
    for text in [
        "token",
        "a.b",
        "a.b.c.d",
        "..",
        "e30.e30.e30",
        "!.!.!",
        "\u{e4}.e30.e30",
    ] {
        let error = judge(text, &keys).unwrap_err();
        assert!(
            error.starts_with("could not verify message: not a signed JWT: "),
            "{text}: {error}"
        );
        assert!(!error.contains(text), "{error}");
    }
}

#[test]
fn a_set_keeps_what_can_verify_and_names_the_rest() {
    let (rsa, elliptic) = (Issuer::rsa(), Issuer::new(Algorithm::ES256));
    let short = base64url(&[0xff; 128]);
    let zeros = base64url(&[&[0; 200][..], &[0xff; 128]].concat());
    let keys = set(&[
        rsa.named("good"),
        elliptic.with(json!({ "kid": "also good", "key_ops": ["verify"], "x5c": ["…"] })),
        rsa.with(json!({ "kid": "encrypts", "use": "enc" })),
        rsa.with(json!({ "kid": "wraps", "key_ops": ["wrapKey"] })),
        rsa.with(json!({ "kid": "oaep", "alg": "RSA-OAEP" })),
        rsa.with(json!({ "kid": "confused", "alg": "ES256" })),
        rsa.with(json!({ "kid": "symmetric alg", "alg": "HS256" })),
        rsa.public.clone(),
        rsa.with(json!({ "kid": "short", "n": short })),
        rsa.with(json!({ "kid": "zeros", "n": zeros })),
        rsa.with(json!({ "kid": "text", "n": "?" })),
        elliptic.with(json!({ "kid": "521", "crv": "P-521" })),
        json!({ "kty": "oct", "kid": "secret", "k": "AAAA" }),
        json!({ "kty": "AKP", "kid": "later", "pub": "AAAA" }),
        json!({ "kid": "nothing" }),
        json!(1),
    ]);
    assert_eq!(keys.ids().collect::<Vec<_>>(), ["good", "also good"]);
    let unfit = "has an \"alg\" that does not fit its type or is not supported";
    let rsa_size = "is an RSA key of 1024 bits, must have 2048 to 8192";
    assert_eq!(
        keys.skipped(),
        [
            &format!("key \"oaep\" {unfit}"),
            &format!("key \"confused\" {unfit}"),
            &format!("key \"symmetric alg\" {unfit}"),
            "key 7 has no \"kid\"",
            &format!("key \"short\" {rsa_size}"),
            &format!("key \"zeros\" {rsa_size}"),
            "key \"text\" is malformed",
            "key \"521\" is of an unknown type or curve",
            "key \"secret\" is symmetric",
            "key \"later\" is of an unknown type or curve",
            "key \"nothing\" is of an unknown type or curve",
            "key 15 is malformed",
        ]
    );
    let single = KeySet::parse(rsa.named("one").to_string().as_bytes()).unwrap();
    assert_eq!(single.ids().collect::<Vec<_>>(), ["one"]);
    for text in ["", "{", "[]", "{}", "1", "null", r#"{"keys": {}}"#] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_the_identity_it_names_and_no_other() {
    let issuer = Issuer::ed25519();
    let health = Health::default();
    let source = Source::Inline(set(&[issuer.named("a")]));
    let jwks = Jwks::start(source, id(SENTRY), health.target("jwks"));
    assert!(health.is_ready());
    let request = |trust_domain: &str, namespace: &str, id: &str, subject: &str| {
        let mut claims = claims();
        claims["sub"] = json!(subject);
        let request = SignCertificateRequest {
            id: id.to_owned(),
            namespace: namespace.to_owned(),
            token: issuer.sign(Algorithm::EdDSA, "a", &claims),
            ..SignCertificateRequest::default()
        };
        (request, trust_domain.parse::<TrustDomain>().unwrap())
    };
    for (trust_domain, namespace, id) in [
        ("public", "default", "app"),
        ("other.domain", "default", "app"),
        ("public", "north", "app"),
    ] {
        let subject = format!("spiffe://{trust_domain}/ns/{namespace}/{id}");
        let (asked, domain) = request(trust_domain, namespace, id, &subject);
        assert_eq!(jwks.validate(&asked, domain.clone()).await.unwrap(), domain);
        if subject != APP {
            let (asked, domain) = request(trust_domain, namespace, id, APP);
            let refusal = jwks.validate(&asked, domain).await.unwrap_err();
            let text = format!("token validation failed: \"sub\" not satisfied: must be {subject}");
            assert_eq!(refusal.to_string(), text);
            assert!(!refusal.is_undecided());
        }
    }
    let (mut asked, domain) = request("public", "default", "app", APP);
    asked.token.clear();
    assert_eq!(
        jwks.validate(&asked, domain.clone())
            .await
            .unwrap_err()
            .to_string(),
        "the request does not contain a token"
    );
    for (id, text) in [
        (
            "dapr-sentry",
            "control plane identity 'dapr-sentry' is not issued for the token of an app",
        ),
        ("a/b", "invalid request: path segment characters"),
    ] {
        let subject = format!("spiffe://public/ns/default/{id}");
        let (asked, domain) = request("public", "default", id, &subject);
        let refusal = jwks.validate(&asked, domain).await.unwrap_err().to_string();
        assert!(refusal.starts_with(text), "{refusal}");
    }
}
