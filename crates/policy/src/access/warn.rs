//! What is legal and surely not meant. Evaluation does not change.

use super::{
    parse::AppPolicy,
    tree::{ONE, Tree},
};

/// A remark on a list, for the log at load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Neither default action nor an empty list of policies.
    #[error("No global default action has been specified. Setting default global action as Deny")]
    NoDefaultAction,
    /// Neither `allow` nor `deny`.
    #[error("access control: {place}action {action:?} is neither allow nor deny and denies")]
    UnknownAction {
        /// Where it stands; empty for the list's own default.
        place: String,
        /// As written.
        action: String,
    },
    /// Two policies for one app.
    #[error(
        "access control: the last of several policies for app {app_id} in namespace {namespace} counts"
    )]
    Replaced {
        /// App id of the callers.
        app_id: String,
        /// Their namespace.
        namespace: String,
    },
    /// An earlier rule takes every request this one could have.
    #[error("access control: {place}is never reached: {by} comes first")]
    Unreachable {
        /// Policy and operation.
        place: String,
        /// The rule that is reached instead.
        by: String,
    },
    /// `*` before the end of a path.
    #[error(
        "access control: {place}never matches: '*' fits the last segment of a path only; use '**'"
    )]
    StarInside {
        /// Policy and operation.
        place: String,
    },
    /// Requests have no slash at their end.
    #[error("access control: {place}never matches: it ends with a slash")]
    TrailingSlash {
        /// Policy and operation.
        place: String,
    },
    /// A rule of an HTTP app has to name verbs.
    #[error(
        "access control: {place}has no httpVerb and never matches calls of an HTTP app; use ['*']"
    )]
    NoVerb {
        /// Policy and operation.
        place: String,
    },
    /// Verbs are compared as written.
    #[error(
        "access control: {place}names verb {verb:?}, which is not in upper case and never matches"
    )]
    LowerCaseVerb {
        /// Policy and operation.
        place: String,
        /// As written.
        verb: String,
    },
}

pub(super) fn action(action: &str, place: &str, warnings: &mut Vec<Warning>) {
    let known = ["allow", "deny"];
    if !known.iter().any(|known| action.eq_ignore_ascii_case(known)) {
        warnings.push(Warning::UnknownAction {
            place: place.to_owned(),
            action: action.to_owned(),
        });
    }
}

/// Remarks on one policy; `paths` are those of its operations in the form
/// they are compared in.
pub(super) fn policy(
    policy: &AppPolicy,
    paths: &[String],
    rules: &Tree,
    is_http: bool,
    warnings: &mut Vec<Warning>,
) {
    let app = format!("policy of app {} in {}: ", policy.app_id, policy.namespace);
    if !policy.default_action.is_empty() {
        action(&policy.default_action, &app, warnings);
    }
    for (index, (operation, path)) in policy.operations.iter().zip(paths).enumerate() {
        let place = format!("{app}operation {:?} ", operation.name);
        action(&operation.action, &place, warnings);
        if path.len() > 1 && path.ends_with('/') {
            warnings.push(Warning::TrailingSlash {
                place: place.clone(),
            });
        } else if has_star_inside(path) {
            warnings.push(Warning::StarInside {
                place: place.clone(),
            });
        } else if let Some(by) = shadow(path, index, rules) {
            let by = policy.operations.get(by).map_or("", |rule| &rule.name);
            warnings.push(Warning::Unreachable {
                place: place.clone(),
                by: format!("{by:?}"),
            });
        }
        if is_http {
            verbs(&operation.verbs, &place, warnings);
        }
    }
}

fn has_star_inside(path: &str) -> bool {
    let mut segments = path.split('/');
    segments.next_back();
    segments.any(|segment| segment == ONE)
}

/// The rule that is found wherever this one should be.
fn shadow(path: &str, index: usize, rules: &Tree) -> Option<usize> {
    // Something no rule spells out, in the place of every star.
    let example = path.replace("**", "*").replace('*', "\u{1}");
    let deeper = format!("{example}/\u{1}");
    // `/a/*` and `/a/**` fit `/a` as well.
    let parent = path.strip_suffix("/**").or_else(|| path.strip_suffix("/*"));
    let requests = [Some(&*example), Some(&*deeper), parent];
    let found = |request: &str| rules.search(request).map(|rule| rule.index);
    if requests
        .into_iter()
        .flatten()
        .any(|request| found(request) == Some(index))
    {
        return None;
    }
    found(&example)
}

fn verbs(verbs: &[String], place: &str, warnings: &mut Vec<Warning>) {
    let place = || place.to_owned();
    if verbs.is_empty() {
        warnings.push(Warning::NoVerb { place: place() });
    }
    for verb in verbs {
        if verb.bytes().any(|byte| byte.is_ascii_lowercase()) {
            warnings.push(Warning::LowerCaseVerb {
                place: place(),
                verb: verb.clone(),
            });
        }
    }
}
