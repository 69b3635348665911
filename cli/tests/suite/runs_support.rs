//! What the tests of `dapr run` share: apps that listen, and terminals.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use parking_lot::Mutex;

use crate::tools::{Place, eventually};

/// A name no other test uses, in this run of the tests or another one.
pub(crate) fn id(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{number}", std::process::id())
}

/// A port that nobody has, and that the system gives to nobody who asks for
/// any, nor `dapr run` to its sidecars: below the ranges they take those from.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() * 97;
    loop {
        let number = first + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + u16::try_from(number % 6_000).unwrap();
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// The sidecar the program would find.
pub(crate) fn real_daprd() -> PathBuf {
    match std::env::var_os("DAPRD_BIN") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_BIN_EXE_dapr")).with_file_name("daprd"),
    }
}

/// The address an app made of this test program listens on.
const LISTEN: &str = "CLI_SUITE_LISTEN";

/// Not a test of its own: with [`LISTEN`] it is the app of other tests, which
/// start this program with the name of this function.
#[test]
fn listening_app() {
    let Ok(address) = std::env::var(LISTEN) else {
        return;
    };
    let address = match std::env::var("APP_PORT") {
        Ok(port) if address == "APP_PORT" => format!("127.0.0.1:{port}"),
        _ => address,
    };
    let listener = TcpListener::bind(&address).unwrap();
    for stream in listener.incoming() {
        drop(stream);
    }
}

/// The command line of a sidecar made of this test program.
const SIDECAR: &str = "CLI_SUITE_SIDECAR";

/// Not a test of its own: with [`SIDECAR`] it is a sidecar that takes
/// metadata and never is ready.
#[test]
fn unready_sidecar() {
    let Ok(line) = std::env::var(SIDECAR) else {
        return;
    };
    let mut words = line
        .split(' ')
        .skip_while(|word| *word != "--dapr-http-port");
    let port: u16 = words.nth(1).unwrap().parse().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    for mut stream in listener.incoming().flatten() {
        let mut head = [0; 4096];
        let read = stream.read(&mut head).unwrap_or_default();
        let status = if head[..read].starts_with(b"PUT ") {
            "204 No Content"
        } else {
            "500 Internal Server Error"
        };
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    }
}

/// The shell's line for such a sidecar.
pub(crate) fn unready_sidecar_line() -> String {
    let program = std::env::current_exe().unwrap();
    format!(
        "{SIDECAR}=\"$*\" exec {} runs_support::unready_sidecar --exact --nocapture",
        program.display()
    )
}

/// The command of an app that listens on [`LISTEN`].
pub(crate) fn listener() -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    [
        program.to_str().unwrap(),
        "runs_support::listening_app",
        "--exact",
        "--nocapture",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The command of an app that listens on this address.
pub(crate) fn listener_on(host: IpAddr, port: u16) -> Vec<String> {
    let address = SocketAddr::new(host, port);
    let mut words = vec!["env".to_owned(), format!("{LISTEN}={address}")];
    words.extend(listener());
    words
}

/// The words as an item of a run file.
pub(crate) fn yaml(words: &[String]) -> String {
    serde_json::to_string(words).unwrap()
}

/// Kills with the shell's tool, as a user would.
pub(crate) fn kill(signal: &str, pid: i32) {
    let status = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// A shell command in a terminal of its own.
pub(crate) struct Terminal {
    script: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// `line` is for the shell, which leads the terminal's session; `exec`
    /// puts the program in its place.
    pub(crate) fn start(place: &Place, line: &str) -> Self {
        // For its directory and variables.
        let prepared = place.dapr(&[]);
        let mut command = Command::new("script");
        command
            .args(["-qefc", line, "/dev/null"])
            .current_dir(place.path())
            .env("SHELL", "/bin/sh")
            .env("DAPR", env!("CARGO_BIN_EXE_dapr"))
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (name, value) in prepared.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut script = command.spawn().unwrap();
        let keys = script.stdin.take().unwrap();
        let mut output = script.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&screen);
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut piece) {
                written.lock().extend(&piece[..read]);
            }
        });
        Self {
            script,
            keys,
            screen,
        }
    }

    pub(crate) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock()).into_owned()
    }

    /// Waits for a text on the screen.
    pub(crate) fn wait_for(&self, text: &str) {
        eventually(|| self.screen().contains(text).then_some(()));
    }

    pub(crate) fn type_keys(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
        self.keys.flush().unwrap();
    }

    pub(crate) fn press_ctrl_c(&mut self) {
        self.type_keys(b"\x03");
    }

    /// Takes the terminal away, as closing its window does.
    pub(crate) fn close(&mut self) {
        self.script.kill().unwrap();
        self.script.wait().unwrap();
    }

    /// Waits for the end; the status of the command.
    pub(crate) fn end(&mut self) -> Option<i32> {
        eventually(|| self.script.try_wait().unwrap()).code()
    }
}

/// A test that fails must not leave a run behind.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}
