//! Text to tokens.

use super::TripError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Int(i64),
    Double(f64),
    Name(String),
    /// An operator or a bracket.
    Mark(&'static str),
    End,
}

/// A token and its column, counted from 1.
pub(super) type Placed = (Token, usize);

/// Longer marks first: the first that fits is taken.
const MARKS: [&str; 19] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "(", ")", "?", ":",
    ",",
];

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, TripError> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        // A comment reaches to the end of its line.
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, next)| next);
            continue;
        }
        let column = text.chars().count() - rest.chars().count() + 1;
        let Some(first) = rest.chars().next() else {
            found.push((Token::End, column));
            return Ok(found);
        };
        let (token, length) = if first.is_ascii_digit() || first == '.' {
            number(rest, column)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            name(rest)
        } else if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            (Token::Mark(mark), mark.len())
        } else {
            return Err(TripError {
                column,
                reason: format!("Syntax error: token recognition error at: '{first}'"),
            });
        };
        found.push((token, column));
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// A name, with the members behind it: nothing here has members, so such a
/// name is one nobody knows.
fn name(text: &str) -> (Token, usize) {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.');
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    let name = text.get(..end).unwrap_or_default();
    (Token::Name(name.to_owned()), end)
}

fn number(text: &str, column: usize) -> Result<(Token, usize), TripError> {
    let bad = || TripError {
        column,
        reason: "invalid number literal".to_owned(),
    };
    if let Some(digits) = text.strip_prefix("0x") {
        let end = digits
            .find(|letter: char| !letter.is_ascii_hexdigit())
            .unwrap_or(digits.len());
        let value = i64::from_str_radix(digits.get(..end).unwrap_or_default(), 16);
        return Ok((Token::Int(value.map_err(|_| bad())?), end + 2));
    }
    let digits = |text: &str| {
        let end = text.find(|letter: char| !letter.is_ascii_digit());
        end.unwrap_or(text.len())
    };
    let rest = |from: usize| text.get(from..).unwrap_or_default();
    let mut end = digits(text);
    let mut is_double = false;
    if let Some(fraction) = rest(end).strip_prefix('.') {
        is_double = true;
        end += 1 + digits(fraction);
    }
    if let Some(exponent) = rest(end).strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let length = digits(exponent.get(sign..).unwrap_or_default());
        if length > 0 {
            is_double = true;
            end += 1 + sign + length;
        }
    }
    let literal = text.get(..end).unwrap_or_default();
    let token = if is_double {
        Token::Double(literal.parse().map_err(|_| bad())?)
    } else {
        Token::Int(literal.parse().map_err(|_| bad())?)
    };
    Ok((token, end))
}
