//! An API server that goes away and comes back, for one client.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use parking_lot::Mutex;
use tempfile::TempDir;
use tests::Process;
use tests::ports::reserve;

use super::{Home, Replica};

/// A way to the API server that can be closed.
pub(super) struct Detour {
    kubeconfig: PathBuf,
    closed: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
    _folder: TempDir,
}

impl Detour {
    pub(super) fn to(kubeconfig: &Path) -> Self {
        let text = std::fs::read_to_string(kubeconfig).unwrap();
        let (_, rest) = text.split_once("https://127.0.0.1:").unwrap();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
        let server: u16 = rest[..digits].parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = TempDir::new().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let moved = text.replace(&format!(":{server}"), &format!(":{port}"));
        std::fs::write(&kubeconfig, moved).unwrap();
        let (closed, sockets) = (Arc::<AtomicBool>::default(), Arc::default());
        let detour = Self {
            kubeconfig,
            closed: Arc::clone(&closed),
            sockets: Arc::clone(&sockets),
            _folder: folder,
        };
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if !closed.load(Relaxed) {
                    forward(socket, server, &sockets);
                }
            }
        });
        detour
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
        for socket in self.sockets.lock().drain(..) {
            // The other side may have gone before.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn open(&self) {
        self.closed.store(false, Relaxed);
    }

    /// A sentry that goes this way.
    pub(super) fn start(&self, home: &Home) -> Replica {
        let (port, health) = (reserve(), reserve());
        let flag = format!("--kubeconfig={}", self.kubeconfig.display());
        let process = Process::spawn("sentry", home.command(port, health, &[&flag]));
        Replica {
            process,
            port,
            health,
        }
    }
}

fn forward(client: TcpStream, server: u16, sockets: &Mutex<Vec<TcpStream>>) {
    let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
    let copy = |socket: &TcpStream| socket.try_clone().unwrap();
    sockets.lock().extend([copy(&client), copy(&server)]);
    for (mut from, mut to) in [(copy(&client), copy(&server)), (server, client)] {
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
