use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{File, Image, archive};

const NAME: &str = "localhost/dapr/sample:edge";

fn sample<'a>(files: &'a [File<'a>]) -> Image<'a> {
    Image {
        name: NAME,
        user: "65532:65532",
        entrypoint: &[],
        files,
    }
}

const FILES: &[File<'_>] = &[
    File {
        path: "/sample",
        content: b"#!program",
        mode: 0o755,
    },
    File {
        path: "/etc/sample/settings",
        content: &[7; 1000],
        mode: 0o644,
    },
];

/// What tar itself makes of an archive.
fn tar(arguments: &[&str], archive: &[u8]) -> Vec<u8> {
    let mut tar = Command::new("tar")
        .args(["--numeric-owner", "--utc", "-f", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tar belongs to every system");
    let mut input = tar.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(archive).unwrap());
        tar.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn member(archive: &[u8], path: &str) -> Value {
    serde_json::from_slice(&tar(&["-xO", path], archive)).unwrap()
}

fn blob(descriptor: &Value) -> String {
    let digest = descriptor["digest"].as_str().unwrap();
    format!("blobs/{}", digest.replace(':', "/"))
}

#[test]
fn an_archive_leads_from_its_name_to_its_files() {
    let archive = archive(&sample(FILES)).unwrap();

    let listed = member(&archive, "index.json")["manifests"][0].clone();
    for annotation in [
        "io.containerd.image.name",
        "org.opencontainers.image.ref.name",
    ] {
        assert_eq!(listed["annotations"][annotation], NAME);
    }
    let manifest = member(&archive, &blob(&listed));
    let config = member(&archive, &blob(&manifest["config"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"].get("Entrypoint"), None);
    let layer = &manifest["layers"][0];
    assert_eq!(config["rootfs"]["diff_ids"][0], layer["digest"]);

    let files = tar(&["-xO", &blob(layer)], &archive);
    assert_eq!(files.len(), layer["size"].as_u64().unwrap() as usize);
    assert_eq!(tar(&["-xO", "sample"], &files), b"#!program");
    let listing = String::from_utf8(tar(&["-tv"], &files)).unwrap();
    let rows: Vec<Vec<&str>> = listing
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows,
        [
            ["drwxr-xr-x", "0/0", "0", "1970-01-01", "00:00", "etc/"],
            [
                "drwxr-xr-x",
                "0/0",
                "0",
                "1970-01-01",
                "00:00",
                "etc/sample/"
            ],
            [
                "-rw-r--r--",
                "0/0",
                "1000",
                "1970-01-01",
                "00:00",
                "etc/sample/settings"
            ],
            ["-rwxr-xr-x", "0/0", "9", "1970-01-01", "00:00", "sample"],
        ]
    );
}

#[test]
fn the_order_of_files_changes_nothing() {
    let mut turned = FILES.to_vec();
    turned.reverse();
    assert_eq!(
        archive(&sample(FILES)).unwrap(),
        archive(&sample(&turned)).unwrap()
    );
}

#[test]
fn a_path_that_does_not_fit_is_named() {
    let path = "/long".repeat(30);
    let files = [File {
        path: &path,
        content: b"",
        mode: 0o644,
    }];
    let error = archive(&sample(&files)).unwrap_err().to_string();
    assert!(error.contains("1 to 99 bytes"), "{error}");
}
