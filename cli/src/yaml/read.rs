//! Events of the parser to a tree.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::merge::merge;
use super::{Node, Scalar, Style, Value};

/// Values that may be written out for aliases: a few lines of them can stand
/// for gigabytes.
const LARGEST: usize = 100_000;

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Syntax(Box<ScanError>),
    #[error("a key that is no scalar, in line {line}")]
    Key { line: usize },
    #[error("an alias inside of what it stands for, in line {line}")]
    Recursion { line: usize },
    #[error("aliases that stand for more than {LARGEST} values")]
    TooLarge,
}

/// The one document of a text; nothing when it has no content.
pub(crate) fn read(text: &str) -> Result<Option<Node>, ReadError> {
    let options = granit_parser::options! { emit_comments: false };
    let mut reader = Reader::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| ReadError::Syntax(Box::new(error)))?;
        reader.event(event, span.start.line())?;
    }
    Ok(reader.done.filter(has_content))
}

fn has_content(node: &Node) -> bool {
    node.text().is_some() || !matches!(node.value, Value::Scalar(_))
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    /// Finished nodes by the number of their anchor, and how large they are.
    anchored: HashMap<usize, (Node, usize)>,
    /// Values in the tree so far.
    size: usize,
    /// How many of them came with aliases.
    expanded: usize,
    done: Option<Node>,
}

/// A collection whose end has not come.
struct Open {
    tag: Option<String>,
    anchor: usize,
    /// What [`Reader::size`] was before it.
    before: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<(Scalar, Node)>,
        key: Option<Scalar>,
    },
}

impl Reader {
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), ReadError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar {
                    text: text.into_owned(),
                    style: style_of(style),
                };
                let node = Node {
                    tag: tag.map(|tag| shown(&tag)),
                    value: Value::Scalar(scalar),
                };
                self.size += 1;
                self.finish(node, anchor, 1, line)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(anchor, tag.as_deref(), Content::Sequence(Vec::new()));
                Ok(())
            }
            Event::MappingStart(_, anchor, tag) => {
                let content = Content::Mapping {
                    entries: Vec::new(),
                    key: None,
                };
                self.open(anchor, tag.as_deref(), content);
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(line),
            Event::Alias(anchor) => {
                let (node, size) = self
                    .anchored
                    .get(&anchor)
                    .cloned()
                    .ok_or(ReadError::Recursion { line })?;
                self.size += size;
                self.expanded += size;
                if self.expanded > LARGEST {
                    return Err(ReadError::TooLarge);
                }
                self.finish(node, 0, size, line)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, tag: Option<&Tag>, content: Content) {
        self.open.push(Open {
            tag: tag.map(shown),
            anchor,
            before: self.size,
            content,
        });
        self.size += 1;
    }

    fn close(&mut self, line: usize) -> Result<(), ReadError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.content {
            Content::Sequence(nodes) => Value::Sequence(nodes),
            Content::Mapping { entries, .. } => Value::Mapping(merge(entries)),
        };
        let node = Node {
            tag: open.tag,
            value,
        };
        let size = self.size - open.before;
        self.finish(node, open.anchor, size, line)
    }

    /// Puts a whole node where it belongs.
    fn finish(
        &mut self,
        node: Node,
        anchor: usize,
        size: usize,
        line: usize,
    ) -> Result<(), ReadError> {
        if anchor != 0 {
            self.anchored.insert(anchor, (node.clone(), size));
        }
        let Some(parent) = self.open.last_mut() else {
            self.done = Some(node);
            return Ok(());
        };
        match &mut parent.content {
            Content::Sequence(nodes) => nodes.push(node),
            Content::Mapping { entries, key } => match key.take() {
                Some(name) => entries.push((name, node)),
                None => match node.value {
                    Value::Scalar(scalar) => *key = Some(scalar),
                    _ => return Err(ReadError::Key { line }),
                },
            },
        }
        Ok(())
    }
}

const fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}

/// The tag as it is written in a document without directives.
fn shown(tag: &Tag) -> String {
    let (handle, suffix) = (tag.handle(), tag.suffix());
    match handle {
        "tag:yaml.org,2002:" => format!("!!{suffix}"),
        "!" | "" => format!("!{}", suffix.trim_start_matches('!')),
        _ => format!("!<{handle}{suffix}>"),
    }
}
