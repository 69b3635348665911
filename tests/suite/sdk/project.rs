//! A folder of `tests/sdk`: how it is installed, what its programs are.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tests::binaries;

use super::mesh::{Kind, Role};
use crate::installed;

/// The programs of one SDK.
pub(super) struct Project {
    /// The folder's name.
    pub(super) language: &'static str,
    /// Prints the version of what runs or builds the programs.
    pub(super) tool: &'static [&'static str],
    /// Its servers, one of each kind.
    pub(super) servers: &'static [Role],
}

/// What `run` can start, ready to be started.
pub(super) struct Installed {
    language: &'static str,
    project: PathBuf,
    cache: PathBuf,
}

pub(super) const HTTP: Role = Role {
    name: "server-http",
    kind: Kind::Http,
};

pub(super) const GRPC: Role = Role {
    name: "server-grpc",
    kind: Kind::Grpc,
};

/// The other HTTP server in Python.
pub(super) const FLASK: Role = Role {
    name: "server-flask",
    kind: Kind::Http,
};

/// For SDKs whose gRPC servers take no service beside Dapr's.
const PROXY: Role = Role {
    name: "server-proxy",
    kind: Kind::Proxy,
};

pub(super) const GO: Project = Project {
    language: "go",
    tool: &["go", "version"],
    servers: &[HTTP, GRPC],
};

pub(super) const JAVA: Project = Project {
    language: "java",
    tool: &["javac", "-version"],
    servers: &[HTTP, GRPC],
};

pub(super) const JAVASCRIPT: Project = Project {
    language: "javascript",
    tool: &["node", "--version"],
    servers: &[HTTP, GRPC, PROXY],
};

pub(super) const PYTHON: Project = Project {
    language: "python",
    tool: &["python3", "--version"],
    servers: &[HTTP, GRPC],
};

pub(super) const RUST: Project = Project {
    language: "rust",
    tool: &["cargo", "--version"],
    servers: &[GRPC],
};

// === impl Project ===

impl Project {
    /// Installs it unless that was done before.
    pub(super) fn install(&self) -> Installed {
        let root = binaries::checkout();
        let project = root.join("tests/sdk").join(self.language);
        assert!(project.is_dir(), "{} is missing", project.display());
        let mut inputs = installed::version(self.tool);
        let greeter = root.join("examples/grpc");
        for part in [
            &project,
            &root.join("tests/sdk/echo.proto"),
            &greeter.join("protos"),
            &greeter.join(self.language),
        ] {
            installed::read(part, &mut inputs);
        }
        let cache = installed::once(&format!("sdk-{}", self.language), &inputs, |cache| {
            installed::run(Command::new(project.join("install")).arg(cache));
        });
        Installed {
            language: self.language,
            project,
            cache,
        }
    }
}

// === impl Installed ===

impl Installed {
    /// The folder's name.
    pub(super) fn language(&self) -> &'static str {
        self.language
    }

    /// One of its programs, not yet started.
    pub(super) fn command(&self, role: &str) -> Command {
        let mut command = Command::new(self.project.join("run"));
        command
            .arg(&self.cache)
            .arg(role)
            .current_dir(&self.cache)
            .env_clear();
        for name in ["PATH", "HOME", "JAVA_HOME"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
    }

    /// The words that start a program from a shell.
    pub(super) fn words(&self, role: &str) -> String {
        format!(
            "{} {} {role}",
            self.project.join("run").display(),
            self.cache.display()
        )
    }

    /// What `expected` says: behaviours, and why others are not among them.
    pub(super) fn expected(&self) -> (BTreeSet<String>, Vec<String>) {
        let text = fs::read_to_string(self.project.join("expected")).unwrap();
        let (comments, names): (Vec<_>, Vec<_>) = text
            .lines()
            .filter(|line| !line.is_empty())
            .partition(|line| line.starts_with('#'));
        (
            names.into_iter().map(str::to_owned).collect(),
            comments
                .into_iter()
                .map(|line| line.trim_start_matches(['#', ' ']).to_owned())
                .collect(),
        )
    }
}
