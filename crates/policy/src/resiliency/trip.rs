//! When a breaker opens: an expression over its counters.
//!
//! The part of CEL that makes sense for five numbers. What is no expression
//! is refused when it is read; what has no answer does not trip.

mod eval;
mod parse;
mod token;

use super::breaker::Counts;
use parse::Node;

/// An expression, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    form: Form,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// `<counter> <comparison> <number>`, the usual case.
    Simple(Counter, Comparison, i64),
    General(Node),
}

/// One of the numbers a breaker counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counter {
    Requests,
    TotalSuccesses,
    TotalFailures,
    ConsecutiveSuccesses,
    ConsecutiveFailures,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Text that is no expression, in the words of CEL's compiler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ERROR: <input>:1:{column}: {reason}")]
pub struct TripError {
    /// Where, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Default for Trip {
    /// More than five failures in a row.
    fn default() -> Self {
        Self {
            form: Form::Simple(Counter::ConsecutiveFailures, Comparison::Greater, 5),
        }
    }
}

impl Trip {
    /// Reads an expression; empty text is the default.
    ///
    /// # Errors
    /// Not an expression. Names nobody knows are one, and never trip.
    pub fn parse(text: &str) -> Result<Self, TripError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let node = parse::parse(text)?;
        let form = match &node {
            Node::Compare(comparison, sides) => match &**sides {
                (Node::Counter(counter), Node::Int(number)) => {
                    Form::Simple(*counter, *comparison, *number)
                }
                _ => Form::General(node),
            },
            _ => Form::General(node),
        };
        Ok(Self { form })
    }

    /// Whether a breaker with these counters opens.
    pub fn trips(&self, counts: &Counts) -> bool {
        match &self.form {
            Form::Simple(counter, comparison, number) => {
                comparison.holds(counter.of(counts).cmp(number))
            }
            Form::General(node) => eval::is_true(node, counts),
        }
    }
}

impl Counter {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "requests" => Self::Requests,
            "totalSuccesses" => Self::TotalSuccesses,
            "totalFailures" => Self::TotalFailures,
            "consecutiveSuccesses" => Self::ConsecutiveSuccesses,
            "consecutiveFailures" => Self::ConsecutiveFailures,
            _ => return None,
        })
    }

    fn of(self, counts: &Counts) -> i64 {
        i64::from(match self {
            Self::Requests => counts.requests,
            Self::TotalSuccesses => counts.total_successes,
            Self::TotalFailures => counts.total_failures,
            Self::ConsecutiveSuccesses => counts.consecutive_successes,
            Self::ConsecutiveFailures => counts.consecutive_failures,
        })
    }
}

impl Comparison {
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts {
        requests: 10,
        total_successes: 6,
        total_failures: 4,
        consecutive_successes: 0,
        consecutive_failures: 3,
    };

    #[test]
    fn expressions_over_the_counters() {
        for (text, trips) in [
            ("consecutiveFailures >= 3", true),
            ("consecutiveFailures > 3", false),
            ("3 <= consecutiveFailures", true),
            ("requests == 10 && totalFailures != 4", false),
            ("requests == 10 || nobody > 1", true),
            ("nobody > 1 || requests == 10", true),
            ("nobody > 1 && requests == 11", false),
            ("nobody > 1 && requests == 10", false),
            ("totalFailures * 100 / requests >= 40", true),
            ("totalFailures * 100 / requests > 40", false),
            ("double(totalFailures) / double(requests) > 0.3", true),
            ("totalFailures / requests > 0", false),
            ("totalFailures > 3.5", true),
            ("requests % 5 == 0", true),
            ("1 / consecutiveSuccesses > 0", false),
            ("1.0 / double(consecutiveSuccesses) > 9e9", true),
            ("requests > 5 ? totalFailures > 3 : false", true),
            ("!(requests > 5)", false),
            ("-totalFailures < -3", true),
            ("(requests - totalSuccesses) >= totalFailures", true),
            ("int(3.9) == consecutiveFailures", true),
            ("requests", false),
            ("true", true),
            ("requests == true", false),
            ("requests + 0.5 > 1", false),
            ("0x0A == requests", true),
            ("unknown(requests)", false),
            ("size.of > 1", false),
            ("2 - 1 - 1 == 0 // left to right", true),
            ("9223372036854775807 + requests > 0", false),
        ] {
            assert_eq!(Trip::parse(text).unwrap().trips(&COUNTS), trips, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused_where_it_fails() {
        for (text, column) in [
            ("a >", 4),
            ("requests > 1)", 13),
            ("(requests > 1", 14),
            ("requests = 1", 10),
            ("requests > 1 &", 14),
            ("requests > 99999999999999999999", 12),
            ("requests requests", 10),
            ("? 1 : 2", 1),
            ("$", 1),
        ] {
            let error = Trip::parse(text).unwrap_err();
            assert_eq!(error.column, column, "{text}: {error}");
            let prefix = format!("ERROR: <input>:1:{column}: ");
            assert!(error.to_string().starts_with(&prefix), "{error}");
        }
        let deep = "(".repeat(5000);
        assert!(Trip::parse(&deep).is_err());
        let deep = "!".repeat(5000);
        assert!(Trip::parse(&format!("{deep}true")).is_err());
    }
}
