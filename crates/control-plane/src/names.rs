//! Names of objects. Those of callers and users become part of a path: none of
//! them may lead to another resource.

/// Longest name of an object, in bytes.
pub const LONGEST_NAME: usize = 253;

/// Whether an object or a namespace can have this name (RFC 1123 subdomain).
pub fn is_object_name(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= LONGEST_NAME
        && text.split('.').all(|label| {
            let bytes = label.as_bytes();
            bytes.first().copied().is_some_and(alphanumeric)
                && bytes.last().copied().is_some_and(alphanumeric)
                && bytes
                    .iter()
                    .all(|byte| alphanumeric(*byte) || *byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_elsewhere() {
        for name in ["a", "my-app-0", "a.b.c", "0", &"a".repeat(253)] {
            assert!(is_object_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "../secrets/x",
            "a?b",
            "a#b",
            "a%2Fb",
            "A",
            "a_b",
            "-a",
            "a-",
            "a.",
            "a..b",
            "a b",
            "ä",
            &"a".repeat(254),
        ] {
            assert!(!is_object_name(name), "{name}");
        }
    }
}
