//! Access control: which app may call what on ours.
//!
//! The callee's sidecar asks before its app is touched. Mirrors Dapr 1.18
//! `pkg/acl/acl.go` with its order-dependent rules; the caller of this module
//! says who the peer proved to be.

mod parse;
mod tree;
mod warn;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::HashMap, fmt};

pub use parse::{AppPolicy, InvalidSpec, Operation, Parsed, Spec};
pub use warn::Warning;

use tree::Tree;

/// Who a peer proved to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller<'a> {
    /// Who vouches for it.
    pub trust_domain: &'a str,
    /// Where it runs.
    pub namespace: &'a str,
    /// The name it is called by.
    pub app_id: &'a str,
}

/// A verdict and whose words it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the call may reach the app.
    pub is_allowed: bool,
    /// Which default the verdict counts under.
    pub scope: Scope,
}

/// What a verdict is counted under in the metrics. A rule of a policy without
/// a default of its own counts as global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The caller's policy has a default.
    App,
    /// The list's default.
    Global,
}

/// A list ready to be asked.
#[derive(Clone, Debug)]
pub struct AccessList {
    /// Verdict on callers without a policy.
    allows_others: bool,
    /// The callee speaks HTTP: verbs count, case does not.
    is_http: bool,
    /// By app id; an app id may stand in several namespaces.
    policies: HashMap<Box<str>, Vec<Policy>>,
}

#[derive(Clone, Debug)]
struct Policy {
    namespace: Box<str>,
    trust_domain: Box<str>,
    /// Verdict where no rule speaks; `None` leaves it to the list.
    default: Option<bool>,
    rules: Tree,
}

/// The text of a denial, as clients of Dapr know it.
#[derive(Clone, Copy, Debug)]
pub struct Denial<'a> {
    /// SPIFFE id of the caller; empty when it has none.
    pub id: &'a str,
    /// Method as received.
    pub operation: &'a str,
    /// Verb; `NONE` where verbs do not count.
    pub verb: &'a str,
}

// === impl AccessList ===

impl AccessList {
    /// True when nobody who has a name can be denied, so that there is
    /// nothing to ask.
    pub fn allows_everything(&self) -> bool {
        self.allows_others && self.policies.is_empty()
    }

    /// True when the callee is an HTTP app.
    pub fn is_http(&self) -> bool {
        self.is_http
    }

    /// Judges a call. `operation` is the canonical method path, with or
    /// without its leading slash; `verb` is `None` where the call has none.
    /// A caller without a certificate is `None`.
    pub fn decide(
        &self,
        caller: Option<Caller<'_>>,
        operation: &str,
        verb: Option<&str>,
    ) -> Decision {
        let global = Decision {
            is_allowed: self.allows_others,
            scope: Scope::Global,
        };
        let Some(policy) = caller.and_then(|caller| self.policy(caller)) else {
            return global;
        };
        let standing = match policy.default {
            Some(is_allowed) => Decision {
                is_allowed,
                scope: Scope::App,
            },
            None => global,
        };
        let operation = self.folded(operation);
        let Some(rule) = policy.rules.search(&operation) else {
            return standing;
        };
        let is_allowed = match verb {
            _ if !self.is_http => rule.is_allowed,
            Some(verb) if rule.names(verb) => rule.is_allowed,
            Some(_) => standing.is_allowed,
            // Without a verb no rule of an HTTP app speaks, and a policy
            // without a default then denies.
            None => policy.default.unwrap_or(false),
        };
        Decision {
            is_allowed,
            scope: standing.scope,
        }
    }

    fn policy(&self, caller: Caller<'_>) -> Option<&Policy> {
        self.policies
            .get(caller.app_id)?
            .iter()
            .find(|policy| *policy.namespace == *caller.namespace)
            .filter(|policy| *policy.trust_domain == *caller.trust_domain)
    }

    /// The operation in the case rules are kept in.
    fn folded<'a>(&self, operation: &'a str) -> Cow<'a, str> {
        if self.is_http {
            lower(operation)
        } else {
            Cow::Borrowed(operation)
        }
    }
}

/// Lower case letter by letter, as Go has it.
fn lower(text: &str) -> Cow<'_, str> {
    let is_lower = |letter: char| letter.is_ascii() && !letter.is_ascii_uppercase();
    if text.chars().all(is_lower) {
        return Cow::Borrowed(text);
    }
    let folded = text
        .chars()
        .map(|letter| letter.to_lowercase().next().unwrap_or(letter));
    Cow::Owned(folded.collect())
}

/// Whether further percent-decoding would turn `path` into another one. Under
/// an access list such a path is refused: what was judged and what the app
/// sees after decoding once more could differ.
pub fn decodes_further(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| {
        let digits = bytes.get(at + 1..at + 3);
        *byte == b'%' && digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

// === impl Denial ===

impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            operation,
            verb,
        } = self;
        write!(
            f,
            "access control policy has denied access to id: {id} operation: {operation} verb: {verb}"
        )
    }
}
