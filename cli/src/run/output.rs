//! Output of apps and sidecars: line by line to the console, a file, or both.
//!
//! Lines may be of any length and need not be UTF-8; the last one need not
//! end. They are written whole, so that those of two apps never mix, unless
//! one is longer than [`LONGEST`]: that is passed on in pieces. Whoever reads
//! slowly slows the app down; nothing is dropped.

mod escapes;
mod recent;

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use parking_lot::Mutex;

use super::events::{Event, Events};
use crate::console::{Console, Level, coloured};
use escapes::Escapes;
pub(super) use recent::Recent;

/// A terminal's bright blue, bold.
const BLUE: &[u8] = b"\x1b[94;1m";
const RESET: &[u8] = b"\x1b[0m";

/// What is kept of a line before it is passed on unfinished.
const LONGEST: usize = 1 << 20;
/// What is read at once: a full pipe.
const PIECE: usize = 64 << 10;

/// After such a silence a pipe that does not end is held open by a process
/// that outlives the app.
const SILENCE: Duration = Duration::from_secs(1);

/// Where lines go; clones write to the same place.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    prefix: String,
    console: Option<Stream>,
    coloured: bool,
    file: Option<Arc<Mutex<File>>>,
    recent: Recent,
}

/// One of the program's own streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

impl Lines {
    /// Lines of an app, or without a prefix of a sidecar, on the console.
    pub(super) fn to_console(prefix: &str, stream: Stream) -> Self {
        Self {
            prefix: prefix.to_owned(),
            console: Some(stream),
            coloured: stream == Stream::Out && !prefix.is_empty() && coloured(),
            file: None,
            recent: Recent::default(),
        }
    }

    /// The same lines on another stream.
    pub(super) fn on(&self, stream: Stream) -> Self {
        Self {
            recent: self.recent.clone(),
            ..Self::to_console(&self.prefix, stream)
        }
    }

    /// Lines of a run file's app or sidecar.
    pub(super) fn to_log(prefix: String, console: bool, file: Option<File>) -> Self {
        Self {
            coloured: console && !prefix.is_empty() && coloured(),
            prefix,
            console: console.then_some(Stream::Out),
            file: file.map(|file| Arc::new(Mutex::new(file))),
            recent: Recent::default(),
        }
    }

    /// What was written last.
    pub(super) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Whether they are seen on the console.
    pub(super) fn on_console(&self) -> bool {
        self.console.is_some()
    }

    /// Writes a status line of this program among the others.
    pub(super) fn status(&self, console: Console, level: Level, message: &str) {
        let line = console.for_file(level, message);
        if let Some(stream) = self.console {
            let _ = stream.write(line.as_bytes());
        }
        if let Some(file) = &self.file {
            let _ = file.lock().write_all(line.as_bytes());
        }
    }
}

impl Stream {
    fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Out => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Self::Err => io::stderr().lock().write_all(bytes),
        }
    }
}

/// Lines on their way, some of them unfinished.
struct Writer {
    lines: Lines,
    /// Told when nobody reads the console.
    sender: Sender<Event>,
    unread: bool,
    /// Within a line that is passed on in pieces.
    inside: bool,
    escapes: Escapes,
}

impl Writer {
    /// Writes whole lines, or a piece of a long one.
    fn write(&mut self, bytes: &[u8]) {
        self.lines.recent.note(bytes);
        let inside = self.inside;
        if let Some(stream) = self.lines.console.filter(|_| !self.unread) {
            let (before, after) = if self.lines.coloured {
                (BLUE, RESET)
            } else {
                (&b""[..], &b""[..])
            };
            let text = decorated(bytes, self.lines.prefix.as_bytes(), inside, before, after);
            let written = stream.write(&text);
            if written.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
                self.unread = true;
                // Nobody listens any more when the run is over.
                let _ = self.sender.send(Event::Signal(Signal::SIGPIPE));
            }
        }
        if let Some(file) = &self.lines.file {
            let plain = self.escapes.strip(bytes);
            let text = decorated(&plain, self.lines.prefix.as_bytes(), inside, b"", b"");
            // A full disk must not end the app.
            let _ = file.lock().write_all(&text);
        }
        self.inside = !bytes.ends_with(b"\n");
    }
}

/// Every line with what belongs around it. The first one has begun already
/// when `inside` says so.
fn decorated(bytes: &[u8], prefix: &[u8], inside: bool, before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 4 + 64);
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        text.extend(before);
        if at > 0 || !inside {
            text.extend(prefix);
        }
        let (line, end) = match line.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (line, &b""[..]),
        };
        text.extend(line);
        text.extend(after);
        text.extend(end);
    }
    text
}

