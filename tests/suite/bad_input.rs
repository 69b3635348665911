//! What happens when the input is wrong: the exact words, the exact code,
//! one error line, and never a panic.

mod answers;
mod files;
mod start;

use tests::Process;

/// The message of the one line at level fatal. Fails on a second error line,
/// on anything on standard error, and on panic text.
fn assert_one_error_line(process: &Process) -> String {
    let stdout = process.stdout();
    assert_eq!(process.stderr(), "");
    for forbidden in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!stdout.contains(forbidden), "{forbidden:?} in\n{stdout}");
    }
    let lines: Vec<_> = stdout
        .lines()
        .filter(|line| line.contains(" level=error ") || line.contains(" level=fatal "))
        .collect();
    let [line] = lines[..] else {
        panic!("one error line, not {lines:#?}");
    };
    let (_, message) = line.split_once(" level=fatal msg=\"").expect(line);
    // The message ends at the first quote that is not escaped.
    let end = message.replace("\\\"", "..").find('"').expect(line);
    message[..end].replace("\\\"", "\"")
}
