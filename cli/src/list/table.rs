//! A table without borders: columns as wide as their longest cell, two
//! spaces between them and in front.

use std::fmt::Write as _;

/// Columns with their headers to text. A column that is empty in every row
/// is left out.
pub(super) fn render(columns: &[(&'static str, Vec<String>)]) -> String {
    let shown: Vec<_> = columns
        .iter()
        .filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()))
        .map(|(header, cells)| {
            let widths = cells.iter().map(|cell| cell.chars().count());
            let width = widths.fold(header.len(), usize::max);
            (*header, cells, width)
        })
        .collect();
    let rows = shown.first().map_or(0, |(_, cells, _)| cells.len());
    let mut text = String::new();
    let mut line = |cell: &dyn Fn(usize) -> String| {
        text.push_str("  ");
        for (at, (_, _, width)) in shown.iter().enumerate() {
            let _ = write!(text, "{:width$}  ", cell(at));
        }
        text.push('\n');
    };
    line(&|at| shown[at].0.to_owned());
    for row in 0..rows {
        line(&|at| shown[at].1[row].clone());
    }
    text
}
