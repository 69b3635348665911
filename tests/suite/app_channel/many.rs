//! Many calls at once, and apps that come and go between calls.

use std::collections::BTreeSet;

use tests::{Listening, Mesh, RawClient, Request, Speaks, WebApp, holds, sidecar};

use super::{Pair, request};
use crate::table::Table;

/// Each call has a socket at either end.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}

#[test]
fn a_thousand_calls_at_once_reach_the_app() {
    const CALLS: usize = 1000;
    const STREAMS: u32 = 100;
    raise_file_limit();
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        for own in [true, false] {
            table.row(&format!("{speaks:?}, own {own}"), || {
                let mesh = Mesh::plain();
                let how = Listening {
                    streams: Some(STREAMS),
                    ..Listening::default()
                };
                let app = WebApp::listening(speaks, how);
                let callee = mesh.sidecar("callee").web_app(&app).run();
                let caller = mesh.sidecar("caller").run();
                let from = if own { &callee } else { &caller };
                let hold = request("GET", "callee", "hold").to_bytes(from.http());
                let mut clients: Vec<_> = (0..CALLS)
                    .map(|_| {
                        let mut client = RawClient::connect(from.http());
                        client.send(&hold).unwrap();
                        client
                    })
                    .collect();
                app.wait_for(CALLS);
                let seen = app.take();
                let connections: BTreeSet<_> = seen.iter().map(|seen| seen.connection).collect();
                let count = connections.len();
                println!("{speaks:?}, own {own}: {count} connections");
                if speaks.is_http2() {
                    // As many as the app's limit asks for, and one more per
                    // worker.
                    assert!((CALLS / STREAMS as usize..=14).contains(&count));
                } else {
                    assert_eq!(count, CALLS);
                }
                app.step(CALLS);
                for client in &mut clients {
                    client.response("GET").unwrap().expect(200, "held");
                }
            });
        }
    }
}

/// A sidecar has at most four workers, and each a connection of its own.
#[test]
fn calls_share_one_http2_connection() {
    for speaks in [Speaks::H2c, Speaks::HttpsOverHttp2] {
        let app = WebApp::new(speaks);
        let callee = sidecar("callee").web_app(&app).run();
        for _ in 0..50 {
            request("GET", "callee", "x")
                .send(callee.http())
                .expect(200, "ok");
        }
        let connections: BTreeSet<_> = app.take().iter().map(|seen| seen.connection).collect();
        assert!(connections.len() <= 4, "{speaks:?}: {connections:?}");
    }
}

#[test]
fn an_app_gets_no_more_calls_at_once_than_it_wants() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let pair = Pair::with(speaks, |member| member.flag("app-max-concurrency", "1"));
        for (id, app) in pair.ways() {
            table.row(&format!("{speaks:?}, {id}"), || {
                let hold = request("GET", id, "hold").to_bytes(pair.port());
                let mut clients: Vec<_> = (0..9)
                    .map(|_| {
                        let mut client = RawClient::connect(pair.port());
                        client.send(&hold).unwrap();
                        client
                    })
                    .collect();
                app.wait_for(1);
                // One that waits is given up: its place must not be lost. The
                // app would be done with it at once.
                let quick = request("GET", id, "x").to_bytes(pair.port());
                RawClient::connect(pair.port()).send(quick).unwrap();
                app.step(9);
                for client in &mut clients {
                    client.response("GET").unwrap().expect(200, "held");
                }
                assert_eq!(app.most_at_once(), 1);
            });
        }
    }
}

/// An app behind another replica takes the calls of one that is gone.
#[test]
fn another_replica_takes_the_calls_of_an_app_that_is_gone() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        table.row(&format!("{speaks:?}"), || {
            let mesh = Mesh::plain();
            let (here, gone) = (WebApp::new(speaks), WebApp::new(speaks));
            let start = |app| mesh.sidecar("callee").web_app(app).run();
            let (_first, _second) = (start(&here), start(&gone));
            gone.stop();
            let caller = mesh.sidecar("caller").run();
            for _ in 0..10 {
                let post = request("POST", "callee", "x").body("x");
                post.send(caller.http()).expect(200, "ok");
            }
            assert_eq!(here.take().len(), 10);
        });
    }
}

