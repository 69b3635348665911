//! `grpc-timeout`: how long a call may take.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;

/// The largest number of the eight digits that are allowed.
const MOST: u128 = 99_999_999;

/// Reads a value such as `4955669u`; `None` for anything else than up to
/// eight digits and a unit.
pub fn parse(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_hours(number),
        b'M' => Duration::from_mins(number),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Writes the finest unit that fits in eight digits, rounded up, as Go does.
pub fn format(time: Duration) -> HeaderValue {
    const UNITS: [(u128, char); 6] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
        (3_600_000_000_000, 'H'),
    ];
    let nanos = time.as_nanos();
    let fitting = UNITS
        .iter()
        .map(|(length, unit)| (nanos.div_ceil(*length), unit))
        .find(|(number, _)| *number <= MOST);
    let (number, unit) = fitting.unwrap_or((MOST, &'H'));
    HeaderValue::from_maybe_shared(Bytes::from(format!("{number}{unit}")))
        .unwrap_or(HeaderValue::from_static("99999999H"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        for (text, time) in [
            ("1H", Duration::from_hours(1)),
            ("2M", Duration::from_mins(2)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("30m", Duration::from_millis(30)),
            ("4955669u", Duration::from_micros(4_955_669)),
            ("00000007n", Duration::from_nanos(7)),
            ("0n", Duration::ZERO),
            ("99999999H", Duration::from_hours(99_999_999)),
        ] {
            assert_eq!(parse(&HeaderValue::from_static(text)), Some(time), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_timeout() {
        for text in [
            "",
            "S",
            "1",
            "1s",
            "-1S",
            "+1S",
            "1.5S",
            "100000000n",
            "1 S",
            "\u{ff11}S",
        ] {
            let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
            assert_eq!(parse(&value), None, "{text}");
        }
    }

    #[test]
    fn the_finest_unit_that_fits_is_written() {
        for (time, text) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(1), "1n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_001), "100001u"),
            (Duration::from_micros(4_955_669), "4955669u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(100_000_000), "1666667M"),
            (Duration::from_mins(100_000_000), "1666667H"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(format(time), text, "{time:?}");
            assert!(time == Duration::MAX || parse(&format(time)).unwrap() >= time);
        }
    }
}
