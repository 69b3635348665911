//! What a suite needs from the machine beyond Rust and a C compiler, and how
//! Debian provides it. Packages are installed only on CI as root; a developer
//! gets the one command line instead.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::step;

/// One Debian package and the command that succeeds once it is there.
pub(crate) struct Need {
    package: &'static str,
    probe: &'static [&'static str],
}

const PYTHON: Need = Need {
    package: "python3",
    probe: &["python3", "--version"],
};

/// Debian splits `venv` and the wheel of pip from the interpreter.
const VENV: Need = Need {
    package: "python3-venv",
    probe: &["python3", "-c", "import ensurepip, venv"],
};

/// The quickstarts share ports, so each runs in a network of its own.
const IPROUTE: Need = Need {
    package: "iproute2",
    probe: &["ip", "-V"],
};

/// From 1.21 on it fetches the release that a module asks for.
const GO: Need = Need {
    package: "golang-go",
    probe: &[
        "sh",
        "-c",
        "go version | grep -Eq 'go1[.](2[1-9]|[3-9][0-9])'",
    ],
};

const NPM: Need = Need {
    package: "npm",
    probe: &["npm", "--version"],
};

/// Some SDKs and the quickstart are compiled for 17.
const JDK: Need = Need {
    package: "default-jdk-headless",
    probe: &[
        "sh",
        "-c",
        "javac -version 2>&1 | grep -Eq '^javac (1[7-9]|[2-9][0-9])'",
    ],
};

const MAVEN: Need = Need {
    package: "maven",
    probe: &["mvn", "--version"],
};

const CURL: Need = Need {
    package: "curl",
    probe: &["curl", "--version"],
};

const ETCD: Need = Need {
    package: "etcd-server",
    probe: &["etcd", "--version"],
};

const CONTAINERD: Need = Need {
    package: "containerd",
    probe: &["containerd", "--version"],
};

const RUNC: Need = Need {
    package: "runc",
    probe: &["/usr/sbin/runc", "--version"],
};

const NETWORK_PLUGINS: Need = Need {
    package: "containernetworking-plugins",
    probe: &["test", "-x", "/usr/lib/cni/bridge"],
};

const NFTABLES: Need = Need {
    package: "nftables",
    probe: &["/usr/sbin/nft", "--version"],
};

/// kube-proxy forgets the connections of Services that are gone.
const CONNTRACK: Need = Need {
    package: "conntrack",
    probe: &["/usr/sbin/conntrack", "--version"],
};

/// What the examples need.
pub(crate) const EXAMPLES: &[Need] = &[PYTHON, VENV, GO, NPM, JDK, MAVEN, CURL, IPROUTE];

/// What the programs of `tests/sdk` and `examples/grpc` need.
pub(crate) const SDKS: &[Need] = &[PYTHON, VENV, GO, NPM, JDK, MAVEN, IPROUTE];

/// What building the programs of a cluster needs.
pub(crate) const PROGRAMS: &[Need] = &[GO, NPM, PYTHON];

/// What an API server without nodes needs.
pub(crate) const CONTROL_PLANE: &[Need] = &[ETCD];

/// What a node needs.
pub(crate) const NODE: &[Need] = &[
    ETCD,
    CONTAINERD,
    RUNC,
    NETWORK_PLUGINS,
    NFTABLES,
    CONNTRACK,
    IPROUTE,
];

/// Makes sure that everything is there, or says how to get it.
pub(crate) fn provide(needs: &[Need]) -> Result<()> {
    let packages = missing(needs);
    if packages.is_empty() {
        return Ok(());
    }
    if !(step::is_ci() && is_root()) {
        bail!("could not run, it needs: {}", command_line(&packages));
    }
    install(&packages)?;
    let left = missing(needs);
    if !left.is_empty() {
        bail!("still missing after installation: {}", left.join(" "));
    }
    Ok(())
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    needs
        .iter()
        .filter(|need| !succeeds(need.probe))
        .map(|need| need.package)
        .collect()
}

fn command_line(packages: &[&str]) -> String {
    format!(
        "sudo apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    )
}

fn install(packages: &[&str]) -> Result<()> {
    step::run("apt-get update", apt().arg("update"))?;
    step::run(
        "apt-get install",
        apt()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
    )
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("--quiet")
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

pub(crate) fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn succeeds(probe: &[&str]) -> bool {
    let Some((program, arguments)) = probe.split_first() else {
        return false;
    };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABSENT: Need = Need {
        package: "no-such-package",
        probe: &["no-such-program-anywhere"],
    };
    const REFUSING: Need = Need {
        package: "refusing",
        probe: &["false"],
    };
    const PRESENT: Need = Need {
        package: "coreutils",
        probe: &["true"],
    };

    #[test]
    fn what_is_missing_is_named_by_package() {
        assert_eq!(
            missing(&[ABSENT, PRESENT, REFUSING]),
            ["no-such-package", "refusing"]
        );
        assert!(provide(&[PRESENT]).is_ok());
    }

    #[test]
    fn the_advice_is_one_command_line() {
        assert_eq!(
            command_line(&["python3", "python3-venv"]),
            "sudo apt-get install --yes --no-install-recommends python3 python3-venv"
        );
    }
}
