//! Which top-level module of the sidecar may import which other.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use super::paths;

/// From the bottom up: a module imports its own layer and those before it.
const LAYERS: &[&[&str]] = &[
    &[
        "host",
        "me",
        "message",
        "metrics",
        "reflection",
        "rpc",
        "trace",
        "wire",
    ],
    &["resolve", "transport", "channel", "policies", "resources"],
    &["invoke"],
    &["http", "grpc", "internal"],
    &["config", "runtime", "terminating", "wait", ROOT],
];

/// Arrows that point down or sideways and are refused all the same.
const NEVER: &[(&str, &[&str])] = &[
    ("channel", &["transport"]),
    ("grpc", &["channel", "resolve", "transport"]),
    ("http", &["channel", "resolve", "transport"]),
    ("internal", &["invoke"]),
];

/// `main.rs` and `lib.rs`: items of the crate root.
const ROOT: &str = "main";

/// One line per import that must not be there. Paths are relative to `src`.
pub(super) fn check(files: &[(PathBuf, String)]) -> Vec<String> {
    let located: Vec<_> = files
        .iter()
        .map(|(path, text)| (path, module_path(path), text))
        .collect();
    let modules: BTreeSet<&str> = located
        .iter()
        .filter_map(|(_, module, _)| module.first().map(String::as_str))
        .collect();

    let mut violations: Vec<String> = modules
        .iter()
        .filter(|module| rank(module).is_none())
        .map(|module| format!("module `{module}` has no row in layers/modules.rs"))
        .collect();
    for (path, module, text) in &located {
        let from = module.first().map_or(ROOT, String::as_str);
        for paths::Use { line, head } in paths::of_crate_root(text, module.len()) {
            // What is no module is an item of the root.
            let to = modules.get(head.as_str()).copied().unwrap_or(ROOT);
            if refused(from, to) {
                violations.push(format!(
                    "sidecar/src/{}:{line}: `{from}` must not import `{to}` (crate::{head})",
                    path.display()
                ));
            }
        }
    }
    violations
}

fn refused(from: &str, to: &str) -> bool {
    let named = NEVER
        .iter()
        .any(|(module, never)| *module == from && never.contains(&to));
    // A module without a row is already one violation.
    let up = rank(from).zip(rank(to)).is_some_and(|(from, to)| to > from);
    named || up
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// `http/invoke.rs` is `[http, invoke]`; `main.rs` and `lib.rs` are the root.
fn module_path(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = path
        .with_extension("")
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    if matches!(names.as_slice(), [only] if only == "main" || only == "lib") {
        names.clear();
    }
    names
}
