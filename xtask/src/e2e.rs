//! `cargo xtask e2e`: the tests on the one-node cluster, or only those that a
//! number is given for, that often.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::test;

const USAGE: &str = "usage: cargo xtask e2e [--install-race TIMES] [--rollouts TIMES]";

/// Flags, the variable that the test reads, and the test.
const REPEATED: &[(&str, &str, &str)] = &[
    (
        "--install-race",
        "E2E_INSTALL_RACE",
        "kubernetes::install::an_app_applied_the_moment",
    ),
    ("--rollouts", "E2E_ROLLOUTS", "kubernetes::rollout::"),
];

/// Brings the cluster up, runs the tests, and ends it.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let chosen = chosen(arguments)?;
    let filter: Vec<_> = chosen.iter().map(|(_, _, test)| *test).collect();
    let environment: Vec<_> = chosen
        .into_iter()
        .map(|(variable, times, _)| (variable, times))
        .collect();
    test::kubernetes(root, &filter, &environment)
}

type Chosen = (&'static str, String, &'static str);

fn chosen(arguments: &[String]) -> Result<Vec<Chosen>> {
    let mut chosen = Vec::new();
    for pair in arguments.chunks(2) {
        let [flag, times] = pair else {
            bail!("{USAGE}")
        };
        let Some((_, variable, test)) = REPEATED.iter().find(|(known, _, _)| known == flag) else {
            bail!("{USAGE}");
        };
        let count: usize = times.parse().with_context(|| format!("{flag} {times}"))?;
        chosen.push((*variable, count.max(1).to_string(), *test));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_selects_its_test() {
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(chosen(&[]).unwrap(), []);
        let both = chosen(&words("--rollouts 5 --install-race 20")).unwrap();
        assert_eq!(
            both[0],
            ("E2E_ROLLOUTS", "5".to_owned(), "kubernetes::rollout::")
        );
        assert_eq!(both[1].1, "20");
        for wrong in ["--rollouts", "--rollouts many", "--again 2"] {
            assert!(chosen(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
