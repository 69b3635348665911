//! Where the programs of a cluster are. `cargo xtask cluster build` builds
//! them; `KUBEBUILDER_ASSETS` names a folder with somebody else's.

use std::path::PathBuf;

use crate::binaries::checkout;

/// A program: from `KUBEBUILDER_ASSETS`, else from the folder that
/// `cargo xtask cluster build` linked, else from the `PATH`.
#[track_caller]
pub fn program(name: &str) -> PathBuf {
    let given = std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty());
    let built = checkout().join("target/cluster/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    given
        .map(PathBuf::from)
        .into_iter()
        .chain([built])
        .chain(std::env::split_paths(&path))
        // Debian keeps some where users do not look.
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("no {name}: run `cargo xtask cluster build`"))
}
