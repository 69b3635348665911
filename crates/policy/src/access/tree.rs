//! The rules of one policy as a tree of path segments.
//!
//! Order counts: of several children that fit a segment the first declared is
//! taken, and there is no way back. Mirrors Dapr 1.18 `pkg/config/acl_trie.go`.

/// What an operation's rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Position among the operations of the policy.
    pub(super) index: usize,
    pub(super) is_allowed: bool,
    /// Verbs as written; `*` for any.
    pub(super) verbs: Box<[Box<str>]>,
}

impl Rule {
    /// Whether the rule speaks about this verb.
    pub(super) fn names(&self, verb: &str) -> bool {
        self.verbs
            .iter()
            .any(|known| **known == *verb || **known == *"*")
    }
}

/// Rules by path.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    children: Vec<Node>,
}

#[derive(Clone, Debug)]
struct Node {
    segment: Box<str>,
    rule: Option<Rule>,
    children: Vec<Self>,
}

impl Node {
    fn new(segment: &str) -> Self {
        Self {
            segment: segment.into(),
            rule: None,
            children: Vec::new(),
        }
    }
}

/// One segment, anything in it; fits the last one only.
pub(super) const ONE: &str = "*";
/// Everything from here on at the end of a rule, one segment inside it.
pub(super) const REST: &str = "**";

impl Tree {
    /// Adds a rule under a path with a leading slash. Of equal paths the
    /// first stays.
    pub(super) fn insert(&mut self, path: &str, rule: Rule) {
        let mut children = &mut self.children;
        let mut segments = segments(path).peekable();
        while let Some(segment) = segments.next() {
            let known = children.iter().position(|node| *node.segment == *segment);
            let at = known.unwrap_or_else(|| {
                children.push(Node::new(segment));
                children.len() - 1
            });
            let Some(node) = children.get_mut(at) else {
                return;
            };
            if segments.peek().is_none() {
                node.rule.get_or_insert(rule);
                return;
            }
            children = &mut node.children;
        }
    }

    /// The rule for a request path.
    pub(super) fn search(&self, path: &str) -> Option<&Rule> {
        let mut children = &self.children;
        let mut segments = segments(path).peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            let node = find(children, segment, is_last)?;
            match &node.rule {
                // `*` is one segment and no prefix.
                Some(_) if !is_last && *node.segment == *ONE => {}
                Some(rule) => return Some(rule),
                None if is_last => return find(&node.children, ONE, true)?.rule.as_ref(),
                None => {}
            }
            children = &node.children;
        }
        None
    }
}

/// Segments behind the first slash; a path without one begins there.
fn segments(path: &str) -> std::str::Split<'_, char> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn find<'a>(nodes: &'a [Node], segment: &str, is_last: bool) -> Option<&'a Node> {
    nodes.iter().find(|node| match &*node.segment {
        literal if literal == segment => true,
        ONE => is_last,
        REST => true,
        pattern => matches(pattern, segment),
    })
}

/// Whether `text` fits a pattern in which `*` stands for any run of bytes.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    // Taking the first place a piece occurs leaves the most for the others;
    // the last piece has to be the end.
    while let Some((piece, after)) = rest.split_once('*') {
        let Some(at) = text.find(piece) else {
            return false;
        };
        text = text.get(at + piece.len()..).unwrap_or_default();
        rest = after;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, text, fits) in [
            ("a*", "a", true),
            ("a*", "abc", true),
            ("a*", "ba", false),
            ("*c", "abc", true),
            ("*c", "abcd", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "aec", false),
            ("a*a", "a", false),
            ("a**b", "ab", true),
            ("*ab*ab", "ab", false),
            ("*ab*ab", "abab", true),
            ("", "", true),
            ("", "a", false),
            ("\u{e9}*", "\u{e9}x", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
