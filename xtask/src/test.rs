//! `cargo xtask test`: builds the programs once, points the suites at them and
//! runs every suite even when an earlier one failed. A suite whose needs are
//! missing counts as failed, by name; on CI they are installed first.

pub(crate) mod cluster;
pub(crate) mod needs;

use std::{env, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::step;

use cluster::Cluster;
use needs::Need;

/// Packages whose binaries the suites start.
const PROGRAMS: &[&str] = &["sidecar", "operator", "injector", "cli", "hello"];

/// Where the suites find programs; a value from outside wins, so that foreign
/// binaries can stand in.
const BINARIES: &[(&str, &str)] = &[
    ("DAPRD_BIN", "daprd"),
    ("SENTRY_BIN", "sentry"),
    ("OPERATOR_BIN", "operator"),
    ("INJECTOR_BIN", "injector"),
    ("DAPR_BIN", "dapr"),
];

/// Each test says whether it needs the cluster for itself; most of the time
/// they wait for pods. The numbers they print are part of the result.
const KUBERNETES: &[&str] = &["kubernetes::", "--test-threads=8", "--nocapture"];

/// The tables of what each SDK does are part of the result.
const SDK: &[&str] = &["sdk::", "--nocapture"];

/// All suites select the whole workspace: another selection would have other
/// crate features and build half of the graph again.
struct Suite {
    name: &'static str,
    /// Arguments of `cargo test --workspace`.
    select: &'static [&'static str],
    /// Arguments of the test program.
    filter: &'static [&'static str],
    needs: &'static [Need],
    /// Variables that must name something, else the suite runs only when it
    /// is asked for.
    given: &'static [&'static str],
    cluster: Cluster,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "unit",
        select: &["--lib", "--bins"],
        filter: &[],
        needs: &[],
        given: &[],
        cluster: Cluster::None,
    },
    Suite {
        name: "process",
        select: &["--test", "*"],
        filter: &[
            "--skip",
            "quickstart::",
            "--skip",
            "control_plane::",
            "--skip",
            "kubernetes::",
            "--skip",
            "sdk::",
        ],
        needs: &[],
        given: &[],
        cluster: Cluster::None,
    },
    Suite {
        name: "quickstart",
        select: &["--test", "*"],
        filter: &["quickstart::"],
        needs: needs::EXAMPLES,
        given: &[],
        cluster: Cluster::None,
    },
    Suite {
        name: "sdk",
        select: &["--test", "*"],
        filter: SDK,
        needs: needs::SDKS,
        given: &[],
        cluster: Cluster::None,
    },
    Suite {
        name: "control-plane",
        select: &["--test", "*"],
        filter: &["control_plane::"],
        needs: needs::CONTROL_PLANE,
        given: &[],
        cluster: Cluster::Bare,
    },
    Suite {
        name: "kubernetes",
        select: &["--test", "*"],
        filter: KUBERNETES,
        needs: needs::NODE,
        given: &[],
        cluster: Cluster::Node,
    },
    Suite {
        name: "interop",
        select: &["--test", "*"],
        filter: &["--ignored", "interop::"],
        needs: &[],
        given: &["FOREIGN_DAPRD_BIN", "FOREIGN_SENTRY_BIN"],
        cluster: Cluster::None,
    },
];

