//! What a sidecar and an app really get: arguments, variables, directories.
//!
//! The sidecar is a script that notes them. In golden files `<free>` stands
//! for a port that was picked, `<1>` to `<9>` for ports that were asked for.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::golden::assert_golden;
use crate::runs_support::{free_port, real_daprd};
use crate::tools::{Place, Running};

/// Notes the arguments, the directory and Dapr's variables under the app id.
/// Then it does what `$THEN` says.
const NOTE: &str = r#"
id= http= grpc= internal= metrics= sockets= previous=
for word in "$@"; do
  case "$previous" in
    --app-id) id=$word;;
    --dapr-http-port) http=$word;;
    --dapr-grpc-port) grpc=$word;;
    --dapr-internal-grpc-port) internal=$word;;
    --metrics-port) metrics=$word;;
    --unix-domain-socket) sockets=$word;;
  esac
  previous=$word
done
printf '%s\n' "$@" >"$NOTES/$id.argv"
{ echo "PWD=$PWD"; env | grep -E '^(DAPR_HOST_IP|DAPR_TRUST_ANCHORS)=' | cut -c1-40; } >"$NOTES/$id.env"
if [ "$THEN" = run ]; then
  exec "$REAL" --app-id "$id" --dapr-http-port "$http" --dapr-grpc-port "$grpc" \
    --dapr-internal-grpc-port "$internal" --metrics-port "$metrics" \
    --unix-domain-socket "$sockets" --log-level error
fi
# An app with a port is started at once.
while [ "$THEN" = app ] && [ ! -e "$NOTES/$id.app" ]; do sleep 0.01; done
"#;

/// Notes what an app gets.
const APP: &str = r#"
{ printf 'argument %s\n' "$@"; echo "PWD=$PWD"
  env | grep -E '^(APP_|DAPR_(HTTP|GRPC|METRICS)|OWN|SHARED)' | sort
} >"$NOTES/$NAME.new"
mv "$NOTES/$NAME.new" "$NOTES/$NAME.app"
[ "$THEN" = run ] && sleep 1000
exit 0
"#;

/// Command lines behind `dapr run`. `{1}` is a free port, `./app` the app.
const LINES: &[&str] = &[
    "--app-id plain -- true",
    "--app-id with-app --app-port {1} ./app",
    "-a short -p{1} -P GRPC -c own.yaml -H {2} -G={3} -I {4} -M {5} -u sockets -- ./app",
    "--app-id interspersed ./app one --app-port={1} two --log-level debug",
    "--app-port {1} --app-id behind-dashes -- ./app -p 1 --app-id x --unknown -- -h",
    "--app-id last --app-id wins --app-port 1 --app-port {1} ./app",
    "--app-id all --app-port {1} --app-protocol https --app-channel-address ::1 \
     --app-max-concurrency 7 --config own.yaml --resources-path one,two --resources-path three \
     --dapr-http-port {2} --dapr-grpc-port {3} --dapr-internal-grpc-port {4} --metrics-port {5} \
     --enable-profiling --profile-port {6} --dapr-listen-addresses 127.0.0.1,::1 \
     --log-level warn --enable-api-logging --enable-app-health-check \
     --app-health-check-path /alive --app-health-probe-interval 3 --app-health-probe-timeout 400 \
     --app-health-threshold 5 --max-body-size 16384Ki --read-buffer-size 65536 \
     --unix-domain-socket sockets --placement-host-address p --scheduler-host-address s:1 ./app",
    "--app-id switched-off --app-port {1} --app-ssl=false --enable-profiling=0 \
     --enable-api-logging=f --placement-host-address= --scheduler-host-address= \
     --unix-domain-socket= --app-channel-address= --max-body-size -5Mi ./app",
    "--app-id deprecated --app-port {1} --components-path one --app-ssl ./app",
    "--app-id yields -d one --resources-path two -- true",
    "--app-id aliases --dapr-http-max-request-size 16 --dapr-http-read-buffer-size 8 -- true",
    "--app-id users-authority --config mtls.yaml -- true",
    "--app-id no-mtls --enable-mtls=false --log-as-json -- true",
    "--app-id own-authority --enable-mtls -- true",
    "--app-id tls-grpc --app-port {1} -P grpc --app-ssl ./app",
    "--app-id unknown --app-port {1} -P ftp ./app",
    "--app-id below-zero --app-port -5 --app-max-concurrency -9 --dapr-http-port 0 -- true",
];

fn place() -> Place {
    let place = Place::new();
    place.script("daprd", NOTE);
    place.script("app", APP);
    for name in ["one/x", "two/x", "three/x", "sockets/x", "notes/x"] {
        place.write(name, "");
    }
    place.write("own.yaml", "kind: Configuration\n");
    place.write("mtls.yaml", "spec: {mtls: {enabled: true}}\n");
    place
}

