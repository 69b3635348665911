//! Help texts, word for word.

use crate::golden::assert_golden;
use crate::tools::Place;

/// Every command, as it is typed.
pub(crate) const COMMANDS: &[&str] = &[
    "annotate",
    "build-info",
    "completion",
    "completion bash",
    "completion fish",
    "completion powershell",
    "completion zsh",
    "components",
    "configurations",
    "dashboard",
    "init",
    "invoke",
    "list",
    "logs",
    "mtls",
    "mtls expiry",
    "mtls export",
    "mtls renew-certificate",
    "run",
    "status",
    "stop",
    "uninstall",
    "upgrade",
    "version",
];

#[test]
fn every_command_has_its_help() {
    let place = Place::new();
    for command in COMMANDS {
        let words: Vec<&str> = command.split(' ').collect();
        let done = place.run(&[&words[..], &["--help"]].concat());
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{command}");
        assert_golden(&format!("help/{}.txt", words.join("-")), &done.out);
        for other in [
            [&["help"][..], &words[..]].concat(),
            [&words[..], &["-h"]].concat(),
            // Required flags need not be there.
            [&["--log-as-json"][..], &words[..], &["--help=true"]].concat(),
        ] {
            assert_eq!(place.run(&other).out, done.out, "{other:?}");
        }
        assert!(done.out.contains("\nExamples:\n"), "{command}");
    }
}

#[test]
fn the_program_lists_its_commands() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert_golden("help/dapr.txt", &help.out);
    for line in [&[][..], &["-h"], &["help"]] {
        let done = place.run(line);
        assert_eq!(
            (done.code, done.out, done.err),
            (Some(0), help.out.clone(), String::new())
        );
    }
    for command in COMMANDS {
        let offered = help.out.contains(&format!("\n  {command} "));
        let hidden = *command == "dashboard" || command.contains(' ');
        assert_eq!(offered, !hidden, "{command}");
    }
}

#[test]
fn topics_that_do_not_exist_are_named() {
    let place = Place::new();
    let done = place.run(&["help", "publish"]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""));
    let start = "Unknown help topic [`publish`]\nUsage:\n  dapr [command]\n";
    assert!(done.err.starts_with(start), "{}", done.err);
}

#[test]
fn mistakes_win_over_questions_for_help() {
    let place = Place::new();
    let done = place.run(&["list", "--help", "--nope"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(255), "unknown flag: --nope\n")
    );
    let done = place.run(&["list", "--help=false", "-o", "nope"]);
    assert_eq!(done.code, Some(1));
}
