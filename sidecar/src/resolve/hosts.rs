//! `host:port` texts and the addresses behind them.

use std::net::SocketAddr;

use super::ResolveError;

/// `host:port`, with brackets around an IPv6 host that has none.
pub(super) fn join(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Splits at the last colon outside brackets.
pub(super) fn split(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = match bare {
        Some(host) => host,
        None if host.contains(':') => return None,
        None => host,
    };
    Some((host, port.parse().ok()?))
}

/// Addresses of all entries, each once. Entries are almost always numeric;
/// a name such as `localhost` goes through the system's resolver. An entry
/// without an address is left out as long as another one has some.
pub(super) async fn addresses(entries: Vec<String>) -> Result<Vec<SocketAddr>, ResolveError> {
    let mut found = Vec::with_capacity(entries.len());
    let mut failure = None;
    for entry in entries {
        match entry.parse() {
            Ok(address) => found.push(address),
            Err(_) => match named(&entry).await {
                Ok(more) => found.extend(more),
                Err(error) => failure = Some(error),
            },
        }
    }
    found.sort_unstable();
    found.dedup();
    match failure {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

async fn named(entry: &str) -> Result<Vec<SocketAddr>, ResolveError> {
    let failed = |reason: String| ResolveError::Host {
        host: entry.to_owned(),
        reason,
        absent: false,
    };
    let (host, port) = split(entry).ok_or_else(|| failed("missing port in address".to_owned()))?;
    let found = tokio::net::lookup_host((host, port)).await;
    found
        .map(Iterator::collect)
        .map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_come_and_go() {
        for (host, joined) in [
            ("10.0.0.1", "10.0.0.1:7"),
            ("::1", "[::1]:7"),
            ("[::1]", "[::1]:7"),
            ("name", "name:7"),
        ] {
            assert_eq!(join(host, 7), joined);
            assert_eq!(split(joined), Some((host.trim_matches(['[', ']']), 7)));
        }
        for bad in ["", "name", "name:", "name:70000", "::1", "a:b:7"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn entries_without_address_do_not_spoil_the_others() {
        let entries = |list: &[&str]| list.iter().map(|entry| (*entry).to_owned()).collect();
        let list = entries(&["127.0.0.2:9", "nonsense", "127.0.0.1:9", "127.0.0.2:9"]);
        let expected: Vec<SocketAddr> = vec![
            "127.0.0.1:9".parse().unwrap(),
            "127.0.0.2:9".parse().unwrap(),
        ];
        assert_eq!(addresses(list).await, Ok(expected));
        let error = addresses(entries(&["nonsense"])).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to resolve address for 'nonsense': missing port in address"
        );
        let local = addresses(entries(&["localhost:9"])).await.unwrap();
        assert!(
            local
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 9)
        );
    }
}
