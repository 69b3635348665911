//! The Python packages of an example, installed once per machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The virtual environment with the packages of these requirement files.
pub(super) fn with(requirements: &[PathBuf]) -> PathBuf {
    let cache = cache();
    fs::create_dir_all(&cache).unwrap();
    let venv = cache.join(format!("python-{:016x}", hash(requirements)));
    // Another test, or another run of the suite, may want it as well.
    let lock = File::create(venv.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let complete = venv.join("complete");
    if complete.exists() {
        return venv;
    }
    let _ = fs::remove_dir_all(&venv);
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let mut install = Command::new(venv.join("bin/python3"));
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    for file in requirements {
        install.arg("-r").arg(file);
    }
    run(&mut install);
    File::create(complete).unwrap();
    venv
}

fn cache() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = named("XDG_CACHE_HOME").map_or_else(
        || Path::new(&named("HOME").expect("HOME is set")).join(".cache"),
        PathBuf::from,
    );
    base.join("dapr-rs")
}

/// FNV-1a over the files and the interpreter's version.
fn hash(requirements: &[PathBuf]) -> u64 {
    let version = Command::new("python3").arg("--version").output();
    let mut input = version.expect("python3 is installed").stdout;
    for file in requirements {
        input.extend(fs::read(file).unwrap());
    }
    input.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
