//! Trace context: passed on, or made, never invented twice.

use super::{Stage, WAYS};
use crate::table::Table;

#[test]
fn the_trace_is_passed_on_or_made() {
    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let stage = Stage::new();
    for way in WAYS {
        stage.forget();
        let answer = way.request("GET", "x").send(stage.caller.http());
        let made = stage.app(way).take_one();
        let made = made.values("traceparent");
        let [made] = made[..] else {
            panic!("one trace, {way}: {made:?}");
        };
        assert_eq!(made.len(), SENT.len(), "{way}: {made}");
        assert!(
            made.starts_with("00-") && made.ends_with("-00"),
            "{way}: {made}"
        );
        assert_ne!(&made[3..35], "0".repeat(32), "{way}");
        assert_ne!(&made[36..52], "0".repeat(16), "{way}");
        assert_eq!(answer.values("traceparent").len(), 1, "{way}");
        assert_eq!(
            answer.header("traceparent").unwrap()[3..35],
            made[3..35],
            "{way}"
        );

        let request = way
            .request("GET", "x")
            .headers(&[("traceparent", SENT), ("tracestate", "a=1,b=2")]);
        let answer = request.send(stage.caller.http());
        let passed = stage.app(way).take_one();
        assert_eq!(passed.values("traceparent"), [SENT], "{way}");
        assert_eq!(passed.values("tracestate"), ["a=1,b=2"], "{way}");
        assert_eq!(answer.values("traceparent"), [SENT], "{way}");
    }
}

#[test]
fn a_malformed_trace_is_replaced() {
    let stage = Stage::new();
    let mut table = Table::default();
    for sent in [
        "nonsense",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
    ] {
        for way in WAYS {
            table.row(&format!("{sent}, {way}"), || {
                stage.forget();
                let request = way.request("GET", "x").header("traceparent", sent);
                request.send(stage.caller.http()).expect(200, "ok");
                let seen = stage.app(way).take_one();
                let seen = seen.values("traceparent");
                assert_eq!(seen.len(), 1, "{seen:?}");
                assert_ne!(seen[0], sent);
                assert_eq!(seen[0].len(), 55, "{seen:?}");
            });
        }
    }
}
