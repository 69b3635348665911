//! The `tracing` side: which events are wanted, and their fields as text.
//!
//! Spans are refused, so opening one costs a load and a branch. Interest is
//! decided once per call site: a disabled one never evaluates its fields.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::ops::Deref;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};

use super::format::{Event, Value};
use super::{Level, Log};

/// Scopes and crates whose lines are printed at every level. Libraries are
/// heard from warnings up only: at debug some log every frame.
const OWN: [&str; 11] = [
    "dapr",
    "daprd",
    "sidecar",
    "operator",
    "sentry",
    "injector",
    "lifecycle",
    "security",
    "telemetry",
    "policy",
    "control_plane",
];

/// Libraries that report each failed request, which their users report as
/// well, once.
const MUTED: [&str; 2] = ["kube_client", "kube_runtime"];

/// Targets of API-log lines, which the log level does not silence.
const API_LOG_SUFFIX: &str = "-info";

pub(super) struct LogSubscriber<L> {
    log: L,
}

impl<L: Deref<Target = Log>> LogSubscriber<L> {
    pub(super) const fn new(log: L) -> Self {
        Self { log }
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = level_of(*metadata.level());
        let target = metadata.target();
        metadata.is_event()
            && match level {
                None => false,
                Some(Level::Info) if target.ends_with(API_LOG_SUFFIX) => true,
                Some(_) if is_of(&MUTED, target) => false,
                Some(level) => {
                    self.log.level <= level && (level >= Level::Warn || is_of(&OWN, target))
                }
            }
    }
}

fn is_of(names: &[&str], target: &str) -> bool {
    let root = target.split(['.', ':']).next().unwrap_or_default();
    names.contains(&root)
}

/// `None` for trace, which no flag value switches on.
fn level_of(level: tracing::Level) -> Option<Level> {
    Some(match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        _ => return None,
    })
}

impl<L: Deref<Target = Log> + Send + Sync + 'static> Subscriber for LogSubscriber<L> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Info stays on under higher levels for the API log.
        Some(match self.log.level {
            Level::Debug => LevelFilter::DEBUG,
            _ => LevelFilter::INFO,
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        let level = level_of(*metadata.level()).unwrap_or(Level::Debug);
        let print = |fields: &mut Fields| {
            fields.clear();
            event.record(fields);
            self.log.print(&fields.event(level, metadata.target()));
        };
        let printed = FIELDS.try_with(|fields| match fields.try_borrow_mut() {
            Ok(mut fields) => print(&mut fields),
            // A field that logs while it is being formatted.
            Err(_) => print(&mut Fields::default()),
        });
        if printed.is_err() {
            // The thread is ending and has given its buffers back.
            print(&mut Fields::default());
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

thread_local! {
    static FIELDS: RefCell<Fields> = RefCell::default();
}

/// Texts larger than this are not kept for the next line.
const KEEP: usize = 16 * 1024;

/// The fields of one event; texts lie one behind the other in `text`.
#[derive(Default)]
struct Fields {
    text: String,
    message: (usize, usize),
    entries: Vec<(&'static str, Slot)>,
}

enum Slot {
    Bare(usize, usize),
    Text(usize, usize),
}

impl Fields {
    fn clear(&mut self) {
        if self.text.capacity() > KEEP {
            self.text = String::new();
        }
        self.text.clear();
        self.entries.clear();
        self.message = (0, 0);
    }

    fn event<'a>(&'a self, level: Level, scope: &'a str) -> Event<'a> {
        let slice = |start: usize, end: usize| self.text.get(start..end).unwrap_or_default();
        let fields = self.entries.iter().map(|(name, slot)| {
            let value = match *slot {
                Slot::Bare(start, end) => Value::Bare(slice(start, end)),
                Slot::Text(start, end) => Value::Text(slice(start, end)),
            };
            (*name, value)
        });
        Event {
            level,
            scope,
            message: slice(self.message.0, self.message.1),
            fields: fields.collect(),
        }
    }

    fn write(&mut self, args: fmt::Arguments<'_>) -> (usize, usize) {
        let start = self.text.len();
        // A Display that fails leaves what it wrote so far.
        let _ = self.text.write_fmt(args);
        (start, self.text.len())
    }

    fn text(&mut self, field: &Field, args: fmt::Arguments<'_>) {
        let (start, end) = self.write(args);
        if field.name() == "message" {
            self.message = (start, end);
        } else {
            self.entries.push((field.name(), Slot::Text(start, end)));
        }
    }

    fn bare(&mut self, field: &Field, args: fmt::Arguments<'_>) {
        let (start, end) = self.write(args);
        self.entries.push((field.name(), Slot::Bare(start, end)));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.bare(field, format_args!("{value}"));
        } else {
            self.text(field, format_args!("{value}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let (start, _) = self.write(format_args!("{value}"));
        let mut source = value.source();
        while let Some(cause) = source {
            self.write(format_args!(": {cause}"));
            source = cause.source();
        }
        let end = self.text.len();
        self.entries.push((field.name(), Slot::Text(start, end)));
    }
}