/// Copies output and tells when it has seen the end of it.
#[derive(Debug)]
pub(super) struct Pump {
    done: Receiver<()>,
    progress: Arc<Progress>,
}

/// What a pump is at.
#[derive(Debug, Default)]
struct Progress {
    reading: AtomicBool,
    pieces: AtomicU64,
}

impl Pump {
    /// Copies lines from `input` in a thread of its own.
    pub(super) fn start(input: impl Read + Send + 'static, lines: Lines, events: &Events) -> Self {
        let (done_sender, done) = channel();
        let progress = Arc::new(Progress::default());
        let at = Arc::clone(&progress);
        let mut writer = Writer {
            lines,
            sender: events.sender(),
            unread: false,
            inside: false,
            escapes: Escapes::default(),
        };
        thread::spawn(move || {
            copy(input, &mut writer, &at);
            drop(done_sender);
        });
        Self { done, progress }
    }

    /// Waits until everything is written, however slowly it is read, or a
    /// signal comes. A process that left the session may keep the pipe open
    /// for ever; it is not waited for.
    pub(super) fn finish(&self, events: &mut Events) {
        const FOREVER: Duration = Duration::from_hours(24 * 365);
        let mut quiet: Option<(u64, Instant)> = None;
        events.wait(
            FOREVER,
            |event| matches!(event, Event::Signal(_)),
            || {
                if self.done.try_recv() == Err(TryRecvError::Disconnected) {
                    return Some(());
                }
                let pieces = self.progress.pieces.load(Ordering::Acquire);
                let reading = self.progress.reading.load(Ordering::Acquire);
                let unchanged = quiet.filter(|(before, _)| reading && *before == pieces);
                if let Some((_, since)) = unchanged {
                    return (since.elapsed() >= SILENCE).then_some(());
                }
                quiet = reading.then(|| (pieces, Instant::now()));
                None
            },
        );
    }
}

fn copy(mut input: impl Read, writer: &mut Writer, progress: &Progress) {
    let mut piece = vec![0; PIECE];
    let mut pending: Vec<u8> = Vec::new();
    loop {
        progress.reading.store(true, Ordering::Release);
        let read = match input.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        progress.reading.store(false, Ordering::Release);
        progress.pieces.fetch_add(1, Ordering::AcqRel);
        let fresh = &piece[..read];
        let line_end = fresh.iter().rposition(|byte| *byte == b'\n');
        let before = pending.len();
        pending.extend_from_slice(fresh);
        let whole = match line_end {
            Some(at) => before + at + 1,
            None if pending.len() >= LONGEST => pending.len(),
            None => continue,
        };
        writer.write(&pending[..whole]);
        pending.drain(..whole);
        pending.shrink_to(PIECE);
    }
    progress.reading.store(false, Ordering::Release);
    if !pending.is_empty() || writer.inside {
        pending.push(b'\n');
        writer.write(&pending);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ends up in a log file.
    fn logged(input: &[u8]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = Lines::to_log("== APP - a == ".into(), false, Some(file.reopen().unwrap()));
        let mut events = Events::new();
        let pump = Pump::start(io::Cursor::new(input.to_vec()), lines.clone(), &events);
        pump.finish(&mut events);
        lines.status(Console { json: false }, Level::Info, "done");
        std::fs::read(file.path()).unwrap()
    }

    #[test]
    fn lines_reach_the_file_whole() {
        let long = "x".repeat(200_000);
        let input = [
            long.as_bytes(),
            b"\n\n\xff\xfe\r\n\x1b[1;31mred\x1b[0m\nlast",
        ]
        .concat();
        let expected = [
            b"== APP - a == ".as_slice(),
            long.as_bytes(),
            b"\n== APP - a == \n== APP - a == \xff\xfe\r\n== APP - a == red\n== APP - a == last\ndone\n",
        ]
        .concat();
        assert!(logged(&input) == expected);
    }

    #[test]
    fn a_line_without_end_gets_one_prefix() {
        let long = vec![b'y'; 3 * LONGEST + 5];
        let expected = [b"== APP - a == ".as_slice(), &long, b"\ndone\n"].concat();
        assert!(logged(&long) == expected);
    }

    #[test]
    fn pieces_of_a_line_are_coloured_each() {
        assert_eq!(
            decorated(b"a\nb", b"> ", false, b"[", b"]"),
            b"[> a]\n[> b]"
        );
        assert_eq!(
            decorated(b"c\nd\n", b"> ", true, b"[", b"]"),
            b"[c]\n[> d]\n"
        );
    }
}
