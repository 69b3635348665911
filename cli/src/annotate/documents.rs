//! The documents of a manifest, one of them annotated.

use super::flags::Annotations;
use super::workload::{Target, WorkloadError, annotate};
use crate::yaml::{Node, ReadError, Value, read, write};

/// The output so far.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) text: String,
    /// Whether a workload has been annotated.
    pub(super) annotated: bool,
}

/// Why a manifest was not understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum DocumentError {
    #[error("document {number}: {source}")]
    Read { number: usize, source: ReadError },
    #[error("document {number}: {source}")]
    Workload {
        number: usize,
        source: WorkloadError,
    },
}

impl Documents {
    /// Appends the documents of one input.
    pub(super) fn add(
        &mut self,
        text: &str,
        target: &Target<'_>,
        annotations: &Annotations,
    ) -> Result<(), DocumentError> {
        for (number, document) in (1..).zip(split(text)) {
            let node = read(document).map_err(|source| DocumentError::Read { number, source })?;
            let Some(mut node) = node else { continue };
            let changed = !self.annotated
                && annotate_first(&mut node, target, annotations)
                    .map_err(|source| DocumentError::Workload { number, source })?;
            if changed {
                self.annotated = true;
                self.push(&write(&node));
            } else {
                self.push(document);
            }
        }
        Ok(())
    }

    fn push(&mut self, document: &str) {
        if !self.text.is_empty() {
            self.text.push_str("---\n");
        }
        self.text.push_str(document);
        if !document.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

/// Annotates the object, or the first item of a list, that is the target.
fn annotate_first(
    node: &mut Node,
    target: &Target<'_>,
    annotations: &Annotations,
) -> Result<bool, WorkloadError> {
    let list = node
        .get("kind")
        .and_then(Node::text)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("list"));
    if !list {
        return annotate(node, target, annotations);
    }
    if let Some(Node {
        value: Value::Sequence(items),
        ..
    }) = node.get_mut("items")
    {
        for item in items {
            if annotate(item, target, annotations)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The texts between the lines that separate documents. Those lines cannot
/// stand anywhere else, not even in a text of several lines.
fn split(text: &str) -> Vec<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let (mut from, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if let Some(marker) = marker(line) {
            documents.push(&text[from..at]);
            from = at + marker;
        }
        at += line.len();
    }
    documents.push(&text[from..]);
    documents.retain(|document| !document.lines().all(is_empty));
    documents
}

/// How much of a line separates documents: all of it, or the marker in front
/// of what belongs to the next document.
fn marker(line: &str) -> Option<usize> {
    let rest = line
        .strip_prefix("---")
        .or_else(|| line.strip_prefix("..."))?;
    if rest.trim().is_empty() {
        return Some(line.len());
    }
    rest.starts_with([' ', '\t']).then_some("---".len())
}

/// A line without content: blank, a comment, or a directive.
fn is_empty(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with(['#', '%'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_end_at_their_markers_only() {
        assert_eq!(
            split(
                "\u{feff}# head\n---\na: |\n  ---\n  x\n--- # note\nb: 1\n...\n\n---\r\n--- {c: 1}\n----\n"
            ),
            ["a: |\n  ---\n  x\n", " # note\nb: 1\n", " {c: 1}\n----\n"]
        );
        assert_eq!(split("%YAML 1.2\n---\na: 1"), ["a: 1"]);
        assert_eq!(split(""), [""; 0]);
    }
}
