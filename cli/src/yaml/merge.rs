//! Merge keys (`<<`), written out.

use super::{Node, Scalar, Style, Value};

/// The entries with those they take over from other mappings. Own entries
/// win, then earlier mappings.
pub(super) fn merge(entries: Entries) -> Entries {
    let is_merge = |(key, value): &(Scalar, Node)| {
        key.style == Style::Plain && key.text == "<<" && mappings(value).is_some()
    };
    if !entries.iter().any(is_merge) {
        return entries;
    }
    let (merged, own): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_merge);
    let mut all = own;
    for mapping in merged
        .iter()
        .filter_map(|(_, value)| mappings(value))
        .flatten()
    {
        for (key, value) in mapping {
            if all.iter().all(|(known, _)| known.text != key.text) {
                all.push((key.clone(), value.clone()));
            }
        }
    }
    all
}

type Entries = Vec<(Scalar, Node)>;

/// One mapping or a list of them, and nothing else.
fn mappings(value: &Node) -> Option<Vec<&Entries>> {
    match &value.value {
        Value::Sequence(nodes) => nodes.iter().map(entries).collect(),
        _ => Some(vec![entries(value)?]),
    }
}

fn entries(node: &Node) -> Option<&Entries> {
    match &node.value {
        Value::Mapping(entries) => Some(entries),
        _ => None,
    }
}
