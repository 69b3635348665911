//! The first process inside the namespaces: prepares mounts and network,
//! starts the components, adopts and buries orphans, and ends (and with it
//! everything) when a component does.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, wait};

use super::settings::{self, Component};
use super::{ADDRESS, POLL, door};
use crate::cluster::api::STARTING;
use crate::cluster::assets;

const GROUPS: &str = "/sys/fs/cgroup";

/// Never returns while all is well.
pub(super) fn run(state: &Path) -> io::Result<()> {
    mounts(state)?;
    make_group(state)?;
    network()?;
    settings::write(state)?;
    let mut components = Vec::new();
    for component in settings::first(state) {
        components.push((component.program, start(&component, state)?));
    }
    wait_for_server(state)?;
    for component in settings::second(state) {
        components.push((component.program, start(&component, state)?));
    }
    door::inside(state.join("door"), 6443)?;
    wait_for_node(state)?;
    File::create(state.join("started"))?;
    bury(&components)
}

/// A fresh `/proc` and `/sys` for the new namespaces; the control groups are
/// carried over, because a fresh `/sys` hides them. Folders that programs
/// insist on are emptied, for this cluster alone.
fn mounts(state: &Path) -> io::Result<()> {
    let kept = state.join("cgroup");
    fs::create_dir(&kept)?;
    let kept = kept.display().to_string();
    mount(&["--make-rprivate", "/"])?;
    mount(&["-t", "proc", "proc", "/proc"])?;
    mount(&["--rbind", GROUPS, &kept])?;
    mount(&["-t", "sysfs", "sysfs", "/sys"])?;
    mount(&["--rbind", &kept, GROUPS])?;
    for folder in ["/run", "/var/log", "/var/lib/cni"] {
        fs::create_dir_all(folder)?;
        mount(&["-t", "tmpfs", "tmpfs", folder])?;
    }
    Ok(())
}

fn mount(arguments: &[&str]) -> io::Result<()> {
    must(Command::new("mount").args(arguments))
}

fn network() -> io::Result<()> {
    // The node's address sits on a bridge without ports: not every kernel has
    // dummy links.
    let address = format!("{ADDRESS}/24");
    for line in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", "node", "type", "bridge"],
        &["address", "add", &address, "dev", "node"],
        &["link", "set", "node", "up"],
        &["route", "add", "default", "dev", "node"],
    ] {
        must(Command::new("ip").args(line))?;
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    // Absent where bridges are filtered by other means.
    let _ = fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "1");
    Ok(())
}

fn must(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?} ended with {status}")))
}

fn start(component: &Component, state: &Path) -> io::Result<Child> {
    let log = File::create(state.join(format!("log/{}.log", component.program)))?;
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new(assets::program(component.program))
        .args(&component.flags)
        // Network plugins call programs of their own.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn wait_for_server(state: &Path) -> io::Result<()> {
    until("the API server is ready", || {
        kubectl(state, &["get", "--raw", "/readyz"])
    })
}

/// Pods are refused before the namespace has its account.
fn wait_for_node(state: &Path) -> io::Result<()> {
    until("namespace `default` has its account", || {
        kubectl(state, &["get", "serviceaccount", "default"])
    })
}

fn until(what: &str, condition: impl Fn() -> bool) -> io::Result<()> {
    let deadline = Instant::now() + STARTING;
    while !condition() {
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("never happened: {what}")));
        }
        thread::sleep(POLL);
    }
    Ok(())
}

fn kubectl(state: &Path, arguments: &[&str]) -> bool {
    Command::new(assets::program("kubectl"))
        .arg("--kubeconfig")
        .arg(state.join("pki/inner.kubeconfig"))
        .arg("--cache-dir")
        .arg(state.join("kubectl.cache"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Waits for children, adopted ones included, until a component ends.
fn bury(components: &[(&'static str, Child)]) -> io::Result<()> {
    loop {
        let ended = match wait() {
            Ok(WaitStatus::Exited(pid, code)) => Some((pid, format!("code {code}"))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => Some((pid, signal.to_string())),
            Ok(_) | Err(Errno::EINTR) => None,
            Err(error) => return Err(error.into()),
        };
        let Some((pid, how)) = ended else { continue };
        let component = components
            .iter()
            .find(|(_, child)| child.id().cast_signed() == pid.as_raw());
        if let Some((name, _)) = component {
            return Err(io::Error::other(format!("{name} ended with {how}")));
        }
    }
}

/// One group per cluster: a kubelet ends pods it does not know, wherever it
/// finds their groups. It exists in every hierarchy, or in the one there is.
fn make_group(state: &Path) -> io::Result<()> {
    for hierarchy in hierarchies() {
        fs::create_dir_all(hierarchy.join(settings::group(state)))?;
    }
    Ok(())
}

/// Removes the groups that the pods left behind; false while a process that
/// was killed is still in one.
pub(super) fn remove_group(state: &Path) -> bool {
    let groups = hierarchies().into_iter();
    groups
        .map(|hierarchy| hierarchy.join(settings::group(state)))
        .inspect(|group| remove(group))
        .all(|group| !group.exists())
}

fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// The one hierarchy of version 2, or each controller's of version 1.
fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from(GROUPS);
    if root.join("cgroup.controllers").exists() {
        return vec![root];
    }
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.join("cgroup.procs").exists())
        .collect()
}
