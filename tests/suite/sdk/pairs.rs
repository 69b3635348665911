//! Callers and callees of different SDKs.

use super::mesh::{Role, Stage, Tokens};
use super::project::{GO, HTTP, JAVA, JAVASCRIPT, PYTHON, Project, RUST};
use super::report::{Said, Table};

const CLIENTS: &[Project] = &[GO, JAVA, JAVASCRIPT, PYTHON, RUST];

/// The SDK for JavaScript shows its gRPC servers little of a request: only
/// its own client knows what to ask of them.
const SERVERS: &[(Project, &[Role])] = &[
    (GO, GO.servers),
    (JAVA, JAVA.servers),
    (JAVASCRIPT, &[HTTP]),
    (RUST, RUST.servers),
];

/// Where a server's SDK has its own way, and the Python client says so.
const OWN_WAYS: &[(&str, &str, &str)] = &[
    ("go", "unknown-method/grpc-grpc", UNKNOWN),
    ("go", "unknown-method/http-grpc", UNKNOWN),
    ("go", "verbs/grpc-http", OPTIONS),
    ("go", "verbs/http-http", OPTIONS),
];
const UNKNOWN: &str = "the SDK's server ends methods it does not have with UNKNOWN";
const OPTIONS: &str = "the SDK's server answers OPTIONS by itself";

/// Clients side by side, and what went wrong.
struct Pairs {
    table: Table,
    failures: Vec<String>,
}

impl Pairs {
    const fn new() -> Self {
        Self {
            table: Table::new(),
            failures: Vec::new(),
        }
    }

    fn add(&mut self, column: &str, said: Said) {
        for failure in said.failures() {
            self.failures.push(format!("{column}: {failure}"));
        }
        self.table.add(column, said);
    }

    fn end(self, title: &str) {
        println!("{}", self.table.text(title));
        assert!(self.failures.is_empty(), "{:#?}", self.failures);
    }
}

#[test]
fn clients_call_the_python_servers() {
    let python = PYTHON.install();
    let stage = Stage::new(Tokens::None);
    let servers = stage.servers(&python, PYTHON.servers);
    let mut pairs = Pairs::new();
    for project in CLIENTS {
        let project = project.install();
        let client = stage.client(&project, "client", &servers);
        pairs.add(project.language(), client.said);
    }
    pairs.end("SDKs that call the Python servers");
}

#[test]
fn the_python_client_calls_other_servers() {
    let python = PYTHON.install();
    let mut pairs = Pairs::new();
    for (project, roles) in SERVERS {
        let project = project.install();
        let stage = Stage::new(Tokens::None);
        let servers = stage.servers(&project, roles);
        let mut said = stage.client(&python, "client", &servers).said;
        for (language, behaviour, why) in OWN_WAYS {
            if *language == project.language() {
                said.leave_out(behaviour);
                pairs.table.note(format!("{language}: {behaviour}: {why}"));
            }
        }
        pairs.add(project.language(), said);
    }
    pairs.end("The Python SDK calls servers of others");
}
