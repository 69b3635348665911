//! How runs end: Ctrl-C once and twice, terminals and readers that go away,
//! children that do not want to end. Nothing may be left behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::process::Stdio;

use crate::runs_support::{Terminal, free_port, id, kill, listener_on, yaml};
use crate::tools::{Place, Running, eventually, processes_with};

/// Both ways to run an app.
const MODES: [Mode; 2] = [Mode::Single, Mode::File];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Single,
    File,
}

impl Mode {
    /// Writes `app` as a script and gives the arguments that run it.
    fn arguments(self, place: &Place, script: &str) -> Vec<String> {
        place.script("app", script);
        match self {
            Self::Single => {
                let id = id("signals");
                ["run", "--app-id", &id, "--", "./app"]
                    .map(str::to_owned)
                    .to_vec()
            }
            Self::File => {
                let app = |id: String| format!("{{appDirPath: ., appID: {id}, command: [./app]}}");
                place.write(
                    "dapr.yaml",
                    &format!("version: 1\napps: [{}, {}]", app(id("one")), app(id("two"))),
                );
                ["run", "-f", "."].map(str::to_owned).to_vec()
            }
        }
    }

    /// The line behind which everything runs.
    fn up(self) -> &'static str {
        match self {
            Self::Single => "You're up and running!",
            Self::File => "Started Dapr with app id \"two",
        }
    }

    fn start(self, place: &Place, script: &str) -> Running {
        let arguments = self.arguments(place, script);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Running::start(place.dapr(&words))
    }

    /// As the shell's line for a terminal.
    fn line(self, place: &Place, script: &str) -> String {
        format!("\"$DAPR\" {}", self.arguments(place, script).join(" "))
    }
}

fn assert_all_gone(place: &Place) {
    let text = place.path().display().to_string();
    eventually(|| processes_with(&text).is_empty().then_some(()));
}

#[test]
fn ctrl_c_in_a_terminal_ends_everything_in_order() {
    for mode in MODES {
        let place = Place::new();
        // Also when a script runs the program, which stays in its group.
        for wrap in ["exec LINE", "LINE; echo status $?; exit 5"] {
            let line = wrap.replace("LINE", &mode.line(&place, "echo ready; exec sleep 1000"));
            let mut terminal = Terminal::start(&place, &line);
            terminal.wait_for(mode.up());
            terminal.wait_for("ready");
            terminal.press_ctrl_c();
            let status = terminal.end();
            let screen = terminal.screen();
            if wrap.starts_with("exec") {
                assert_eq!(status, Some(0), "{screen}");
            }
            if mode == Mode::Single {
                let at = |text: &str| {
                    screen
                        .find(text)
                        .unwrap_or_else(|| panic!("{text}: {screen}"))
                };
                assert!(at("✅  Exited Dapr successfully") < at("✅  Exited App successfully"));
                assert!(at("terminated signal received") < at("✅  Exited Dapr"));
            } else {
                assert!(screen.contains("Received signal to stop Dapr and app processes."));
            }
            assert!(!screen.contains('❌'), "{screen}");
            place.assert_quiet();
        }
    }
}

/// Asked to end, it takes three seconds, and says so if it got them.
const SLOW: &str = "trap 'sleep 3; echo survived; exit 0' TERM
echo ready
while :; do sleep 0.05; done";

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_app() {
    for mode in MODES {
        let place = Place::new();
        let line = format!("exec {}", mode.line(&place, SLOW));
        for twice in [false, true] {
            let mut terminal = Terminal::start(&place, &line);
            terminal.wait_for(mode.up());
            terminal.wait_for("ready");
            terminal.press_ctrl_c();
            if twice {
                terminal.wait_for(match mode {
                    Mode::Single => "Exited Dapr successfully",
                    Mode::File => "Received signal to stop",
                });
                // Later than an echo of the first one.
                std::thread::sleep(std::time::Duration::from_millis(300));
                terminal.press_ctrl_c();
            }
            assert_eq!(terminal.end(), Some(0), "{}", terminal.screen());
            let survived = terminal.screen().contains("survived");
            assert_eq!(survived, !twice, "{mode:?}: {}", terminal.screen());
            place.assert_quiet();
        }
    }
}

/// It ends for nothing but SIGKILL.
const STUBBORN: &str = "trap '' TERM INT HUP; echo ready; while :; do sleep 1; done";

#[test]
fn an_app_that_will_not_end_is_killed() {
    for mode in MODES {
        let place = Place::new();
        let mut run = mode.start(&place, STUBBORN);
        run.line(mode.up());
        run.line("ready");
        kill("-TERM", run.pid());
        let (code, lines) = run.end();
        assert_eq!(code, Some(0), "{lines:#?}");
        place.assert_quiet();
    }
}

