//! Health checks of the app: every way to be unwell, and what it does to
//! calls.

use http::StatusCode;
use tests::{
    GrpcApp, GrpcRequest, Health, Listening, Mesh, Request, Sidecar, SidecarBuilder, Speaks,
    WebApp, eventually, holds,
};

use super::request;
use crate::fidelity::refusal;
use crate::grpc::invoke::{call, data, request as message};
use crate::table::Table;

const UNWELL: &str = "rpc error: code = Internal desc = app is not in a healthy state";
const WELL_LINE: &str = "App entered healthy status";
const UNWELL_LINE: &str = "App entered un-healthy status: ";
/// On a busy machine one answer to a probe may be late, but not two in a row.
const PATIENT: u32 = 2;

/// A checked app, and a second sidecar that calls it.
struct Checked {
    callee: Sidecar,
    caller: Sidecar,
    _mesh: Mesh,
}

impl Checked {
    fn new(app: impl FnOnce(SidecarBuilder) -> SidecarBuilder, threshold: u32) -> Self {
        let mesh = Mesh::plain();
        let callee = app(mesh.sidecar("callee"))
            .switch("enable-app-health-check")
            .flag("app-health-probe-interval", "1")
            .flag("app-health-threshold", &threshold.to_string())
            .run();
        let caller = mesh.sidecar("caller").run();
        Self {
            callee,
            caller,
            _mesh: mesh,
        }
    }

    fn of(app: &WebApp, threshold: u32) -> Self {
        Self::new(|sidecar| sidecar.web_app(app), threshold)
    }

    /// Both sidecars refuse, over both APIs, and say why.
    fn expect_refusals(&self) {
        use api::common::v1::http_extension::Verb;
        let remote =
            format!("rpc error: code = Internal desc = error invoking app channel: {UNWELL}");
        for (from, error) in [(&self.callee, UNWELL), (&self.caller, &remote)] {
            request("GET", "callee", "x")
                .send(from.http())
                .expect(500, &refusal("callee", error));
            let text = format!("failed to invoke, id: callee, err: {error}");
            call(from, &message("callee", Verb::Post, "x", "y")).expect(13, &text);
        }
    }

    /// The sidecar itself is well whatever its app is.
    fn expect_ready(&self) {
        assert_eq!(self.callee.get("/v1.0/healthz").status, 204);
        assert_eq!(self.callee.get("/v1.0/healthz/outbound").status, 204);
        assert_eq!(self.callee.get("/v1.0/metadata").status, 200);
    }

    fn expect_success(&self) {
        use api::common::v1::http_extension::Verb;
        for from in [&self.callee, &self.caller] {
            request("GET", "callee", "x")
                .send(from.http())
                .expect(200, "ok");
            let answer = call(from, &message("callee", Verb::Post, "x", "y"));
            assert_eq!(data(&answer), b"ok");
        }
    }

    fn turn_well(&self, app: &WebApp, status: StatusCode) {
        app.health(Health::Status(status));
        holds("the app is well", || !self.is_unwell());
    }

    /// Makes the app unwell for this reason. On a busy machine late answers
    /// may be the reason: then it begins anew.
    fn turn_unwell(&self, app: &WebApp, health: Health, reason: &str) {
        let line = format!("{UNWELL_LINE}{reason}");
        let before = self.lines(&line);
        eventually("the app is unwell for the right reason", || {
            app.health(health);
            holds("the app is unwell", || self.is_unwell());
            if self.lines(&line) > before {
                return Some(());
            }
            self.turn_well(app, StatusCode::OK);
            None
        });
    }

    /// Both states are logged in turn; unwell is the first.
    fn is_unwell(&self) -> bool {
        let log = self.callee.stdout();
        log.matches(WELL_LINE).count() == log.matches(UNWELL_LINE).count()
    }

    fn lines(&self, line: &str) -> usize {
        self.callee.stdout().matches(line).count()
    }
}

