//! Why a call to the API server failed, and what that means for whoever asked.

use control_plane::error_chain;

use super::BUDGET;

/// A call without the answer that was hoped for.
#[derive(Debug, thiserror::Error)]
pub(in crate::sentry) enum CallError {
    /// The API server says no.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
    /// No answer in time.
    #[error("no answer from the API server within {} seconds", BUDGET.as_secs())]
    Timeout,
    /// No connection, or one that broke.
    #[error("{}", error_chain(.0))]
    Connection(kube::Error),
    /// An answer of another form.
    #[error("failed to parse the answer of the API server: {0}")]
    Parse(#[from] serde_json::Error),
    /// A request that cannot be written.
    #[error("failed to build the request: {0}")]
    Build(#[from] http::Error),
}

// === impl CallError ===

impl CallError {
    /// There is no such object, or no such kind.
    pub(in crate::sentry) const fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// The object changed since it was read.
    pub(in crate::sentry) const fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { code: 409, .. })
    }

    /// The API server did not decide: it is away, or too busy.
    pub(in crate::sentry) const fn is_undecided(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code == 429 || *code >= 500,
            Self::Timeout | Self::Connection(_) => true,
            Self::Parse(_) | Self::Build(_) => false,
        }
    }

    /// Grants may arrive a moment after the pod they are for.
    pub(super) const fn is_forbidden(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: 401 | 403,
                ..
            }
        )
    }
}

impl From<kube::Error> for CallError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused {
                code: status.code,
                message: status.message,
            },
            other => Self::Connection(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_told_from_silence() {
        let refused = |code| CallError::Refused {
            code,
            message: "x".into(),
        };
        for (error, undecided) in [
            (refused(403), false),
            (refused(404), false),
            (refused(409), false),
            (refused(422), false),
            (refused(429), true),
            (refused(500), true),
            (refused(503), true),
            (CallError::Timeout, true),
        ] {
            assert_eq!(error.is_undecided(), undecided, "{error:?}");
        }
        assert!(refused(404).is_missing() && refused(409).is_conflict());
    }
}
