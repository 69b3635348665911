//! A run file with twenty apps: its order, and how long it takes.

use std::fmt::Write;
use std::time::Instant;

use crate::runs_support::{free_port, id, kill, listener, yaml};
use crate::tools::{Place, Running};

const APPS: usize = 20;

#[test]
fn twenty_apps_start_in_order() {
    let place = Place::new();
    let name = id("many");
    let mut file = String::from("version: 1\ncommon: {env: {CLI_SUITE_LISTEN: APP_PORT}}\napps:\n");
    for number in 0..APPS {
        let app = if number % 2 == 0 {
            format!("appPort: {}, command: {}", free_port(), yaml(&listener()))
        } else {
            "command: [sleep, '1000']".to_owned()
        };
        let _ = writeln!(file, "- {{appDirPath: ., appID: {name}-{number}, {app}}}");
    }
    place.write("dapr.yaml", &file);
    let before = Instant::now();
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line(&format!("Started Dapr with app id \"{name}-{}\"", APPS - 1));
    let took = before.elapsed();
    println!("{APPS} apps started in {:.2} s", took.as_secs_f64());

    let list = place.run(&["list", "-o", "json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&list.out).unwrap();
    let ours = rows
        .iter()
        .filter(|row| row["appId"].as_str().unwrap().starts_with(&name));
    assert_eq!(ours.count(), APPS);

    kill("-TERM", run.pid());
    let (code, lines) = run.end();
    assert_eq!(code, Some(0), "{lines:#?}");
    let mut told = lines.iter().filter(|line| {
        line.contains("Validating config and starting app") || line.contains("Started Dapr")
    });
    for number in 0..APPS {
        for text in [
            "Validating config and starting app",
            "Started Dapr with app id",
        ] {
            let line = told.next().unwrap();
            assert!(
                line.contains(&format!("{text} \"{name}-{number}\"")),
                "{number}: {line}"
            );
        }
    }
    place.assert_quiet();
}
