//! The gRPC how-to: plain gRPC programs, without an SDK, started by `dapr run`
//! with the commands of `examples/grpc/README.md`.

use tests::{Process, binaries};

use super::project::{GO, Installed, JAVA, JAVASCRIPT, PYTHON, Project};
use crate::room::Room;

const RUN_SERVER: &str = "dapr run --app-id server --app-port 50051 -- ";
const RUN_GRPC_SERVER: &str = "dapr run --app-id server --app-protocol grpc --app-port 50051 -- ";
const RUN_CLIENT: &str = "dapr run --app-id client --dapr-grpc-port 50007 -- ";
const STOP: &str = "dapr stop --app-id server";

/// One language: its programs as the README starts them.
struct Greeter {
    project: Project,
    server: &'static str,
    client: &'static str,
}

/// Fails when the README does not say this line.
fn documented(line: &str) {
    let readme = binaries::checkout().join("examples/grpc/README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    assert!(
        text.lines().any(|said| said == line),
        "the README does not say {line:?}"
    );
}

/// What the program behind `dapr run` said, in order; some log to stderr.
fn said(run: &Process, start: &str) -> Vec<String> {
    let text = run.stdout() + &run.stderr();
    let app = text
        .lines()
        .filter_map(|line| line.strip_prefix("== APP == "));
    // Go's logger begins lines with the time.
    app.filter_map(|line| Some(line.split_once(start)?.1.to_owned()))
        .collect()
}

/// Runs the client to its end and gives the names it was greeted by.
fn greeted(room: &Room, installed: &Installed, arguments: &str) -> Vec<String> {
    let program = installed.words("greeter-client");
    let client = room.start(room.home(), &format!("{RUN_CLIENT}{program}{arguments}"));
    client.wait_for_code(0);
    said(&client, "Greeting: Hello ")
}

fn greets(greeter: &Greeter) {
    documented(&format!("{RUN_SERVER}{}", greeter.server));
    documented(&format!("{RUN_CLIENT}{}", greeter.client));
    documented(&format!("{RUN_CLIENT}{} stream", greeter.client));
    let installed = greeter.project.install();
    let room = Room::new(&[]);
    let (status, out, err) = room.run(room.home(), "dapr init");
    assert!(status.success(), "{out}{err}");
    for run in [RUN_SERVER, RUN_GRPC_SERVER] {
        documented(&format!("{run}<program>"));
        greets_behind(run, &room, &installed);
    }
}

fn greets_behind(run_server: &str, room: &Room, installed: &Installed) {
    let program = installed.words("greeter-server");
    let server = room.start(room.home(), &format!("{run_server}{program}"));
    server.wait_for_output("dapr initialized. Status: Running.");
    let name = ["Darth Tyrannus".to_owned()];
    assert_eq!(greeted(room, installed, ""), name);
    let mut received = name.to_vec();
    let names = greeted(room, installed, " stream");
    assert!(names.len() > 1, "one message is no stream: {names:?}");
    received.extend(names);
    documented(STOP);
    let (status, out, err) = room.run(room.home(), STOP);
    assert!(status.success(), "{out}{err}");
    server.wait_for_code(0);
    assert_eq!(said(&server, "Received: "), received);
    room.assert_empty();
}

const IN_GO: Greeter = Greeter {
    project: GO,
    server: "go run ./server",
    client: "go run ./client",
};

const IN_JAVA: Greeter = Greeter {
    project: JAVA,
    server: "java -cp target/greeter.jar greeter.Server",
    client: "java -cp target/greeter.jar greeter.Client",
};

const IN_JAVASCRIPT: Greeter = Greeter {
    project: JAVASCRIPT,
    server: "node server.js",
    client: "node client.js",
};

const IN_PYTHON: Greeter = Greeter {
    project: PYTHON,
    server: "python3 server.py",
    client: "python3 client.py",
};

#[test]
fn go() {
    greets(&IN_GO);
}

#[test]
fn java() {
    greets(&IN_JAVA);
}

#[test]
fn javascript() {
    greets(&IN_JAVASCRIPT);
}

#[test]
fn python() {
    greets(&IN_PYTHON);
}
