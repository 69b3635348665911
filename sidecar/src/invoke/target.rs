//! What a caller named.

use super::InvokeError;
use crate::me::Me;

/// A target, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Our own app.
    Local,
    /// An app behind another sidecar.
    App {
        /// App id without its namespace.
        app_id: String,
        /// Its namespace.
        namespace: String,
    },
}

impl Target {
    /// Understands `app`, `app.namespace` and URLs.
    ///
    /// # Errors
    /// More than one dot, nothing at all, or a URL, which this version does
    /// not call.
    pub(crate) fn parse(text: &str, me: &Me) -> Result<Self, InvokeError> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Err(InvokeError::UrlTarget);
        }
        Self::of_app(text, me)
    }

    /// Understands `app` and `app.namespace`.
    ///
    /// # Errors
    /// More than one dot, or nothing at all.
    pub(crate) fn of_app(text: &str, me: &Me) -> Result<Self, InvokeError> {
        let (app_id, namespace) = match text.split_once('.') {
            None => (text, me.namespace.as_str()),
            Some((_, namespace)) if namespace.contains('.') => {
                return Err(InvokeError::InvalidAppId(text.to_owned()));
            }
            Some(parts) => parts,
        };
        if app_id.is_empty() {
            return Err(InvokeError::EmptyAppId);
        }
        if app_id == me.app_id && namespace == me.namespace {
            return Ok(Self::Local);
        }
        Ok(Self::App {
            app_id: app_id.to_owned(),
            namespace: namespace.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_namespaces_and_oneself() {
        let me = Me {
            app_id: "a".to_owned(),
            namespace: "default".to_owned(),
        };
        let app = |app_id: &str, namespace: &str| Target::App {
            app_id: app_id.to_owned(),
            namespace: namespace.to_owned(),
        };
        assert_eq!(Target::parse("a", &me).unwrap(), Target::Local);
        assert_eq!(Target::parse("a.default", &me).unwrap(), Target::Local);
        assert_eq!(Target::parse("a.prod", &me).unwrap(), app("a", "prod"));
        assert_eq!(Target::parse("b", &me).unwrap(), app("b", "default"));
        assert_eq!(
            Target::parse("a.b.c", &me).unwrap_err().to_string(),
            "invalid app id a.b.c"
        );
        assert!(Target::parse(".x", &me).is_err());
        assert!(Target::parse("https://example.com", &me).is_err());
    }
}
