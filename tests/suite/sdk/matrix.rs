//! Each SDK with itself: its clients call its servers.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use super::mesh::{Role, Stage, Tokens};
use super::project::{FLASK, GO, GRPC, JAVA, JAVASCRIPT, PYTHON, Project, RUST};
use super::report::{Said, Table};

/// A column of the table: which programs play.
struct Column {
    name: &'static str,
    project: Project,
    client: &'static str,
    servers: &'static [Role],
}

impl Column {
    /// The client of a project with its servers.
    const fn of(project: Project) -> Self {
        Self {
            name: project.language,
            client: "client",
            servers: project.servers,
            project,
        }
    }
}

const COLUMNS: &[Column] = &[
    Column::of(GO),
    Column::of(JAVA),
    Column::of(JAVASCRIPT),
    Column::of(PYTHON),
    Column {
        name: "python-aio",
        client: "client-aio",
        ..Column::of(PYTHON)
    },
    Column {
        name: "python-flask",
        servers: &[FLASK, GRPC],
        ..Column::of(PYTHON)
    },
    Column::of(RUST),
];

/// Filled by the tests, printed by the last of them.
static TABLE: Mutex<Table> = Mutex::new(Table::new());

/// A column that is not filled yet. One that never is has no entries.
struct Pending(&'static str);

impl Pending {
    fn fill(self, said: Said) {
        add(self.0, said);
        std::mem::forget(self);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        add(self.0, Said::default());
    }
}

fn add(column: &str, said: Said) {
    let mut table = TABLE.lock();
    table.add(column, said);
    if table.len() == COLUMNS.len() {
        println!("{}", table.text("SDKs that call themselves"));
    }
}

/// Runs the programs of a column and compares what they say with `expected`.
fn holds(name: &'static str) {
    let pending = Pending(name);
    let column = COLUMNS.iter().find(|column| column.name == name).unwrap();
    let project = column.project.install();
    let (expected, left_out) = project.expected();
    for behaviour in left_out {
        let note = format!("{}: {behaviour}", project.language());
        TABLE.lock().note(note);
    }
    let stage = Stage::new(Tokens::Both);
    let servers = stage.servers(&project, column.servers);
    let client = stage.client(&project, column.client, &servers);
    pending.fill(client.said.clone());

    let said = client.said.behaviours();
    let differ = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<_> {
        one.difference(other).cloned().collect()
    };
    let nothing: Vec<String> = Vec::new();
    assert_eq!(client.said.failures(), nothing, "what failed");
    assert_eq!(differ(&expected, &said), nothing, "expected, and not said");
    assert_eq!(differ(&said, &expected), nothing, "said, and not expected");
}

#[test]
fn go() {
    holds("go");
}

#[test]
fn java() {
    holds("java");
}

#[test]
fn javascript() {
    holds("javascript");
}

#[test]
fn python() {
    holds("python");
}

#[test]
fn python_aio() {
    holds("python-aio");
}

#[test]
fn python_flask() {
    holds("python-flask");
}

#[test]
fn rust() {
    holds("rust");
}
