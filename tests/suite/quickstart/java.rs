//! Spring Boot on one side, `java.net.http` on the other.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Mesh, Process, RawApp, Seen, binaries};

use super::readme::Readme;
use super::runner::{Alone, Quickstart, Stream, numbers};
use crate::installed;
use crate::room::{Room, copy};

const JAVA: Quickstart = Quickstart {
    room,
    callee: "dapr run --app-id order-processor --app-port 9001 --app-protocol http --dapr-http-port 3501 -- java -jar target/OrderProcessingService-0.0.1-SNAPSHOT.jar",
    caller: "dapr run --app-id checkout --app-protocol http --dapr-http-port 3500 -- java -jar target/CheckoutService-0.0.1-SNAPSHOT.jar",
    orders: 20,
    answer: "CID43",
    prints_on: Stream::Stdout,
};

const APPS: [&str; 2] = ["order-processor", "checkout"];

/// Started for seconds only: quick to start goes before quick to run.
const QUICK: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

fn room() -> (Room, PathBuf) {
    let built = built();
    let mut room = Room::new(&[]);
    room.set("JDK_JAVA_OPTIONS", QUICK);
    let directory = room.example("java");
    for app in APPS {
        let target = built.join(app).join("target");
        std::os::unix::fs::symlink(target, directory.join(app).join("target")).unwrap();
    }
    (room, directory)
}

/// The example, built by the command of its README.
fn built() -> PathBuf {
    let example = binaries::checkout().join("examples/java");
    let mut inputs = installed::version(&["javac", "-version"]);
    installed::read(&example, &mut inputs);
    installed::once("java", &inputs, |folder| {
        copy(&example, folder, &["target"]);
        let readme = Readme::of(&example);
        let repository = folder.join("repository");
        for app in APPS {
            installed::run(
                Command::new("sh")
                    .args(["-c", readme.command("mvn clean install")])
                    .current_dir(folder.join(app))
                    .env(
                        "MAVEN_OPTS",
                        format!("-Dmaven.repo.local={}", repository.display()),
                    ),
            );
        }
    })
}

#[test]
fn java_runs_from_a_run_file() {
    JAVA.runs_from_a_run_file();
}

#[test]
fn java_runs_from_two_commands() {
    JAVA.runs_from_two_commands();
}

#[test]
fn java_callers_report_each_order_when_there_is_no_callee() {
    JAVA.runs_caller_first("== APP == Order failed: 1: 500 ", &Alone::Ends(0));
}

/// Every request offers to go on as HTTP/2: the sidecar answers as if it had
/// not, and the callee does not hear of it.
#[test]
fn java_callers_offer_http2_to_their_sidecar_only() {
    let checkout = built().join("checkout");
    let app = RawApp::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nCID00");
    let offered = orders(&checkout, &app, app.port());
    for order in &offered {
        assert_eq!(order.values("Upgrade"), ["h2c"]);
        assert_eq!(order.values("Connection"), ["Upgrade, HTTP2-Settings"]);
        assert_eq!(order.values("HTTP2-Settings").len(), 1, "{order:?}");
    }

    let mesh = Mesh::mtls();
    let _callee = mesh.sidecar("order-processor").app(&app).run();
    let caller = mesh.sidecar("checkout").run();
    let delivered = orders(&checkout, &app, caller.http());
    for (offer, order) in offered.iter().zip(&delivered) {
        assert_eq!(order.body, offer.body);
        assert_eq!(order.values("Content-Type"), ["application/json"]);
        for name in ["connection", "http2-settings", "upgrade", "dapr-app-id"] {
            assert!(!order.names().contains(&name.to_owned()), "{order:?}");
        }
    }
}

/// What the app sees when the caller's sidecar, or who plays it, has this
/// port.
fn orders(checkout: &Path, app: &RawApp, port: u16) -> Vec<Seen> {
    let mut command = Command::new("java");
    command
        .args(["-jar", "target/CheckoutService-0.0.1-SNAPSHOT.jar"])
        .current_dir(checkout)
        .env("JDK_JAVA_OPTIONS", QUICK)
        .env("DAPR_HTTP_PORT", port.to_string())
        .env("ORDER_PAUSE_SECONDS", "0");
    let (status, out, err) = Process::run("checkout", command);
    assert!(status.success(), "{out}{err}");
    let all: Vec<_> = (1..=JAVA.orders).collect();
    assert_eq!(numbers(&out, "", "Order passed"), all, "{out}");
    let seen = app.take();
    assert_eq!(seen.len(), all.len());
    seen
}
