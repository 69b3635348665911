//! `version`, `--version` and `build-info`.

use crate::golden::assert_golden;
use crate::tools::{Done, Place};

/// Knows what every daprd knows.
const DAPRD: &str = r"case $1 in
--version) echo 1.18.0 ;;
--build-info) printf 'Version: 1.18.0\nGit Commit: abc\nGit Version: v1.18.0\n' ;;
esac";

#[test]
fn versions_of_this_program_and_the_sidecar() {
    let place = Place::new();
    place.script(".dapr/bin/daprd", DAPRD);
    let text = place.run(&["version"]);
    assert_golden("version.txt", &text.out);
    for line in [&["--version"][..], &["-v"], &["-v", "--log-as-json"]] {
        let done = place.run(line);
        assert_eq!((done.code, done.out), (Some(0), text.out.clone()));
    }
    for line in [
        &["version", "-o", "json"][..],
        &["version", "--output=json"],
    ] {
        let done = place.run(line);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
        assert_golden("version.json", &done.out);
    }
    let done = place.run(&["version", "-o", "yaml"]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert_eq!(done.err, "❌  An invalid output format was specified.\n");
}

#[test]
fn build_info_of_this_program_and_the_sidecar() {
    let place = Place::new();
    let daprd = place.script("daprd", DAPRD);
    let done = place.run_with(&daprd, &["build-info"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    // The commit of this program is known in release builds only.
    let masked: String = done
        .out
        .lines()
        .enumerate()
        .map(|(at, line)| match line.strip_prefix("\tGit Commit: ") {
            Some(commit) if at == 2 => {
                assert!(!commit.is_empty());
                "\tGit Commit: <commit>\n".to_owned()
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_golden("build-info.txt", &masked);
}

#[test]
fn a_sidecar_that_is_missing_or_old_is_no_failure() {
    let place = Place::new();
    let old = place.script("old", "[ $1 = --version ] && echo 1.8.0");
    let broken = place.script("broken", "echo half; exit 1");
    let none = place.path().join("none");
    for (daprd, version) in [(&old, "1.8.0"), (&broken, "n/a"), (&none, "n/a")] {
        let done = place.run_with(daprd, &["build-info"]);
        assert_eq!(done.code, Some(0));
        let end = format!("Runtime:\n\t{version}\n");
        assert!(done.out.ends_with(&end), "{}", done.out);
        let done = place.run_with(daprd, &["version", "-o", "json"]);
        assert_eq!(
            done.out,
            format!("{{\"Cli version\":\"1.18.0\",\"Runtime version\":\"{version}\"}}\n")
        );
    }
}

#[test]
fn a_service_without_home_has_one_all_the_same() {
    let place = Place::new();
    let bare = |arguments: &[&str]| {
        let mut command = place.dapr(arguments);
        command.env_remove("HOME").env_remove("DAPR_RUNTIME_PATH");
        Done::of(command.output().unwrap())
    };
    for line in [&["version"][..], &["list"], &["stop", "nobody"]] {
        assert_eq!(bare(line).code, Some(0), "{line:?}");
    }
    assert_eq!(
        bare(&["invoke", "-a", "nobody", "-m", "x"]).err,
        "❌  error invoking app nobody: app ID nobody not found\n"
    );
}
