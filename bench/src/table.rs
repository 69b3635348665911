//! A table of strings, printed aligned for a terminal or as Markdown. The first column is left-aligned, others right.

/// Head and rows; rows may be shorter than the head.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether there is only the head.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Columns padded to their widest cell, two spaces between them.
    pub(crate) fn text(&self) -> String {
        let widths = self.widths();
        let mut lines: Vec<String> = self
            .lines()
            .map(|line| {
                let cells: Vec<String> = (0..)
                    .zip(&widths)
                    .map(|(column, width)| pad(cell(line, column), *width, column == 0))
                    .collect();
                cells.join("  ").trim_end().to_owned()
            })
            .collect();
        // The last line ends too.
        lines.push(String::new());
        lines.join("\n")
    }

    pub(crate) fn markdown(&self) -> String {
        let mut lines: Vec<String> = self
            .lines()
            .map(|line| {
                let cells: Vec<String> = (0..self.head.len())
                    .map(|column| cell(line, column).replace('|', "\\|"))
                    .collect();
                format!("| {} |\n", cells.join(" | "))
            })
            .collect();
        let rule = format!(
            "|---{}|\n",
            "|---:".repeat(self.head.len().saturating_sub(1))
        );
        lines.insert(1, rule);
        lines.concat()
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.head).chain(&self.rows)
    }

    fn widths(&self) -> Vec<usize> {
        (0..self.head.len())
            .map(|column| {
                self.lines()
                    .map(|line| cell(line, column).chars().count())
                    .max()
                    .unwrap_or_default()
            })
            .collect()
    }
}

fn cell(line: &[String], column: usize) -> &str {
    line.get(column).map_or("", String::as_str)
}

/// Pads by characters, not bytes: cells contain `±`.
fn pad(text: &str, width: usize, left: bool) -> String {
    let fill = " ".repeat(width.saturating_sub(text.chars().count()));
    if left {
        format!("{text}{fill}")
    } else {
        format!("{fill}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["peer", "p50 us", "ratio"]);
        table.row(vec!["direct".into(), "88".into()]);
        table.row(vec!["a|b".into(), "1234.5".into(), "1.00 ±3%".into()]);
        table
    }

    #[test]
    fn text_is_aligned_by_characters_and_has_no_trailing_space() {
        let expected = "\
peer    p50 us     ratio
direct      88
a|b     1234.5  1.00 ±3%
";
        assert_eq!(sample().text(), expected);
    }

    #[test]
    fn markdown_has_a_rule_and_escapes_bars() {
        let expected = "\
| peer | p50 us | ratio |
|---|---:|---:|
| direct | 88 |  |
| a\\|b | 1234.5 | 1.00 ±3% |
";
        assert_eq!(sample().markdown(), expected);
    }
}
