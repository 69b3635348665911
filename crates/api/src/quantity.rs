//! Kubernetes quantities (`4Mi`, `500m`, `1e6`, plain numbers).
//!
//! Body and buffer limits and container resources are written this way by
//! flags and annotations. Values are exact down to one thousand-millionth,
//! as in Kubernetes; the text form is the canonical one that `dapr run`
//! hands on.

use std::fmt;
use std::str::FromStr;

const NANO: i128 = 1_000_000_000;

/// A parsed quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// Which family of suffixes the user wrote; the canonical form keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Binary,
    Decimal,
    Exponent,
}

/// Why a text is not a usable quantity; the first two are Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text does not have the form of a quantity.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The letters behind the number are no known suffix.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// The number itself is malformed or beyond what can be held.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// A number of bytes was wanted, but it has a fraction or is too large.
    #[error("cannot get bytes from resource quantity value '{0}'")]
    NotBytes(String),
}

/// Parses a quantity that counts bytes; negative numbers are returned as
/// they are (flags give them a meaning).
///
/// # Errors
/// The text is no quantity, or not a whole number that fits 64 bits.
pub fn bytes(text: &str) -> Result<i64, QuantityError> {
    let quantity: Quantity = text.parse()?;
    quantity
        .whole()
        .ok_or_else(|| QuantityError::NotBytes(text.to_owned()))
}

impl Quantity {
    /// The value if it is a whole number that fits 64 bits.
    pub fn whole(self) -> Option<i64> {
        (self.nanos % NANO == 0)
            .then_some(self.nanos / NANO)
            .and_then(|value| i64::try_from(value).ok())
    }

    /// Whether the value is below zero.
    pub const fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// Thousandths, rounded up: `500m` of a CPU is 500.
    pub fn millis(self) -> i128 {
        let unit = NANO / 1000;
        self.nanos.div_euclid(unit) + i128::from(self.nanos.rem_euclid(unit) != 0)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    /// # Errors
    /// See [`QuantityError`].
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let is_number = |b: u8| b.is_ascii_digit() || b == b'.';
        let end = unsigned.bytes().position(|b| !is_number(b));
        let (number, suffix) = unsigned.split_at(end.unwrap_or(unsigned.len()));
        if number.is_empty() || !well_formed(suffix) {
            return Err(QuantityError::Format);
        }
        let scale = Scale::parse(suffix)?;
        let magnitude = scale.apply(number)?;
        Ok(Self {
            nanos: if negative { -magnitude } else { magnitude },
            format: scale.format,
        })
    }
}

/// `[eEinumkKMGTP]*[-+]?[0-9]*`
fn well_formed(suffix: &str) -> bool {
    let rest = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    rest.bytes().all(|b| b.is_ascii_digit())
}

/// `base ^ exponent`, as the suffix says.
struct Scale {
    base: i128,
    exponent: i32,
    format: Format,
}

impl Scale {
    fn parse(suffix: &str) -> Result<Self, QuantityError> {
        const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        let scale = |base, exponent, format| Self {
            base,
            exponent,
            format,
        };
        let place = |names: &[&str]| {
            let at = names.iter().position(|name| *name == suffix)?;
            i32::try_from(at).ok()
        };
        if let Some(place) = place(&DECIMAL) {
            return Ok(scale(10, 3 * (place - 3), Format::Decimal));
        }
        if let Some(place) = place(&BINARY) {
            return Ok(scale(1024, place, Format::Binary));
        }
        suffix
            .strip_prefix(['e', 'E'])
            .and_then(|exponent| exponent.parse().ok())
            .map(|exponent| scale(10, exponent, Format::Exponent))
            .ok_or(QuantityError::Suffix)
    }

