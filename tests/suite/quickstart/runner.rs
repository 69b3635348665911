//! What a reader of any quickstart does: both apps from the run file, one
//! command for each, the caller first.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::Process;

use super::readme::Readme;
use crate::room::Room;

/// One quickstart. Its README has the two headings below, under the first the
/// output of the run file, under the second those of the caller and the callee.
pub(super) struct Quickstart {
    /// Makes a room with the example in it, ready to run, and everything that
    /// the commands need; gives the directory with the run file.
    pub(super) room: fn() -> (Room, PathBuf),
    /// Starts the callee from its directory.
    pub(super) callee: &'static str,
    /// Starts the caller from its directory.
    pub(super) caller: &'static str,
    /// How many orders the caller sends.
    pub(super) orders: usize,
    /// What the callee answers to `{"orderId": 43}`, and with another number to
    /// other orders.
    pub(super) answer: &'static str,
    /// Where both apps print.
    pub(super) prints_on: Stream,
}

/// Of a process.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// What a caller does when the callee is not there.
pub(super) enum Alone {
    /// Reports the order as failed and goes on.
    GoesOn,
    /// Ends; then `dapr run` exits with this code.
    Ends(i32),
}

/// A quickstart in a room of its own, and its README.
pub(super) struct Stage {
    pub(super) room: Room,
    pub(super) directory: PathBuf,
    pub(super) readme: Readme,
}

/// An app that stands still until this is dropped.
pub(super) struct Frozen(Pid);

const RUN_FILE: &str = "Both at once";
const TWO_COMMANDS: &str = "One at a time";
pub(super) const PASSED: &str = "Order passed";
pub(super) const RECEIVED: &str = "Order received";

// === impl Quickstart ===

impl Quickstart {
    /// `dapr run -f .`, until it is stopped from another terminal.
    pub(super) fn runs_from_a_run_file(&self) {
        let stage = self.stage();
        let run = stage.start("", "dapr run -f .");
        for app in ["order-processor", "checkout"] {
            run.wait_for_output(&format!("Validating config and starting app \"{app}\""));
            run.wait_for_output(&format!("Started Dapr with app id \"{app}\". HTTP Port: "));
        }
        run.wait_for_output("Writing log files to directory : ");
        let (received, passed) = ("== APP - order-processor == ", "== APP - checkout == ");
        self.wait_for_all(&run, Stream::Stdout, received, RECEIVED);
        self.wait_for_all(&run, Stream::Stdout, passed, PASSED);
        assert_eq!(
            stage.run("dapr stop -f ."),
            "✅  Dapr and app processes stopped successfully\n"
        );
        run.wait_for_code(0);
        let output = run.stdout();
        self.assert_all(&output, received, RECEIVED);
        self.assert_all(&output, passed, PASSED);
        assert_says(&output, stage.readme.output(RUN_FILE, 0));
        for app in ["order-processor", "checkout"] {
            let logs = std::fs::read_dir(stage.directory.join(app).join(".dapr/logs")).unwrap();
            assert_eq!(logs.count(), 2, "one log for the app, one for its sidecar");
        }
        stage.room.assert_empty();
    }

    /// One command for the callee, then one for the caller.
    pub(super) fn runs_from_two_commands(&self) {
        let stage = self.stage();
        let callee = self.start_callee(&stage);
        let caller = stage.start("checkout", self.caller);
        caller.wait_for_code(0);
        let output = self.prints_on.of(&caller);
        self.assert_all(&output, "== APP == ", PASSED);
        assert_says(&output, stage.readme.output(TWO_COMMANDS, 0));
        assert!(caller.stdout().contains("✅  Exited App successfully"));
        self.wait_for_all(&callee, self.prints_on, "== APP == ", RECEIVED);

        self.takes_orders_by_hand(&stage);
        stage.stop_ended("checkout");
        stage.stop("order-processor");
        callee.wait_for_code(0);
        let output = self.prints_on.of(&callee);
        let mut received = numbers(&output, "== APP == ", RECEIVED);
        assert_eq!(
            received.split_off(self.orders.min(received.len())),
            [42, 43],
            "{output}"
        );
        assert_eq!(received, self.all(), "{output}");
        assert_says(&output, stage.readme.output(TWO_COMMANDS, 1));
        stage.room.assert_empty();
    }

    /// The caller while nobody has its callee's name; it prints `failure`, as
    /// an error or not.
    pub(super) fn runs_caller_first(&self, failure: &str, alone: &Alone) {
        let stage = self.stage();
        let caller = stage.start("checkout", self.caller);
        tests::eventually(&format!("it printed {failure:?}"), || {
            // Asked first: what an ended process printed is complete.
            let ended = caller.exited().is_some();
            let output = caller.stdout() + &caller.stderr();
            let found = output.contains(failure);
            assert!(found || !ended, "no {failure:?} in\n{output}");
            found.then_some(())
        });
        match alone {
            Alone::Ends(code) => caller.wait_for_code(*code),
            Alone::GoesOn => self.finds_a_late_callee(&stage, &caller),
        }
        stage.room.assert_empty();
    }

    /// In a room where `dapr init` was done.
    pub(super) fn stage(&self) -> Stage {
        let (mut room, directory) = (self.room)();
        // The callers wait a second between two orders.
        room.set("ORDER_PAUSE_SECONDS", "0.1");
        let (status, out, err) = room.run(&directory, "dapr init");
        assert!(status.success(), "{out}{err}");
        let readme = Readme::of(&directory);
        Stage {
            room,
            directory,
            readme,
        }
    }

