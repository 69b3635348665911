//! The Kubernetes a suite runs on: none, an API server the tests start
//! themselves, or a whole cluster that is brought up before and ended after.
//! Somebody's own stands in for ours: `KUBEBUILDER_ASSETS` for the programs of
//! an API server, `KUBECONFIG` for a cluster.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use super::needs::{self, Need};
use crate::{cluster, images, step};

/// What a suite asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cluster {
    /// No Kubernetes.
    None,
    /// The programs of an API server.
    Bare,
    /// A cluster that runs pods, with our images on it.
    Node,
}

/// What a suite got.
pub(crate) struct Running {
    environment: Vec<(&'static str, OsString)>,
    /// Ours, to be ended.
    is_own: bool,
}

const KUBECONFIG: &str = "KUBECONFIG";

impl Cluster {
    /// Provides it, or says what is missing.
    pub(crate) fn start(self, root: &Path, needs: &[Need]) -> Result<Running> {
        match self {
            Self::None => {
                needs::provide(needs)?;
                Ok(Running::with(Vec::new()))
            }
            Self::Bare => Ok(Running::with(vec![bare(root, needs)?])),
            Self::Node => node(root, needs),
        }
    }
}

fn bare(root: &Path, needs: &[Need]) -> Result<(&'static str, OsString)> {
    const ASSETS: &str = "KUBEBUILDER_ASSETS";
    let Some(folder) = given(ASSETS) else {
        needs::provide(needs)?;
        return Ok((ASSETS, cluster::build(root)?.into()));
    };
    for name in ["etcd", "kube-apiserver", "kubectl"] {
        if !Path::new(&folder).join(name).is_file() {
            bail!("{ASSETS} is {}, which has no {name}", folder.display());
        }
    }
    Ok((ASSETS, folder))
}

fn node(root: &Path, needs: &[Need]) -> Result<Running> {
    if let Some(kubeconfig) = given(KUBECONFIG) {
        let images = given("DAPR_REGISTRY").unwrap_or_else(|| "localhost/dapr".into());
        println!(
            "{KUBECONFIG} is {}: its nodes need the images {}/*:edge",
            kubeconfig.display(),
            images.display()
        );
        return Ok(Running::with(vec![(KUBECONFIG, kubeconfig)]));
    }
    if !needs::is_root() {
        bail!("could not run, it needs root, or {KUBECONFIG} of a cluster");
    }
    needs::provide(needs)?;
    cluster::build(root)?;
    images::run(root, &profile())?;
    // One that was left behind may have anything on it.
    cluster::node(root, &["down"])?;
    cluster::node(root, &["up"])?;
    let own = Running {
        environment: vec![(KUBECONFIG, cluster::kubeconfig(root).into())],
        is_own: true,
    };
    let archives = archives(root)?;
    let mut load = vec!["load"];
    load.extend(archives.iter().filter_map(|file| file.to_str()));
    cluster::node(root, &load)?;
    Ok(own)
}

/// `IMAGES_PROFILE=release` saves the minutes that shipping takes.
fn profile() -> Vec<String> {
    given("IMAGES_PROFILE").map_or_else(Vec::new, |profile| {
        vec![
            "--profile".to_owned(),
            profile.to_string_lossy().into_owned(),
        ]
    })
}

fn archives(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in root.join("target/images").read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tar") {
            found.push(path);
        }
    }
    Ok(found)
}

fn given(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

impl Running {
    fn with(environment: Vec<(&'static str, OsString)>) -> Self {
        Self {
            environment,
            is_own: false,
        }
    }

    /// Variables of the test program.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &OsString)> {
        self.environment.iter().map(|(name, value)| (*name, value))
    }

    /// Ends what was started, unless a developer wants to look at it.
    pub(crate) fn end(self, root: &Path) -> Result<()> {
        if self.is_own && (step::is_ci() || given("KEEP_CLUSTER").is_none()) {
            cluster::node(root, &["down"])?;
        }
        Ok(())
    }
}
