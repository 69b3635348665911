//! A whole cluster of one node on this machine, in its own network, mount and
//! process namespaces: nothing of it is visible outside, and all of it ends
//! with one process. The API server is also reachable from outside, at the
//! port on loopback that the kubeconfig names. Needs root.
//!
//! Three processes carry it: the caller of [`up`], who comes and goes; the
//! *holder*, which listens on that port and whose end is the cluster's; and
//! the first process inside ([`inner`]), which starts everything else.

mod door;
mod inner;
mod settings;

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::api::{Api, STARTING};
use super::assets;
use super::pki::{ADMIN, Pki, Subject};
use crate::binaries::checkout;
use crate::oci;
use crate::ports::reserve;
use crate::wait::within;

/// The node's own address, and its name to others.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// First of the Services' addresses: the API server itself.
const KUBERNETES: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
const SERVER: &str = "https://127.0.0.1:6443";

const USAGE: &str = "usage: cluster up | down | kubectl ARGUMENTS | helm ARGUMENTS | \
load IMAGE.tar... | exec COMMAND...";

/// Where everything of the node is. Short, because a socket's path must be.
fn state() -> PathBuf {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in checkout().display().to_string().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    std::env::temp_dir().join(format!("dapr-rs-node-{hash:016x}"))
}

/// The administrator's kubeconfig, good outside as well.
pub fn kubeconfig() -> PathBuf {
    checkout().join("target/cluster/kubeconfig")
}