/// Offspring in every place it may be: the app's group, groups of its own,
/// orphaned by a double fork.
const FAMILY: &str = "exec bash -c '
set -m
sleep 1000 &
timeout 1000 sh -c \"sleep 1000; true\" &
(sh -c \"sleep 1000 & exit\" &)
set +m
sleep 1000 &
echo ready
trap : TERM
while :; do wait; done'";

#[test]
fn offspring_of_an_app_ends_with_it() {
    for mode in MODES {
        for signal in ["-TERM", "-INT", "-HUP", "-KILL"] {
            let place = Place::new();
            let mut run = mode.start(&place, FAMILY);
            run.line(mode.up());
            run.line("ready");
            kill(signal, run.pid());
            if signal != "-KILL" {
                let (code, lines) = run.end();
                assert_eq!(code, Some(0), "{lines:#?}");
                place.assert_quiet();
            }
            assert_all_gone(&place);
        }
    }
}

#[test]
fn an_app_that_leaves_offspring_behind_takes_it_along() {
    let place = Place::new();
    let mut run = Mode::Single.start(&place, "sleep 1000 & exit 0");
    run.line("Exited App successfully");
    assert_eq!(run.end().0, Some(0));
    place.assert_quiet();
}

#[test]
fn a_killed_run_ends_even_apps_that_will_not() {
    for mode in MODES {
        let place = Place::new();
        let mut run = mode.start(&place, STUBBORN);
        run.line(mode.up());
        run.line("ready");
        kill("-KILL", run.pid());
        assert_all_gone(&place);
    }
}

#[test]
fn an_app_that_became_a_daemon_gives_its_port_back() {
    let place = Place::new();
    let port = free_port();
    let daemon = listener_on(IpAddr::V4(Ipv4Addr::LOCALHOST), port).join(" ");
    let bystander = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >bystander";
    let app = format!(
        "setsid {daemon} </dev/null >/dev/null 2>&1 &\n{bystander}\necho ready; exec sleep 1000"
    );
    place.script("app", &app);
    let name = id("daemon");
    for signal in ["-TERM", "-KILL"] {
        let mut run = Running::start(place.dapr(&[
            "run",
            "--app-id",
            &name,
            "--app-port",
            &port.to_string(),
            "--",
            "./app",
        ]));
        run.line("You're up and running!");
        run.line("ready");
        eventually(|| std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        kill(signal, run.pid());
        // What else left on purpose may serve others: a browser, a build
        // server. It stays.
        eventually(|| {
            let left = processes_with(&place.path().display().to_string());
            (left.len() == 1).then_some(())
        });
        let file = place.path().join("bystander");
        let pid = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        assert!(crate::tools::alive(pid));
        kill("-KILL", pid);
        assert_all_gone(&place);
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}

#[test]
fn a_terminal_that_goes_away_ends_the_run() {
    for mode in MODES {
        let place = Place::new();
        for wrap in ["exec LINE", "LINE; true"] {
            let app = "echo ready; while :; do echo more; sleep 0.05; done";
            let line = wrap.replace("LINE", &mode.line(&place, app));
            let mut terminal = Terminal::start(&place, &line);
            terminal.wait_for(mode.up());
            terminal.wait_for("ready");
            terminal.close();
            assert_all_gone(&place);
        }
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_run() {
    for mode in MODES {
        let place = Place::new();
        let arguments = mode.arguments(&place, "while :; do echo more; sleep 0.05; done");
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = place.dapr(&words);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(mode.up()) {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0);
        }
        drop(reader);
        let status = eventually(|| child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
        assert_all_gone(&place);
    }
}

#[test]
fn output_that_is_stuck_does_not_keep_a_run_alive() {
    for mode in MODES {
        let place = Place::new();
        let arguments = mode.arguments(&place, "echo $$ >>ready; exec yes");
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = place.dapr(&words);
        // Nobody ever reads this pipe.
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let ready = place.path().join("ready");
        eventually(|| ready.exists().then_some(()));
        std::thread::sleep(std::time::Duration::from_millis(300));
        kill("-INT", pid);
        std::thread::sleep(std::time::Duration::from_millis(300));
        kill("-INT", pid);
        eventually(|| child.try_wait().unwrap());
        assert_all_gone(&place);
    }
}

#[test]
fn a_run_stops_while_it_starts() {
    for mode in MODES {
        let place = Place::new();
        let arguments = mode.arguments(&place, "exec sleep 1000");
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = place.dapr(&words);
        // A sidecar that never listens.
        command.env(
            "DAPRD_BIN",
            place.script("daprd", "echo here; exec sleep 1000"),
        );
        let mut run = Running::start(command);
        run.line("tarting ");
        kill("-INT", run.pid());
        let (code, lines) = run.end();
        assert_eq!(code, Some(0), "{lines:#?}");
        place.assert_quiet();
    }
}

#[test]
fn run_files_of_many_apps_end_with_their_daemons() {
    let place = Place::new();
    let port = free_port();
    let words = listener_on(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let mut command = vec!["setsid".to_owned(), "--wait".to_owned()];
    command.extend(words);
    place.write(
        "dapr.yaml",
        &format!(
            "version: 1\napps: [{{appDirPath: ., appID: {}, appPort: {port}, command: {}}}]",
            id("daemons"),
            yaml(&command)
        ),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line("Started Dapr with app id");
    eventually(|| std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    kill("-TERM", run.pid());
    assert_eq!(run.end().0, Some(0));
    place.assert_quiet();
}
