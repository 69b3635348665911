//! Finds paths that start at the crate root in Rust source: `crate::a::b`,
//! `use crate::{a, b::c}` and `super::` chains that leave the top-level
//! module. A scanner, not a parser: comments, strings and character literals
//! are skipped, everything else is words and punctuation.

/// One path from the crate root.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// Line of the path, from 1.
    pub(super) line: usize,
    /// First name after the root.
    pub(super) head: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Separator,
    Mark(char),
}

/// Every path from the crate root in one file, which is itself `depth`
/// modules below it.
pub(super) fn of_crate_root(source: &str, depth: usize) -> Vec<Use> {
    let tokens = scan(source);
    let mut found = Vec::new();
    let mut inline = InlineModules::default();
    let mut at = 0;
    while let Some((token, line)) = tokens.get(at) {
        inline.see(&tokens, at);
        let starts = at == 0 || kind(&tokens, at - 1) != Some(&Token::Separator);
        at += 1;
        let Token::Word(word) = token else { continue };
        if !starts {
            continue;
        }
        let after = match word.as_str() {
            "crate" => separator(&tokens, at),
            "super" => leaving(&tokens, at, depth + inline.depth()),
            _ => None,
        };
        if let Some(after) = after {
            let heads = heads(&tokens, after);
            found.extend(heads.into_iter().map(|head| Use { line: *line, head }));
        }
    }
    found
}

/// How many `mod name { … }` are open at a place.
#[derive(Default)]
struct InlineModules {
    braces: usize,
    opened_at: Vec<usize>,
}

impl InlineModules {
    fn see(&mut self, tokens: &[(Token, usize)], at: usize) {
        match kind(tokens, at) {
            Some(Token::Mark('{')) => {
                self.braces += 1;
                let module = at >= 2
                    && kind(tokens, at - 2) == Some(&Token::Word("mod".to_owned()))
                    && matches!(kind(tokens, at - 1), Some(Token::Word(_)));
                if module {
                    self.opened_at.push(self.braces);
                }
            }
            Some(Token::Mark('}')) => {
                if self.opened_at.last() == Some(&self.braces) {
                    self.opened_at.pop();
                }
                self.braces = self.braces.saturating_sub(1);
            }
            _ => {}
        }
    }

    fn depth(&self) -> usize {
        self.opened_at.len()
    }
}

fn kind(tokens: &[(Token, usize)], at: usize) -> Option<&Token> {
    tokens.get(at).map(|(token, _)| token)
}

/// The place after a `::`, if there is one here.
fn separator(tokens: &[(Token, usize)], at: usize) -> Option<usize> {
    (kind(tokens, at) == Some(&Token::Separator)).then_some(at + 1)
}

/// The place after a chain of `super::` (its first word read already) that
/// climbs to the crate root.
fn leaving(tokens: &[(Token, usize)], mut at: usize, depth: usize) -> Option<usize> {
    let mut climbed = 1;
    loop {
        at = separator(tokens, at)?;
        if kind(tokens, at) != Some(&Token::Word("super".to_owned())) {
            return (climbed >= depth).then_some(at);
        }
        climbed += 1;
        at += 1;
    }
}

/// The first names of a path or of every branch of a `{…}` group.
fn heads(tokens: &[(Token, usize)], at: usize) -> Vec<String> {
    match kind(tokens, at) {
        Some(Token::Word(word)) => vec![word.clone()],
        Some(Token::Mark('{')) => branches(tokens, at + 1),
        // `crate::*` takes every item of the root.
        Some(Token::Mark('*')) => vec!["*".to_owned()],
        _ => Vec::new(),
    }
}

fn branches(tokens: &[(Token, usize)], mut at: usize) -> Vec<String> {
    let mut heads = Vec::new();
    let mut open = 1;
    let mut first = true;
    while open > 0 {
        match kind(tokens, at) {
            None => break,
            Some(Token::Mark('{')) => open += 1,
            Some(Token::Mark('}')) => open -= 1,
            Some(Token::Mark(',')) if open == 1 => first = true,
            Some(Token::Word(word)) if first => {
                heads.push(word.clone());
                first = false;
            }
            Some(_) => {}
        }
        at += 1;
    }
    heads
}

// === scanner ===

fn scan(source: &str) -> Vec<(Token, usize)> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(rest, first);
        let (passed, left) = rest.split_at(length);
        if let Some(token) = token {
            tokens.push((token, line));
        }
        line += passed.matches('\n').count();
        rest = left;
    }
    tokens
}

/// One token, or something to skip, and its length in bytes (never zero).
fn next(rest: &str, first: char) -> (Option<Token>, usize) {
    if rest.starts_with("//") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, block_comment(rest));
    }
    if rest.starts_with("::") {
        return (Some(Token::Separator), 2);
    }
    if let Some(length) = literal(rest, first) {
        return (None, length);
    }
    let word = rest.strip_prefix("r#").unwrap_or(rest);
    let length = word
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(word.len());
    if length > 0 {
        let name = word.get(..length).unwrap_or_default().to_owned();
        return (Some(Token::Word(name)), rest.len() - word.len() + length);
    }
    let mark = (!first.is_whitespace()).then_some(Token::Mark(first));
    (mark, first.len_utf8())
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(left) = rest.get(at..).filter(|left| !left.is_empty()) {
        if left.starts_with("/*") {
            open += 1;
            at += 2;
        } else if left.starts_with("*/") {
            open -= 1;
            at += 2;
            if open == 0 {
                break;
            }
        } else {
            at += left.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a string or character literal; a lifetime is none.
fn literal(rest: &str, first: char) -> Option<usize> {
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r')).unwrap_or(0);
    let body = rest.get(prefix..)?;
    if prefix > 0 && rest.get(..prefix)?.contains('r') {
        let hashes = body.find(|c| c != '#').unwrap_or(0);
        if body.get(hashes..)?.starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = body.get(hashes + 1..)?;
            let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
            return Some(prefix + hashes + 1 + length);
        }
    }
    if body.starts_with('"') {
        return Some(prefix + quoted(body, '"'));
    }
    let character = first == '\'' && {
        let mut inside = rest.chars().skip(1);
        inside.next() == Some('\\') || inside.next() == Some('\'')
    };
    character.then(|| quoted(rest, '\''))
}

/// The length up to and with the closing quote; a backslash hides one.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}
