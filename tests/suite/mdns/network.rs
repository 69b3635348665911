//! Networks of a test's own: machines are namespaces, joined by a bridge.
//! Whoever is not root becomes it in a user namespace.

use std::any::type_name;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::panic::resume_unwind;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::geteuid;
use tests::{Process, RawApp, Request, Response, SidecarBuilder, holds, invoke_path, sidecar};

pub(crate) const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
pub(crate) const PORT: u16 = 5353;

/// Runs a test where nothing but its own loopback is.
#[track_caller]
pub(crate) fn alone<F: FnOnce() + Send>(test: F) {
    if !geteuid().is_root() {
        return again_as_root(type_name::<F>());
    }
    // The rest of the suite stays where it is.
    let outcome = std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            let _here = leave();
            test();
        });
        inside.join()
    });
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// The namespace of the thread is a new one from here on.
fn leave() -> File {
    unshare(CloneFlags::CLONE_NEWNET).expect("root may make networks");
    ip("link set lo up");
    here()
}

fn here() -> File {
    File::open("/proc/thread-self/ns/net").expect("proc is mounted")
}

/// `closure` is the path of the test with a tail.
fn again_as_root(closure: &str) {
    let test = closure.strip_suffix("::{{closure}}").unwrap_or(closure);
    let test = test.split_once("::").map_or(test, |(_, path)| path);
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--"])
        .arg(std::env::current_exe().expect("it runs"))
        .args(["--exact", test, "--include-ignored", "--nocapture"]);
    let (status, out, err) = Process::run(test, command);
    assert!(
        status.success() && out.contains("1 passed"),
        "{test} as root of its own: {status}\n{out}{err}"
    );
}

/// Runs `ip` in the network of this thread: what it prints.
#[track_caller]
fn ip(line: &str) -> String {
    let run = Command::new("ip").args(line.split(' ')).output();
    let run = run.expect("ip of iproute2 is installed");
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "ip {line}: {told}");
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// Which addresses a machine gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Four,
    Six,
    Both,
}

/// A bridge and the machines on it.
pub(crate) struct Lan {
    switch: Machine,
    count: std::cell::Cell<u8>,
}

/// A network namespace.
pub(crate) struct Machine {
    namespace: File,
    number: u8,
    version: Version,
}

// === impl Lan ===

impl Lan {
    pub(crate) fn new() -> Self {
        let switch = Machine::new(0, Version::Both);
        switch.ip("link add br0 type bridge mcast_snooping 0");
        switch.ip("link set br0 up");
        Self {
            switch,
            count: std::cell::Cell::new(0),
        }
    }

    /// A machine that is connected.
    pub(crate) fn machine(&self, version: Version) -> Machine {
        let machine = self.unplugged(version);
        self.plug(&machine);
        machine
    }

    pub(crate) fn machines<const COUNT: usize>(&self) -> [Machine; COUNT] {
        std::array::from_fn(|_| self.machine(Version::Both))
    }

    /// A machine with loopback only.
    pub(crate) fn unplugged(&self, version: Version) -> Machine {
        self.count.set(self.count.get() + 1);
        Machine::new(self.count.get(), version)
    }

    /// Gives it an interface.
    pub(crate) fn plug(&self, machine: &Machine) {
        let Machine {
            namespace, number, ..
        } = machine;
        let path = format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd());
        self.switch.ip(&format!(
            "link add port{number} type veth peer name eth0 netns {path}"
        ));
        self.switch
            .ip(&format!("link set port{number} master br0 up"));
        if machine.version != Version::Six {
            machine.ip(&format!("address add {}/24 dev eth0", machine.ipv4()));
        }
        if machine.version != Version::Four {
            machine.ip(&format!("address add {}/64 dev eth0 nodad", machine.ipv6()));
        }
        machine.ip("link set eth0 up");
        if machine.version != Version::Six {
            machine.ip("route add default dev eth0");
        }
        // Until then the bridge drops what is sent.
        let port = format!("-details link show port{number}");
        holds(&format!("machine {number} is connected"), || {
            self.switch
                .with(|| ip(&port))
                .contains(" state forwarding ")
        });
    }
}

// === impl Machine ===

impl Machine {
    fn new(number: u8, version: Version) -> Self {
        let namespace = std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                let namespace = leave();
                let ipv6 = |setting: &str, value: &str| {
                    // Absent where the system has no IPv6 at all.
                    let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{setting}"), value);
                };
                // An address is good at once.
                ipv6("default/accept_dad", "0");
                if version == Version::Four {
                    ipv6("default/disable_ipv6", "1");
                    ipv6("all/disable_ipv6", "1");
                }
                namespace
            });
            made.join().expect("a network can be made")
        });
        Self {
            namespace,
            number,
            version,
        }
    }

    pub(crate) fn ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self.number)
    }

    fn ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, self.number.into())
    }

    /// What its sidecars tell others.
    pub(crate) fn address(&self) -> IpAddr {
        match self.version {
            Version::Six => self.ipv6().into(),
            Version::Four | Version::Both => self.ipv4().into(),
        }
    }

    /// Does something on this machine. What is started there stays there.
    pub(crate) fn with<T>(&self, act: impl FnOnce() -> T) -> T {
        let home = here();
        let move_to = |namespace: &File| {
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("the network is ours");
        };
        move_to(&self.namespace);
        let outcome = act();
        move_to(&home);
        outcome
    }

    #[track_caller]
    pub(crate) fn ip(&self, line: &str) {
        self.with(|| drop(ip(line)));
    }

    /// An app on this machine.
    pub(crate) fn app(&self) -> RawApp {
        self.with(RawApp::scripted)
    }

    /// A sidecar that others can reach, found by mDNS; to be started here.
    pub(crate) fn sidecar(&self, app_id: &str) -> SidecarBuilder {
        let listen = match self.version {
            Version::Six => "[::]",
            Version::Four | Version::Both => "0.0.0.0",
        };
        self.with(|| sidecar(app_id))
            .flag("dapr-internal-grpc-listen-address", listen)
            .env("DAPR_HOST_IP", &self.address().to_string())
            .spec("nameResolution: {component: mdns}")
    }

    /// A started sidecar in front of an app.
    pub(crate) fn serve(&self, app_id: &str, app: &RawApp) -> tests::Sidecar {
        self.with(|| self.sidecar(app_id).app(app).run())
    }

    /// A started sidecar without an app.
    pub(crate) fn caller(&self) -> tests::Sidecar {
        self.with(|| self.sidecar("caller").run())
    }

    /// One call, from a sidecar on this machine.
    #[track_caller]
    pub(crate) fn call(&self, caller: &tests::Sidecar, app_id: &str) -> Response {
        self.with(|| Request::get(&invoke_path(app_id, "x")).send(caller.http()))
    }

    /// Hears what is sent to everybody, and may send itself.
    pub(crate) fn listen(&self) -> UdpSocket {
        self.with(|| {
            let socket =
                UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).expect("nobody else is here");
            socket
                .join_multicast_v4(&GROUP, &self.ipv4())
                .expect("the interface is up");
            socket
                .set_read_timeout(Some(Duration::from_millis(50)))
                .expect("a timeout is valid");
            socket
        })
    }
}