/// What was noted under this name, with ports and directories made equal.
fn noted(place: &Place, id: &str, asked: &[u16]) -> String {
    let read = |kind: &str| {
        fs::read_to_string(place.path().join(format!("notes/{id}.{kind}"))).unwrap_or_default()
    };
    let arguments = read("argv");
    let mut text = String::new();
    let mut picked = Vec::new();
    let mut words = arguments.lines().peekable();
    while let Some(word) = words.next() {
        text.push_str("  daprd ");
        text.push_str(word);
        if let Some(value) = words.next_if(|next| !next.starts_with("--")) {
            let _ = write!(text, " {value}");
            if word.ends_with("-port") && word != "--app-port" && value != "-1" {
                picked.push(value.to_owned());
            }
        }
        text.push('\n');
    }
    for (title, kind) in [("daprd", "env"), ("app", "app")] {
        for line in read(kind).lines() {
            let _ = writeln!(text, "  {title}: {line}");
        }
    }
    named(place, text, asked, &picked)
}

fn named(place: &Place, mut text: String, asked: &[u16], picked: &[String]) -> String {
    for (at, port) in asked.iter().enumerate() {
        text = replaced(&text, &port.to_string(), &format!("<{}>", at + 1));
    }
    for port in picked {
        text = replaced(&text, port, "<free>");
    }
    text.replace(place.path().to_str().unwrap(), "<place>")
        .lines()
        .map(
            |line| match line.split_once("--sentry-address 127.0.0.1:") {
                Some((before, _)) => format!("{before}--sentry-address 127.0.0.1:<free>\n"),
                None => format!("{line}\n"),
            },
        )
        .collect()
}

/// Whole words only: ports are short.
fn replaced(text: &str, port: &str, name: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(port) {
        let (before, after) = (&rest[..at], &rest[at + port.len()..]);
        let digit = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_alphanumeric());
        result.push_str(before);
        if digit(before.chars().next_back()) || digit(after.chars().next()) {
            result.push_str(port);
        } else {
            result.push_str(name);
        }
        rest = after;
    }
    result + rest
}

fn word_after(words: &[String], name: &[&str]) -> String {
    let at = words.iter().rposition(|word| name.contains(&word.as_str()));
    words[at.unwrap() + 1].clone()
}

#[test]
fn flags_reach_the_sidecar_and_the_app() {
    let mut text = String::new();
    for line in LINES {
        let place = place();
        let asked: Vec<u16> = (0..6).map(|_| free_port()).collect();
        let mut typed = (*line).to_owned();
        for (at, port) in asked.iter().enumerate() {
            typed = typed.replace(&format!("{{{}}}", at + 1), &port.to_string());
        }
        let words: Vec<String> = typed.split_whitespace().map(str::to_owned).collect();
        let before_dashes: Vec<String> =
            words.iter().take_while(|it| *it != "--").cloned().collect();
        let id = word_after(&before_dashes, &["--app-id", "-a"]);
        let mut arguments = vec!["run"];
        arguments.extend(words.iter().map(String::as_str));
        let with_app = words.iter().any(|word| word == "./app");
        let output = place
            .dapr(&arguments)
            .env("DAPRD_BIN", place.path().join("daprd"))
            .env("NOTES", place.path().join("notes"))
            .env("NAME", &id)
            .env("THEN", if with_app { "app" } else { "end" })
            .env("APP_PORT", "inherited")
            .env("APP_ID", "inherited")
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {err}");
        let shown = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = shown.replace('{', "<").replace('}', ">");
        let _ = writeln!(text, "$ dapr run {shown}");
        text.push_str(&noted(&place, &id, &asked));
        for line in err.lines() {
            let _ = writeln!(text, "  stderr: {line}");
        }
    }
    assert_golden("run/flags.txt", &text);
}

