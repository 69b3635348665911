//! Completion: what shells are offered, and that they offer it.

use std::process::{Command, Stdio};

use super::fake;
use super::help::COMMANDS;
use crate::tools::Place;

/// What a shell is told, without the last line, and that line.
fn asked(place: &Place, words: &[&str]) -> (Vec<String>, String) {
    let done = place.run(&[&["__completeNoDesc"], words].concat());
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{words:?}");
    let mut lines: Vec<String> = done.out.lines().map(str::to_owned).collect();
    let directive = lines.pop().unwrap();
    (lines, directive)
}

#[test]
fn commands_flags_and_values_are_offered() {
    let place = Place::new();
    for (words, offered) in [
        (&["st"][..], &["status", "stop"][..]),
        (&["--log-as-json", "st"], &["status", "stop"]),
        (&["dash"], &[]),
        (&["he"], &["help"]),
        (&["help", "unin"], &["uninstall"]),
        (
            &["help", "mtls", ""],
            &["expiry", "export", "renew-certificate"],
        ),
        (&["mtls", ""], &["expiry", "export", "renew-certificate"]),
        (&["completion", "p"], &["powershell"]),
        (&["publish", ""], &[]),
        (&["list", ""], &[]),
        (
            &["list", "--"],
            &[
                "--all-namespaces",
                "--help",
                "--kubernetes",
                "--log-as-json",
                "--namespace",
                "--output",
                "--runtime-path",
            ],
        ),
        (&["list", "--o"], &["--output"]),
        (&["list", "-o", "json", "--o"], &[]),
        (&["list", "--output=json", "--o"], &[]),
        (&["list", "-o", ""], &["json", "table", "yaml"]),
        (&["list", "--output", "y"], &["yaml"]),
        (&["list", "--output=y"], &["yaml"]),
        (&["list", "-o=j"], &["json"]),
        (&["list", "-ko", "j"], &["json"]),
        (&["version", "-o", ""], &["json"]),
        (&["components", "-o", "l"], &["list"]),
        (&["invoke", "--verb", "P"], &["PATCH", "POST", "PUT"]),
        (&["run", "--app-protocol", "grpc"], &["grpc", "grpcs"]),
        (
            &["run", "--resources-path", "x", "--resources-p"],
            &["--resources-path"],
        ),
        (&["run", "--components-p"], &[]),
        (&["run", "--image"], &[]),
        (&["--v"], &["--version"]),
    ] {
        let (lines, directive) = asked(&place, words);
        assert_eq!(lines, offered, "{words:?}");
        assert_eq!(directive, ":4", "{words:?}");
    }
    let (short, _) = asked(&place, &["stop", "-"]);
    for form in ["-a", "--app-id", "-h", "-k", "-f"] {
        assert!(short.iter().any(|line| line == form), "{short:?}");
    }
}

#[test]
fn files_are_left_to_the_shell() {
    let place = Place::new();
    for words in [
        &["stop", "--run-file", ""][..],
        &["run", "-f", "x"],
        &["run", "--config=x"],
        &["run", "python3", ""],
        &["run", "--", "--x"],
        &["annotate", "-k", "depl"],
        &["--runtime-path", ""],
    ] {
        assert_eq!(
            asked(&place, words),
            (Vec::new(), ":0".to_owned()),
            "{words:?}"
        );
    }
}

#[test]
fn every_command_is_offered_with_its_description() {
    let place = Place::new();
    let done = place.run(&["__complete", ""]);
    for command in COMMANDS {
        let hidden = *command == "dashboard" || command.contains(' ');
        let start = format!("{command}\t");
        let offered = done.out.lines().any(|line| line.starts_with(&start));
        assert_eq!(offered, !hidden, "{command}");
    }
    let done = place.run(&["__complete", "stop", "--app"]);
    assert_eq!(done.out, "--app-id\tThe application id to be stopped\n:4\n");
}

