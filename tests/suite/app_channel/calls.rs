//! One call after another: what the app sees, and what the caller gets back.

use tests::{Speaks, WebApp};

use super::{Pair, request};
use crate::table::Table;

/// Runs `check` for each kind of app, both ways.
fn everywhere(check: impl Fn(&Pair, &'static str, &WebApp)) {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let pair = Pair::new(speaks);
        for (id, app) in pair.ways() {
            app.take();
            table.row(&format!("{speaks:?}, {id}"), || check(&pair, id, app));
        }
    }
}

#[test]
fn the_app_sees_the_same_request_in_every_protocol() {
    everywhere(|pair, id, app| {
        request("POST", id, "orders/new?a=%20b&c")
            .headers(&[
                ("X-Kept", "one"),
                ("X-Kept", "two"),
                ("Authorization", "Bearer x"),
                ("Content-Type", "text/plain"),
                ("Connection", "keep-alive, X-Named"),
                ("Keep-Alive", "timeout=5"),
                ("Proxy-Connection", "keep-alive"),
                ("Upgrade", "websocket"),
                ("TE", "trailers"),
                ("X-Named", "gone"),
                ("dapr-caller-app-id", "spoofed"),
                ("dapr-api-token", "mine"),
            ])
            .body("hello")
            .send(pair.port())
            .expect(200, "ok");
        let seen = app.take_one();
        assert_eq!(seen.method, "POST");
        assert_eq!(seen.target, "/orders/new?a=%20b&c");
        assert_eq!(seen.host, format!("127.0.0.1:{}", app.port()));
        assert_eq!(
            seen.version,
            if app.speaks().is_http2() {
                "HTTP/2.0"
            } else {
                "HTTP/1.1"
            }
        );
        assert_eq!(seen.body, b"hello");
        let values = |name: &str| -> Vec<_> {
            let values = seen.headers.get_all(name).iter();
            values.map(|value| value.to_str().unwrap()).collect()
        };
        assert_eq!(values("x-kept"), ["one", "two"]);
        assert_eq!(values("authorization"), ["Bearer x"]);
        assert_eq!(values("content-type"), ["text/plain"]);
        assert_eq!(values("content-length"), ["5"]);
        assert_eq!(values("dapr-caller-app-id"), ["caller"]);
        assert_eq!(values("dapr-callee-app-id"), [id]);
        assert_eq!(values("traceparent").len(), 1);
        for gone in [
            "connection",
            "keep-alive",
            "proxy-connection",
            "upgrade",
            "te",
            "transfer-encoding",
            "x-named",
            "dapr-api-token",
        ] {
            assert_eq!(values(gone), [""; 0], "{gone}");
        }
    });
}

#[test]
fn the_app_gets_its_token() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let pair = Pair::with(speaks, |member| member.env("APP_API_TOKEN", "secret"));
        for (id, app) in pair.ways() {
            table.row(&format!("{speaks:?}, {id}"), || {
                request("GET", id, "x").send(pair.port()).expect(200, "ok");
                assert_eq!(app.take_one().headers["dapr-api-token"], "secret");
                let calls = app.configuration_calls();
                assert_eq!(calls.len(), 1);
                assert_eq!(calls[0].headers["dapr-api-token"], "secret");
                assert_eq!(calls[0].headers["dapr-app-id"], id);
                assert_eq!(calls[0].headers["content-type"], "application/json");
            });
        }
    }
}

#[test]
fn verbs_and_statuses_pass() {
    everywhere(|pair, id, app| {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            request(method, id, "x").send(pair.port()).expect(200, "ok");
            let seen = app.take_one();
            assert_eq!(seen.method, method);
            let expected = matches!(method, "POST" | "PUT" | "PATCH").then_some("0");
            let length = seen.headers.get("content-length");
            assert_eq!(length.map(|length| length.to_str().unwrap()), expected);
        }
        for code in [201, 202, 302, 404, 409, 418, 500, 503, 599] {
            request("GET", id, &format!("status?code={code}"))
                .send(pair.port())
                .expect(code, "as asked");
        }
        for code in [204, 304] {
            request("GET", id, &format!("status?code={code}"))
                .send(pair.port())
                .expect(code, "");
        }
    });
}