#[test]
fn the_runtime_directory_fills_in_what_is_not_given() {
    let place = place();
    place.write(".dapr/config.yaml", "kind: Configuration\n");
    place.write(".dapr/components/store.yaml", "kind: Component\n");
    for (line, config, resources) in [
        (&[][..], Some(".dapr/config.yaml"), ".dapr/components"),
        (
            &["--config", "own.yaml", "--resources-path", "one"],
            None,
            "",
        ),
    ] {
        let mut command = place.dapr(&["run", "--app-id", "x"]);
        let output = command
            .args(line)
            .env("DAPRD_BIN", place.path().join("daprd"))
            .env("NOTES", place.path().join("notes"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        let text = noted(&place, "x", &[]);
        let expected = match config {
            Some(config) => [
                format!("  daprd --config <place>/{config}"),
                format!("  daprd --resources-path <place>/{resources}"),
            ],
            None => ["--config own.yaml", "--resources-path one"]
                .map(|option| format!("  daprd {option}")),
        };
        let told: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("--config") || line.contains("--resources-path"))
            .collect();
        assert_eq!(told, expected);
    }
}

/// Two apps over the same common part, one with everything of its own.
const RUN_FILE: &str = "
version: 1
name: golden
x-shared: &shared
  appHealthThreshold: 0x7
  unknownKey: [1]
common:
  resourcesPaths: [./one]
  resourcesPath: ./two
  configFilePath: own.yaml
  appProtocol: grpc
  apiListenAddresses: 127.0.0.1
  enableProfiling: on
  logLevel: warn
  appMaxConcurrency: 9
  appSSL: true
  maxBodySize: 8Mi
  daprHTTPReadBufferSize: 64
  enableAppHealthCheck: true
  appHealthCheckPath: /common
  appHealthProbeInterval: 2
  appHealthProbeTimeout: 300
  appHealthThreshold: 4
  enableApiLogging: yes
  placementHostAddress: ''
  schedulerHostAddress: shared:1
  env: {SHARED: common, SHARED_TOO: 0x10, OWN: common}
apps:
- appDirPath: shared
  command: [../app]
- <<: *shared
  appDirPath: ./own/
  appID: own-settings
  appPort: {1}
  daprHTTPPort: {2}
  daprGRPCPort: {3}
  daprInternalGRPCPort: {4}
  metricsPort: {5}
  profilePort: {6}
  appChannelAddress: ::1
  unixDomainSocket: {place}/sockets
  containerImage: x
  containerImagePullPolicy: Never
  createService: true
  configFilePath: mine.yaml
  resourcesPaths: ../one, ../three
  appProtocol: HTTP
  apiListenAddresses: ::1
  enableProfiling: false
  logLevel: debug
  appMaxConcurrency: 3
  maxBodySize: 32Mi
  readBufferSize: 1Mi
  appHealthCheckPath: /own
  appHealthProbeInterval: 0
  placementHostAddress: own
  schedulerHostAddress: own
  env: {OWN: 010, OWN_TRUE: true, OWN_EMPTY: , OWN_DATE: 2026-01-02, DAPR_HTTP_PORT: mine, APP_ID: 'a b'}
  appLogDestination: console
  daprdLogDestination: console
  command: [../app, a b, 1.10, yes, '']
- appDirPath: local
  daprHTTPMaxRequestSize: 3
  appSSL: false
  command: [../app]
- appDirPath: ~/home
  command: [../app]
";

#[test]
fn keys_reach_the_sidecar_and_the_app() {
    let place = place();
    for name in [
        "shared/x",
        "own/mine.yaml",
        "local/.dapr/resources/x",
        "home/x",
    ] {
        place.write(name, "");
    }
    place.write("local/.dapr/config.yaml", "kind: Configuration\n");
    let asked: Vec<u16> = (0..6).map(|_| free_port()).collect();
    let mut file = RUN_FILE.replace("{place}", place.path().to_str().unwrap());
    for (at, port) in asked.iter().enumerate() {
        file = file.replace(&format!("{{{}}}", at + 1), &port.to_string());
    }
    place.write("dapr.yaml", &file);
    // The app knows itself by its directory, whatever APP_ID says.
    place.script("app", &format!("NAME=${{PWD##*/}}\n{APP}"));
    let mut command = place.dapr(&["run", "-f", "."]);
    command
        .env("HOME", place.path())
        .env("DAPRD_BIN", place.path().join("daprd"))
        .env("REAL", real_daprd())
        .env("NOTES", place.path().join("notes"))
        .env("THEN", "run");
    command.env_remove("DAPR_HOST_IP");
    let mut run = Running::start(command);
    run.line("Started Dapr with app id \"home\"");
    for name in ["shared", "own", "local", "home"] {
        let path = place.path().join(format!("notes/{name}.app"));
        crate::tools::eventually(|| path.exists().then_some(()));
    }
    crate::runs_support::kill("-INT", run.pid());
    let (code, lines) = run.end();
    assert_eq!(code, Some(0), "{lines:#?}");
    rename(&place.path().join("notes"), "own", "own-settings");
    let mut text = String::new();
    for id in ["shared", "own-settings", "local", "home"] {
        let _ = writeln!(text, "app {id}");
        text.push_str(&noted(&place, id, &asked));
    }
    assert_golden("run/file.txt", &text);
    place.assert_quiet();
}

fn rename(notes: &Path, from: &str, to: &str) {
    let path = |name: &str| notes.join(format!("{name}.app"));
    fs::rename(path(from), path(to)).unwrap();
}
