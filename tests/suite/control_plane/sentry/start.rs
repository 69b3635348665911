//! Starting where something is missing.

use nix::sys::signal::Signal;
use tests::ports::reserve;
use tests::{Process, eventually};

use super::detour::Detour;
use super::{Home, pod, request};

/// The one fatal line of a sentry that ends by itself.
fn fatal(process: &Process) -> String {
    process.wait_for_code(1);
    let output = process.stdout();
    let mut lines = output.lines().filter(|line| line.contains("level=fatal"));
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("{output}"))
        .to_owned();
    assert_eq!(lines.next(), None, "{output}");
    line
}

#[test]
fn what_cannot_run_says_so_in_one_fatal_line() {
    let home = Home::new("fatal");
    let ports = || (reserve(), reserve());
    let start = |flags: &[&str]| {
        let (port, health) = ports();
        home.command(port, health, flags)
    };
    let missing = Process::spawn("sentry", start(&["--config=none"]));
    let mut homeless = start(&[]);
    homeless.env_remove("NAMESPACE");
    let homeless = Process::spawn("sentry", homeless);
    let lost = Process::spawn("sentry", start(&["--kubeconfig=/nonexistent"]));
    assert!(fatal(&homeless).contains("'NAMESPACE' environment variable not set"));
    assert!(fatal(&lost).contains("failed to read kubeconfig /nonexistent"));
    let text = r#"loading default config. couldn't find config name \"none\": configurations.dapr.io \"none\" not found"#;
    let line = fatal(&missing);
    assert!(line.contains(text), "{line}");

    if nix::unistd::geteuid().is_root() {
        let mut root = start(&[]);
        root.env_remove("DAPR_UNSAFE_SKIP_CONTAINER_UID_GID_CHECK");
        let line = fatal(&Process::spawn("sentry", root));
        assert!(line.contains("current user UID(0) is root. Dapr must be run as a non-root user"));
    }
}

#[test]
fn a_damaged_bundle_is_fatal_and_left_alone() {
    let home = Home::new("damaged");
    let data = serde_json::json!({ "data": { "ca.crt": "eA==", "issuer.crt": "eA==", "issuer.key": "eA==" } });
    home.bare.api().patch(&home.path("secrets"), &data);
    let sentry = home.start();
    let line = fatal(&sentry.process);
    assert!(
        line.contains("failed to get CA bundle: failed to verify CA bundle: trust anchors: no certificates found"),
        "{line}"
    );
    assert_eq!(home.data("secrets", "issuer.key").as_deref(), Some("eA=="));
    assert_eq!(home.anchors(), None);
}

#[test]
fn an_api_server_that_is_away_is_waited_for() {
    let home = Home::new("away");
    let detour = Detour::to(&home.bare.kubeconfig(&home.namespace, "dapr-sentry"));
    detour.close();
    let sentry = detour.start(&home);
    let told = "cannot read our configuration yet, trying again";
    sentry.process.wait_for_output(told);
    let answer = eventually("the health server answers", || {
        tests::Request::get("/healthz").try_send(sentry.health).ok()
    });
    assert_eq!(answer.status, 503);
    detour.open();
    let sentry = sentry.healthy();
    assert_eq!(sentry.lines(told), 1);

    // While it is away again nobody is denied and nothing falls over.
    pod(home.bare, &home.namespace, "one", "app", "");
    let request = request(home.bare, &home.namespace, "app", "one", "one");
    sentry.sign(&request);
    detour.close();
    let answer = sentry.ask(&request);
    const UNAVAILABLE: u32 = 14;
    assert_eq!(answer.code(), UNAVAILABLE);
    let text = answer.message();
    assert!(text.starts_with("token review failed: "), "{text}");
    let told = "cannot keep the trust bundle in step with the cluster";
    sentry.process.wait_for_output(told);
    assert!(sentry.is_healthy());
    detour.open();
    sentry
        .process
        .wait_for_output("in step with the cluster again");
    sentry.sign(&request);

    // A signal is heard at any time.
    detour.close();
    let waiting = detour.start(&home);
    waiting.process.wait_for_output("trying again");
    for replica in [sentry, waiting] {
        replica.process.signal(Signal::SIGTERM);
        replica.process.wait_for_code(0);
    }
}
