//! `dapr init`: puts the sidecar and the certificate authority where
//! `dapr run` finds them.
//!
//! Differs from Dapr: nothing is downloaded, no container is started, and
//! what belongs to other building blocks is not installed.

mod flags;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::args::Parsed;
use crate::commands::Command;
use crate::{Cli, binaries, cluster};

pub(crate) const COMMAND: Command = Command {
    name: "init",
    usage: "init",
    about: "Install Dapr on this machine.",
    example: "# Install the sidecar and the certificate authority\ndapr init\n\n\
              # Install them from another directory\ndapr init --from-dir ./target/release\n",
    flags: flags::FLAGS,
    run,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the full installation of Dapr starts and this one leaves out.
const LEFT_OUT: &[&str] = &[
    "placement is not installed: actors are not part of this runtime.",
    "scheduler is not installed: jobs and workflows are not part of this runtime.",
    "redis is not installed: state and pub/sub are not part of this runtime.",
    "zipkin is not installed: this version passes trace context on and exports no spans.",
];

const CONFIGURATION: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: daprConfig
spec: {}
";

#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("cannot install runtime version {0}: this is {VERSION}")]
    Version(String),
    #[error(
        "`{}` file already exists, please run 'dapr uninstall' first before running 'dapr init'",
        .0.display()
    )]
    Exists(PathBuf),
    #[error("error installing {name}: {} does not exist", .path.display())]
    NoSource { name: &'static str, path: PathBuf },
    #[error("error creating {}: {source}", .path.display())]
    Create { path: PathBuf, source: io::Error },
}

fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    if parsed.bool("kubernetes") {
        return cluster::init(cli, parsed);
    }
    match install(cli, parsed) {
        Ok(()) => 0,
        Err(error) => {
            cli.console.failure(&error.to_string());
            1
        }
    }
}

fn install(cli: &Cli, parsed: &Parsed) -> Result<(), InitError> {
    let (console, root) = (cli.console, &cli.root);
    console.pending("Making the jump to hyperspace...");
    let wanted = wanted_version(parsed);
    if !["latest", VERSION, concat!("v", env!("CARGO_PKG_VERSION"))].contains(&wanted.as_str()) {
        return Err(InitError::Version(wanted));
    }
    console.info(&format!("Installing runtime version {VERSION}"));

    let bin = root.bin();
    let existing = bin.join("daprd");
    if existing.exists() {
        return Err(InitError::Exists(existing));
    }
    let from = parsed.text("from-dir");
    let daprd = source(from, "daprd", "DAPRD_BIN")?;
    let sentry = source(from, "sentry", "SENTRY_BIN")?;
    create_directory(&bin)?;
    create_directory(&root.components())?;
    copy_program(&sentry, &bin.join("sentry"))?;
    // Last, because its presence means that the installation is complete.
    copy_program(&daprd, &existing)?;
    write_unless_there(&root.config(), CONFIGURATION)?;

    console.success("Downloaded binaries and completed components set up.");
    for name in ["daprd", "sentry"] {
        let bin = bin.display();
        console.info(&format!("{name} binary has been installed to {bin}."));
    }
    for line in LEFT_OUT {
        console.info(line);
    }
    console.success(
        "Success! Dapr is up and running. To get started, go here: https://docs.dapr.io/getting-started",
    );
    Ok(())
}

/// The flag, else the environment variable, else the flag's default.
fn wanted_version(parsed: &Parsed) -> String {
    let flag = parsed.text("runtime-version");
    let variable = std::env::var("DAPR_RUNTIME_VERSION").unwrap_or_default();
    if parsed.given("runtime-version") || variable.is_empty() {
        return flag.to_owned();
    }
    variable
}

fn source(from: &str, name: &'static str, variable: &str) -> Result<PathBuf, InitError> {
    let found = if from.is_empty() {
        binaries::to_install(name, variable)
    } else {
        let path = Path::new(from).join(name);
        if path.is_file() { Ok(path) } else { Err(path) }
    };
    found.map_err(|path| InitError::NoSource { name, path })
}

fn create_directory(path: &Path) -> Result<(), InitError> {
    fs::create_dir_all(path).map_err(|source| InitError::Create {
        path: path.to_owned(),
        source,
    })
}

/// The target appears whole or not at all, also when the disk is full.
fn copy_program(from: &Path, to: &Path) -> Result<(), InitError> {
    let partial = to.with_extension("partial");
    fs::copy(from, &partial)
        .and_then(|_| fs::set_permissions(&partial, fs::Permissions::from_mode(0o755)))
        .and_then(|()| fs::rename(&partial, to))
        .map_err(|source| InitError::Create {
            path: to.to_owned(),
            source,
        })
}

fn write_unless_there(path: &Path, text: &str) -> Result<(), InitError> {
    if path.exists() {
        return Ok(());
    }
    fs::write(path, text).map_err(|source| InitError::Create {
        path: path.to_owned(),
        source,
    })
}
