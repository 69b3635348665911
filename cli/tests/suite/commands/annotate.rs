//! `annotate`: what comes in, what goes out, and what is refused.

mod web;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::golden::{assert_golden, path};
use crate::tools::{Done, Place};

/// Feeds standard input.
fn piped(place: &Place, arguments: &[&str], text: &str) -> Done {
    let mut command = place.dapr(&[&["annotate", "-k"], arguments, &["-"]].concat());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    Done::of(child.wait_with_output().unwrap())
}

/// All documents of a text.
fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

fn annotations_of(document: &mut Value) -> &mut Value {
    let pod = match document["kind"].as_str().unwrap() {
        "Pod" => document,
        "CronJob" => &mut document["spec"]["jobTemplate"]["spec"]["template"],
        _ => &mut document["spec"]["template"],
    };
    &mut pod["metadata"]["annotations"]
}

const POD: &str = "kind: Pod\nmetadata:\n  name: a\n";

const POD_ANNOTATED: &str = "\
kind: Pod
metadata:
  name: a
  annotations:
    dapr.io/enabled: \"true\"
    dapr.io/max-body-size: \"4194304\"
    dapr.io/read-buffer-size: \"4096\"
    dapr.io/app-id: \"default-pod-a\"
";

#[test]
fn every_kind_of_workload_is_annotated_where_its_pods_are() {
    let place = Place::new();
    let input = fs::read_to_string(path("annotate/workloads.yaml")).unwrap();
    let mut text = input.clone();
    for name in ["single", "back", "agent", "store", "once", "nightly"] {
        let done = piped(&place, &["-r", name], &text);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{name}");
        text = done.out;
    }
    let front = ["-r", "FRONT", "-n", "Shop", "-a", "front", "-p", "8080"];
    let done = piped(&place, &front, &text);
    assert_golden("annotate/workloads.annotated.yaml", &done.out);

    let (before, after) = (documents(&input), documents(&done.out));
    let mut ids = Vec::new();
    for (mut before, mut after) in before.into_iter().zip(after) {
        if before["kind"] == "ConfigMap" || before["metadata"]["namespace"] == "Staging" {
            assert_eq!(before, after);
            continue;
        }
        let annotations = annotations_of(&mut after);
        ids.push(annotations["dapr.io/app-id"].as_str().unwrap().to_owned());
        assert_eq!(annotations["dapr.io/enabled"], "true");
        // Apart from the annotations nothing has changed.
        annotations_of(&mut before).take();
        annotations.take();
        assert_eq!(before, after);
    }
    assert_eq!(
        ids,
        [
            "default-pod-single",
            "front",
            "default-replicaset-back",
            "default-daemonset-agent",
            "default-statefulset-store",
            "default-job-once",
            "default-cronjob-nightly",
        ]
    );
    // Once more changes nothing more.
    assert_eq!(piped(&place, &front, &done.out).out, done.out);
}