    /// Thousand-millionths of `number`, rounded away from zero.
    fn apply(&self, number: &str) -> Result<i128, QuantityError> {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(QuantityError::Number);
        }
        let digits = format!("{whole}{fraction}");
        let value: i128 = digits.parse().map_err(|_| QuantityError::Number)?;
        let places = i32::try_from(fraction.len()).map_err(|_| QuantityError::Number)?;
        let (powers, mut tens) = match self.base {
            10 => (0, self.exponent.saturating_add(9)),
            _ => (self.exponent, 9),
        };
        tens = tens.saturating_sub(places);
        let grow = |value: i128, base: i128, times: i32| {
            let factor = base.checked_pow(u32::try_from(times).ok()?)?;
            value.checked_mul(factor)
        };
        let value = grow(value, 1024, powers).ok_or(QuantityError::Number)?;
        if tens >= 0 {
            return if value == 0 {
                Ok(0)
            } else {
                grow(value, 10, tens).ok_or(QuantityError::Number)
            };
        }
        // A divisor too large to hold leaves less than one billionth.
        let divisor = 10_i128.checked_pow(tens.unsigned_abs());
        Ok(match divisor {
            Some(divisor) => value / divisor + i128::from(value % divisor > 0),
            None => i128::from(value > 0),
        })
    }
}

impl fmt::Display for Quantity {
    /// The canonical form: the largest suffix of the same family that leaves
    /// a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = (self.nanos % NANO == 0).then_some(self.nanos / NANO);
        if let (Format::Binary, Some(mut value)) = (self.format, whole)
            && value.abs() >= 1024
        {
            let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter();
            let mut suffix = suffixes.next();
            while value % 1024 == 0 && suffixes.len() > 0 {
                value /= 1024;
                suffix = suffixes.next();
            }
            return write!(f, "{value}{}", suffix.copied().unwrap_or_default());
        }
        let mut value = self.nanos;
        let mut suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].iter();
        let mut suffix = suffixes.next();
        let mut exponent = -9;
        while value % 1000 == 0 && suffixes.len() > 0 {
            value /= 1000;
            exponent += 3;
            suffix = suffixes.next();
        }
        match self.format {
            Format::Exponent if exponent != 0 => write!(f, "{value}e{exponent}"),
            Format::Exponent => write!(f, "{value}"),
            _ => write!(f, "{value}{}", suffix.copied().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_suffix() {
        for (text, expected) in [
            ("0", 0),
            ("-1", -1),
            ("+7", 7),
            ("4Mi", 4 << 20),
            ("4Ki", 4 << 10),
            ("1.5Ki", 1536),
            (".5Gi", 512 << 20),
            ("4M", 4_000_000),
            ("2k", 2000),
            ("3G", 3_000_000_000),
            ("1Ti", 1 << 40),
            ("1e3", 1000),
            ("12E2", 1200),
            ("2000m", 2),
            ("1E", 1_000_000_000_000_000_000),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn malformed_text_is_refused() {
        for (text, error) in [
            ("", QuantityError::Format),
            ("Mi", QuantityError::Format),
            ("4Mb", QuantityError::Format),
            ("4 Mi", QuantityError::Format),
            ("4kk", QuantityError::Suffix),
            ("4K", QuantityError::Suffix),
            ("4mi", QuantityError::Suffix),
            ("1.2.3", QuantityError::Number),
            (".", QuantityError::Number),
            ("1e400", QuantityError::Number),
            ("1.5", QuantityError::NotBytes("1.5".into())),
            ("1e-400", QuantityError::NotBytes("1e-400".into())),
            ("16Ei", QuantityError::NotBytes("16Ei".into())),
        ] {
            assert_eq!(bytes(text), Err(error), "{text}");
        }
    }

    #[test]
    fn canonical_form() {
        for (text, canonical) in [
            ("4096Ki", "4Mi"),
            ("1.5Gi", "1536Mi"),
            ("4194304", "4194304"),
            ("4000000", "4M"),
            ("0.5", "500m"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
            ("1000e3", "1e6"),
            ("-2000", "-2k"),
            ("0Mi", "0"),
        ] {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!(quantity.to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn thousandths_round_up() {
        let millis = |text: &str| text.parse::<Quantity>().unwrap().millis();
        assert_eq!(millis("500m"), 500);
        assert_eq!(millis("1.0001"), 1001);
        assert_eq!(millis("2"), 2000);
    }
}
