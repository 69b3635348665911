//! What a group of sidecars shares: a file of names and a root of trust.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::ca::Ca;
use crate::sentry::{Sentry, sentry};
use crate::sidecar::{SidecarBuilder, sidecar};

/// A SQLite file by which sidecars find each other.
#[derive(Debug)]
pub struct Names {
    _directory: TempDir,
    file: PathBuf,
}

/// Names, and trust unless it is a plaintext group.
#[derive(Debug)]
pub struct Mesh {
    names: Names,
    trust: Option<(Ca, Sentry)>,
}

/// Renewed after five seconds, a row is fresh for ten more: a busy machine
/// makes nobody disappear.
pub const FRESH: &str = "updateInterval: 15s, timeout: 10s";

/// The line of a Configuration's `spec` that selects a file of names.
pub(crate) fn names_spec(file: &Path) -> String {
    format!(
        "nameResolution: {{component: sqlite, version: v1, configuration: {{connectionString: \"{}\", {FRESH}}}}}",
        file.display()
    )
}

// === impl Names ===

impl Names {
    /// A file that does not exist yet.
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("names.db");
        Self {
            _directory: directory,
            file,
        }
    }

    /// Where it is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line of a Configuration's `spec` that selects it.
    pub fn spec(&self) -> String {
        names_spec(&self.file)
    }

    /// Opens it beside the sidecars.
    pub fn open(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(&self.file).expect("the file can be opened");
        connection
            .busy_timeout(crate::wait::PATIENCE)
            .expect("a timeout is valid");
        connection
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Mesh ===

impl Mesh {
    /// Sidecars that prove who they are to each other.
    pub fn mtls() -> Self {
        let ca = Ca::new();
        let sentry = sentry(&ca).run();
        Self {
            names: Names::new(),
            trust: Some((ca, sentry)),
        }
    }

    /// As [`Self::mtls`], with somebody else's sentry.
    pub fn mtls_by(program: &Path) -> Self {
        let ca = Ca::new();
        let sentry = sentry(&ca).program(program).run();
        Self {
            names: Names::new(),
            trust: Some((ca, sentry)),
        }
    }

    /// Sidecars that speak plaintext.
    pub fn plain() -> Self {
        Self {
            names: Names::new(),
            trust: None,
        }
    }

    /// A member about to start.
    pub fn sidecar(&self, app_id: &str) -> SidecarBuilder {
        let member = sidecar(app_id).names(&self.names);
        match &self.trust {
            Some((_, sentry)) => member.mtls(sentry),
            None => member,
        }
    }

    /// The names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The authority; only of an mTLS group.
    #[track_caller]
    pub fn ca(&self) -> &Ca {
        &self.trust.as_ref().expect("the group has mTLS").0
    }

    /// The sentry; only of an mTLS group.
    #[track_caller]
    pub fn sentry(&self) -> &Sentry {
        &self.trust.as_ref().expect("the group has mTLS").1
    }
}