#[test]
fn calls_follow_the_health_of_the_app() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        table.row(&format!("{speaks:?}"), || {
            let app = WebApp::new(speaks);
            app.health(Health::Status(StatusCode::SERVICE_UNAVAILABLE));
            let checked = Checked::of(&app, PATIENT);
            // Unwell until it says otherwise.
            checked.expect_refusals();
            checked.expect_ready();
            assert!(app.configuration_calls().is_empty());
            for _ in 0..2 {
                checked.turn_well(&app, StatusCode::NO_CONTENT);
                checked.expect_success();
                let failing = Health::Status(StatusCode::INTERNAL_SERVER_ERROR);
                checked.turn_unwell(&app, failing, "status code 500");
                app.take();
                checked.expect_refusals();
                checked.expect_ready();
                assert_eq!(app.take().len(), 0, "the app got a call");
            }
            // Asked once, when it was well for the first time.
            assert_eq!(app.configuration_calls().len(), 1);
        });
    }
}

#[test]
fn probes_carry_nothing_and_go_where_they_are_sent() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        table.row(&format!("{speaks:?}"), || {
            let app = WebApp::new(speaks);
            let mesh = Mesh::plain();
            let callee = mesh
                .sidecar("callee")
                .web_app(&app)
                .env("APP_API_TOKEN", "secret")
                .switch("enable-app-health-check")
                .flag("app-health-check-path", "deep/probe?full=1")
                .run();
            callee.wait_for_output(WELL_LINE);
            let probe = app.take().pop().expect("it was probed");
            assert_eq!(probe.method, "GET");
            assert_eq!(probe.target, "/deep/probe?full=1");
            assert_eq!(probe.host, format!("127.0.0.1:{}", app.port()));
            let names: Vec<_> = probe.headers.keys().map(ToString::to_string).collect();
            let expected: &[&str] = if speaks.is_http2() { &[] } else { &["host"] };
            assert_eq!(names, expected);
            let metadata = callee.get("/v1.0/metadata").json();
            let health = &metadata["appConnectionProperties"]["health"];
            assert_eq!(health["healthCheckPath"], "/deep/probe?full=1");
        });
    }
}

#[test]
fn every_way_not_to_be_well_is_one() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        for (name, health, reason) in [
            ("a redirect", Health::Redirect, "status code 302"),
            ("too slow", Health::Silence, "no answer within 500ms"),
            (
                "missing",
                Health::Status(StatusCode::NOT_FOUND),
                "status code 404",
            ),
        ] {
            table.row(&format!("{speaks:?}, {name}"), || {
                let app = WebApp::new(speaks);
                let checked = Checked::of(&app, PATIENT);
                checked.callee.wait_for_output(WELL_LINE);
                checked.turn_unwell(&app, health, reason);
                checked.expect_refusals();
                checked.turn_well(&app, StatusCode::OK);
                checked.expect_success();
            });
        }
    }
}

#[test]
fn an_app_that_is_gone_is_unwell_until_it_is_back() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        table.row(&format!("{speaks:?}"), || {
            let app = WebApp::new(speaks);
            let checked = Checked::of(&app, 2);
            checked.callee.wait_for_output(WELL_LINE);
            app.stop();
            checked.callee.wait_for_output(UNWELL_LINE);
            checked.expect_refusals();
            checked.expect_ready();
            let how = Listening {
                port: Some(app.port()),
                ..Listening::default()
            };
            let _back = WebApp::listening(speaks, how);
            holds("the app is well again", || !checked.is_unwell());
            checked.expect_success();
        });
    }
}

/// Failures count in a row: a success between starts anew.
#[test]
fn a_success_forgives_failures() {
    let app = WebApp::new(Speaks::Http);
    let checked = Checked::of(&app, 3);
    checked.callee.wait_for_output(WELL_LINE);
    let probe_with = |status: StatusCode, count: usize| {
        app.health(Health::Status(status));
        let before = app.probes();
        holds("the app was probed", || app.probes() >= before + count);
    };
    for _ in 0..2 {
        // One probe may have been on its way before.
        probe_with(StatusCode::SERVICE_UNAVAILABLE, 1);
        probe_with(StatusCode::OK, 2);
    }
    assert_eq!(checked.lines(UNWELL_LINE), 0);
    checked.expect_success();
    probe_with(StatusCode::SERVICE_UNAVAILABLE, 3);
    checked.callee.wait_for_output(UNWELL_LINE);
    checked.expect_refusals();
}

