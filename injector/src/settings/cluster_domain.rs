//! The domain of the cluster, guessed where nobody says it.

const DEFAULT: &str = "cluster.local";

/// The first search domain by the alphabet: in a pod the shortest one, since
/// the others start with `<namespace>.svc.` and `svc.`.
pub(super) fn from_resolv_conf(text: &str) -> String {
    let mut search = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("search")).then_some(words)
    });
    // Of several lines the last one counts, as in the C library.
    search
        .next_back()
        .and_then(Iterator::min)
        .unwrap_or(DEFAULT)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_search_domains() {
        for (text, domain) in [
            ("", "cluster.local"),
            ("nameserver 10.0.0.1\nsearch\n", "cluster.local"),
            (
                "search default.svc.corp.internal svc.corp.internal corp.internal\noptions ndots:5",
                "corp.internal",
            ),
            ("search z.example\nsearch b.example a.example", "a.example"),
        ] {
            assert_eq!(from_resolv_conf(text), domain, "{text}");
        }
    }
}
