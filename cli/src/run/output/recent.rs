//! What was written last, to be shown when something ends badly.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::escapes::Escapes;

/// How many lines are kept.
const LINES: usize = 10;
/// Bytes kept of each line.
const WIDTH: usize = 400;

/// The last lines of one program, and what its log complained about last.
/// Clones share them.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Recent {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    complaint: Option<String>,
    reason: Option<Complaint>,
}

#[derive(Debug, Clone)]
struct Complaint {
    severity: Severity,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Warning,
    Error,
    Fatal,
}

impl Recent {
    /// Takes whole lines, or a piece of a long one, from the output.
    pub(super) fn note(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock();
        let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let last = body.rsplit(|byte| *byte == b'\n').take(LINES);
        for line in last.collect::<Vec<_>>().into_iter().rev() {
            if kept.lines.len() == LINES {
                kept.lines.pop_front();
            }
            kept.lines.push_back(shortened(line));
        }
        for line in body.split(|byte| *byte == b'\n') {
            if let Some(complaint) = Complaint::read(line) {
                kept.complain(complaint);
            }
        }
    }

    /// The last lines.
    pub(in super::super) fn lines(&self) -> Vec<String> {
        self.kept.lock().lines.iter().cloned().collect()
    }

    /// What a log complained about last, if only with a warning.
    pub(in super::super) fn complaint(&self) -> Option<String> {
        self.kept.lock().complaint.clone()
    }

    /// Why a program ended, by its log: what was fatal, else the last error.
    pub(in super::super) fn reason(&self) -> Option<String> {
        // In front of most of them.
        const HEADING: &str = "Fatal error from runtime: ";
        let kept = self.kept.lock();
        let message = &kept.reason.as_ref()?.message;
        Some(message.strip_prefix(HEADING).unwrap_or(message).to_owned())
    }
}

impl Kept {
    fn complain(&mut self, complaint: Complaint) {
        self.complaint = Some(complaint.message.clone());
        let before = self
            .reason
            .as_ref()
            .map_or(Severity::Error, |it| it.severity);
        if complaint.severity >= before {
            self.reason = Some(complaint);
        }
    }
}

impl Complaint {
    /// From a line of one of Dapr's two log formats.
    fn read(line: &[u8]) -> Option<Self> {
        if line.first() == Some(&b'{') {
            let value: serde_json::Value = serde_json::from_slice(line).ok()?;
            return Some(Self {
                severity: Severity::read(value["level"].as_str()?)?,
                message: value["msg"].as_str()?.to_owned(),
            });
        }
        if !line.starts_with(b"time=") {
            return None;
        }
        let text = String::from_utf8_lossy(line);
        let (_, level) = text.split_once(" level=")?;
        let severity = Severity::read(level.split(' ').next()?)?;
        let (_, message) = text.split_once(" msg=")?;
        Some(Self {
            severity,
            message: unquoted(message),
        })
    }
}

impl Severity {
    fn read(level: &str) -> Option<Self> {
        match level {
            "warning" => Some(Self::Warning),
            "error" => Some(Self::Error),
            "fatal" => Some(Self::Fatal),
            _ => None,
        }
    }
}

/// The first value of the rest of a line.
fn unquoted(text: &str) -> String {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split(' ').next().unwrap_or_default().to_owned();
    };
    let mut value = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('n' | 't') => value.push(' '),
                Some(other) => value.push(other),
                None => {}
            },
            other => value.push(other),
        }
    }
    value
}

fn shortened(line: &[u8]) -> String {
    let plain = Escapes::default().strip(line.get(..WIDTH).unwrap_or(line));
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let recent = Recent::default();
        recent.note(b"a\nb\n");
        recent.note(b"0\n1\n2\n3\n4\n5\n6\n7\n8\n");
        let lines = recent.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (LINES, "b"));
        assert_eq!(lines[LINES - 1], "8");
        recent.note(&vec![b'x'; 5000]);
        assert_eq!(recent.lines()[LINES - 1].len(), WIDTH);
    }

    #[test]
    fn what_ended_a_program_outweighs_later_errors() {
        let recent = Recent::default();
        recent.note(b"level=error is no log line\ntime=\"t\" level=info msg=\"fine\" app_id=a\n");
        assert_eq!((recent.complaint(), recent.reason()), (None, None));
        for (line, complaint, reason) in [
            (r#"time="t" level=warning msg=slow app_id=a"#, "slow", None),
            (
                r#"time="t" level=error msg="a \"b\"\nc" app_id=a"#,
                "a \"b\" c",
                Some("a \"b\" c"),
            ),
            (
                r#"{"level":"fatal","msg":"the end","time":"t"}"#,
                "the end",
                Some("the end"),
            ),
            (
                r#"time="t" level=error msg="later" app_id=a"#,
                "later",
                Some("the end"),
            ),
        ] {
            recent.note(line.as_bytes());
            assert_eq!(recent.complaint().as_deref(), Some(complaint));
            assert_eq!(recent.reason().as_deref(), reason);
        }
    }
}
