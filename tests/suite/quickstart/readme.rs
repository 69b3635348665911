//! What the README of a quickstart promises: commands to type, and lines that
//! appear.

use std::fs;
use std::path::Path;

/// The fenced blocks of a README, in order.
pub(super) struct Readme {
    blocks: Vec<Block>,
}

struct Block {
    /// The second-level heading above it.
    heading: String,
    is_shell: bool,
    lines: Vec<String>,
}

impl Readme {
    /// That of an example.
    pub(super) fn of(directory: &Path) -> Self {
        let text = fs::read_to_string(directory.join("README.md")).unwrap();
        let mut blocks: Vec<Block> = Vec::new();
        let (mut heading, mut inside) = (String::new(), false);
        for line in text.lines() {
            if let Some(language) = line.strip_prefix("```") {
                inside = !inside;
                if inside {
                    blocks.push(Block {
                        heading: heading.clone(),
                        is_shell: language == "sh",
                        lines: Vec::new(),
                    });
                }
            } else if inside {
                let block = blocks.last_mut().expect("a fence has opened one");
                block.lines.push(line.to_owned());
            } else if let Some(title) = line.strip_prefix("## ") {
                title.clone_into(&mut heading);
            }
        }
        Self { blocks }
    }

    /// Gives `line` back; fails when it is none of the commands.
    pub(super) fn command<'a>(&self, line: &'a str) -> &'a str {
        assert!(
            self.commands().any(|said| said == line),
            "the README does not say {line:?}"
        );
        line
    }

    /// The only command of a program.
    pub(super) fn command_of(&self, program: &str) -> &str {
        let mut commands = self
            .commands()
            .filter(|line| line.split(' ').next() == Some(program));
        let (Some(command), None) = (commands.next(), commands.next()) else {
            panic!("the README has not one command of {program}");
        };
        command
    }

    fn commands(&self) -> impl Iterator<Item = &str> {
        let shell = self.blocks.iter().filter(|block| block.is_shell);
        shell.flat_map(|block| block.lines.iter().map(String::as_str))
    }

    /// The lines of the block number `index` below `heading` that is output.
    pub(super) fn output(&self, heading: &str, index: usize) -> &[String] {
        let mut outputs = self
            .blocks
            .iter()
            .filter(|block| block.heading == heading && !block.is_shell);
        let block = outputs.nth(index);
        &block
            .unwrap_or_else(|| panic!("no output {index} below {heading:?}"))
            .lines
    }
}
