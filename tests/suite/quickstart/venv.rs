//! The Python packages of an example, installed once per machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::installed;

/// The virtual environment with the packages of these requirement files.
pub(super) fn with(requirements: &[PathBuf]) -> PathBuf {
    let mut inputs = installed::version(&["python3", "--version"]);
    for file in requirements {
        inputs.extend(fs::read(file).unwrap());
    }
    installed::once("python", &inputs, |venv| {
        installed::run(Command::new("python3").args(["-m", "venv"]).arg(venv));
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
        installed::run(&mut install);
    })
}