#[test]
fn a_head_has_headers_and_no_body() {
    everywhere(|pair, id, app| {
        for _ in 0..2 {
            let answer = request("HEAD", id, "headers?size=10").send(pair.port());
            answer.expect(200, "");
            assert_eq!(answer.header("x-large"), Some("hhhhhhhhhh"));
            assert_eq!(answer.values("set-cookie"), ["a=1", "b=2"]);
            assert_eq!(app.take_one().method, "HEAD");
        }
    });
}

#[test]
fn bodies_of_every_size_and_framing_arrive() {
    everywhere(|pair, id, _app| {
        for size in [0, 1, 5, 16_384, 65_536, 1 << 20] {
            let body = tests::pattern::Pattern::new(7).take(size);
            let path = format!("check?seed=7&size={size}");
            let expected = format!("true {size}");
            request("POST", id, &path)
                .body(&body)
                .send(pair.port())
                .expect(200, &expected);
            let chunks: Vec<_> = body.chunks(10_000).collect();
            request("POST", id, &path)
                .chunked(&chunks)
                .send(pair.port())
                .expect(200, &expected);
            for chunked in ["", "&chunked=1"] {
                let path = format!("pattern?seed=7&size={size}{chunked}");
                let answer = request("GET", id, &path).send(pair.port());
                assert_eq!(answer.status, 200);
                assert!(answer.is_whole_success(), "{answer:?}");
                assert!(answer.body == body, "{size} bytes{chunked} changed");
            }
        }
    });
}

/// HTTP trailers end at the sidecar, in every protocol: nothing between
/// sidecars carries them behind a body.
#[test]
fn trailers_end_at_the_sidecar_and_spoil_nothing() {
    everywhere(|pair, id, _app| {
        let answer = request("GET", id, "trailers").send(pair.port());
        answer.expect(200, "ok");
        assert_eq!(answer.header("trailer"), None);
        assert!(answer.trailers.is_empty());
        request("POST", id, "echo")
            .chunked(&["piece"])
            .trailer("X-Behind", "1")
            .send(pair.port())
            .expect(200, "piece");
    });
}

#[test]
fn an_app_may_answer_without_reading() {
    everywhere(|pair, id, _app| {
        let chunk = vec![b'x'; 100_000];
        for _ in 0..3 {
            request("POST", id, "early")
                .chunked(&[&chunk, &chunk, &chunk])
                .send(pair.port())
                .expect(200, "early");
        }
        request("GET", id, "x").send(pair.port()).expect(200, "ok");
    });
}

/// HTTP/1.1 has `--read-buffer-size`; HTTP/2 has a bound of its own, far above
/// what apps send.
#[test]
fn large_answer_headers_have_a_limit() {
    everywhere(|pair, id, app| {
        let (passes, fails, reason) = if app.speaks().is_http2() {
            (
                16_000,
                1_100_000,
                "are malformed or exceed 1048576 bytes; aborted",
            )
        } else {
            (3_000, 6_000, "exceeded 4096 bytes; aborted")
        };
        let ask = |size: u32| {
            let path = format!("headers?size={size}");
            request("GET", id, &path).send(pair.port())
        };
        assert_eq!(
            ask(passes).header("x-large").unwrap().len(),
            passes as usize
        );
        let answer = ask(fails);
        let reason = format!("server response headers {reason}");
        assert_eq!(answer.status, 500, "{answer:?}");
        assert!(answer.text().contains(&reason), "{answer:?}");
        ask(passes).expect(200, "ok");
    });
}

#[test]
fn requests_that_cannot_be_sent_are_refused_alike() {
    everywhere(|pair, id, app| {
        let scheme = app.speaks().protocol().replace("h2c", "http");
        let answer = request("GET", id, "a%25zz").send(pair.port());
        assert_eq!(answer.status, 500);
        let url = format!("{scheme}://127.0.0.1:{}/a%zz", app.port());
        assert!(answer.text().contains(&url), "{answer:?}");
        assert_eq!(app.count(), 0);
    });
}

#[test]
fn grpc_clients_invoke_methods_in_every_protocol() {
    use crate::grpc::invoke::{call, data, request as message};
    use api::common::v1::http_extension::Verb;

    everywhere(|pair, id, app| {
        let answer = call(&pair.caller, &message(id, Verb::Post, "m", "hello"));
        assert_eq!(data(&answer), b"ok");
        let seen = app.take_one();
        assert_eq!(seen.target, "/m");
        assert_eq!(seen.body, b"hello");
    });
}
