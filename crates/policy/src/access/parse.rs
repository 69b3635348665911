//! From what the user wrote to a list that can be asked.

use std::collections::HashMap;

use super::{AccessList, Policy, lower, tree::Rule, tree::Tree, warn, warn::Warning};

/// `spec.accessControl` of a Configuration. Its own trust domain takes no
/// part in decisions; it only makes the difference between a list and none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// `allow` or `deny`; anything else denies, empty see [`AccessList::parse`].
    pub default_action: String,
    /// Trust domain of this app's certificate.
    pub trust_domain: String,
    /// `None` and an empty list differ where there is no default action.
    pub policies: Option<Vec<AppPolicy>>,
}

/// The rules for one caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppPolicy {
    /// App id of the caller; required.
    pub app_id: String,
    /// Verdict where no operation speaks; empty leaves it to the list.
    pub default_action: String,
    /// Trust domain of the caller; required.
    pub trust_domain: String,
    /// Namespace of the caller; required.
    pub namespace: String,
    /// Rules, in the order they are tried.
    pub operations: Vec<Operation>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// Path pattern, with or without its leading slash.
    pub name: String,
    /// Upper-case verbs or `*`; without them the rule never speaks about an
    /// HTTP app.
    pub verbs: Vec<String>,
    /// `allow` allows, anything else denies.
    pub action: String,
}

/// A list and what its author should hear about it.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// `None` when nothing was written at all: every call is allowed.
    pub list: Option<AccessList>,
    /// In the order of the policies.
    pub warnings: Vec<Warning>,
}

/// Policies that do not say whom they are about. The text is Dapr's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid access control spec. missing trustdomain for apps: [{}], missing namespace for apps: [{}], missing app name on at least one of the app policies: {no_app_id}",
    .no_trust_domain.join(" "),
    .no_namespace.join(" ")
)]
pub struct InvalidSpec {
    /// App ids without a trust domain.
    pub no_trust_domain: Vec<String>,
    /// App ids without a namespace.
    pub no_namespace: Vec<String>,
    /// At least one policy has no app id.
    pub no_app_id: bool,
}

impl AccessList {
    /// Reads a list for a callee that speaks HTTP or does not. Without a
    /// default action callers without a policy are denied, unless the list of
    /// policies is there and empty.
    ///
    /// # Errors
    /// A policy lacks app id, trust domain or namespace.
    pub fn parse(spec: &Spec, is_http: bool) -> Result<Parsed, InvalidSpec> {
        let Spec {
            default_action,
            trust_domain,
            policies,
        } = spec;
        let mut warnings = Vec::new();
        let written = policies.as_deref().unwrap_or_default();
        if default_action.is_empty() && trust_domain.is_empty() && written.is_empty() {
            return Ok(Parsed {
                list: None,
                warnings,
            });
        }
        check(written)?;
        let allows_others = if default_action.is_empty() {
            let is_empty_list = policies.as_ref().is_some_and(Vec::is_empty);
            if !is_empty_list {
                warnings.push(Warning::NoDefaultAction);
            }
            is_empty_list
        } else {
            warn::action(default_action, "", &mut warnings);
            allows(default_action)
        };
        let mut list = Self {
            allows_others,
            is_http,
            policies: HashMap::new(),
        };
        for policy in written {
            list.add(policy, &mut warnings);
        }
        Ok(Parsed {
            list: Some(list),
            warnings,
        })
    }

    fn add(&mut self, written: &AppPolicy, warnings: &mut Vec<Warning>) {
        let mut rules = Tree::default();
        let paths: Vec<String> = written
            .operations
            .iter()
            .map(|operation| self.path(&operation.name))
            .collect();
        for (index, (operation, path)) in written.operations.iter().zip(&paths).enumerate() {
            let rule = Rule {
                index,
                is_allowed: allows(&operation.action),
                verbs: operation
                    .verbs
                    .iter()
                    .map(|verb| &**verb)
                    .map(Box::from)
                    .collect(),
            };
            rules.insert(path, rule);
        }
        warn::policy(written, &paths, &rules, self.is_http, warnings);
        let policy = Policy {
            namespace: written.namespace.as_str().into(),
            trust_domain: written.trust_domain.as_str().into(),
            default: (!written.default_action.is_empty()).then(|| allows(&written.default_action)),
            rules,
        };
        let of_app = self
            .policies
            .entry(written.app_id.as_str().into())
            .or_default();
        match of_app
            .iter_mut()
            .find(|known| known.namespace == policy.namespace)
        {
            // A later policy for the same app replaces the earlier one.
            Some(known) => {
                warnings.push(Warning::Replaced {
                    app_id: written.app_id.clone(),
                    namespace: written.namespace.clone(),
                });
                *known = policy;
            }
            None => of_app.push(policy),
        }
    }

    /// The path of a rule in the form requests are compared with.
    fn path(&self, name: &str) -> String {
        let path = if name.starts_with('/') {
            name.to_owned()
        } else {
            format!("/{name}")
        };
        if self.is_http {
            lower(&path).into_owned()
        } else {
            path
        }
    }
}

fn check(policies: &[AppPolicy]) -> Result<(), InvalidSpec> {
    let lacking = |field: fn(&AppPolicy) -> &String| {
        policies
            .iter()
            .filter(|policy| field(policy).is_empty())
            .map(|policy| policy.app_id.clone())
            .collect::<Vec<_>>()
    };
    let invalid = InvalidSpec {
        no_trust_domain: lacking(|policy| &policy.trust_domain),
        no_namespace: lacking(|policy| &policy.namespace),
        no_app_id: policies.iter().any(|policy| policy.app_id.is_empty()),
    };
    let InvalidSpec {
        no_trust_domain,
        no_namespace,
        no_app_id,
    } = &invalid;
    if no_trust_domain.is_empty() && no_namespace.is_empty() && !no_app_id {
        Ok(())
    } else {
        Err(invalid)
    }
}

fn allows(action: &str) -> bool {
    action.eq_ignore_ascii_case("allow")
}
