//! Flask as the callee, `curl` as the caller.

use std::fs;
use std::path::PathBuf;

use tests::{Process, binaries, holds};

use super::readme::Readme;
use super::venv;
use crate::room::Room;

const RUN_CART: &str = "dapr run --app-id cart --app-port 5000 python app.py";
const RUN_SECOND_CART: &str = "dapr run --app-id cart --app-port 5001 -- flask run --port 5001";
const RUN_SHOP: &str = "dapr run --app-id shop --dapr-http-port 3500";
const RUN_PATIENT_SHOP: &str =
    "dapr run --app-id shop --dapr-http-port 3500 --resources-path resources";
const ADD: &str = "curl http://localhost:3500/v1.0/invoke/cart/method/add -X POST";
const UP: &str = "✅  You're up and running! ";
/// Flask's own log line of an accepted call.
const ADDED: &str = "\"POST /add HTTP/1.1\" 200 -";

/// The example in a room, ready to run.
struct Stage {
    room: Room,
    directory: PathBuf,
    readme: Readme,
}

impl Stage {
    fn new() -> Self {
        let requirements = binaries::checkout().join("examples/cart/requirements.txt");
        let room = Room::new(&[&venv::with(&[requirements]).join("bin")]);
        let directory = room.example("cart");
        let (status, out, err) = room.run(&directory, "dapr init");
        assert!(status.success(), "{out}{err}");
        Self {
            readme: Readme::of(&directory),
            room,
            directory,
        }
    }

    /// Starts a command of the README.
    fn start(&self, line: &str) -> Process {
        self.room.start(&self.directory, self.readme.command(line))
    }

    /// Starts a command of the README and waits until it says that all is up.
    fn up(&self, line: &str) -> Process {
        let run = self.start(line);
        run.wait_for_output(UP);
        run.wait_for_output("dapr initialized. Status: Running.");
        run
    }

    /// What a command of the README prints.
    fn output(&self, line: &str) -> String {
        self.own(self.readme.command(line))
    }

    /// What a command of our own prints.
    fn own(&self, line: &str) -> String {
        let (status, out, err) = self.room.run(&self.directory, line);
        assert_eq!(status.code(), Some(0), "{out}{err}");
        out
    }

    /// Stops what runs, as the README says, and sees that nothing is left.
    fn end(self, shop: &Process, carts: &[Process]) {
        let stop = |app_id: &str| {
            assert_eq!(
                self.output(&format!("dapr stop --app-id {app_id}")),
                format!("✅  app stopped successfully: {app_id}\n")
            );
        };
        stop("shop");
        shop.wait_for_code(0);
        // One at a time.
        for _ in carts {
            stop("cart");
        }
        for cart in carts {
            cart.wait_for_code(0);
        }
        self.room.assert_empty();
    }
}

/// The HTTP port that `dapr run` prints.
fn printed_port(run: &Process) -> String {
    let output = run.stdout();
    let (_, rest) = output
        .split_once("Starting Dapr with id cart. HTTP Port: ")
        .unwrap_or_else(|| panic!("{output}"));
    let digits = rest.split(|sign: char| !sign.is_ascii_digit());
    digits.into_iter().next().unwrap().to_owned()
}

/// Arguments and environment of the process of `run` that `is_it` knows by its
/// arguments.
fn process(run: &Process, is_it: fn(&[&str]) -> bool) -> (String, String) {
    let found = run.family().into_iter().find_map(|pid| {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let arguments = read("cmdline").ok()?;
        let arguments: Vec<_> = arguments.trim_end_matches('\0').split('\0').collect();
        is_it(&arguments).then(|| (arguments.join(" "), read("environ").unwrap_or_default()))
    });
    found.expect("the process runs")
}

