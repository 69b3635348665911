//! gRPC with a real Dapr on either side: streams passed on, invocations of
//! both kinds of apps.

use std::time::{Duration, Instant};

use api::common::v1::http_extension::Verb;
use h2::Reason;
use tests::grpc_app::failure;
use tests::{
    After, GrpcApp, GrpcClient, GrpcRequest, Mesh, RawApp, Request, Sidecar, holds, invoke_path,
};

use super::given;
use crate::grpc::invoke::{call, data, request};
use crate::table::Table;

/// Two gRPC apps, one behind our sidecar and one behind a real one.
struct Pair {
    _mesh: Mesh,
    apps: [GrpcApp; 2],
    sidecars: [Sidecar; 2],
}

const NAMES: [&str; 2] = ["ours", "theirs"];

impl Pair {
    fn new(mesh: Mesh, daprd: &std::path::Path) -> Self {
        let apps = [GrpcApp::kinds(), GrpcApp::kinds()];
        let ours = mesh.sidecar(NAMES[0]).grpc_app(&apps[0]).run();
        let theirs = mesh.sidecar(NAMES[1]).program(daprd).grpc_app(&apps[1]);
        Self {
            sidecars: [ours, theirs.run()],
            apps,
            _mesh: mesh,
        }
    }

    fn exchange(&self) {
        let mut table = Table::default();
        for caller in [0, 1] {
            let callee = 1 - caller;
            let side = Side {
                name: format!("{} calls {}", NAMES[caller], NAMES[callee]),
                caller: &self.sidecars[caller],
                client: GrpcClient::connect(self.sidecars[caller].grpc()).unwrap(),
                app: &self.apps[callee],
                callee: NAMES[callee],
            };
            side.kinds(&mut table);
            side.sizes(&mut table);
            side.metadata(&mut table);
            side.ends(&mut table);
            side.many_streams(&mut table);
            side.invocations(&mut table);
        }
    }
}

/// Who calls whom.
struct Side<'a> {
    name: String,
    caller: &'a Sidecar,
    client: GrpcClient,
    app: &'a GrpcApp,
    callee: &'static str,
}

