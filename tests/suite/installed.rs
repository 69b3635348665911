//! Packages and programs that tests need from elsewhere, installed once per
//! machine and shared by all checkouts.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Built or fetched by an installation a developer made beside the sources.
const NOT_SOURCES: &[&str] = &["node_modules", "target", "__pycache__", ".venv", ".dapr"];

/// A folder outside the checkout, filled by `install` unless an earlier run
/// did so for the same `inputs`.
pub(crate) fn once(kind: &str, inputs: &[u8], install: impl FnOnce(&Path)) -> PathBuf {
    let cache = cache();
    fs::create_dir_all(&cache).unwrap();
    let name = format!("{kind}-{:016x}", hash(inputs));
    let folder = cache.join(&name);
    // Another test, or another run of the suite, may want it as well.
    let lock = File::create(cache.join(name + ".lock")).unwrap();
    lock.lock().unwrap();
    let complete = folder.join("complete");
    if let Ok(marker) = File::options().write(true).open(&complete) {
        marker.set_modified(SystemTime::now()).unwrap();
        return folder;
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    install(&folder);
    File::create(complete).unwrap();
    remove_disused(&cache, kind);
    folder
}

/// What other inputs of this kind needed goes a week after its last use.
fn remove_disused(cache: &Path, kind: &str) {
    const WEEK: Duration = Duration::from_hours(7 * 24);
    for entry in fs::read_dir(cache).unwrap().flatten() {
        let name = entry.file_name();
        let is_of_kind = name
            .to_str()
            .and_then(|name| name.strip_prefix(kind)?.strip_prefix('-'))
            .is_some_and(|rest| u64::from_str_radix(rest, 16).is_ok());
        let marker = fs::metadata(entry.path().join("complete"));
        let age = marker
            .and_then(|marker| marker.modified())
            .map(|used| used.elapsed());
        if is_of_kind && matches!(age, Ok(Ok(age)) if age > WEEK) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What a tool says about its version: another one has to install anew.
pub(crate) fn version(command: &[&str]) -> Vec<u8> {
    let output = Command::new(command[0])
        .args(&command[1..])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", command.join(" ")));
    [output.stdout, output.stderr].concat()
}

/// Adds names and contents of a file, or of all sources below a folder.
pub(crate) fn read(path: &Path, into: &mut Vec<u8>) {
    if path.is_file() {
        into.extend(path.file_name().unwrap().as_encoded_bytes());
        into.extend(fs::read(path).unwrap());
        return;
    }
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    let entries: BTreeSet<_> = entries.map(|entry| entry.unwrap().path()).collect();
    for entry in entries {
        let name = entry.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| NOT_SOURCES.contains(&name)) {
            read(&entry, into);
        }
    }
}

/// Runs a command to its end; fails the test with its output.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn cache() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = named("XDG_CACHE_HOME").map_or_else(
        || Path::new(&named("HOME").expect("HOME is set")).join(".cache"),
        PathBuf::from,
    );
    base.join("dapr-rs")
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
