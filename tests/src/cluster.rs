//! Real Kubernetes for tests, in two sizes: [`Bare`] is etcd and an API server
//! on loopback, without nodes, enough for whatever only talks to the API
//! server; [`node`] is a whole cluster of one node, where pods run. Both are
//! used through [`Api`].

use std::process::Command;
use std::sync::mpsc;
use std::thread;

use crate::process::Process;

pub mod api;
pub mod assets;
pub mod bare;
pub mod node;
mod pki;

pub use api::{Api, Refusal};
pub use bare::Bare;

/// Starts a program that ends with this process, even when this process is
/// killed or keeps it in a static. The kernel's promise is about the thread
/// that started it, so that thread stays.
fn kept(name: &'static str, command: Command) -> Process {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut wrapper = Command::new("setpriv");
        wrapper.args(["--pdeathsig", "KILL", "--"]);
        wrapper.arg(command.get_program()).args(command.get_args());
        let _ = sender.send(Process::spawn(name, wrapper));
        loop {
            thread::park();
        }
    });
    receiver
        .recv()
        .unwrap_or_else(|_| panic!("{name} did not start"))
}