impl Side<'_> {
    fn kind(&self, method: &str) -> GrpcRequest {
        GrpcRequest::new(&format!("/testing.Kinds/{method}")).to(self.callee)
    }

    fn kinds(&self, table: &mut Table) {
        let long: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        let joined = long.join(",");
        let cases: [(&str, &[&str], &[&str]); 5] = [
            ("Unary", &["hello"], &["hello"]),
            ("Unary", &[""], &[""]),
            ("ServerStream", &["100"], &long),
            ("ClientStream", &long, &[&joined]),
            ("Bidi", &long, &long),
        ];
        for (method, sent, answered) in cases {
            table.row(
                &format!("{}, {method} of {}", self.name, sent.len()),
                || {
                    let answer = self.client.call(&self.kind(method), sent).unwrap();
                    answer.expect_ok(answered);
                },
            );
        }
        for (method, texts) in [("Fail", &[][..]), ("FailLate", &["before"])] {
            table.row(&format!("{}, {method}", self.name), || {
                let answer = self.client.call(&self.kind(method), &["x"]).unwrap();
                let (end, expected) = (answer.end(), failure());
                assert_eq!((end.code, &end.message), (expected.code, &expected.message));
                assert_eq!(end.details, expected.details);
                assert_eq!(answer.trailer("x-trailing"), Some("2"));
                assert_eq!(answer.texts(), texts);
            });
        }
    }

    fn sizes(&self, table: &mut Table) {
        for size in [0, 1, 2048, 16_384, 70_000, 4 << 20] {
            table.row(&format!("{}, {size} bytes", self.name), || {
                let sent = vec![b'x'; size];
                let answer = self.client.call(&self.kind("Unary"), &[&sent]).unwrap();
                answer.expect(0, "");
                assert!(answer.messages[0].data == sent, "it was changed");
            });
        }
        table.row(
            &format!("{}, a message that is too large", self.name),
            || {
                let sent = vec![b'x'; (4 << 20) + 1];
                let answer = self.client.call(&self.kind("Unary"), &[&sent]).unwrap();
                answer.expect(
                    8,
                    "grpc: received message larger than max (4194305 vs. 4194304)",
                );
            },
        );
    }

    fn metadata(&self, table: &mut Table) {
        table.row(&format!("{}, metadata", self.name), || {
            self.app.take();
            let request = self
                .kind("Unary")
                .metadata("x-multi", "1")
                .metadata("x-multi", "2")
                .metadata("x-raw-bin", "AAEC/w")
                .metadata("dapr-stream", "true");
            let answer = self.client.call(&request, &["x"]).unwrap();
            answer.expect_ok(&["x"]);
            assert_eq!(answer.header("x-initial"), Some("1"));
            assert_eq!(answer.header("x-initial-bin"), Some("AAEC/w"));
            assert_eq!(answer.trailer("x-trailing"), Some("2"));
            // A call that failed before may arrive late.
            let seen = self.app.take().into_iter();
            let mut seen = seen.filter(|seen| seen.headers.contains_key("x-multi"));
            let seen = seen.next().expect("the app saw the call");
            assert_eq!(seen.values("x-multi"), ["1", "2"]);
            assert_eq!(seen.values("x-raw-bin"), ["AAEC/w"]);
            assert_eq!(seen.values("dapr-stream"), ["true"]);
            assert_eq!(seen.values("dapr-app-id"), [""; 0]);
            assert_eq!(seen.values("dapr-caller-app-id"), [self.caller.app_id()]);
            assert_eq!(seen.values("dapr-callee-app-id"), [self.callee]);
        });
    }

    fn ends(&self, table: &mut Table) {
        let given_up = || {
            holds("the app is told", || {
                self.app.seen().iter().all(|seen| seen.reset.is_some())
            });
            self.app.take();
        };
        table.row(&format!("{}, given up", self.name), || {
            self.app.take();
            let mut stream = self.client.open(&self.kind("Silent")).unwrap();
            stream.send("x").unwrap();
            self.app.wait_for(1);
            stream.reset(Reason::CANCEL);
            given_up();
        });
        table.row(&format!("{}, out of time", self.name), || {
            self.app.take();
            let mut stream = self
                .client
                .open(&self.kind("Silent").timeout("500m"))
                .unwrap();
            stream.send("x").unwrap();
            match stream.answer() {
                Ok(answer) => assert_eq!(answer.code(), 4, "{answer:?}"),
                Err(broken) => assert_eq!(broken.reset, Some(Reason::CANCEL)),
            }
            given_up();
        });
        table.row(&format!("{}, unknown to both", self.name), || {
            let request = GrpcRequest::new("/testing.Kinds/Unary").to("nobody");
            let answer = self.client.call(&request, &["x"]).unwrap();
            answer.expect(2, "no host found with the given ID");
        });
    }

    fn many_streams(&self, table: &mut Table) {
        table.row(&format!("{}, many streams", self.name), || {
            let mut streams: Vec<_> = (0..200)
                .map(|_| self.client.open(&self.kind("Bidi")).unwrap())
                .collect();
            for round in 0..3 {
                for (number, stream) in streams.iter_mut().enumerate() {
                    stream.send(format!("{number} {round}")).unwrap();
                }
                for (number, stream) in streams.iter_mut().enumerate() {
                    stream.expect_text(&format!("{number} {round}"));
                }
            }
            for mut stream in streams {
                stream.finish();
                stream.answer().unwrap().expect_ok(&[]);
            }
        });
    }

    fn invocations(&self, table: &mut Table) {
        for size in [0, 1, 2048, 2049, 70_000, 3_000_000] {
            let body = vec![b'x'; size];
            table.row(&format!("{}, InvokeService of {size}", self.name), || {
                let request = request(self.callee, Verb::Post, "m", &body);
                assert!(data(&call(self.caller, &request)) == body, "it was changed");
            });
            table.row(&format!("{}, HTTP of {size}", self.name), || {
                let answer = Request::post(&invoke_path(self.callee, "m"), &body)
                    .header("content-type", "text/x")
                    .send(self.caller.http());
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_eq!(answer.header("content-type"), Some("text/x"));
                assert!(answer.body == body, "it was changed");
            });
        }
    }
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn grpc_apps_call_each_other_with_identities_from_our_sentry() {
    Pair::new(Mesh::mtls(), &given().0).exchange();
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn grpc_apps_call_each_other_with_identities_from_a_real_sentry() {
    let (daprd, sentry) = given();
    Pair::new(Mesh::mtls_by(&sentry), &daprd).exchange();
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn grpc_apps_call_each_other_in_plaintext() {
    Pair::new(Mesh::plain(), &given().0).exchange();
}

/// HTTP apps behind both, called by `InvokeService`.
#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn http_apps_are_invoked_over_grpc() {
    let mesh = Mesh::mtls();
    let apps = [RawApp::scripted(), RawApp::scripted()];
    let sidecars = [
        mesh.sidecar(NAMES[0]).app(&apps[0]).run(),
        mesh.sidecar(NAMES[1])
            .program(&given().0)
            .app(&apps[1])
            .run(),
    ];
    let mut table = Table::default();
    for caller in [0, 1] {
        let callee = 1 - caller;
        for (status, code) in [(200, 0), (204, 0), (302, 2), (404, 5), (500, 2), (503, 14)] {
            let name = format!("{} calls {}, {status}", NAMES[caller], NAMES[callee]);
            table.row(&name, || {
                let body = if status == 204 { "" } else { "nope" };
                let length = match status {
                    204 => String::new(),
                    _ => format!("Content-Length: {}\r\n", body.len()),
                };
                let head = format!("HTTP/1.1 {status} X\r\nX-Kept: yes\r\n{length}\r\n{body}");
                apps[callee].script(head, After::Keep);
                let request = request(NAMES[callee], Verb::Put, "a/b", "hello");
                let answer = call(&sidecars[caller], &request);
                assert_eq!(answer.code(), code, "{answer:?}");
                assert_eq!(answer.header("x-kept"), Some("yes"));
                let shown = status.to_string();
                assert_eq!(answer.header("dapr-http-status"), Some(shown.as_str()));
                if code == 0 {
                    assert_eq!(data(&answer), body.as_bytes());
                } else {
                    let info = answer.end().error_info();
                    assert_eq!(info.metadata["http.code"], shown);
                    assert_eq!(info.metadata["http.error_message"], body);
                }
                let seen = apps[callee].take_one();
                assert_eq!((&*seen.method, &*seen.target), ("PUT", "/a/b"));
                assert_eq!(seen.body, b"hello");
            });
        }
    }
}

/// A real sidecar counts pings, and ends a connection that has too many.
#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn a_long_upload_is_not_cut_by_pings() {
    const LONG: Duration = Duration::from_secs(20);
    let pair = Pair::new(Mesh::mtls(), &given().0);
    let client = GrpcClient::connect(pair.sidecars[0].grpc()).unwrap();
    let request = GrpcRequest::new("/testing.Kinds/ClientStream").to(NAMES[1]);
    let mut stream = client.open(&request).unwrap();
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < LONG {
        stream.send(vec![b'x'; 40_000]).unwrap();
        sent += 40_000 + 1;
        std::thread::sleep(Duration::from_millis(1700));
    }
    stream.finish();
    let answer = stream.answer().unwrap();
    answer.expect(0, "");
    assert_eq!(answer.messages[0].data.len(), sent - 1);
}
