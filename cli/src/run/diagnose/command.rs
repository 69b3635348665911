//! Commands that are no programs: words of the shell, files without their
//! directory, scripts that cannot be executed.

use std::env;
use std::fs;
use std::path::Path;

use super::super::launch::LookUpError;
use super::Source;

/// Words that only a shell understands as commands.
const BUILT_IN: &[&str] = &[
    ".", "alias", "cd", "eval", "exec", "export", "set", "source", "trap", "ulimit", "umask",
    "unset",
];

/// Words that only a shell understands between commands.
const OPERATORS: &[&str] = &["&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"];

/// A word of a run file's command that was meant for a shell.
pub(in super::super) fn shell_words(command: &[String]) -> Option<String> {
    let word = command
        .iter()
        .skip(1)
        .find(|word| OPERATORS.contains(&word.as_str()))?;
    Some(format!(
        "{word:?} is given to {} as a word, because no shell reads the command. For a shell, write [\"sh\", \"-c\", {:?}].",
        command[0],
        command.join(" ")
    ))
}

/// What to write instead of a command that could not be started.
pub(in super::super) fn not_a_program(
    command: &[String],
    directory: &Path,
    error: &LookUpError,
    source: Source,
) -> Option<String> {
    let name = command.first().filter(|name| !name.is_empty())?;
    let line = command.join(" ");
    if matches!(error, LookUpError::NotExecutable(_)) {
        return Some(format!(
            "{name} is not executable: run chmod +x {name}, or name the program that reads it."
        ));
    }
    if BUILT_IN.contains(&name.as_str()) {
        let shell = match source {
            Source::Flags => format!("sh -c {line:?}"),
            Source::File => format!("[\"sh\", \"-c\", {line:?}]"),
        };
        return Some(format!(
            "{name} belongs to the shell and is no program: write {shell}."
        ));
    }
    if let Some((variable, _)) = name.split_once('=')
        && !variable.is_empty()
        && !variable.contains('/')
    {
        return Some(match source {
            Source::Flags => {
                format!("{variable} is set by a shell only: write env {line}.")
            }
            Source::File => {
                format!("{variable} is set by a shell only: write it under env of the app.")
            }
        });
    }
    if name.contains(' ') {
        return Some(match source {
            Source::Flags => {
                format!("{name:?} was taken for the name of one program: leave out the quotes.")
            }
            Source::File => {
                let words: Vec<&str> = name.split_whitespace().collect();
                format!("{name:?} was taken for the name of one program: write {words:?}.")
            }
        });
    }
    if !name.contains('/') && directory.join(name).is_file() {
        return Some(format!(
            "{name} is in this directory, not in PATH: write ./{name}."
        ));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let newer = format!("{name}3");
    let found = env::split_paths(&path).any(|place| place.join(&newer).is_file());
    if ["python", "pip"].contains(&name.as_str()) && found {
        return Some(format!("There is {newer} on this machine: write {newer}."));
    }
    None
}

/// Why the system does not find a file that is there.
pub(in super::super) fn not_executable(
    name: &str,
    directory: &Path,
    error: &std::io::Error,
) -> Option<String> {
    if error.kind() != std::io::ErrorKind::NotFound {
        return None;
    }
    let text = fs::read(directory.join(name)).ok()?;
    let first = text.split(|byte| *byte == b'\n').next()?;
    let interpreter = String::from_utf8_lossy(first.strip_prefix(b"#!")?).into_owned();
    let shown = interpreter.trim();
    Some(if interpreter.ends_with('\r') {
        format!("{name} has Windows line ends, so its interpreter {shown:?} is not found.")
    } else {
        format!("The interpreter of {name}, {shown:?}, does not exist.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(command: &[&str], source: Source) -> Option<String> {
        let command: Vec<String> = command.iter().map(ToString::to_string).collect();
        let error = LookUpError::NotInPath(command[0].clone());
        not_a_program(&command, Path::new("/etc"), &error, source)
    }

    #[test]
    fn words_of_the_shell_are_told() {
        for (command, source, text) in [
            (
                &["cd", "app"][..],
                Source::Flags,
                "cd belongs to the shell and is no program: write sh -c \"cd app\".",
            ),
            (
                &["A=1", "node"],
                Source::Flags,
                "A is set by a shell only: write env A=1 node.",
            ),
            (
                &["A=1", "node"],
                Source::File,
                "A is set by a shell only: write it under env of the app.",
            ),
            (
                &["node app.js"],
                Source::File,
                "\"node app.js\" was taken for the name of one program: write [\"node\", \"app.js\"].",
            ),
            (
                &["passwd"],
                Source::Flags,
                "passwd is in this directory, not in PATH: write ./passwd.",
            ),
        ] {
            assert_eq!(told(command, source).as_deref(), Some(text));
        }
        assert_eq!(told(&["no-such-program"], Source::Flags), None);
    }

    #[test]
    fn operators_are_no_words_for_programs() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            shell_words(&words("npm install && npm start")).unwrap(),
            "\"&&\" is given to npm as a word, because no shell reads the command. For a shell, write [\"sh\", \"-c\", \"npm install && npm start\"]."
        );
        assert_eq!(shell_words(&words("sh -c a&&b")), None);
    }
}
