//! Which crate of the workspace may name which other, and what each must
//! never name.

/// One member as its manifest describes it.
#[derive(Debug)]
pub(super) struct Package {
    /// The member's name.
    pub(super) name: String,
    /// Every crate its manifest names, tests and build scripts included.
    pub(super) uses: Vec<String>,
}

struct Rule {
    name: &'static str,
    /// Members it may use.
    may: &'static [&'static str],
    /// Outside crates it must do without.
    never: &'static [&'static str],
}

const SHARED: &[&str] = &["api", "lifecycle", "policy", "security", "telemetry"];
const CONTROL_PLANE: &[&str] = &[
    "api",
    "control-plane",
    "lifecycle",
    "policy",
    "security",
    "telemetry",
];
const KUBERNETES: &[&str] = &["kube", "k8s-openapi"];

/// `tests` with its app, `bench` and `xtask` may use everything and have no row.
const TOOLS: &[&str] = &["bench", "test-app", "tests", "xtask"];

const RULES: &[Rule] = &[
    Rule {
        name: "api",
        may: &[],
        never: &["hyper", "rustls", "tokio"],
    },
    Rule {
        name: "policy",
        may: &["api"],
        never: &["h2", "hyper", "rustls", "tokio", "tokio-rustls"],
    },
    Rule {
        name: "security",
        may: &["api"],
        never: KUBERNETES,
    },
    Rule {
        name: "telemetry",
        may: &[],
        never: KUBERNETES,
    },
    Rule {
        name: "lifecycle",
        may: &[],
        never: KUBERNETES,
    },
    Rule {
        name: "sidecar",
        may: SHARED,
        never: KUBERNETES,
    },
    Rule {
        name: "control-plane",
        may: SHARED,
        never: &[],
    },
    Rule {
        name: "operator",
        may: CONTROL_PLANE,
        never: &[],
    },
    Rule {
        name: "injector",
        may: CONTROL_PLANE,
        never: &[],
    },
    Rule {
        name: "cli",
        may: SHARED,
        never: &[],
    },
    Rule {
        name: "hello",
        may: &[],
        never: &[],
    },
    Rule {
        name: "sample",
        may: &[],
        never: &[],
    },
];

/// One line per arrow that must not be there.
pub(super) fn check(packages: &[Package]) -> Vec<String> {
    let member = |name: &str| packages.iter().any(|package| package.name == name);
    let mut violations = Vec::new();
    for Package { name, uses } in packages {
        if TOOLS.contains(&name.as_str()) {
            continue;
        }
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            violations.push(format!("crate `{name}` has no row in layers/crates.rs"));
            continue;
        };
        for used in uses {
            let up = member(used) && !rule.may.contains(&used.as_str());
            if up || rule.never.contains(&used.as_str()) {
                violations.push(format!("crate `{name}` must not use `{used}`"));
            }
        }
    }
    violations
}