/// Runs the selected suites and names those that failed.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let suites = selected(arguments)?;
    if suites.iter().any(|suite| suite.name != "unit") {
        build(root)?;
    }
    let mut failed = Vec::new();
    for suite in suites {
        if let Err(error) = run_suite(root, suite, suite.filter, &[]) {
            eprintln!("xtask: suite {}: {error:#}", suite.name);
            failed.push(suite.name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Runs some tests on the cluster, or all.
pub(crate) fn kubernetes(
    root: &Path,
    tests: &[&str],
    environment: &[(&str, String)],
) -> Result<()> {
    let suite = SUITES
        .iter()
        .find(|suite| suite.cluster == Cluster::Node)
        .context("one suite runs on the cluster")?;
    let (all, options) = KUBERNETES.split_at(1);
    let mut filter = if tests.is_empty() { all } else { tests }.to_vec();
    filter.extend_from_slice(options);
    run_suite(root, suite, &filter, environment)
}

fn selected(arguments: &[String]) -> Result<Vec<&'static Suite>> {
    let names = match arguments {
        [] => return Ok(SUITES.iter().filter(|suite| is_given(suite)).collect()),
        [only, names @ ..] if only == "--only" && !names.is_empty() => names,
        _ => bail!("usage: cargo xtask test [--only {}]", known(" | ")),
    };
    names
        .iter()
        .map(|name| {
            SUITES
                .iter()
                .find(|suite| suite.name == name)
                .with_context(|| format!("no suite `{name}`; there are {}", known(", ")))
        })
        .collect()
}

fn is_given(suite: &Suite) -> bool {
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let given = suite.given.iter().all(is_set);
    if !given {
        eprintln!(
            "xtask: suite {} is not part of this run, it needs {}",
            suite.name,
            suite.given.join(" and ")
        );
    }
    given
}

fn known(between: &str) -> String {
    let names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
    names.join(between)
}

fn build(root: &Path) -> Result<()> {
    let mut command = step::cargo(root);
    command.args(["build", "--locked", "--release"]);
    for program in PROGRAMS {
        command.args(["--package", program]);
    }
    step::run("build programs", &mut command)
}

fn run_suite(
    root: &Path,
    suite: &Suite,
    filter: &[&str],
    environment: &[(&str, String)],
) -> Result<()> {
    let cluster = suite.cluster.start(root, suite.needs)?;
    if !filter.is_empty() {
        something_matches(root, suite, filter)?;
    }
    let mut command = cargo_test(root, suite)?;
    command.envs(cluster.environment());
    command.envs(environment.iter().cloned());
    let tested = step::run(
        &format!("test {}", suite.name),
        command.arg("--").args(filter),
    );
    cluster.end(root)?;
    tested
}

/// A filter that selects nothing passes silently: refuse it.
fn something_matches(root: &Path, suite: &Suite, filter: &[&str]) -> Result<()> {
    let output = cargo_test(root, suite)?
        .arg("--")
        .args(filter)
        .arg("--list")
        .output()
        .context("starting `cargo test`")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    if !lists_a_test(&String::from_utf8_lossy(&output.stdout)) {
        bail!("no test matches `{}`", filter.join(" "));
    }
    Ok(())
}

fn lists_a_test(listing: &str) -> bool {
    listing.lines().any(|line| line.ends_with(": test"))
}

fn cargo_test(root: &Path, suite: &Suite) -> Result<Command> {
    let mut command = step::cargo(root);
    command
        .args([
            "test",
            "--locked",
            "--release",
            "--workspace",
            "--no-fail-fast",
        ])
        .args(suite.select);
    let folder = step::target_folder()?;
    for (variable, program) in BINARIES {
        if env::var_os(variable).is_none_or(|value| value.is_empty()) {
            command.env(variable, folder.join(program));
        }
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn suites_are_selected_by_name() {
        let names = |line| {
            let suites = selected(&words(line)).unwrap();
            suites.iter().map(|suite| suite.name).collect::<Vec<_>>()
        };
        assert_eq!(
            names(""),
            [
                "unit",
                "process",
                "quickstart",
                "sdk",
                "control-plane",
                "kubernetes"
            ]
        );
        assert_eq!(names("--only quickstart unit"), ["quickstart", "unit"]);
    }

    #[test]
    fn a_wrong_selection_says_what_there_is() {
        for (line, message) in [
            ("--only", "usage: cargo xtask test [--only unit | process"),
            ("unit", "usage: cargo xtask test [--only unit | process"),
            ("--only e2e", "no suite `e2e`; there are unit, process"),
        ] {
            let error = selected(&words(line)).err().unwrap().to_string();
            assert!(error.starts_with(message), "{line}: {error}");
        }
    }

    #[test]
    fn an_empty_listing_is_noticed() {
        assert!(lists_a_test(
            "quickstart::python: test\n\n1 test, 0 benchmarks\n"
        ));
        assert!(!lists_a_test("0 tests, 0 benchmarks\n"));
    }
}
