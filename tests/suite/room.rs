//! A network and process table of one's own, in which commands are run the
//! way a reader types them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use tempfile::TempDir;
use tests::{Process, binaries, eventually};

/// Ends with everything in it when dropped.
pub(crate) struct Room {
    holder: Process,
    init: String,
    home: TempDir,
    path: String,
    environment: Vec<(&'static str, OsString)>,
}

/// Loopback, and an address that is not loopback: without one a sidecar does
/// not know what to tell others. Some gRPC clients ask DNS about `localhost`
/// as well: they are refused at once instead of waiting for nobody's answer.
/// Orphans come to the first process; as it ignores `CHLD` they leave no zombies.
const NETWORK: &str = "
set -e
echo nameserver 127.0.0.1 >\"$0\"
mount --bind \"$0\" /etc/resolv.conf
ip link set lo up
ip address add 192.168.77.1/24 dev lo
ip route add default dev lo
echo ready
exec env --ignore-signal=CHLD sleep 1000
";

impl Room {
    /// A room in which `dapr` is on the path, then the programs of `folders`.
    pub(crate) fn new(folders: &[&Path]) -> Self {
        let home = TempDir::new().unwrap();
        let tools = home.path().join("tools");
        fs::create_dir(&tools).unwrap();
        std::os::unix::fs::symlink(binaries::dapr(), tools.join("dapr")).unwrap();
        let given = std::env::var("PATH").unwrap_or_default();
        let own = std::iter::once(tools.as_path()).chain(folders.iter().copied());
        let path = own
            .map(|folder| folder.display().to_string())
            .chain([given])
            .collect::<Vec<_>>()
            .join(":");
        let mut command = Command::new("unshare");
        command.args(["--net", "--pid", "--fork", "--mount-proc", "--kill-child"]);
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command
            .args(["--", "sh", "-c", NETWORK])
            .arg(home.path().join("resolv.conf"))
            .env("PATH", &path);
        let holder = Process::spawn("unshare", command);
        holder.wait_for_output("ready");
        let pid = holder.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        Self {
            init: children.trim().to_owned(),
            holder,
            home,
            path,
            environment: Vec::new(),
        }
    }

    /// Sets a variable for all commands that follow.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.environment.push((name, value.into()));
    }

    /// The home directory of who lives there.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Copies an example, beside others, and gives its directory.
    pub(crate) fn example(&self, name: &str) -> PathBuf {
        let to = self.home.path().join("examples").join(name);
        let from = binaries::checkout().join("examples").join(name);
        copy(&from, &to, LEFT_BEHIND);
        to
    }

    /// Starts a line of shell in `directory`.
    pub(crate) fn start(&self, directory: &Path, line: &str) -> Process {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init, "--net", "--pid", "--mount"]);
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command
            .args(["--", "sh", "-c", &format!("cd \"$0\" && {line}")])
            .arg(directory)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.home.path())
            // Only `dapr init` uses them: later commands find what it installed.
            .envs(
                line.starts_with("dapr init")
                    .then(|| ("DAPRD_BIN", binaries::daprd())),
            )
            .envs(
                line.starts_with("dapr init")
                    .then(|| ("SENTRY_BIN", binaries::sentry())),
            )
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Process::spawn(line, command)
    }

    /// Runs a line of shell to its end.
    pub(crate) fn run(&self, directory: &Path, line: &str) -> (ExitStatus, String, String) {
        let process = self.start(directory, line);
        let status = process.wait();
        (status, process.stdout(), process.stderr())
    }

    /// Fails when anything but the room itself is left.
    pub(crate) fn assert_empty(&self) {
        eventually("the room is empty", || {
            let (_, out, _) = self.run(self.home.path(), "exec ls /proc");
            let others: Vec<_> = out
                .lines()
                .filter(|entry| entry.parse::<u32>().is_ok_and(|pid| pid != 1))
                .collect();
            // The listing itself is one.
            (others.len() <= 1).then_some(())
        });
        assert!(self.holder.exited().is_none());
    }
}

/// What a reader's own runs leave in an example; not part of it.
const LEFT_BEHIND: &[&str] = &[
    ".dapr",
    ".venv",
    "__pycache__",
    "node_modules",
    "obj",
    "target",
];

/// Copies a folder, but nothing named as one of `without`.
pub(crate) fn copy(from: &Path, to: &Path, without: &[&str]) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let name = entry.file_name();
        if without.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let target = to.join(name);
        if entry.path().is_dir() {
            copy(&entry.path(), &target, without);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
