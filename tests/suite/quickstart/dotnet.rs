//! ASP.NET Core on one side, `Dapr.Client` on the other. On a machine without
//! `dotnet` a stand-in plays both apps.

mod wire;

use std::io::{Write, stderr};
use std::path::PathBuf;
use std::process::Command;

use tests::binaries;

use super::readme::Readme;
use super::runner::{Alone, Quickstart, Stream};
use crate::installed;
use crate::room::{Room, copy};

const CSHARP: Quickstart = Quickstart {
    room,
    callee: "dapr run --app-port 7001 --app-id order-processor --app-protocol http --dapr-http-port 3501 -- dotnet run",
    caller: "dapr run --app-id checkout --app-protocol http --dapr-http-port 3500 -- dotnet run",
    orders: 20,
    answer: "Order { orderId = 43 }",
    prints_on: Stream::Stdout,
};

const APPS: [&str; 2] = ["order-processor", "checkout"];

/// So that no command asks the network, and none leaves a process behind that
/// the next one could use.
const ALONE: [(&str, &str); 6] = [
    ("DOTNET_CLI_TELEMETRY_OPTOUT", "1"),
    ("DOTNET_GENERATE_ASPNET_CERTIFICATE", "false"),
    ("DOTNET_NOLOGO", "1"),
    ("MSBUILDDISABLENODEREUSE", "1"),
    ("NuGetAudit", "false"),
    ("UseSharedCompilation", "false"),
];

fn room() -> (Room, PathBuf) {
    let version = Command::new("dotnet").arg("--version").output();
    // Written past the capture of the test: it is to be seen either way.
    let mut seen = stderr();
    if let Ok(version) = version
        && version.status.success()
    {
        let _ = seen.write_all(b"csharp: `dotnet` runs the example itself\n");
        built(&version.stdout)
    } else {
        let _ = seen.write_all(b"csharp: no `dotnet` on the path, a stand-in plays both apps\n");
        let here = binaries::checkout().join("tests/suite/quickstart/dotnet/stand-in");
        let room = Room::new(&[&here]);
        let directory = room.example("csharp");
        (room, directory)
    }
}

/// A room with the example, built by the commands of its README.
fn built(version: &[u8]) -> (Room, PathBuf) {
    let packages = packages(version);
    let mut room = Room::new(&[]);
    room.set("NUGET_PACKAGES", packages);
    for (name, value) in ALONE {
        room.set(name, value);
    }
    let directory = room.example("csharp");
    let readme = Readme::of(&directory);
    for app in APPS {
        for line in ["dotnet restore", "dotnet build"] {
            let (status, out, err) = room.run(&directory.join(app), readme.command(line));
            assert!(status.success(), "{out}{err}");
        }
    }
    (room, directory)
}

/// The packages of both apps.
fn packages(version: &[u8]) -> PathBuf {
    let example = binaries::checkout().join("examples/csharp");
    let mut inputs = version.to_vec();
    for app in APPS {
        installed::read(
            &example.join(app).join(format!("{app}.csproj")),
            &mut inputs,
        );
    }
    installed::once("csharp", &inputs, |folder| {
        let sources = folder.join("sources");
        copy(&example, &sources, &["bin", "obj"]);
        for app in APPS {
            installed::run(
                Command::new("dotnet")
                    .arg("restore")
                    .current_dir(sources.join(app))
                    .env("NUGET_PACKAGES", folder)
                    .envs(ALONE),
            );
        }
    })
}

#[test]
fn csharp_runs_from_a_run_file() {
    CSHARP.runs_from_a_run_file();
}

#[test]
fn csharp_runs_from_two_commands() {
    CSHARP.runs_from_two_commands();
}

#[test]
fn csharp_callers_report_each_order_when_there_is_no_callee() {
    CSHARP.runs_caller_first(
        "== APP == Order failed: Order { OrderId = 1 }: 500 ",
        &Alone::Ends(0),
    );
}
