//! YAML documents as trees that keep how scalars were written.
//!
//! Readers of YAML differ in what plain words mean: `on`, `0644` and `1_000`
//! are booleans or numbers to some and texts to others. A scalar that was
//! plain stays plain and one that was quoted stays quoted, so that all of them
//! read the same from what is written here. Comments, anchors and merge keys
//! are gone: what they stand for is written out.

mod merge;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::{ReadError, read};
pub(crate) use write::write;

/// A node and its tag, as it is written in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) tag: Option<String>,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// Keys in the order they were written.
    Mapping(Vec<(Scalar, Node)>),
}

/// A scalar after its escapes are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes; what it means is up to the reader.
    Plain,
    Quoted,
    /// Lines behind `|` or `>`.
    Block,
}

impl Scalar {
    /// A text, whatever it looks like.
    pub(crate) fn quoted(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style: Style::Quoted,
        }
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style: Style::Plain,
        }
    }

    fn is_null(&self) -> bool {
        self.style == Style::Plain
            && ["", "~", "null", "Null", "NULL"].contains(&self.text.as_str())
    }
}

impl From<Scalar> for Node {
    fn from(scalar: Scalar) -> Self {
        Value::Scalar(scalar).into()
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Self { tag: None, value }
    }
}

impl Node {
    /// The value of a key; nothing when this is no mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Mapping(entries) = &self.value else {
            return None;
        };
        let found = entries.iter().find(|(name, _)| name.text == key);
        found.map(|(_, value)| value)
    }

    /// As [`Self::get`], to be changed.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Value::Mapping(entries) = &mut self.value else {
            return None;
        };
        let found = entries.iter_mut().find(|(name, _)| name.text == key);
        found.map(|(_, value)| value)
    }

    /// The text of a scalar that is not null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) if !scalar.is_null() => Some(&scalar.text),
            _ => None,
        }
    }

    /// The mapping under a key, made where there is none yet. Nothing when
    /// there is something else.
    pub(crate) fn mapping_at(&mut self, key: &str) -> Option<&mut Self> {
        let Value::Mapping(entries) = &mut self.value else {
            return None;
        };
        let at = entries.iter().position(|(name, _)| name.text == key);
        let at = at.unwrap_or_else(|| {
            entries.push((Scalar::plain(key), Value::Mapping(Vec::new()).into()));
            entries.len() - 1
        });
        let (_, node) = entries.get_mut(at)?;
        if matches!(&node.value, Value::Scalar(scalar) if scalar.is_null()) {
            *node = Value::Mapping(Vec::new()).into();
        }
        matches!(node.value, Value::Mapping(_)).then_some(node)
    }

    /// Sets a key of a mapping, in its place or at the end.
    pub(crate) fn set(&mut self, key: &str, value: Scalar) {
        let Value::Mapping(entries) = &mut self.value else {
            return;
        };
        match entries.iter_mut().find(|(name, _)| name.text == key) {
            Some((_, old)) => *old = value.into(),
            None => entries.push((Scalar::plain(key), value.into())),
        }
    }
}
