//! What happens when the input is wrong: the exact words, the exact code,
//! one error line, and never a panic.

mod answers;
mod start;

use tests::Process;

/// Fails on panic text, backtraces, and more than one error line.
fn assert_one_error_line(process: &Process) -> String {
    let stdout = process.stdout();
    let stderr = process.stderr();
    for output in [&stdout, &stderr] {
        for forbidden in [
            "panicked",
            "RUST_BACKTRACE",
            "stack backtrace",
            "unwrap",
            "Err(",
        ] {
            assert!(!output.contains(forbidden), "{forbidden:?} in\n{output}");
        }
    }
    let lines: Vec<_> = stdout
        .lines()
        .filter(|line| line.contains("level=error") || line.contains("level=fatal"))
        .collect();
    let [line] = lines[..] else {
        panic!("one error line, not {lines:#?}");
    };
    line.to_owned()
}
