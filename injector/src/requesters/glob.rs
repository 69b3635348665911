//! Patterns with the meaning of Go's `path.Match`: `*` and `?` stop at a
//! slash, `[^…]` negates, `\` takes the next character as it is, and the whole
//! text has to match.

/// A pattern that was parsed.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<Part>);

/// Go's words for all mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

#[derive(Clone, Debug)]
enum Part {
    /// Any run of characters.
    Run,
    One(Set),
}

#[derive(Clone, Debug)]
enum Set {
    Any,
    Exactly(char),
    Of {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    pub(super) fn new(pattern: &str) -> Result<Self, BadPattern> {
        let mut rest = pattern.chars().peekable();
        let mut parts = Vec::new();
        while let Some(next) = rest.next() {
            parts.push(match next {
                '*' => Part::Run,
                '?' => Part::One(Set::Any),
                '[' => Part::One(class(&mut rest)?),
                '\\' => Part::One(Set::Exactly(rest.next().ok_or(BadPattern)?)),
                other => Part::One(Set::Exactly(other)),
            });
        }
        Ok(Self(parts))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut part, mut at) = (0, 0);
        // Where to go on when the latest run has to take one character more.
        let mut retry = None;
        loop {
            let advanced = match (self.0.get(part), text.get(at)) {
                (None, None) => return true,
                (Some(Part::Run), _) => {
                    retry = Some((part + 1, at));
                    part += 1;
                    continue;
                }
                (Some(Part::One(set)), Some(c)) => set.contains(*c),
                _ => false,
            };
            if advanced {
                part += 1;
                at += 1;
                continue;
            }
            match retry {
                Some((after, taken)) if text.get(taken).is_some_and(|c| *c != '/') => {
                    retry = Some((after, taken + 1));
                    (part, at) = (after, taken + 1);
                }
                _ => return false,
            }
        }
    }
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What is behind an opening bracket.
fn class(rest: &mut Rest<'_>) -> Result<Set, BadPattern> {
    let negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || rest.next_if_eq(&']').is_none() {
        let low = member(rest)?;
        let high = match rest.next_if_eq(&'-') {
            Some(_) => member(rest)?,
            None => low,
        };
        ranges.push((low, high));
    }
    Ok(Set::Of { negated, ranges })
}

fn member(rest: &mut Rest<'_>) -> Result<char, BadPattern> {
    match rest.next() {
        None | Some('-' | ']') => Err(BadPattern),
        Some('\\') => rest.next().ok_or(BadPattern),
        Some(other) => Ok(other),
    }
}

impl Set {
    fn contains(&self, c: char) -> bool {
        match self {
            Self::Any => c != '/',
            Self::Exactly(other) => c == *other,
            Self::Of { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_go_does() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "ABC", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "abc", true),
            ("*", "a/b", false),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*", "axbxcxdxexxx", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("ab[!c]", "ab!", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "aäb", true),
            ("a[^a]b", "aäb", true),
            ("a?b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-x]", "-", true),
            ("[x\\-]", "z", false),
            ("*x", "xxx", true),
        ] {
            let glob = Glob::new(pattern).unwrap();
            assert_eq!(glob.matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for pattern in [
            "[", "[]a]", "[-]", "[x-]", "[-x]", "[^", "[^bc", "a[", "\\", "[a-b-c]",
        ] {
            assert!(Glob::new(pattern).is_err(), "{pattern}");
        }
    }
}
