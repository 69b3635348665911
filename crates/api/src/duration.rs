//! Durations as Go writes them (`500ms`, `3m0s`, `1h0m0s`).
//!
//! Flags, Configuration and Resiliency carry them as text; the text form is
//! also what logs and metadata show, so both directions are kept exact.
//! Mirrors Go's `time.ParseDuration` and `Duration.String`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A signed span of time in nanoseconds, at most about 292 years.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration {
    nanos: i64,
}

/// Why a text is not a duration; the wording is Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a sequence of numbers with units, or out of range.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without a unit behind it.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit other than `ns us µs ms s m h`.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// The whole text.
        text: String,
    },
}

impl GoDuration {
    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    /// Nanoseconds, negative for a span into the past.
    pub const fn as_nanos(self) -> i64 {
        self.nanos
    }

    /// The standard library's form; a negative span becomes zero.
    pub fn to_std(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanos).unwrap_or(0))
    }

    /// Whether the span is longer than nothing.
    pub const fn is_positive(self) -> bool {
        self.nanos > 0
    }
}

impl From<Duration> for GoDuration {
    /// Saturates at the longest span Go can express.
    fn from(value: Duration) -> Self {
        Self::from_nanos(i64::try_from(value.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    /// # Errors
    /// The text is not `[+-]<number><unit>…`; `0` alone needs no unit.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if digits == "0" {
            return Ok(Self::default());
        }
        if digits.is_empty() {
            return Err(invalid());
        }
        let mut total: u64 = 0;
        let mut rest = digits;
        while !rest.is_empty() {
            let (nanos, tail) = component(rest, text)?;
            total = total
                .checked_add(nanos)
                .filter(|sum| *sum <= i64::MIN.unsigned_abs())
                .ok_or_else(invalid)?;
            rest = tail;
        }
        if negative {
            return Ok(Self::from_nanos(0_i64.wrapping_sub_unsigned(total)));
        }
        let nanos = i64::try_from(total).map_err(|_| invalid())?;
        Ok(Self::from_nanos(nanos))
    }
}

/// One `<number><unit>` from the front of `rest`, and what follows it.
fn component<'a>(rest: &'a str, text: &str) -> Result<(u64, &'a str), DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let split = |s: &'a str| {
        let end = s.bytes().position(|b| !b.is_ascii_digit());
        s.split_at(end.unwrap_or(s.len()))
    };
    let (whole, mut tail) = split(rest);
    let mut fraction = "";
    if let Some(after_point) = tail.strip_prefix('.') {
        (fraction, tail) = split(after_point);
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let unit_end = tail
        .bytes()
        .position(|b| b == b'.' || b.is_ascii_digit())
        .unwrap_or(tail.len());
    let (unit, tail) = tail.split_at(unit_end);
    if unit.is_empty() {
        return Err(DurationError::MissingUnit(text.to_owned()));
    }
    let scale = unit_nanos(unit).ok_or_else(|| DurationError::UnknownUnit {
        unit: unit.to_owned(),
        text: text.to_owned(),
    })?;
    let whole: u64 = match whole {
        "" => 0,
        number => number.parse().map_err(|_| invalid())?,
    };
    let nanos = whole
        .checked_mul(scale)
        .and_then(|n| n.checked_add(fraction_nanos(fraction, scale)))
        .ok_or_else(invalid)?;
    Ok((nanos, tail))
}

/// The part behind the point, truncated to whole nanoseconds.
fn fraction_nanos(digits: &str, scale: u64) -> u64 {
    let mut value: u128 = 0;
    let mut divisor: u128 = 1;
    // Eighteen digits are far beyond a nanosecond of an hour.
    for digit in digits.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        divisor *= 10;
    }
    u64::try_from(value * u128::from(scale) / divisor).unwrap_or(u64::MAX)
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // Both code points that look like a micro sign.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_PER_SECOND,
        "m" => 60 * NANOS_PER_SECOND,
        "h" => 3600 * NANOS_PER_SECOND,
        _ => return None,
    })
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos.unsigned_abs();
        if self.nanos < 0 {
            f.write_str("-")?;
        }
        match nanos {
            0 => return f.write_str("0s"),
            1..1_000 => return write!(f, "{nanos}ns"),
            1_000..1_000_000 => return decimal(f, nanos, 1_000, "\u{b5}s"),
            1_000_000..NANOS_PER_SECOND => return decimal(f, nanos, 1_000_000, "ms"),
            _ => {}
        }
        let minutes = nanos / (60 * NANOS_PER_SECOND);
        if minutes >= 60 {
            write!(f, "{}h", minutes / 60)?;
        }
        if minutes > 0 {
            write!(f, "{}m", minutes % 60)?;
        }
        decimal(f, nanos % (60 * NANOS_PER_SECOND), NANOS_PER_SECOND, "s")
    }
}

/// `nanos / unit` with as many decimals as needed, and the unit's name.
fn decimal(f: &mut fmt::Formatter<'_>, nanos: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", nanos / unit)?;
    let mut fraction = nanos % unit;
    if fraction > 0 {
        f.write_str(".")?;
        let mut place = unit / 10;
        while fraction > 0 {
            write!(f, "{}", fraction / place)?;
            fraction %= place;
            place = (place / 10).max(1);
        }
    }
    f.write_str(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_canonical_form() {
        for (text, nanos, canonical) in [
            ("0", 0, "0s"),
            ("500ms", 500_000_000, "500ms"),
            ("5s", 5_000_000_000, "5s"),
            ("3m", 180_000_000_000, "3m0s"),
            ("1h", 3_600_000_000_000, "1h0m0s"),
            ("1h30m1.5s", 5_401_500_000_000, "1h30m1.5s"),
            ("-1.5h", -5_400_000_000_000, "-1h30m0s"),
            ("+.5s", 500_000_000, "500ms"),
            ("1500\u{b5}s", 1_500_000, "1.5ms"),
            ("1001ns", 1_001, "1.001\u{b5}s"),
            ("7ns", 7, "7ns"),
            ("60s1ns", 60_000_000_001, "1m0.000000001s"),
            (
                "9223372036854775807ns",
                i64::MAX,
                "2562047h47m16.854775807s",
            ),
        ] {
            let parsed: GoDuration = text.parse().unwrap();
            assert_eq!(parsed.as_nanos(), nanos, "{text}");
            assert_eq!(parsed.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse(), Ok(parsed), "{canonical}");
        }
        let longest: GoDuration = "-9223372036854775808ns".parse().unwrap();
        assert_eq!(longest.as_nanos(), i64::MIN);
    }

    #[test]
    fn malformed_text_is_named_as_go_names_it() {
        for (text, message) in [
            ("", r#"time: invalid duration """#),
            ("-", r#"time: invalid duration "-""#),
            ("abc", r#"time: invalid duration "abc""#),
            (".s", r#"time: invalid duration ".s""#),
            ("5", r#"time: missing unit in duration "5""#),
            ("5d", r#"time: unknown unit "d" in duration "5d""#),
            ("1h 2m", r#"time: unknown unit "h " in duration "1h 2m""#),
            (
                "9223372036854775808ns",
                r#"time: invalid duration "9223372036854775808ns""#,
            ),
        ] {
            let error = text.parse::<GoDuration>().unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn negative_spans_are_zero_for_the_standard_library() {
        assert_eq!(GoDuration::from_nanos(-1).to_std(), Duration::ZERO);
        assert_eq!(
            GoDuration::from(Duration::from_millis(1500)).to_string(),
            "1.5s"
        );
    }
}