#[test]
fn running_apps_are_offered() {
    let place = Place::new();
    let id = fake::id("offered");
    let _one = fake::sidecar(&place, &id, &serde_json::json!({}), "");
    let _two = fake::sidecar(&place, &id, &serde_json::json!({}), "");
    for words in [
        &["stop", "offered-"][..],
        &["stop", "--app-id", "offered-"],
        &["stop", "--app-id=offered-"],
        &["invoke", "-m", "x", "-a", "offered-"],
        &["logs", "-a", "offered-"],
    ] {
        let (lines, directive) = asked(&place, words);
        // Replicas have one name.
        let found = lines.iter().filter(|line| **line == id).count();
        assert_eq!((found, directive.as_str()), (1, ":4"), "{words:?}");
    }
}

/// What bash would offer for these words, the last of which is unfinished.
fn in_bash(place: &Place, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <(dapr completion bash)
        complete -p dapr >&2
        COMP_WORDS=({}) COMP_CWORD={}
        __dapr_complete
        printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words.len() - 1
    );
    let output = bash(place, &script);
    assert_eq!(output.1, "complete -F __dapr_complete dapr\n");
    output.0.lines().map(str::to_owned).collect()
}

/// Runs a script with this program as `dapr`.
fn bash(place: &Place, script: &str) -> (String, String) {
    let mut path = std::path::Path::new(env!("CARGO_BIN_EXE_dapr"))
        .parent()
        .unwrap()
        .as_os_str()
        .to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let output = Command::new("bash")
        .args(["--norc", "-c", script])
        .env("PATH", path)
        .env("DAPR_RUNTIME_PATH", place.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[test]
fn bash_completes() {
    let place = Place::new();
    for (words, offered) in [
        (&["dapr", "unin"][..], &["uninstall"][..]),
        (&["dapr", "list", "--outp"], &["--output"]),
        (&["dapr", "list", "-o", "js"], &["json"]),
        // Bash takes --output=js apart.
        (&["dapr", "list", "--output", "=", "js"], &["json"]),
        (
            &["dapr", "list", "--output", "="],
            &["json", "table", "yaml"],
        ),
        (&["dapr", "completion", "z"], &["zsh"]),
        (&["dapr", "nope", ""], &[""]),
        (&["dapr", "run", "-f", ""], &[""]),
    ] {
        assert_eq!(in_bash(&place, words), offered, "{words:?}");
    }
    let id = fake::id("shell");
    let _fake = fake::sidecar(&place, &id, &serde_json::json!({}), "");
    assert!(in_bash(&place, &["dapr", "stop", "shell-"]).contains(&id));
}

/// A shell that may not be installed reads its script without executing it.
/// The needs of this suite do not include these shells; what is asked of the
/// program is tested above in any case.
fn parses(shell: &str, arguments: &[&str], script: &std::path::Path) {
    let checked = Command::new(shell).args(arguments).arg(script).output();
    match checked {
        Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
        Err(error) => eprintln!("{shell} did not check its script: {error}"),
    }
}

#[test]
fn every_shell_has_its_script() {
    let place = Place::new();
    for (shell, check, asks, registers) in [
        (
            "bash",
            &["-n"][..],
            "__completeNoDesc \"${words[@]}\"",
            "\ncomplete -F __dapr_complete dapr\n",
        ),
        (
            "zsh",
            &["-n"],
            "__complete \"${(@)words[2,CURRENT]}\"",
            "#compdef dapr\n",
        ),
        (
            "fish",
            &["--no-execute"],
            "__complete $before \"$current\"",
            "\ncomplete --command dapr ",
        ),
        (
            "powershell",
            &[],
            "__complete @Rest",
            "Register-ArgumentCompleter -Native -CommandName 'dapr'",
        ),
    ] {
        let done = place.run(&["completion", shell]);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{shell}");
        assert!(done.out.contains(asks), "{shell}");
        assert!(done.out.contains(registers), "{shell}");
        let balance = |open, close| {
            let count = |letter| done.out.matches(letter).count();
            assert_eq!(count(open), count(close), "{shell}");
        };
        balance('{', '}');
        balance('[', ']');
        if !check.is_empty() {
            let script = place.write(&format!("dapr.{shell}"), &done.out);
            parses(shell, check, &script);
        }
    }
    let bare = place.run(&["completion"]);
    assert_eq!(
        (bare.code, bare.out),
        (Some(0), place.run(&["help", "completion"]).out)
    );
}
