//! Output of apps and sidecars: line by line to the console, a file, or both.
//!
//! Lines may be of any length and need not be UTF-8; the last one need not
//! end. Every line is written whole, so that those of two apps never mix.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use crate::console::{Console, Level, coloured, err_bytes, out_bytes};

/// A terminal's bright blue, bold.
const BLUE: &str = "\x1b[94;1m";
const RESET: &str = "\x1b[0m";

/// Where lines go; clones write to the same place.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    prefix: String,
    console: Option<Stream>,
    coloured: bool,
    file: Option<Arc<Mutex<File>>>,
}

/// One of the program's own streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

impl Lines {
    /// Lines of an app on the console.
    pub(super) fn to_console(prefix: &str, stream: Stream) -> Self {
        Self {
            prefix: prefix.to_owned(),
            console: Some(stream),
            coloured: stream == Stream::Out && coloured(),
            file: None,
        }
    }

    /// Lines of a run file's app or sidecar.
    pub(super) fn to_log(prefix: String, console: bool, file: Option<File>) -> Self {
        Self {
            coloured: console && !prefix.is_empty() && coloured(),
            prefix,
            console: console.then_some(Stream::Out),
            file: file.map(|file| Arc::new(Mutex::new(file))),
        }
    }

    /// Writes one line, with or without its line end.
    fn write(&self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let prefix = self.prefix.as_bytes();
        if let Some(stream) = self.console {
            let whole = if self.coloured {
                [BLUE.as_bytes(), prefix, line, RESET.as_bytes(), b"\n"].concat()
            } else {
                [prefix, line, b"\n"].concat()
            };
            match stream {
                Stream::Out => out_bytes(&whole),
                Stream::Err => err_bytes(&whole),
            }
        }
        if let Some(file) = &self.file {
            let whole = [prefix, &without_escapes(line), b"\n"].concat();
            // A full disk must not end the app.
            let _ = file.lock().write_all(&whole);
        }
    }

    /// Writes a status line of this program among the others.
    pub(super) fn status(&self, console: Console, level: Level, message: &str) {
        let line = console.for_file(level, message);
        if self.console.is_some() {
            out_bytes(line.as_bytes());
        }
        if let Some(file) = &self.file {
            let _ = file.lock().write_all(line.as_bytes());
        }
    }
}

/// Tells when a pump has seen the end of its input.
#[derive(Debug)]
pub(super) struct Pump {
    done: Receiver<()>,
}

impl Pump {
    /// Copies lines from `input` in a thread of its own.
    pub(super) fn start(input: impl Read + Send + 'static, lines: Lines) -> Self {
        let (sender, done) = channel();
        thread::spawn(move || {
            let mut input = BufReader::new(input);
            let mut line = Vec::new();
            while read_line(&mut input, &mut line) {
                lines.write(&line);
                line.clear();
            }
            drop(sender);
        });
        Self { done }
    }

    /// Waits until all lines are written. Not for long: a process that left
    /// its group may keep the pipe open for ever.
    pub(super) fn finish(&self) {
        let _: Result<(), RecvTimeoutError> = self.done.recv_timeout(Duration::from_secs(1));
    }
}

/// Whether there was anything left to read.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> bool {
    loop {
        match input.read_until(b'\n', line) {
            Ok(read) => return read > 0,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return !line.is_empty(),
        }
    }
}

/// The line without terminal escape sequences.
fn without_escapes(line: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != 0x1b {
            plain.push(byte);
            continue;
        }
        if rest.next_if_eq(&b'[').is_some() {
            // Parameters, then one final byte.
            while rest.next_if(|byte| (0x20..0x40).contains(byte)).is_some() {}
        }
        rest.next();
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_reach_the_file_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = Lines::to_log("== APP - a == ".into(), false, Some(file.reopen().unwrap()));
        let long = "x".repeat(200_000);
        let input = [long.as_bytes(), b"\n\n\xff\xfe\n\x1b[1;31mred\x1b[0m\nlast"].concat();
        let pump = Pump::start(io::Cursor::new(input), lines.clone());
        pump.finish();
        lines.status(Console { json: false }, Level::Info, "done");
        let expected = [
            b"== APP - a == ".as_slice(),
            long.as_bytes(),
            b"\n== APP - a == \n== APP - a == \xff\xfe\n== APP - a == red\n== APP - a == last\ndone\n",
        ]
        .concat();
        assert!(std::fs::read(file.path()).unwrap() == expected);
    }

    #[test]
    fn escapes_are_dropped() {
        for (line, plain) in [
            ("a\x1b[0mb", "ab"),
            ("\x1b[38;5;1mx", "x"),
            ("\x1b", ""),
            ("\x1b[", ""),
            ("\x1bcx", "x"),
        ] {
            assert_eq!(
                without_escapes(line.as_bytes()),
                plain.as_bytes(),
                "{line:?}"
            );
        }
    }
}