/// Apps that serve both keep one kind of connection for both.
#[test]
fn grpc_calls_pass_to_apps_over_http2() {
    use tests::grpc_app::{Listen, kinds};
    use tests::{GrpcApp, GrpcClient, GrpcRequest, tls};

    let mut table = Table::default();
    for protocol in ["h2c", "https"] {
        table.row(protocol, || {
            let tls = (protocol == "https").then(tls::self_signed);
            let listen = Listen {
                tls,
                ..Listen::default()
            };
            let app = GrpcApp::listening(listen, kinds);
            let mesh = Mesh::plain();
            let callee = mesh
                .sidecar("callee")
                .app_port(app.port())
                .flag("app-protocol", protocol)
                .run();
            let caller = mesh.sidecar("caller").run();
            for from in [&callee, &caller] {
                let client = GrpcClient::connect(from.grpc()).unwrap();
                for kind in ["Unary", "Bidi"] {
                    let call = GrpcRequest::new(&format!("/testing.Kinds/{kind}")).to("callee");
                    client.call(&call, &["x"]).unwrap().expect_ok(&["x"]);
                }
            }
        });
    }
}

/// Whether it ends in good order or not: no call between is lost.
#[test]
fn an_app_may_be_restarted_between_calls() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        for in_order in [true, false] {
            table.row(&format!("{speaks:?}, in order {in_order}"), || {
                let mesh = Mesh::plain();
                let mut app = WebApp::new(speaks);
                let how = Listening {
                    port: Some(app.port()),
                    ..Listening::default()
                };
                let callee = mesh.sidecar("callee").web_app(&app).run();
                let caller = mesh.sidecar("caller").run();
                for _ in 0..5 {
                    for from in [&caller, &callee] {
                        for _ in 0..3 {
                            let post = request("POST", "callee", "x").body("x");
                            post.send(from.http()).expect(200, "ok");
                        }
                    }
                    if in_order {
                        app.drain();
                    } else {
                        app.stop();
                    }
                    app = WebApp::listening(speaks, how);
                }
            });
        }
    }
}

/// Calls in flight are answered, new ones go to the new app.
#[test]
fn an_app_that_drains_answers_what_it_has_begun() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        table.row(&format!("{speaks:?}"), || {
            let app = WebApp::new(speaks);
            let port = app.port();
            let callee = sidecar("callee").web_app(&app).run();
            let mut client = RawClient::connect(callee.http());
            let hold = request("GET", "callee", "hold").to_bytes(callee.http());
            client.send(&hold).unwrap();
            app.wait_for(1);
            std::thread::scope(|scope| {
                scope.spawn(|| app.drain());
                holds("the app has stopped listening", || {
                    RawClient::try_connect(port).is_err()
                });
                let how = Listening {
                    port: Some(port),
                    ..Listening::default()
                };
                let next = WebApp::listening(speaks, how);
                // Until the sidecar has heard of it the old one still answers.
                holds("the new app is called", || {
                    let post = request("POST", "callee", "x");
                    post.send(callee.http()).expect(200, "ok");
                    next.count() == 1
                });
                app.step(1);
                client.response("GET").unwrap().expect(200, "held");
            });
        });
    }
}

/// The app of an `https` sidecar is replaced by one that speaks the other
/// version of HTTP.
#[test]
fn an_app_may_change_its_version_of_http() {
    let mesh = Mesh::plain();
    let mut app = WebApp::new(Speaks::Https);
    let how = Listening {
        port: Some(app.port()),
        ..Listening::default()
    };
    let callee = mesh.sidecar("callee").web_app(&app).run();
    let caller = mesh.sidecar("caller").run();
    for speaks in [Speaks::HttpsOverHttp2, Speaks::Https]
        .into_iter()
        .cycle()
        .take(4)
    {
        for from in [&caller, &callee] {
            let post = Request::post("/v1.0/invoke/callee/method/x", "x");
            post.send(from.http()).expect(200, "ok");
        }
        assert_eq!(app.take().len(), 2);
        app.stop();
        app = WebApp::listening(speaks, how);
    }
}