#[test]
fn every_flag_becomes_its_annotation() {
    let place = Place::new();
    let flags = [
        "--app-id=cart",
        "--app-port=3000",
        "--config=appconfig",
        "--app-protocol=grpc",
        "--enable-profile",
        "--log-level=debug",
        "--api-token-secret=api-token",
        "--app-token-secret=app-token",
        "--log-as-json",
        "--app-max-concurrency=5",
        "--enable-metrics",
        "--metrics-port=9091",
        "--enable-debug",
        "--env=KEY=value,OTHER=x",
        "--cpu-limit=500m",
        "--memory-limit=64Mi",
        "--cpu-request=10m",
        "--memory-request=16Mi",
        "--listen-addresses=127.0.0.1,[::1]",
        "--liveness-probe-delay=1",
        "--liveness-probe-timeout=2",
        "--liveness-probe-period=3",
        "--liveness-probe-threshold=4",
        "--readiness-probe-delay=5",
        "--readiness-probe-timeout=6",
        "--readiness-probe-period=7",
        "--readiness-probe-threshold=8",
        "--dapr-image=registry.example/daprd:1.18.0",
        "--app-ssl",
        "--max-body-size=16Mi",
        "--read-buffer-size=8Ki",
        "--http-stream-request-body",
        "--graceful-shutdown-seconds=10",
        "--enable-api-logging",
        "--unix-domain-socket-path=/sockets",
        "--volume-mounts=one:/one",
        "--volume-mounts-rw=two:/two",
        "--disable-builtin-k8s-secret-store",
        "--placement-host-address=placement:50005",
    ];
    let done = piped(
        &place,
        &flags,
        "kind: Pod\nmetadata:\n  name: a\n  namespace: shop\n",
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_golden("annotate/every-flag.yaml", &done.out);
    assert!(
        !done.err.contains('{'),
        "its own log is not JSON: {}",
        done.err
    );

    // The help tells of no flag that is missing above.
    let help = place.run(&["annotate", "--help"]).out;
    let (own, _) = help.split_once("Global Flags").unwrap();
    for line in own.lines() {
        let Some((_, name)) = line.split_once("--").filter(|_| line.starts_with("  ")) else {
            continue;
        };
        let name = name.split(' ').next().unwrap();
        if !["kubernetes", "resource", "namespace", "help", "resource"].contains(&name)
            && !line.contains("dapr annotate")
        {
            let start = format!("--{name}");
            assert!(
                flags
                    .iter()
                    .any(|flag| flag.split('=').next() == Some(start.as_str())),
                "{start}"
            );
        }
    }
}

#[test]
fn booleans_can_be_switched_off_and_sizes_are_bytes() {
    let place = Place::new();
    for (flag, annotation) in [
        (
            "--enable-metrics=false",
            "dapr.io/enable-metrics: \"false\"",
        ),
        (
            "--max-body-size=1G",
            "dapr.io/max-body-size: \"1000000000\"",
        ),
        ("--max-body-size=0", "dapr.io/max-body-size: \"0\""),
        (
            "--read-buffer-size=1024",
            "dapr.io/read-buffer-size: \"1024\"",
        ),
    ] {
        let done = piped(&place, &[flag], POD);
        assert!(
            done.out.contains(&format!("    {annotation}\n")),
            "{done:?}"
        );
    }
}

#[test]
fn only_the_first_workload_is_annotated() {
    let place = Place::new();
    let second = "# second\nkind: Pod\nmetadata: {name: b}\n";
    let done = piped(&place, &[], &format!("{POD}---\n{second}"));
    assert_eq!(done.out, format!("{POD_ANNOTATED}---\n{second}"));
    let done = piped(&place, &["-r", "b"], &format!("{POD}---\n{second}"));
    assert!(
        done.out.starts_with(&format!("{POD}---\nkind: Pod\n")),
        "{}",
        done.out
    );
    assert!(done.out.contains("\"default-pod-b\""), "{}", done.out);
}

#[test]
fn input_without_the_workload_passes_unchanged() {
    let place = Place::new();
    let text = "# nothing to do\nkind: Service\nmetadata: {name: a}";
    for (flags, text) in [
        (&[][..], text),
        (&["-r", "other"], POD),
        (&["-r", "a", "-n", "x"], POD),
    ] {
        let done = piped(&place, flags, text);
        assert_eq!(done.code, Some(0));
        assert_eq!(done.out.trim_end(), text.trim_end());
        assert_eq!(
            done.err,
            "⚠  no workload to annotate was found, the input is unchanged\n"
        );
    }
}

#[test]
fn lists_are_annotated_inside() {
    let place = Place::new();
    let list = "apiVersion: v1\nkind: List\nitems:\n- kind: Service\n  metadata: {name: a}\n- kind: Pod\n  metadata: {name: a}\n- kind: Pod\n  metadata: {name: b}\nmetadata: {resourceVersion: \"\"}\n";
    let done = piped(&place, &[], list);
    assert_golden("annotate/list.yaml", &done.out);
    // As `kubectl get -o json` prints it.
    let json = serde_json::to_string_pretty(&serde_saphyr::from_str::<Value>(list).unwrap());
    let from_json = piped(&place, &[], &json.unwrap());
    assert_eq!(documents(&from_json.out), documents(&done.out));
}

#[test]
fn files_and_directories_are_read() {
    let place = Place::new();
    place.write("deploy/b/pod.yaml", POD);
    place.write("deploy/a.yml", "kind: Service\nmetadata: {name: x}");
    place.write(
        "deploy/c.json",
        "{\"kind\": \"Pod\", \"metadata\": {\"name\": \"c\"}}\n",
    );
    let file = place.run(&["annotate", "-k", "deploy/b/pod.yaml"]);
    assert_eq!((file.code, file.out.as_str()), (Some(0), POD_ANNOTATED));
    // In the order of their names.
    let directory = place.run(&["annotate", "deploy", "-k"]);
    assert_eq!(
        directory.out,
        format!(
            "kind: Service\nmetadata: {{name: x}}\n---\n{POD_ANNOTATED}---\n{{\"kind\": \"Pod\", \"metadata\": {{\"name\": \"c\"}}}}\n"
        )
    );
}

#[test]
fn what_cannot_be_annotated_is_said_and_nothing_is_printed() {
    let place = Place::new();
    place.write("pod.yaml", POD);
    place.write(
        "broken.yaml",
        "kind: Pod\nmetadata: {name: a}\n---\nkind: [\n",
    );
    place.write("bare.yaml", "kind: Deployment\nmetadata: {name: a}\n");
    place.write("nameless.yaml", "kind: Pod\nmetadata: {generateName: a-}\n");
    place.write("two.json", "{\"kind\": \"Pod\"}\n{\"kind\": \"Pod\"}\n");
    place.write(
        "odd.yaml",
        "kind: Pod\nmetadata: {name: a, annotations: text}\n",
    );
    fs::write(place.path().join("bytes.yaml"), b"kind: \xff").unwrap();
    for (line, message) in [
        (
            &["pod.yaml"][..],
            "annotate command is only supported for Kubernetes, please provide the -k flag",
        ),
        (&["-k"], "please specify a Kubernetes resource file"),
        (
            &["-k", "pod.yaml", "bare.yaml"],
            "please specify one Kubernetes resource file, directory or URL, not 2",
        ),
        (
            &["-k", "-n", "x", "pod.yaml"],
            "--resource is required when --namespace is provided.",
        ),
        (
            &["-k", "none.yaml"],
            "stat none.yaml: no such file or directory",
        ),
        (
            &["-k", "bytes.yaml"],
            "error reading bytes.yaml: not UTF-8 text",
        ),
        (
            &["-k", "bare.yaml"],
            "error reading bare.yaml: document 1: Deployment \"a\" has no spec, or one that is no mapping",
        ),
        (
            &["-k", "nameless.yaml"],
            "error reading nameless.yaml: document 1: Pod has no metadata.name to make an app id from, please provide --app-id",
        ),
        (
            &["-k", "two.json"],
            "error reading two.json: document 1: did not find expected <document start> at char 16 line 2 column 1",
        ),
        (
            &["-k", "odd.yaml"],
            "error reading odd.yaml: document 1: Pod \"a\" has no metadata.annotations, or one that is no mapping",
        ),
        (
            &["-k", "--max-body-size", "4Q", "pod.yaml"],
            "invalid max request body size: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            &["-k", "--read-buffer-size", "1.5", "pod.yaml"],
            "invalid http read buffer size: cannot get bytes from resource quantity value '1.5'",
        ),
        (
            &["-k", "--app-port", "70000", "pod.yaml"],
            "invalid value 70000 for --app-port: a port is a number from 0 to 65535",
        ),
        (
            &["-k", "--memory-limit", "lots", "pod.yaml"],
            "invalid value \"lots\" for --memory-limit: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            &["-k", "ftp://127.0.0.1/x"],
            "unable to read from ftp://127.0.0.1/x: bad uri: unknown scheme: ftp",
        ),
    ] {
        let done = place.run(&[&["annotate"], line].concat());
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{line:?}");
        assert_eq!(done.err, format!("❌  {message}\n"), "{line:?}");
    }
    // The first document would have been fine.
    let done = place.run(&["annotate", "-k", "broken.yaml"]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    let start = "❌  error reading broken.yaml: document 2: ";
    assert!(done.err.starts_with(start), "{}", done.err);
}
