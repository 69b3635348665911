//! Where the programs under test are: a variable names one, else it lies in
//! the directory this test was built into.

use std::path::{Path, PathBuf};

/// The sidecar; `DAPRD_BIN` names another.
pub fn daprd() -> PathBuf {
    find("DAPRD_BIN", "daprd")
}

/// The certificate authority; `SENTRY_BIN` names another.
pub fn sentry() -> PathBuf {
    find("SENTRY_BIN", "sentry")
}

/// The operator; `OPERATOR_BIN` names another.
pub fn operator() -> PathBuf {
    find("OPERATOR_BIN", "operator")
}

/// The sidecar injector; `INJECTOR_BIN` names another.
pub fn injector() -> PathBuf {
    find("INJECTOR_BIN", "injector")
}

/// The command line tool; `DAPR_BIN` names another.
pub fn dapr() -> PathBuf {
    find("DAPR_BIN", "dapr")
}

/// A real Dapr's sidecar and certificate authority, where both are given by
/// `FOREIGN_DAPRD_BIN` and `FOREIGN_SENTRY_BIN`.
pub fn foreign() -> Option<(PathBuf, PathBuf)> {
    let named = |variable| std::env::var_os(variable).filter(|path| !path.is_empty());
    Some((
        named("FOREIGN_DAPRD_BIN")?.into(),
        named("FOREIGN_SENTRY_BIN")?.into(),
    ))
}

/// The root of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the manifest lies one level below the root")
}

fn find(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
        return path.into();
    }
    let beside_tests = std::env::current_exe().ok().and_then(|test| {
        let profile = test.parent()?.parent()?;
        Some(profile.join(name))
    });
    let candidates = [
        beside_tests,
        Some(checkout().join("target/release").join(name)),
    ];
    candidates
        .into_iter()
        .flatten()
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "no {name} to test: run `cargo build --release -p sidecar -p operator -p cli` or set {variable}"
            )
        })
}
