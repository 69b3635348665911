//! Method to request target of the app.

use std::fmt::Write as _;

use http::Uri;
use policy::method::quote;

/// A method that cannot be a URL path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathError {
    /// `%` that begins no escape.
    #[error("parse {}: invalid URL escape {}", quote(.url), quote(.escape))]
    Escape {
        /// The URL it would have become.
        url: String,
        /// The bad escape.
        escape: String,
    },
    /// Something else no request line can carry.
    #[error("parse {}: invalid character in URL", quote(.url))]
    Character {
        /// The URL it would have become.
        url: String,
    },
}

/// The request target for `method` and the raw `query` (empty for none) at
/// `base`, which is scheme, host and port. Escapes the method already carries are kept; what may not stand in a path
/// is encoded.
pub(crate) fn app_uri(base: &str, method: &str, query: &str) -> Result<Uri, PathError> {
    let mut target = String::with_capacity(method.len() + query.len() + 2);
    target.push('/');
    let mut rest = method.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        match byte {
            b'%' => {
                let escape = rest
                    .get(..3)
                    .filter(|escape| escape.iter().skip(1).all(u8::is_ascii_hexdigit));
                if escape.is_none() {
                    let shown = String::from_utf8_lossy(rest.get(..3).unwrap_or(rest));
                    return Err(PathError::Escape {
                        url: format!("{base}/{method}"),
                        escape: shown.into_owned(),
                    });
                }
                target.push('%');
            }
            _ if is_path_byte(byte) => target.push(char::from(byte)),
            _ => {
                let _ = write!(target, "%{byte:02X}");
            }
        }
        rest = tail;
    }
    if !query.is_empty() {
        target.push('?');
        target.push_str(query);
    }
    Uri::try_from(target).map_err(|_| PathError::Character {
        url: format!("{base}/{method}?{query}"),
    })
}

/// The request target of a health probe.
///
/// # Errors
/// The path is none.
pub(crate) fn probe_target(path: &str) -> Result<Uri, PathError> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    app_uri("", path.trim_start_matches('/'), query)
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_characters_are_encoded_and_escapes_kept() {
        for (method, query, target) in [
            ("", "", "/"),
            ("orders/new", "a=%20&b", "/orders/new?a=%20&b"),
            ("a b\"|\\", "", "/a%20b%22%7C%5C"),
            ("a%2Fb", "", "/a%2Fb"),
            ("\u{fc}", "", "/%C3%BC"),
            ("x[1]*(y)", "q={}", "/x[1]*(y)?q={}"),
        ] {
            assert_eq!(
                app_uri("http://h:1", method, query).unwrap().to_string(),
                target,
                "{method}"
            );
        }
    }

    #[test]
    fn probes_have_a_path_and_may_have_a_query() {
        for (path, target) in [
            ("/healthz", "/healthz"),
            ("/", "/"),
            ("/a b?full=1", "/a%20b?full=1"),
        ] {
            assert_eq!(probe_target(path).unwrap().to_string(), target, "{path}");
        }
        assert!(probe_target("/100%").is_err());
    }

    #[test]
    fn a_lone_percent_is_refused_in_gos_words() {
        assert_eq!(
            app_uri("http://127.0.0.1:80", "a%zz", "")
                .unwrap_err()
                .to_string(),
            r#"parse "http://127.0.0.1:80/a%zz": invalid URL escape "%zz""#
        );
        assert!(app_uri("http://h", "100%", "").is_err());
    }
}
