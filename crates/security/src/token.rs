//! The token that proves to sentry who asks. Looked up again for every
//! request, because projected tokens are replaced while a pod lives.

use std::io;
use std::path::{Path, PathBuf};

use api::sentry::v1::sign_certificate_request::TokenValidator;

/// Where a pod finds its token: the projected one, else that of its service
/// account, as in older clusters.
pub const POD_TOKENS: [&str; 2] = [
    "/var/run/secrets/dapr.io/sentrytoken/token",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
];

/// Where the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On a machine, without a cluster.
    Standalone,
    /// In a pod.
    Kubernetes,
}

/// Where tokens come from.
#[derive(Clone, Debug)]
pub struct TokenSource {
    /// Decides about the pod's own tokens and about the validator.
    pub mode: Mode,
    /// Value of `DAPR_SENTRY_TOKEN_FILE`; `None` when unset, empty is an error.
    pub file: Option<PathBuf>,
}

/// Why there is no token although one was promised.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// `DAPR_SENTRY_TOKEN_FILE` is set to nothing.
    #[error("environment variable DAPR_SENTRY_TOKEN_FILE is set but empty")]
    EmptyPath,
    /// The file cannot be read.
    #[error("failed to read token file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has no content.
    #[error("token file {0} is empty")]
    EmptyFile(PathBuf),
}

impl TokenSource {
    /// The token exactly as in its file, and the validator to name with it.
    ///
    /// # Errors
    /// The named file is unreadable, empty, or its name is.
    pub(crate) fn read(&self) -> Result<(String, TokenValidator), TokenError> {
        let Some(path) = &self.file else {
            return match self.mode {
                Mode::Standalone => Ok((String::new(), TokenValidator::Unknown)),
                Mode::Kubernetes => pod_token(),
            };
        };
        if path.as_os_str().is_empty() {
            return Err(TokenError::EmptyPath);
        }
        let token = read(path).map_err(|source| TokenError::Read {
            path: path.clone(),
            source,
        })?;
        if token.is_empty() {
            return Err(TokenError::EmptyFile(path.clone()));
        }
        let validator = match self.mode {
            Mode::Standalone => TokenValidator::Jwks,
            Mode::Kubernetes => TokenValidator::Kubernetes,
        };
        Ok((token, validator))
    }
}

/// The first of [`POD_TOKENS`], else none: then the authority's default
/// validator decides.
fn pod_token() -> Result<(String, TokenValidator), TokenError> {
    for path in POD_TOKENS {
        match read(Path::new(path)) {
            Ok(token) => return Ok((token, TokenValidator::Kubernetes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(TokenError::Read {
                    path: path.into(),
                    source,
                });
            }
        }
    }
    Ok((String::new(), TokenValidator::Unknown))
}

fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_named_file_is_sent_verbatim_and_names_its_validator() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"token\n").unwrap();
        for (mode, validator) in [
            (Mode::Standalone, TokenValidator::Jwks),
            (Mode::Kubernetes, TokenValidator::Kubernetes),
        ] {
            let source = TokenSource {
                mode,
                file: Some(file.path().to_owned()),
            };
            assert_eq!(source.read().unwrap(), ("token\n".to_owned(), validator));
        }
    }

    #[test]
    fn a_promised_but_missing_token_is_an_error() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        for (path, text) in [
            (PathBuf::new(), "set but empty"),
            (PathBuf::from("/nonexistent/token"), "failed to read"),
            (empty.path().to_owned(), "is empty"),
        ] {
            let source = TokenSource {
                mode: Mode::Standalone,
                file: Some(path),
            };
            assert!(source.read().unwrap_err().to_string().contains(text));
        }
    }

    #[test]
    fn standalone_without_file_sends_no_token() {
        let source = TokenSource {
            mode: Mode::Standalone,
            file: None,
        };
        assert_eq!(
            source.read().unwrap(),
            (String::new(), TokenValidator::Unknown)
        );
    }
}