#[test]
fn a_cart_is_called_by_its_name() {
    let stage = Stage::new();
    let cart = stage.up(RUN_CART);
    for line in stage.readme.output("The callee", 0) {
        assert!(cart.stdout().contains(line), "{line:?}: {}", cart.stdout());
    }
    let (daprd, _) = process(&cart, |arguments| arguments[0].ends_with("/daprd"));
    assert!(daprd.contains(" --app-id cart "), "{daprd}");
    assert!(daprd.contains(" --app-port 5000 "), "{daprd}");
    let (_, environment) = process(&cart, |arguments| arguments == ["python", "app.py"]);
    let mut variables = environment.split('\0');
    assert!(variables.any(|variable| variable == "APP_PORT=5000"));
    let shop = stage.up(RUN_SHOP);

    let added = stage.readme.output("Calls", 0).join("\n");
    assert_eq!(stage.output(ADD), added);
    holds("Flask logged it", || cart.stderr().contains(ADDED));

    let page = stage.readme.output("Calls", 1).join("\n") + "\n";
    for method in ["GET", "DELETE"] {
        let line = match method {
            "GET" => "curl http://localhost:3500/v1.0/invoke/cart/method/add",
            _ => "curl http://localhost:3500/v1.0/invoke/cart/method/add -X DELETE",
        };
        assert_eq!(stage.output(line), page);
        // Status and body are those the app gives without us, and so is the
        // header that says what it would take.
        let shown = "--silent --write-out '%{http_code} %header{allow}'";
        let direct = stage.own(&format!(
            "curl {shown} http://localhost:5000/add -X {method}"
        ));
        assert!(direct.contains("405 "), "{direct}");
        assert_eq!(stage.own(&format!("{line} {shown}")), direct);
        // Flask colours the lines of what it refuses.
        let seen = format!("{method} /add HTTP/1.1");
        holds("Flask logged all three", || {
            cart.stderr().matches(&seen).count() == 3
        });
    }

    // Its own sidecar does as well.
    let port = printed_port(&cart);
    assert_eq!(stage.own(&ADD.replace("3500", &port)), added);
    let invoked = stage.readme.output("Calls", 2).join("\n") + "\n";
    assert_eq!(
        stage.output("dapr invoke --app-id cart --method add"),
        invoked
    );
    stage.end(&shop, &[cart]);
}

#[test]
fn carts_of_one_name_share_the_calls() {
    let stage = Stage::new();
    let carts = [stage.up(RUN_CART), stage.up(RUN_SECOND_CART)];
    let shop = stage.up(RUN_SHOP);
    let calls = || {
        carts
            .each_ref()
            .map(|cart| cart.stderr().matches(ADDED).count())
    };
    let mut made = 0;
    holds("both are known", || {
        assert_eq!(stage.output(ADD), "Added!");
        made += 1;
        calls().iter().all(|calls| *calls > 0)
    });
    // It logs once it has answered.
    holds("Flask logged them", || {
        calls().iter().sum::<usize>() == made
    });
    let before = calls();
    for _ in 0..20 {
        assert_eq!(stage.output(ADD), "Added!");
    }
    holds("Flask logged all calls", || {
        calls().iter().sum::<usize>() == before.iter().sum::<usize>() + 20
    });
    let after = calls();
    assert!(
        after[0] > before[0] && after[1] > before[1],
        "{before:?} {after:?}"
    );
    stage.end(&shop, &carts);
}

#[test]
fn a_cart_that_starts_late_loses_no_call() {
    let stage = Stage::new();
    let shop = stage.up(RUN_PATIENT_SHOP);
    let call = stage.start(ADD);
    shop.wait_for_output("Retrying in 500ms");
    // Its sidecar comes first; the app of the next one is two seconds late.
    let late = "dapr run --app-id cart --app-port 5000 -- sh -c 'sleep 2; exec python app.py'";
    let cart = stage.room.start(&stage.directory, late);
    call.wait_for_code(0);
    assert_eq!(call.stdout(), "Added!");
    holds("Flask logged it", || {
        cart.stderr().matches(ADDED).count() == 1
    });
    stage.end(&shop, &[cart]);
}
