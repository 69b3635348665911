//! Details of a failure as JSON: `google/rpc/error_details.proto` as tables,
//! read straight from the wire.

use bytes::Bytes;

use crate::{
    envelope::{
        DecodeError,
        proto::{Reader, Value},
    },
    errors::push_json,
};

/// A field of a message, in the order it is written.
struct Field(u64, &'static str, Kind);

enum Kind {
    Text,
    Texts,
    TextMap,
    /// `int64`, a string in JSON.
    Long,
    /// `optional int64`: zero counts.
    OptionalLong,
    Duration,
    Message(&'static [Field]),
    Messages(&'static [Field]),
}

const LOCALIZED_MESSAGE: &[Field] = &[
    Field(1, "locale", Kind::Text),
    Field(2, "message", Kind::Text),
];

const MESSAGES: &[(&str, &[Field])] = &[
    (
        "google.rpc.ErrorInfo",
        &[
            Field(1, "reason", Kind::Text),
            Field(2, "domain", Kind::Text),
            Field(3, "metadata", Kind::TextMap),
        ],
    ),
    (
        "google.rpc.RetryInfo",
        &[Field(1, "retryDelay", Kind::Duration)],
    ),
    (
        "google.rpc.DebugInfo",
        &[
            Field(1, "stackEntries", Kind::Texts),
            Field(2, "detail", Kind::Text),
        ],
    ),
    (
        "google.rpc.QuotaFailure",
        &[Field(
            1,
            "violations",
            Kind::Messages(&[
                Field(1, "subject", Kind::Text),
                Field(2, "description", Kind::Text),
                Field(3, "apiService", Kind::Text),
                Field(4, "quotaMetric", Kind::Text),
                Field(5, "quotaId", Kind::Text),
                Field(6, "quotaDimensions", Kind::TextMap),
                Field(7, "quotaValue", Kind::Long),
                Field(8, "futureQuotaValue", Kind::OptionalLong),
            ]),
        )],
    ),
    (
        "google.rpc.PreconditionFailure",
        &[Field(
            1,
            "violations",
            Kind::Messages(&[
                Field(1, "type", Kind::Text),
                Field(2, "subject", Kind::Text),
                Field(3, "description", Kind::Text),
            ]),
        )],
    ),
    (
        "google.rpc.BadRequest",
        &[Field(
            1,
            "fieldViolations",
            Kind::Messages(&[
                Field(1, "field", Kind::Text),
                Field(2, "description", Kind::Text),
                Field(3, "reason", Kind::Text),
                Field(4, "localizedMessage", Kind::Message(LOCALIZED_MESSAGE)),
            ]),
        )],
    ),
    (
        "google.rpc.RequestInfo",
        &[
            Field(1, "requestId", Kind::Text),
            Field(2, "servingData", Kind::Text),
        ],
    ),
    (
        "google.rpc.ResourceInfo",
        &[
            Field(1, "resourceType", Kind::Text),
            Field(2, "resourceName", Kind::Text),
            Field(3, "owner", Kind::Text),
            Field(4, "description", Kind::Text),
        ],
    ),
    (
        "google.rpc.Help",
        &[Field(
            1,
            "links",
            Kind::Messages(&[
                Field(1, "description", Kind::Text),
                Field(2, "url", Kind::Text),
            ]),
        )],
    ),
    ("google.rpc.LocalizedMessage", LOCALIZED_MESSAGE),
];

/// Members of an object that has been opened, with commas between them.
pub(super) struct Members<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl<'a> Members<'a> {
    pub(super) fn new(out: &'a mut String) -> Self {
        Self {
            out,
            is_first: true,
        }
    }

    /// Begins a member; its value is to be written to what is returned.
    pub(super) fn name(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(',');
        }
        push_json(self.out, name);
        self.out.push(':');
        self.out
    }
}

/// An encoded `google.protobuf.Any`; `None` for types that are not known here
/// and for bytes that are not what they should be.
pub(super) fn json(any: &Bytes) -> Option<String> {
    let fields = read(any).ok()?;
    let type_url = text(last(&fields, 1)?)?;
    let name = type_url.rsplit('/').next()?;
    let (_, message) = MESSAGES.iter().find(|(known, _)| *known == name)?;
    let mut out = String::from("{");
    let mut members = Members::new(&mut out);
    push_json(members.name("@type"), type_url);
    let empty = Value::Bytes(Bytes::new());
    push_members(
        &mut members,
        message,
        bytes(last(&fields, 2).unwrap_or(&empty))?,
    )?;
    out.push('}');
    Some(out)
}

fn push_members(members: &mut Members<'_>, message: &[Field], wire: &Bytes) -> Option<()> {
    let fields = read(wire).ok()?;
    for Field(number, name, kind) in message {
        let Some(value) = last(&fields, *number) else {
            continue;
        };
        let all = || fields.iter().filter(|(other, _)| other == number);
        match kind {
            Kind::Text => {
                let text = text(value)?;
                if !text.is_empty() {
                    push_json(members.name(name), text);
                }
            }
            Kind::Long | Kind::OptionalLong => {
                let number = number_of(value)?;
                if number != 0 || matches!(kind, Kind::OptionalLong) {
                    push_json(members.name(name), &number.to_string());
                }
            }
            Kind::Duration => push_json(members.name(name), &duration(bytes(value)?)?),
            Kind::Message(message) => {
                push_object(members.name(name), message, bytes(value)?)?;
            }
            Kind::Texts => push_list(members.name(name), all(), |out, value| {
                push_json(out, text(value)?);
                Some(())
            })?,
            Kind::Messages(message) => push_list(members.name(name), all(), |out, value| {
                push_object(out, message, bytes(value)?)
            })?,
            Kind::TextMap => {
                let out = members.name(name);
                out.push('{');
                let mut entries = Members::new(out);
                for (_, entry) in all() {
                    let entry = read(bytes(entry)?).ok()?;
                    let part = |number| last(&entry, number).map_or(Some(""), text);
                    push_json(entries.name(part(1)?), part(2)?);
                }
                out.push('}');
            }
        }
    }
    Some(())
}

fn push_object(out: &mut String, message: &[Field], wire: &Bytes) -> Option<()> {
    out.push('{');
    push_members(&mut Members::new(out), message, wire)?;
    out.push('}');
    Some(())
}

fn push_list<'a>(
    out: &mut String,
    values: impl Iterator<Item = &'a (u64, Value)>,
    push: impl Fn(&mut String, &Value) -> Option<()>,
) -> Option<()> {
    out.push('[');
    for (index, (_, value)) in values.enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, value)?;
    }
    out.push(']');
    Some(())
}