/// The command line of the program `cluster`.
pub fn main(arguments: &[String]) -> ExitCode {
    let done = match arguments.split_first() {
        Some((command, rest)) => match (command.as_str(), rest) {
            ("up", []) => up(),
            ("down", []) => down(),
            ("load", images) if !images.is_empty() => load(images),
            ("kubectl", rest) => replace(assets::program("kubectl"), rest),
            ("helm", rest) => replace(assets::program("helm"), rest),
            ("exec", rest) if !rest.is_empty() => {
                inside().and_then(|mut command| pass(command.args(rest)))
            }
            ("hold", [port]) => hold(port),
            ("inner", []) => inner::run(&state()),
            _ => Err(io::Error::other(USAGE)),
        },
        None => Err(io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Brings the cluster up, unless it is; returns when names resolve in it.
pub fn up() -> io::Result<()> {
    if holder().is_some() {
        println!("the cluster is up: {}", kubeconfig().display());
        return Ok(());
    }
    let state = state();
    let _ = fs::remove_dir_all(&state);
    fs::create_dir_all(state.join("log"))?;
    let port = reserve();
    certificates(&state, port)?;
    let mut holder = start_holder(&state, port)?;
    fs::write(state.join("holder"), holder.id().to_string())?;
    within(STARTING, "the node is up", || {
        let ended = holder.try_wait().expect("it is our child").is_some();
        assert!(!ended, "{}", log(&state, "node"));
        state.join("started").exists().then_some(())
    });
    for name in ["pause", "coredns"] {
        image_of(name, &state)?;
    }
    let api = Api::new(&kubeconfig());
    let dns = fs::read_to_string(checkout().join("tests/cluster/coredns.yaml"))?;
    api.apply(&dns);
    api.must(&[
        "--namespace=kube-system",
        "rollout",
        "status",
        "deployment/coredns",
        "--timeout=90s",
    ]);
    println!("KUBECONFIG={}", kubeconfig().display());
    Ok(())
}

/// Ends the cluster and removes what it left.
pub fn down() -> io::Result<()> {
    if let Some(holder) = holder() {
        let _ = kill(holder, Signal::SIGKILL);
        within(STARTING, "the cluster has ended", || {
            (!running(holder) && first().is_none()).then_some(())
        });
    }
    let _ = fs::remove_file(kubeconfig());
    let state = state();
    within(STARTING, "the control groups are gone", || {
        inner::remove_group(&state).then_some(())
    });
    match fs::remove_dir_all(state) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes images from archives known to the node: there is no registry.
pub fn load<P: AsRef<Path>>(images: &[P]) -> io::Result<()> {
    for image in images {
        let mut command = inside()?;
        command
            .args(["ctr", "--address"])
            .arg(state().join("containerd.sock"))
            .args(["--namespace", "k8s.io", "images", "import"])
            .arg(image.as_ref().canonicalize()?)
            .stdout(Stdio::null());
        pass(&mut command)?;
    }
    Ok(())
}

// === The parts of `up` ===

fn certificates(state: &Path, port: u16) -> io::Result<()> {
    let folder = state.join("pki");
    fs::create_dir(&folder)?;
    let pki = Pki::new(&folder);
    pki.certificate(&Subject {
        file: "server",
        name: "kube-apiserver",
        group: "",
        names: &[
            "localhost",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ],
        addresses: &[Ipv4Addr::LOCALHOST, KUBERNETES, ADDRESS],
    });
    for subject in &settings::SUBJECTS {
        pki.certificate(subject);
        pki.kubeconfig(subject, SERVER);
    }
    pki.certificate(&ADMIN);
    let inner = pki.kubeconfig(&ADMIN, SERVER);
    fs::rename(inner, pki.file("inner.kubeconfig"))?;
    let outer = pki.kubeconfig(&ADMIN, &format!("https://127.0.0.1:{port}"));
    let link = kubeconfig();
    fs::create_dir_all(link.parent().expect("it is in a folder"))?;
    let _ = fs::remove_file(&link);
    symlink(outer, link)
}

/// In a session of its own, so that it outlives the terminal of `up`.
fn start_holder(state: &Path, port: u16) -> io::Result<Child> {
    let log = File::create(state.join("log/node.log"))?;
    Command::new("setsid")
        .arg(std::env::current_exe()?)
        .args(["hold", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// The holder: starts the inside, ends with it, and takes it along.
fn hold(port: &str) -> io::Result<()> {
    let state = state();
    let port = port.parse().map_err(io::Error::other)?;
    door::outside(port, state.join("door"))?;
    let mut inside = Command::new("setpriv")
        .args([
            "--pdeathsig",
            "KILL",
            "--",
            "unshare",
            "--net",
            "--mount",
            "--pid",
        ])
        .args(["--fork", "--kill-child", "--"])
        .arg(std::env::current_exe()?)
        .arg("inner")
        .spawn()?;
    fs::write(state.join("unshare"), inside.id().to_string())?;
    let status = inside.wait()?;
    Err(io::Error::other(format!("the inside ended with {status}")))
}

/// A program that is a cluster's own part becomes an image and is loaded.
fn image_of(name: &str, state: &Path) -> io::Result<()> {
    let path = format!("/{name}");
    let archive = oci::archive(&oci::Image {
        name: &format!("localhost/{name}:1"),
        user: "",
        entrypoint: &[&path],
        files: &[oci::File {
            path: &path,
            content: &fs::read(assets::program(name))?,
            mode: 0o755,
        }],
    })?;
    let file = state.join(format!("{name}.tar"));
    fs::write(&file, archive)?;
    load(&[&file])?;
    fs::remove_file(file)
}

// === Finding the processes ===

fn holder() -> Option<Pid> {
    let pid = pid_in("holder")?;
    running(pid).then_some(pid)
}

/// The first process inside.
fn first() -> Option<Pid> {
    let outer = pid_in("unshare")?;
    let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
    Some(Pid::from_raw(children.trim().parse().ok()?))
}

fn pid_in(file: &str) -> Option<Pid> {
    let text = fs::read_to_string(state().join(file)).ok()?;
    Some(Pid::from_raw(text.trim().parse().ok()?))
}

/// False for one that has ended and only waits to be asked about.
fn running(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn inside() -> io::Result<Command> {
    let first = first().ok_or_else(|| io::Error::other("the cluster is down"))?;
    let mut command = Command::new("nsenter");
    command
        .args([
            "--target",
            &first.to_string(),
            "--net",
            "--mount",
            "--pid",
            "--",
        ])
        .env("KUBECONFIG", state().join("pki/inner.kubeconfig"));
    Ok(command)
}

fn pass(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{} ended with {status}",
        command.get_program().display()
    )))
}

/// `kubectl` and `helm` reach the API server from outside.
fn replace(program: PathBuf, arguments: &[String]) -> io::Result<()> {
    let mut command = Command::new(program);
    if std::env::var_os("KUBECONFIG").is_none_or(|value| value.is_empty()) {
        command.env("KUBECONFIG", kubeconfig());
    }
    pass(command.args(arguments))
}

/// The last lines of a log, for the message of a failure.
fn log(state: &Path, name: &str) -> String {
    const LINES: usize = 20;
    let path = state.join(format!("log/{name}.log"));
    let text = fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    format!("{}:\n{}", path.display(), lines[from..].join("\n"))
}

/// How often something inside is looked at.
const POLL: Duration = Duration::from_millis(100);
