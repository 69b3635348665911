//! Lists of status codes such as `500,502-504`.

/// Which failures are tried again. Failures without a code always are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    http: Option<Vec<(i32, i32)>>,
    grpc: Option<Vec<(i32, i32)>>,
}

/// A list that is none; the texts are Dapr's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatchingError {
    /// `1-2-3`.
    #[error("invalid pattern {0}, more than one '-' exists")]
    Dashes(String),
    /// Not a number.
    #[error("failed to parse {which} code {code} from pattern {pattern} to int, strconv.Atoi: parsing {}: invalid syntax", crate::method::quote(.code))]
    Number {
        /// `start` or `end`.
        which: &'static str,
        /// As written.
        code: String,
        /// The whole item.
        pattern: String,
    },
    /// Outside the codes there are.
    #[error("invalid pattern {pattern}, {which} code {code} is not valid")]
    Range {
        /// `start` or `end`.
        which: &'static str,
        /// The code.
        code: i32,
        /// The whole item.
        pattern: String,
    },
    /// `3-1`.
    #[error("invalid pattern {0}, start value should not bigger than end value")]
    Order(String),
}

const HTTP: (i32, i32) = (100, 599);
const GRPC: (i32, i32) = (0, 16);

impl Matching {
    /// Reads both lists; empty text is every code.
    ///
    /// # Errors
    /// The first item that is no code or range of codes.
    pub fn parse(http: &str, grpc: &str) -> Result<Self, MatchingError> {
        Ok(Self {
            http: list(http, HTTP)?,
            grpc: list(grpc, GRPC)?,
        })
    }

    /// Whether a failure with this code, HTTP or gRPC, is tried again.
    pub fn retries(&self, code: i32) -> bool {
        let list = if within(code, GRPC) {
            &self.grpc
        } else if within(code, HTTP) {
            &self.http
        } else {
            return false;
        };
        list.as_ref()
            .is_none_or(|list| list.iter().any(|range| within(code, *range)))
    }
}

fn within(code: i32, (first, last): (i32, i32)) -> bool {
    (first..=last).contains(&code)
}

fn list(text: &str, valid: (i32, i32)) -> Result<Option<Vec<(i32, i32)>>, MatchingError> {
    if text.is_empty() {
        return Ok(None);
    }
    let items = text.split(',').filter(|item| !item.is_empty());
    items
        .map(|item| range(item, valid))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn range(pattern: &str, valid: (i32, i32)) -> Result<(i32, i32), MatchingError> {
    let (start, end) = match pattern.split_once('-') {
        None => (pattern, pattern),
        Some((_, rest)) if rest.contains('-') => {
            return Err(MatchingError::Dashes(pattern.to_owned()));
        }
        Some(ends) => ends,
    };
    let code = |which, code: &str| {
        let number: i32 = code.parse().map_err(|_| MatchingError::Number {
            which,
            code: code.to_owned(),
            pattern: pattern.to_owned(),
        })?;
        if within(number, valid) {
            Ok(number)
        } else {
            Err(MatchingError::Range {
                which,
                code: number,
                pattern: pattern.to_owned(),
            })
        }
    };
    let ends = (code("start", start)?, code("end", end)?);
    if ends.1 < ends.0 {
        return Err(MatchingError::Order(pattern.to_owned()));
    }
    Ok(ends)
}
