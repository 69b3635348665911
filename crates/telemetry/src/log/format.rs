//! One line: logfmt as logrus writes it, or a JSON object.
//!
//! Text starts with time, level and msg, everything else follows sorted by
//! key; JSON sorts all keys. Mirrors dapr/kit logger.

use std::cell::RefCell;
use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::quote::{push_json, push_text};
use super::{Level, Log};

/// What one line says.
pub(super) struct Event<'a> {
    pub(super) level: Level,
    pub(super) scope: &'a str,
    pub(super) message: &'a str,
    pub(super) fields: Vec<(&'static str, Value<'a>)>,
}

/// A field's value.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// A number or boolean: JSON shows it without quotes.
    Bare(&'a str),
    /// Anything else.
    Text(&'a str),
    /// The time of the line.
    Now,
}

impl<'a> Event<'a> {
    pub(super) const fn message(level: Level, scope: &'a str, message: &'a str) -> Self {
        Self {
            level,
            scope,
            message,
            fields: Vec::new(),
        }
    }
}

/// Lines larger than this give their buffer back.
const KEEP: usize = 16 * 1024;

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Hands the finished line, with its line end, to `write`.
pub(super) fn with_line(log: &Log, event: &Event<'_>, write: impl FnOnce(&[u8])) {
    let now = Timestamp::now();
    // No buffer is left when the thread is ending.
    let mut line = LINE.try_with(RefCell::take).unwrap_or_default();
    line.clear();
    push_line(&mut line, log, event, now);
    write(&line);
    if line.capacity() <= KEEP {
        let _ = LINE.try_with(|slot| slot.replace(line));
    }
}

/// Appends the line to `out`.
pub(super) fn push_line(out: &mut Vec<u8>, log: &Log, event: &Event<'_>, now: Timestamp) {
    let mut keys: Vec<(&str, Value<'_>)> = Vec::with_capacity(event.fields.len() + 8);
    keys.extend(
        event
            .fields
            .iter()
            .map(|(name, value)| (renamed(name), *value)),
    );
    let constants = [
        ("app_id", log.app_id.get().map_or("", String::as_str)),
        ("instance", &log.instance),
        ("scope", event.scope),
        ("type", "log"),
        ("ver", &log.version),
    ];
    for (name, value) in constants {
        let missing = name == "app_id" && value.is_empty();
        // A field of the event wins over the constant of the same name.
        if !missing && !keys.iter().any(|(key, _)| *key == name) {
            keys.push((name, Value::Text(value)));
        }
    }
    let leading = [
        ("time", Value::Now),
        ("level", Value::Text(event.level.label())),
        ("msg", Value::Text(event.message)),
    ];
    if log.json {
        keys.extend(leading);
        keys.sort_by_key(|(name, _)| *name);
        push_object(out, &keys, &log.zone, now);
    } else {
        keys.sort_by_key(|(name, _)| *name);
        push_pairs(out, leading.iter().chain(&keys), &log.zone, now);
    }
    out.push(b'\n');
}

/// logrus renames fields that would hide its own keys.
fn renamed(name: &'static str) -> &'static str {
    match name {
        "time" => "fields.time",
        "level" => "fields.level",
        "msg" => "fields.msg",
        name => name,
    }
}

fn push_pairs<'a>(
    out: &mut Vec<u8>,
    pairs: impl Iterator<Item = &'a (&'a str, Value<'a>)>,
    zone: &TimeZone,
    now: Timestamp,
) {
    for (at, (name, value)) in pairs.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        match value {
            Value::Bare(text) | Value::Text(text) => push_text(out, text),
            Value::Now => push_quoted_time(out, zone, now),
        }
    }
}

fn push_object(out: &mut Vec<u8>, pairs: &[(&str, Value<'_>)], zone: &TimeZone, now: Timestamp) {
    out.push(b'{');
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_json(out, name);
        out.push(b':');
        match value {
            Value::Bare(text) => out.extend_from_slice(text.as_bytes()),
            Value::Text(text) => push_json(out, text),
            Value::Now => push_quoted_time(out, zone, now),
        }
    }
    out.push(b'}');
}

/// RFC 3339 in the local zone, nanoseconds without trailing zeros.
fn push_quoted_time(out: &mut Vec<u8>, zone: &TimeZone, now: Timestamp) {
    let offset = zone.to_offset(now);
    let local = offset.to_datetime(now);
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second()
    );
    let nanos = local.subsec_nanosecond();
    if nanos > 0 {
        let _ = write!(out, ".{nanos:09}");
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    let minutes = offset.seconds() / 60;
    let _ = match minutes {
        0 => write!(out, "Z\""),
        1.. => write!(out, "+{:02}:{:02}\"", minutes / 60, minutes % 60),
        _ => write!(out, "-{:02}:{:02}\"", -minutes / 60, -minutes % 60),
    };
}
