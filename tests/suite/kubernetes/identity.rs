//! Who is let in, and who is believed.

use serde_json::json;

use super::home::{Home, app, stranger, to};
use super::stage;

/// Where sidecars listen for each other.
const INTERNAL: u16 = 50002;

#[test]
fn strangers_are_refused_at_the_internal_port() {
    let stage = stage::shared();
    let home = Home::new(&stage, "strangers");
    home.run(&[
        app("callee"),
        app("caller"),
        stranger("stranger", &["serve"]),
    ]);
    // It is open for those who belong.
    let answer = home.call("caller", &["GET", &to("callee", "x")]);
    assert_eq!(answer["status"], json!(200), "{answer}");

    let pod = home.pod("callee");
    let address = pod["status"]["podIP"].as_str().unwrap();
    let door = format!("{address}:{INTERNAL}");
    for kind in ["plain", "tls"] {
        let found = home.ask("stranger", &["probe", kind, &door]);
        println!("{kind}: {found}");
        assert_eq!(found["in"], json!(false), "{kind}: {found}");
        let why = found["why"].as_str().unwrap();
        for other in ["refused", "unavailable", "timed out", "unreachable"] {
            assert!(!why.contains(other), "nobody was there: {why}");
        }
    }
    // The API is for the app alone.
    for port in [3500, 50001] {
        let found = home.ask(
            "stranger",
            &["probe", "plain", &format!("{address}:{port}")],
        );
        let why = found["why"].as_str().unwrap();
        assert!(why.contains("refused"), "{port}: {found}");
    }
}

#[test]
fn an_app_is_who_its_certificate_says() {
    let stage = stage::shared();
    let home = Home::new(&stage, "believed");
    let abroad = Home::new(&stage, "abroad");
    home.run(&[app("callee"), app("caller")]);
    abroad.run(&[app("caller")]);
    let lies = [
        "dapr-caller-app-id:admin",
        "dapr-caller-namespace:kube-system",
        "dapr-callee-app-id:somebody",
    ];
    let target = format!("callee.{}", home.name());
    for origin in [&home, &abroad] {
        let path = to(&target, "x");
        let mut arguments = vec!["GET", path.as_str()];
        arguments.extend(lies);
        let answer = origin.call("caller", &arguments);
        assert_eq!(answer["status"], json!(200), "{answer}");
        let headers = &answer["body"]["headers"];
        for (header, expected) in [
            ("dapr-caller-app-id", "caller"),
            ("dapr-caller-namespace", origin.name()),
            ("dapr-callee-app-id", "callee"),
        ] {
            assert_eq!(headers[header], json!([expected]), "{header}: {headers}");
        }
    }
}
