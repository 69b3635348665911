//! SPIFFE ids: `spiffe://<trust domain>/<path>`, and the app identity that a
//! path `/ns/<namespace>/<app id>` names. Grammar and error texts are those of
//! go-spiffe, which every peer uses.

use std::fmt;
use std::str::FromStr;

const SCHEME: &str = "spiffe://";

/// The authority of a SPIFFE id: `[a-z0-9._-]+`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrustDomain(Box<str>);

/// A valid SPIFFE id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    text: Box<str>,
    /// Where the path begins in `text`.
    path: usize,
}

/// The parts of who an app is, read from its SPIFFE id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppIdentity {
    /// Who vouches for the app.
    pub trust_domain: TrustDomain,
    /// Where the app runs.
    pub namespace: String,
    /// The name it is called by.
    pub app_id: String,
}

/// Why a text is not a SPIFFE id; the wording is go-spiffe's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeIdError {
    /// Nothing given.
    #[error("cannot be empty")]
    Empty,
    /// Does not begin with `spiffe://`.
    #[error("scheme is missing or invalid")]
    Scheme,
    /// Nothing between scheme and path.
    #[error("trust domain is missing")]
    MissingTrustDomain,
    /// A character outside `[a-z0-9._-]`.
    #[error(
        "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"
    )]
    TrustDomainCharacter,
    /// A character outside `[A-Za-z0-9._-]`.
    #[error(
        "path segment characters are limited to letters, numbers, dots, dashes, and underscores"
    )]
    PathCharacter,
    /// `.` or `..` as a segment.
    #[error("path cannot contain dot segments")]
    DotSegment,
    /// Two slashes in a row.
    #[error("path cannot contain empty segments")]
    EmptySegment,
    /// A slash at the end.
    #[error("path cannot have a trailing slash")]
    TrailingSlash,
}

/// A SPIFFE id whose path is not `/ns/<namespace>/<app id>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed SPIFFE ID: {0}")]
pub struct MalformedIdentity(pub String);

// === impl TrustDomain ===

impl TrustDomain {
    /// The trust domain of apps unless their Configuration sets another.
    pub fn public() -> Self {
        Self("public".into())
    }

    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = SpiffeIdError;

    /// Accepts a bare name, or a whole SPIFFE id of which the domain is taken.
    ///
    /// # Errors
    /// Empty, or a character that is not allowed.
    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        if text.is_empty() {
            return Err(SpiffeIdError::MissingTrustDomain);
        }
        if text.contains(":/") {
            return Ok(text.parse::<SpiffeId>()?.trust_domain());
        }
        if !text.bytes().all(is_trust_domain_byte) {
            return Err(SpiffeIdError::TrustDomainCharacter);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl SpiffeId ===

impl SpiffeId {
    /// The id of an app or control-plane service:
    /// `spiffe://<trust domain>/ns/<namespace>/<app id>`.
    ///
    /// # Errors
    /// Namespace or app id is empty, a dot segment, or has other characters
    /// than `[A-Za-z0-9._-]`.
    pub fn workload(
        trust_domain: &TrustDomain,
        namespace: &str,
        app_id: &str,
    ) -> Result<Self, SpiffeIdError> {
        check_segment(namespace)?;
        check_segment(app_id)?;
        let path = SCHEME.len() + trust_domain.0.len();
        let text = format!("{SCHEME}{trust_domain}/ns/{namespace}/{app_id}").into();
        Ok(Self { text, path })
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path with its leading slash; empty when the id names a domain only.
    pub fn path(&self) -> &str {
        self.text.get(self.path..).unwrap_or_default()
    }

    /// The authority.
    pub fn trust_domain(&self) -> TrustDomain {
        TrustDomain(
            self.text
                .get(SCHEME.len()..self.path)
                .unwrap_or_default()
                .into(),
        )
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        if text.is_empty() {
            return Err(SpiffeIdError::Empty);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let domain = rest.split('/').next().unwrap_or_default();
        if !domain.bytes().all(is_trust_domain_byte) {
            return Err(SpiffeIdError::TrustDomainCharacter);
        }
        if domain.is_empty() {
            return Err(SpiffeIdError::MissingTrustDomain);
        }
        let id = Self {
            path: SCHEME.len() + domain.len(),
            text: text.into(),
        };
        check_path(id.path())?;
        Ok(id)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// === impl AppIdentity ===

impl TryFrom<&SpiffeId> for AppIdentity {
    type Error = MalformedIdentity;

    /// Reads `/ns/<namespace>/<app id>`; further segments are tolerated.
    fn try_from(id: &SpiffeId) -> Result<Self, MalformedIdentity> {
        let mut parts = id.path().split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(""), Some("ns"), Some(namespace), Some(app_id))
                if !namespace.is_empty() && !app_id.is_empty() =>
            {
                Ok(Self {
                    trust_domain: id.trust_domain(),
                    namespace: namespace.to_owned(),
                    app_id: app_id.to_owned(),
                })
            }
            _ => Err(MalformedIdentity(id.to_string())),
        }
    }
}

impl fmt::Display for AppIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trust_domain,
            namespace,
            app_id,
        } = self;
        write!(f, "{SCHEME}{trust_domain}/ns/{namespace}/{app_id}")
    }
}

fn is_trust_domain_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
}

fn check_path(path: &str) -> Result<(), SpiffeIdError> {
    let Some(segments) = path.strip_prefix('/') else {
        return Ok(());
    };
    if segments.is_empty() || segments.ends_with('/') {
        return Err(SpiffeIdError::TrailingSlash);
    }
    segments.split('/').try_for_each(check_segment)
}

fn check_segment(segment: &str) -> Result<(), SpiffeIdError> {
    match segment {
        "" => Err(SpiffeIdError::EmptySegment),
        "." | ".." => Err(SpiffeIdError::DotSegment),
        _ if segment
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) =>
        {
            Ok(())
        }
        _ => Err(SpiffeIdError::PathCharacter),
    }
}

#[cfg(test)]
mod tests;
