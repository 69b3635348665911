//! Everybody with everybody: the clients of all SDKs call the same servers.

use super::mesh::{Stage, Tokens};
use super::project::{PROJECTS, PYTHON};
use super::report::Table;

#[test]
fn every_client_calls_the_python_servers() {
    let python = PYTHON.install();
    let stage = Stage::new(Tokens::None);
    let servers = stage.servers(&python, PYTHON.servers);
    let mut table = Table::new();
    let mut failures = Vec::new();
    for project in PROJECTS {
        let project = project.install();
        let client = stage.client(&project, "client", &servers);
        for failure in client.said.failures() {
            failures.push(format!("{}: {failure}", project.language()));
        }
        table.add(project.language(), client.said.clone());
    }
    println!("{}", table.text("SDKs that call the Python servers"));
    assert!(failures.is_empty(), "{failures:#?}");
}
