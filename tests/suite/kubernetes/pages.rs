//! `examples/kubernetes` as its README tells it: the Deployments of the
//! published pages, called from pod to pod.

use serde_json::json;

use super::stage::{self, SLOW, Stage, image, name};

const FOLDER: &str = "examples/kubernetes";

/// What the README prints for each call; the beginning of it.
const CALLS: &[(&str, &str, &str)] = &[
    ("cart", "/add", "Added!"),
    ("nodeapp", "/neworder", "hello from nodeapp-"),
    ("nodeapp.production", "/neworder", "hello from production"),
    ("ledger", "/entries", "hello from ledger-"),
    ("guarded", "/neworder", "hello from guarded-"),
];

const NAME: &str = "Darth Tyrannus";

#[test]
fn the_examples_do_what_their_readme_says() {
    let stage = stage::shared();
    let _cleaner = Cleaner(&stage);
    // The Job calls another app and runs once.
    for file in [
        "nodeapp",
        "pythonapp",
        "cart",
        "production",
        "stateful",
        "access",
        "grpc-app",
        "grpc-client",
    ] {
        apply(&stage, file);
    }
    for (namespace, workload) in [
        ("default", "deployment/nodeapp"),
        ("default", "deployment/pythonapp"),
        ("default", "deployment/python-app"),
        ("production", "deployment/nodeapp"),
        ("production", "deployment/grpc-app"),
        ("default", "statefulset/ledger"),
        ("default", "deployment/guarded"),
        ("default", "deployment/grpc-app"),
        ("default", "deployment/grpc-client"),
    ] {
        stage.rolled_out(namespace, workload);
    }
    both_containers_are_ready(&stage);
    legacy_annotations_become_the_label(&stage);
    for (target, path, expected) in CALLS {
        let printed = sample(&stage, "deployment/pythonapp", &["call", target, path]).unwrap();
        assert!(printed.starts_with(expected), "{target}{path}: {printed}");
    }
    // An app may call itself through its own sidecar.
    let own = ["call", "cart", "/add"];
    assert_eq!(
        sample(&stage, "deployment/python-app", &own).unwrap(),
        "Added!\n"
    );
    let refused = sample(
        &stage,
        "deployment/pythonapp",
        &["call", "guarded", "/other"],
    );
    assert!(refused.unwrap_err().contains("403 Forbidden"));
    // The page's app calls on its own, an order a second.
    let log = log(&stage, "default", "deployment/pythonapp");
    assert!(log.contains("hello from nodeapp-"), "{log}");
    everybody_is_greeted(&stage);

    apply(&stage, "job");
    let timeout = format!("--timeout={}s", SLOW.as_secs());
    let job = ["wait", "--for=condition=complete", "job/orders", &timeout];
    assert_eq!(stage.api().must(&job), "job.batch/orders condition met\n");

    apply(&stage, "resiliency");
    tests::holds("the timeout is in force", || {
        let cut = sample(
            &stage,
            "deployment/pythonapp",
            &["call", "nodeapp", "/slow"],
        );
        cut.is_err_and(|error| error.contains("500"))
    });
}

/// The page's words: 2/2.
fn both_containers_are_ready(stage: &Stage) {
    for namespace in ["default", "production"] {
        let pods = stage
            .api()
            .must(&["get", "pods", "-n", namespace, "--no-headers"]);
        assert!(!pods.is_empty());
        for line in pods.lines() {
            let ready = line.split_whitespace().nth(1);
            assert_eq!(ready, Some("2/2"), "{pods}");
        }
    }
}

fn legacy_annotations_become_the_label(stage: &Stage) {
    let pod = stage.pod("default", "app=python-app");
    assert_eq!(pod["metadata"]["labels"]["dapr.io/app-id"], json!("cart"));
    let services = stage.api().list("/api/v1/namespaces/default/services");
    assert!(services.iter().any(|service| name(service) == "cart-dapr"));
}

/// The page about gRPC: one rpc, streams, and the namesake elsewhere.
fn everybody_is_greeted(stage: &Stage) {
    let greet = |arguments: &[&str]| {
        let command = [&["call-grpc"], arguments].concat();
        sample(stage, "deployment/grpc-client", &command).unwrap()
    };
    let hello = |name: &str| format!("Greeting: Hello {name}\n");
    assert_eq!(greet(&["server", NAME]), hello(NAME));
    let streamed = greet(&["--stream", "server", NAME, "Darth Maul"]);
    let mut expected: String = (1..=3).map(|n| hello(&format!("{NAME} {n}"))).collect();
    expected += &hello(NAME);
    expected += &hello("Darth Maul");
    assert_eq!(streamed, expected);
    assert_eq!(
        greet(&["server.production", "Darth Vader"]),
        hello("Darth Vader")
    );
    // Each of the two was asked what it was meant to be asked.
    let here = log(stage, "default", "deployment/grpc-app");
    let there = log(stage, "production", "deployment/grpc-app");
    for (log, met, not_met) in [
        (&here, "Darth Maul", "Darth Vader"),
        (&there, "Darth Vader", NAME),
    ] {
        assert!(log.contains(&format!("Received: {met}\n")), "{log}");
        assert!(!log.contains(&format!("Received: {not_met}\n")), "{log}");
    }
    // The page's client asks on its own, once a second.
    let log = log(stage, "default", "deployment/grpc-client");
    assert!(log.contains(&hello(NAME)), "{log}");
}

/// What the app of a workload printed.
fn log(stage: &Stage, namespace: &str, workload: &str) -> String {
    let container = container(workload);
    let arguments = ["logs", "-n", namespace, workload, "-c", container];
    stage.api().must(&arguments)
}

fn container(workload: &str) -> &str {
    match workload {
        "deployment/grpc-app" => "grpc-app",
        "deployment/grpc-client" => "grpc-client",
        _ => "python",
    }
}

fn apply(stage: &Stage, file: &str) {
    let path = tests::binaries::checkout().join(format!("{FOLDER}/{file}.yaml"));
    let text = std::fs::read_to_string(path).unwrap();
    stage
        .api()
        .apply(&text.replace("localhost/dapr/sample:edge", &image("sample")));
}

fn sample(stage: &Stage, workload: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command =
        stage
            .api()
            .kubectl(&["exec", workload, "-c", container(workload), "--", "/sample"]);
    let output = command.args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

struct Cleaner<'a>(&'a Stage);

impl Drop for Cleaner<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let pods = self.0.api().run(&["get", "pods", "-A"]);
            println!("{}", pods.unwrap_or_default());
        }
        let folder = tests::binaries::checkout().join(FOLDER);
        let folder = folder.display().to_string();
        let _ = self.0.api().run(&[
            "delete",
            "-f",
            &folder,
            "--ignore-not-found",
            "--wait=false",
        ]);
    }
}
