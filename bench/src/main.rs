//! Loads sidecars and other proxies with the same requests and compares what they cost: see `bench/README.md`.
#![allow(clippy::print_stdout, reason = "tables go to stdout")]

mod apps;
mod arguments;
mod binaries;
mod child;
mod idle_streams;
mod load;
mod machine;
mod peers;
mod ports;
mod probe;
mod proc;
mod quick;
mod report;
mod scenario;
mod single;
mod start;
mod stats;
mod table;

use std::process::ExitCode;

use anyhow::bail;
use clap::ArgMatches;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::required;
use crate::scenario::Load;

fn main() -> anyhow::Result<ExitCode> {
    let matches = arguments::command().get_matches();
    if let Some(("exec", exec)) = matches.subcommand() {
        let arguments: Vec<String> = exec
            .get_many("arguments")
            .map(|arguments| arguments.cloned().collect())
            .unwrap_or_default();
        let program: String = required(exec, "program");
        child::exec(required(exec, "parent"), &program, &arguments)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let good = runtime.block_on(async {
        match matches.subcommand() {
            Some(("origin", _)) => apps::main().await.map(|()| true),
            _ => until_signal(run(&matches)).await,
        }
    })?;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Dropping `work` on a signal drops the peers, which ends their processes.
async fn until_signal(work: impl Future<Output = anyhow::Result<bool>>) -> anyhow::Result<bool> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = work => result,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

async fn run(matches: &ArgMatches) -> anyhow::Result<bool> {
    match matches.subcommand() {
        Some(("quick", quick)) => {
            quick::run(&quick::Options {
                rounds: required(quick, "rounds"),
                measured: required(quick, "secs"),
                only: quick
                    .get_many::<String>("peers")
                    .map(|names| names.cloned().collect())
                    .unwrap_or_default(),
            })
            .await
        }
        Some(("http", http)) => {
            let subject = match http.get_one::<String>("url") {
                Some(url) => single::Subject::Address(single::address(url)?),
                None => single::Subject::Peer(required(http, "peer")),
            };
            single::http(
                &subject,
                required(http, "conns"),
                load(http),
                required(http, "secs"),
            )
            .await
        }
        Some(("grpc", grpc)) => {
            single::grpc(
                required(grpc, "peer"),
                required(grpc, "conns"),
                required(grpc, "at-once"),
                load(grpc),
                required(grpc, "secs"),
            )
            .await
        }
        Some(("streams", streams)) => {
            let peer: String = required(streams, "peer");
            single::streams(&peer, required(streams, "n"), required(streams, "conns")).await
        }
        Some(("rss", rss)) => {
            let peer: String = required(rss, "peer");
            single::rss(&peer, required(rss, "idle"), required(rss, "conns")).await
        }
        Some(("start", start)) => {
            single::starts(&required::<String>(start, "peer"), required(start, "n")).await
        }
        _ => bail!("unknown subcommand"),
    }
}

fn load(matches: &ArgMatches) -> Load {
    matches
        .get_one::<f64>("rate")
        .map_or(Load::Closed, |rate| Load::Rate(*rate))
}