    /// The callee, able to take orders.
    pub(super) fn start_callee(&self, stage: &Stage) -> Process {
        let callee = stage.start("order-processor", self.callee);
        callee.wait_for_output(
            "✅  You're up and running! Both Dapr and your app logs will appear here.",
        );
        callee.wait_for_output("dapr initialized. Status: Running.");
        callee
    }

    fn takes_orders_by_hand(&self, stage: &Stage) {
        let line = stage.readme.command_of("curl");
        let (status, out, err) = stage.room.run(&stage.directory, line);
        assert!(status.success(), "{out}{err}");
        assert_eq!(out, self.answer.replace("43", "42"));
        let line =
            "dapr invoke --app-id order-processor --method orders --data '{\"orderId\": 43}'";
        let answer = self.answer;
        assert_eq!(
            stage.run(line),
            format!("{answer}\n✅  App invoked successfully\n")
        );
    }

    fn finds_a_late_callee(&self, stage: &Stage, caller: &Process) {
        // However long the callee takes, there are orders left for it.
        let frozen = Frozen::app(caller, self.caller);
        let callee = self.start_callee(stage);
        drop(frozen);
        caller.wait_for_code(0);
        let output = self.prints_on.of(caller);
        let passed = numbers(&output, "== APP == ", PASSED);
        assert_eq!(passed.last(), Some(&self.orders), "{output}");
        stage.stop("order-processor");
        callee.wait_for_code(0);
        let received = numbers(&self.prints_on.of(&callee), "== APP == ", RECEIVED);
        assert_eq!(received, passed);
    }

    /// The numbers of all orders.
    pub(super) fn all(&self) -> Vec<usize> {
        (1..=self.orders).collect()
    }

    fn assert_all(&self, output: &str, prefix: &str, phrase: &str) {
        assert_eq!(numbers(output, prefix, phrase), self.all(), "{output}");
    }

    fn wait_for_all(&self, process: &Process, stream: Stream, prefix: &str, phrase: &str) {
        tests::holds(&format!("{prefix}{phrase}: {}", self.orders), || {
            let output = stream.of(process);
            assert!(process.exited().is_none(), "it ended early:\n{output}");
            numbers(&output, prefix, phrase).last() == Some(&self.orders)
        });
    }
}

// === impl Stage ===

impl Stage {
    /// Starts a command of the README in a directory of the example.
    pub(super) fn start(&self, directory: &str, line: &str) -> Process {
        let line = self.readme.command(line);
        self.room.start(&self.directory.join(directory), line)
    }

    /// Runs a command of the README that succeeds; gives what it prints.
    pub(super) fn run(&self, line: &str) -> String {
        self.run_own(self.readme.command(line))
    }

    /// Runs a command that no README needs to say.
    pub(super) fn run_own(&self, line: &str) -> String {
        let (status, out, err) = self.room.run(&self.directory, line);
        assert_eq!((status.code(), err.as_str()), (Some(0), ""), "{out}");
        out
    }

    /// Stops an app that runs.
    fn stop(&self, app_id: &str) {
        assert_eq!(
            self.run(&format!("dapr stop --app-id {app_id}")),
            format!("✅  app stopped successfully: {app_id}\n")
        );
    }

    fn stop_ended(&self, app_id: &str) {
        let line = format!("dapr stop --app-id {app_id}");
        let (status, _, err) = self.room.run(&self.directory, &line);
        assert_eq!(status.code(), Some(0), "it has ended by itself");
        assert_eq!(
            err,
            format!("❌  failed to stop app id {app_id}: couldn't find app id {app_id}\n")
        );
    }
}

// === impl Frozen ===

impl Frozen {
    /// Stops the app that `run` has started as the command says.
    pub(super) fn app(run: &Process, command: &str) -> Self {
        let (_, words) = command.split_once(" -- ").expect("it names an app");
        let is_it = |pid: &Pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.trim_end_matches('\0').replace('\0', " ") == words
        };
        let app = run.family().into_iter().find(is_it);
        let app = app.unwrap_or_else(|| panic!("{words:?} runs"));
        kill(app, Signal::SIGSTOP).unwrap();
        Self(app)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // Gone when its room is.
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

// === impl Stream ===

impl Stream {
    /// What was printed there so far.
    pub(super) fn of(self, process: &Process) -> String {
        match self {
            Self::Stdout => process.stdout(),
            Self::Stderr => process.stderr(),
        }
    }
}

/// Order numbers of the lines behind `prefix` that say `phrase`, whatever a
/// language puts around colon and number.
pub(super) fn numbers(output: &str, prefix: &str, phrase: &str) -> Vec<usize> {
    output
        .lines()
        .filter_map(|line| {
            let (_, order) = line.strip_prefix(prefix)?.split_once(phrase)?;
            let order = order.trim_start().strip_prefix(':')?;
            let from = order.find(|character: char| character.is_ascii_digit())?;
            let number = &order[from..];
            let until = number.find(|character: char| !character.is_ascii_digit());
            number[..until.unwrap_or(number.len())].parse().ok()
        })
        .collect()
}

/// Fails when a line that the README shows is not part of the output.
pub(super) fn assert_says(output: &str, shown: &[String]) {
    for line in shown {
        assert!(output.contains(line), "{line:?} is not said:\n{output}");
    }
}