/// Seconds with as many decimals as are needed, in groups of three.
fn duration(wire: &Bytes) -> Option<String> {
    let fields = read(wire).ok()?;
    let part = |number| last(&fields, number).map_or(Some(0), number_of);
    let (seconds, nanos) = (part(1)?, part(2)?);
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let (seconds, nanos) = (seconds.unsigned_abs(), nanos.unsigned_abs());
    Some(match nanos {
        0 => format!("{sign}{seconds}s"),
        _ if nanos % 1_000_000 == 0 => format!("{sign}{seconds}.{:03}s", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => format!("{sign}{seconds}.{:06}s", nanos / 1_000),
        _ => format!("{sign}{seconds}.{nanos:09}s"),
    })
}

fn read(message: &Bytes) -> Result<Vec<(u64, Value)>, DecodeError> {
    let mut reader = Reader::new(message.clone());
    let mut fields = Vec::new();
    while let Some(field) = reader.next()? {
        fields.push(field);
    }
    Ok(fields)
}

/// Of a field that comes more than once the last one counts.
fn last(fields: &[(u64, Value)], number: u64) -> Option<&Value> {
    let mut backwards = fields.iter().rev();
    backwards
        .find(|(other, _)| *other == number)
        .map(|(_, value)| value)
}

fn bytes(value: &Value) -> Option<&Bytes> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        Value::Number(_) | Value::Skipped => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}

fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => Some(*number as i64),
        Value::Bytes(_) | Value::Skipped => None,
    }
}
