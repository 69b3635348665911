use std::path::PathBuf;

use super::{
    crates::{self, Package},
    modules,
    paths::{self, Use},
};

fn package(name: &str, uses: &[&str]) -> Package {
    Package {
        name: name.to_owned(),
        uses: uses.iter().map(|&used| used.to_owned()).collect(),
    }
}

fn heads(source: &str, depth: usize) -> Vec<String> {
    paths::of_crate_root(source, depth)
        .into_iter()
        .map(|found| found.head)
        .collect()
}

fn violations(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
        .collect();
    modules::check(&files)
}

#[test]
fn crates_that_point_down_are_accepted() {
    let members = [
        package("api", &["bytes"]),
        package("policy", &["api"]),
        package("sidecar", &["api", "policy", "tokio"]),
        package("tests", &["sidecar", "cli", "kube"]),
    ];
    assert_eq!(crates::check(&members), Vec::<String>::new());
}

#[test]
fn each_crate_rule_refuses_its_violation() {
    let table = [
        ("api", "policy"),
        ("api", "tokio"),
        ("policy", "tokio"),
        ("policy", "sidecar"),
        ("security", "lifecycle"),
        ("telemetry", "api"),
        ("lifecycle", "security"),
        ("sidecar", "kube"),
        ("sidecar", "cli"),
        ("cli", "sidecar"),
        ("operator", "sidecar"),
    ];
    let names = table.iter().flat_map(|(user, used)| [*user, *used]);
    for (user, used) in table {
        let mut members = vec![package(user, &[used])];
        for name in names.clone().filter(|name| *name != user) {
            if !["tokio", "kube"].contains(&name) {
                members.push(package(name, &[]));
            }
        }
        assert_eq!(
            crates::check(&members),
            [format!("crate `{user}` must not use `{used}`")],
        );
    }
}

#[test]
fn a_crate_without_a_row_is_named() {
    assert_eq!(
        crates::check(&[package("utils", &[])]),
        ["crate `utils` has no row in layers/crates.rs"],
    );
}

#[test]
fn every_spelling_of_a_root_path_is_found() {
    let source = "use crate::transport::Peer;\n\
                  use crate::{\n    channel::{self, http},\n    message::Request,\n};\n\
                  fn f() -> crate::resolve::Address { crate::invoke::execute() }\n\
                  pub(crate) struct S;\n";
    assert_eq!(
        heads(source, 1),
        ["transport", "channel", "message", "resolve", "invoke"]
    );
}

#[test]
fn super_counts_only_when_it_leaves_the_top_level_module() {
    assert_eq!(heads("use super::transport;", 1), ["transport"]);
    assert_eq!(heads("use super::super::transport;", 2), ["transport"]);
    assert_eq!(heads("use super::transport;", 2), Vec::<String>::new());
    let inline = "mod tests { use super::transport; use super::super::channel; }\n\
                  use super::metrics;";
    assert_eq!(heads(inline, 1), ["channel", "metrics"]);
}

#[test]
fn comments_strings_and_lifetimes_hide_nothing_and_add_nothing() {
    let source = r##"
        // use crate::a;
        /* crate::b /* crate::c */ crate::d */
        const S: &str = "crate::e \" crate::f";
        const R: &str = r#"crate::g " crate::h"#;
        const Q: char = '"';
        const B: u8 = b'\'';
        fn f<'a>(x: &'a str) -> &'a str { crate::real::f(x) }
    "##;
    let found = paths::of_crate_root(source, 1);
    assert_eq!(
        found,
        [Use {
            line: 8,
            head: "real".to_owned()
        }],
    );
}

#[test]
fn modules_that_point_down_are_accepted() {
    let files = [
        ("main.rs", "fn main() { crate::runtime::run() }"),
        ("runtime.rs", "use crate::{http, internal, transport};"),
        (
            "http/invoke.rs",
            "use crate::invoke::execute; use super::error;",
        ),
        ("internal.rs", "use crate::channel::send;"),
        ("invoke.rs", "use crate::{resolve, transport, channel};"),
        ("transport.rs", "use crate::{message, resolve::Address};"),
        ("channel.rs", ""),
        ("resolve.rs", "use crate::metrics;"),
        ("message.rs", ""),
        ("metrics.rs", ""),
    ];
    assert_eq!(violations(&files), Vec::<String>::new());
}

#[test]
fn each_module_rule_refuses_its_violation() {
    let table = [
        ("message.rs", "transport"),
        ("metrics.rs", "http"),
        ("resolve/sqlite.rs", "invoke"),
        ("channel/http.rs", "transport"),
        ("transport.rs", "runtime"),
        ("invoke/execute.rs", "http"),
        ("internal/call.rs", "invoke"),
        ("http/invoke.rs", "transport"),
        ("http.rs", "resolve"),
        ("grpc.rs", "channel"),
    ];
    for (path, used) in table {
        let source = format!("\nuse crate::{used}::x;");
        let files = [(path, source.as_str()), (&format!("{used}.rs"), "")];
        let user = path.trim_end_matches(".rs").split('/').next().unwrap();
        assert_eq!(
            violations(&files),
            [format!(
                "sidecar/src/{path}:2: `{user}` must not import `{used}` (crate::{used})"
            )],
        );
    }
}

#[test]
fn an_item_of_the_root_and_an_unknown_module_are_named() {
    assert_eq!(
        violations(&[("http.rs", "use crate::Options;"), ("main.rs", "")]),
        ["sidecar/src/http.rs:1: `http` must not import `main` (crate::Options)"],
    );
    assert_eq!(
        violations(&[("util.rs", "")]),
        ["module `util` has no row in layers/modules.rs"],
    );
}