/// What calls meet changes nothing: only probes do.
#[test]
fn failing_calls_are_no_probes() {
    let app = WebApp::new(Speaks::H2c);
    let checked = Checked::of(&app, PATIENT);
    checked.callee.wait_for_output(WELL_LINE);
    for _ in 0..5 {
        let failed = request("GET", "callee", "status?code=503").send(checked.callee.http());
        assert_eq!(failed.status, 503);
        request("GET", "callee", "none").send(checked.callee.http());
    }
    checked.expect_success();
    assert_eq!(checked.lines(UNWELL_LINE), 0);
}

/// Probes do not wait behind calls.
#[test]
fn a_busy_app_is_not_unwell() {
    let app = WebApp::new(Speaks::Http);
    let checked = Checked::new(
        |sidecar| sidecar.web_app(&app).flag("app-max-concurrency", "1"),
        PATIENT,
    );
    checked.callee.wait_for_output(WELL_LINE);
    let mut client = tests::RawClient::connect(checked.callee.http());
    let hold = request("GET", "callee", "hold").to_bytes(checked.callee.http());
    client.send(hold).unwrap();
    app.wait_for(1);
    let before = app.probes();
    holds("the app is probed", || {
        app.probes() > before + PATIENT as usize
    });
    assert_eq!(checked.lines(UNWELL_LINE), 0);
    app.step(1);
    client.response("GET").unwrap().expect(200, "held");
}

/// Calls that pass unread are no calls of the app's methods.
#[test]
fn grpc_apps_are_probed_and_their_services_stay_open() {
    let mut table = Table::default();
    for tls in [false, true] {
        table.row(if tls { "grpcs" } else { "grpc" }, || {
            let app = if tls {
                GrpcApp::tls(tests::grpc_app::kinds)
            } else {
                GrpcApp::kinds()
            };
            app.healthy(false);
            let checked = Checked::new(|sidecar| sidecar.grpc_app(&app), PATIENT);
            checked.expect_refusals();
            for from in [&checked.callee, &checked.caller] {
                let unary = GrpcRequest::new("/testing.Kinds/Unary").to("callee");
                let client = tests::GrpcClient::connect(from.grpc()).unwrap();
                client.call(&unary, &["x"]).unwrap().expect_ok(&["x"]);
            }
            app.healthy(true);
            checked.callee.wait_for_output(WELL_LINE);
            let answer = Request::get("/v1.0/invoke/callee/method/x").send(checked.caller.http());
            assert_eq!(answer.status, 200, "{answer:?}");
            app.healthy(false);
            checked.callee.wait_for_output(UNWELL_LINE);
            checked.expect_refusals();
            checked.expect_ready();
        });
    }
}

/// The caller goes to a replica whose app is well.
#[test]
fn another_replica_takes_the_calls_of_an_unwell_app() {
    let mesh = Mesh::plain();
    let (well, unwell) = (WebApp::new(Speaks::H2c), WebApp::new(Speaks::H2c));
    unwell.health(Health::Status(StatusCode::SERVICE_UNAVAILABLE));
    let start = |app: &WebApp| {
        mesh.sidecar("callee")
            .web_app(app)
            .switch("enable-app-health-check")
            .flag("app-health-probe-interval", "1")
            .run()
    };
    let (first, _second) = (start(&well), start(&unwell));
    first.wait_for_output(WELL_LINE);
    let caller = mesh.sidecar("caller").run();
    for _ in 0..20 {
        request("POST", "callee", "x")
            .send(caller.http())
            .expect(200, "ok");
    }
    assert_eq!((well.take().len(), unwell.take().len()), (20, 0));
}

#[test]
fn a_path_that_is_none_ends_the_start() {
    let sidecar = tests::sidecar("wrong")
        .app_port(tests::ports::reserve())
        .switch("enable-app-health-check")
        .flag("app-health-check-path", "/100%")
        .start();
    sidecar.wait_for_code(1);
    let line = "Fatal error from runtime: invalid value for 'app-health-check-path': /100%; expected a path such as /healthz";
    assert!(sidecar.stdout().contains(line), "{}", sidecar.stdout());
}
