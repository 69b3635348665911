//! Whose pods get a sidecar: known controllers, service accounts the user
//! lists, and members of `system:masters`.
//!
//! Mirrors Dapr 1.18 pkg/injector/service/serviceaccountmatcher.go.

mod glob;

use std::collections::HashSet;

use arc_swap::ArcSwap;
use std::sync::Arc;

use self::glob::{BadPattern, Glob};

/// Who asks the API server for a pod.
#[derive(Clone, Copy, Debug, Default)]
pub struct User<'a> {
    /// `userInfo.username`
    pub name: &'a str,
    /// `userInfo.uid`
    pub uid: &'a str,
    /// `userInfo.groups`
    pub groups: &'a [String],
}

/// A pattern nobody can match by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not `namespace:name`.
    #[error("invalid pattern {0:?}, must contain exactly one ':' separating namespace and name")]
    Form(String),
    /// Just a colon.
    #[error("invalid pattern {0:?}: namespace and name patterns cannot both be empty")]
    Empty(String),
    /// The part before the colon.
    #[error("invalid namespace pattern {0:?}: {1}")]
    Namespace(String, BadPattern),
    /// The part behind it.
    #[error("invalid service account pattern {0:?}: {1}")]
    Name(String, BadPattern),
}

/// Controllers that make pods for others.
const CONTROLLERS: [&str; 10] = [
    "kube-system:replicaset-controller",
    "kube-system:replication-controller",
    "kube-system:deployment-controller",
    "kube-system:cronjob-controller",
    "kube-system:job-controller",
    "kube-system:statefulset-controller",
    "kube-system:daemon-set-controller",
    "openshift-operator-lifecycle-manager:olm-operator-serviceaccount",
    "tekton-pipelines:tekton-pipelines-controller",
    "mirrord:mirrord-operator",
];
const ADMINISTRATORS: &str = "system:masters";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Cheap to clone; clones share the UIDs.
#[derive(Clone, Debug)]
pub struct Requesters {
    patterns: Arc<[Pattern]>,
    /// UIDs of the service accounts that match, once they are known.
    uids: Arc<ArcSwap<HashSet<String>>>,
}

#[derive(Clone, Debug)]
struct Pattern {
    namespace: Glob,
    name: Glob,
}

impl Requesters {
    /// The known controllers and those of `lists`: patterns between commas.
    ///
    /// # Errors
    /// A malformed pattern.
    pub fn new(lists: &[&str]) -> Result<Self, PatternError> {
        let given = lists.iter().flat_map(|list| list.split(','));
        let patterns: Result<Vec<Pattern>, PatternError> = CONTROLLERS
            .into_iter()
            .chain(given)
            .map(str::trim)
            .filter(|pattern| !pattern.is_empty())
            .map(Pattern::new)
            .collect();
        Ok(Self {
            patterns: patterns?.into(),
            uids: Arc::default(),
        })
    }

    /// Whether pods of this user get a sidecar.
    pub fn allow(&self, user: User<'_>) -> bool {
        let account = user.name.strip_prefix(SERVICE_ACCOUNT).and_then(|rest| {
            let (namespace, name) = rest.split_once(':')?;
            Some((namespace, name.split(':').next().unwrap_or_default()))
        });
        account.is_some_and(|(namespace, name)| self.matches(namespace, name))
            || (!user.uid.is_empty() && self.uids.load().contains(user.uid))
            || user.groups.iter().any(|group| group == ADMINISTRATORS)
    }

    /// Whether the service account is listed.
    pub fn matches(&self, namespace: &str, name: &str) -> bool {
        self.patterns
            .iter()
            .any(|pattern| pattern.namespace.matches(namespace) && pattern.name.matches(name))
    }

    /// Sets the UIDs of the listed service accounts.
    pub fn know(&self, uids: HashSet<String>) {
        self.uids.store(uids.into());
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, PatternError> {
        let (namespace, name) = text
            .split_once(':')
            .filter(|(_, name)| !name.contains(':'))
            .ok_or_else(|| PatternError::Form(text.to_owned()))?;
        let (namespace, name) = (namespace.trim(), name.trim());
        if namespace.is_empty() && name.is_empty() {
            return Err(PatternError::Empty(text.to_owned()));
        }
        Ok(Self {
            namespace: Glob::new(namespace)
                .map_err(|error| PatternError::Namespace(namespace.to_owned(), error))?,
            name: Glob::new(name).map_err(|error| PatternError::Name(name.to_owned(), error))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(lists: &[&str], name: &str) -> bool {
        let user = User {
            name,
            ..User::default()
        };
        Requesters::new(lists).unwrap().allow(user)
    }

    #[test]
    fn accounts() {
        let account = |name: &str| format!("system:serviceaccount:{name}");
        for (lists, name, expected) in [
            (vec![""], "kube-system:replicaset-controller", true),
            (vec!["a:b"], "kube-system:job-controller", true),
            (vec![""], "kube-system:replicaset-controller-extra", false),
            (vec![""], "default:replicaset-controller", false),
            (vec!["a:b"], "a:b", true),
            (vec!["a:b"], "a:b:c", true),
            (vec!["a:b"], "a", false),
            (vec!["proj-*:sa-*"], "proj-1:sa-x", true),
            (vec!["proj-*:sa-*"], "proj:sa-x", false),
            (vec!["staging-?:deploy"], "staging-1:deploy", true),
            (vec!["staging-?:deploy"], "staging-12:deploy", false),
            (vec!["*:*"], "any:thing", true),
            (vec!["a:*-ci-*"], "a:my-ci-2", true),
            (vec!["x:y", " a : b ,, "], "a:b", true),
            (vec!["x:y", "a:b"], "x:y", true),
        ] {
            assert_eq!(
                allowed(&lists, &account(name)),
                expected,
                "{lists:?} {name}"
            );
        }
        assert!(!allowed(&["*:*"], "jane"));
        assert!(!allowed(&["*:*"], "system:kube-controller-manager"));
    }

    #[test]
    fn administrators_and_uids() {
        let requesters = Requesters::new(&[]).unwrap();
        let user = |uid, groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
            let user = User {
                name: "jane",
                uid,
                groups: &groups,
            };
            requesters.allow(user)
        };
        assert!(user("", &["a", "system:masters"]));
        assert!(!user("", &["system:authenticated"]));
        assert!(!user("u1", &[]));
        requesters.know(HashSet::from(["u1".to_owned()]));
        assert!(user("u1", &[]));
        assert!(!user("u2", &[]) && !user("", &[]));
    }

    #[test]
    fn malformed_patterns() {
        for (pattern, text) in [
            (
                "a",
                "invalid pattern \"a\", must contain exactly one ':' separating namespace and name",
            ),
            (
                "a:b:c",
                "invalid pattern \"a:b:c\", must contain exactly one ':' separating namespace and name",
            ),
            (
                " : ",
                "invalid pattern \":\": namespace and name patterns cannot both be empty",
            ),
            (
                "[a:b",
                "invalid namespace pattern \"[a\": syntax error in pattern",
            ),
            (
                "a:b\\",
                "invalid service account pattern \"b\\\\\": syntax error in pattern",
            ),
        ] {
            assert_eq!(Requesters::new(&[pattern]).unwrap_err().to_string(), text);
        }
    }
}
