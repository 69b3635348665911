//! The runtime root: the `.dapr` directory and what lives in it.

use std::path::{Path, PathBuf};

/// The `.dapr` directory; it need not exist.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    directory: PathBuf,
}

/// Why there is no runtime root.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootError {
    #[error("error getting the home directory: HOME is not set; give --runtime-path")]
    NoHome,
    #[error("error making {path:?} absolute: {source}")]
    Absolute {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Root {
    /// The flag's directory, else `DAPR_RUNTIME_PATH`, else the home, which
    /// services without `HOME` have as well.
    ///
    /// # Errors
    /// None of them is given, or the current directory is gone.
    pub(crate) fn resolve(flag: &str) -> Result<Self, RootError> {
        let typed = |text: String| (!text.trim().is_empty()).then(|| PathBuf::from(text.trim()));
        let variable = |name| std::env::var(name).ok().and_then(typed);
        let parent = typed(flag.to_owned())
            .or_else(|| variable("DAPR_RUNTIME_PATH"))
            .or_else(|| variable("HOME"))
            .or_else(home)
            .ok_or(RootError::NoHome)?;
        Self::under(&parent)
    }

    /// The root in `parent`. Absolute, because sidecars of a run file start
    /// in other directories.
    ///
    /// # Errors
    /// The current directory is gone.
    pub(crate) fn under(parent: &Path) -> Result<Self, RootError> {
        let directory =
            std::path::absolute(parent.join(".dapr")).map_err(|source| RootError::Absolute {
                path: parent.to_owned(),
                source,
            })?;
        Ok(Self { directory })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn bin(&self) -> PathBuf {
        self.directory.join("bin")
    }

    /// Resources used when no others are given.
    pub(crate) fn components(&self) -> PathBuf {
        self.directory.join("components")
    }

    /// Configuration used when no other is given.
    pub(crate) fn config(&self) -> PathBuf {
        self.directory.join("config.yaml")
    }

    /// Root and issuer certificate of this machine.
    pub(crate) fn certs(&self) -> PathBuf {
        self.directory.join("certs")
    }

    /// Where sidecars register themselves.
    pub(crate) fn registry(&self) -> PathBuf {
        self.directory.join("run")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }
}

/// The home of this user, by the system's table.
fn home() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid());
    user.ok().flatten().map(|user| user.dir)
}
