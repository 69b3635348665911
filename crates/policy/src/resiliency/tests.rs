//! Names, lookup, timing and matching of resiliency policies.

use std::collections::BTreeMap;

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn map<T>(entries: impl IntoIterator<Item = (&'static str, T)>) -> BTreeMap<String, T> {
    entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn timeouts(entries: &[(&'static str, &str)]) -> BTreeMap<String, String> {
    map(entries
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned())))
}

fn retry(duration: &str, max_retries: i64) -> RetrySpec {
    RetrySpec {
        duration: duration.to_owned(),
        max_retries: Some(max_retries),
        ..RetrySpec::default()
    }
}

fn target(timeout: &str, retry: &str) -> TargetSpec {
    TargetSpec {
        timeout: timeout.to_owned(),
        retry: retry.to_owned(),
        ..TargetSpec::default()
    }
}

fn merged(specs: &[Spec]) -> Resiliency {
    let mut merge = Merge::default();
    for spec in specs {
        merge.add(spec).unwrap();
    }
    merge.finish().0
}

fn timeout_of(resiliency: &Resiliency, target: &str) -> Option<Duration> {
    resiliency.rules(target).and_then(|rules| rules.timeout)
}

#[test]
fn an_entry_inherits_nothing_and_others_get_the_defaults() {
    let resiliency = merged(&[Spec {
        timeouts: timeouts(&[("t", "2s"), ("DefaultTimeoutPolicy", "3s"), ("never", "0s")]),
        retries: map([
            ("DefaultAppRetryPolicy", retry("1s", 2)),
            ("DefaultRetryPolicy", retry("9s", 9)),
        ]),
        apps: map([
            ("b", target("t", "")),
            ("empty", TargetSpec::default()),
            ("endless", target("never", "")),
        ]),
        ..Spec::default()
    }]);
    let b = resiliency.rules("b").unwrap();
    assert_eq!((b.timeout, &b.retry), (Some(MS(2000)), &None));
    assert!(resiliency.rules("empty").is_none());
    assert!(resiliency.rules("endless").is_none());
    for other in ["c", "b.ns2", "https://example.com"] {
        let rules = resiliency.rules(other).unwrap();
        assert_eq!(rules.timeout, Some(MS(3000)));
        assert_eq!(rules.retry.as_ref().unwrap().max, Some(2));
    }
    for (app_id, replaces) in [("b", true), ("empty", true), ("c", false)] {
        assert_eq!(resiliency.replaces_built_in(app_id), replaces, "{app_id}");
    }
    assert_eq!(resiliency.built_in(), None);
    assert!(Resiliency::default().rules("b").is_none());
}

#[test]
fn later_objects_replace_names_also_for_targets_of_earlier_ones() {
    let first = Spec {
        timeouts: timeouts(&[("t", "1s")]),
        apps: map([("a", target("t", "")), ("b", target("t", ""))]),
        ..Spec::default()
    };
    let second = Spec {
        timeouts: timeouts(&[("t", "250")]),
        apps: map([("b", target("", ""))]),
        ..Spec::default()
    };
    let resiliency = merged(&[first, second]);
    assert_eq!(timeout_of(&resiliency, "a"), Some(MS(250)));
    assert_eq!(timeout_of(&resiliency, "b"), None);
}

#[test]
fn a_refused_object_leaves_nothing_behind() {
    let mut merge = Merge::default();
    let half = Spec {
        timeouts: timeouts(&[("a", "1s"), ("b", "zz")]),
        apps: map([("app", target("a", ""))]),
        ..Spec::default()
    };
    assert_eq!(
        merge.add(&half).unwrap_err().to_string(),
        r#"invalid duration "b", zz: time: invalid duration "zz""#
    );
    let (resiliency, warnings) = merge.finish();
    assert!(!resiliency.replaces_built_in("app"));
    assert_eq!(warnings, []);
}

#[test]
fn what_is_wrong_is_said_in_the_known_words() {
    let with_retry = |spec: RetrySpec| Spec {
        retries: map([("r", spec)]),
        ..Spec::default()
    };
    let with_breaker = |spec: BreakerSpec| Spec {
        circuit_breakers: map([("r", spec)]),
        ..Spec::default()
    };
    let with_codes = |http: &str, grpc: &str| {
        with_retry(RetrySpec {
            matching: MatchingSpec {
                http_status_codes: http.to_owned(),
                grpc_status_codes: grpc.to_owned(),
            },
            ..RetrySpec::default()
        })
    };
    let actor = |scope: &str| Spec {
        actors: map([(
            "type",
            ActorSpec {
                circuit_breaker: "cb".to_owned(),
                circuit_breaker_scope: scope.to_owned(),
            },
        )]),
        ..Spec::default()
    };
    let prefix = "invalid retry configuration \"r\": 1 error(s) decoding:\n\n* ";
    let rows = [
        (
            with_retry(retry("zz", 1)),
            format!("{prefix}error decoding 'duration': invalid duration \"zz\""),
        ),
        (
            with_retry(RetrySpec {
                policy: "linear".to_owned(),
                ..RetrySpec::default()
            }),
            format!("{prefix}error decoding 'policy': invalid PolicyType \"linear\": unexpected back off policy type: linear"),
        ),
        (
            with_codes("199-299-300", ""),
            "invalid pattern 199-299-300, more than one '-' exists".to_owned(),
        ),
        (
            with_codes("399-299", ""),
            "invalid pattern 399-299, start value should not bigger than end value".to_owned(),
        ),
        (
            with_codes("1,2", ""),
            "invalid pattern 1, start code 1 is not valid".to_owned(),
        ),
        (
            with_codes("", "400"),
            "invalid pattern 400, start code 400 is not valid".to_owned(),
        ),
        (
            with_codes("", "1-17"),
            "invalid pattern 1-17, end code 17 is not valid".to_owned(),
        ),
        (
            with_codes("5x", ""),
            "failed to parse start code 5x from pattern 5x to int, strconv.Atoi: parsing \"5x\": invalid syntax".to_owned(),
        ),
        (
            Spec {
                apps: map([(
                    "a",
                    TargetSpec {
                        circuit_breaker_cache_size: -1,
                        ..TargetSpec::default()
                    },
                )]),
                ..Spec::default()
            },
            "must provide a positive size".to_owned(),
        ),
        (
            with_breaker(BreakerSpec {
                trip: "a >".to_owned(),
                ..BreakerSpec::default()
            }),
            format!("{prefix}error decoding 'trip': invalid Expr \"a >\": ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>'"),
        ),
        (
            with_breaker(BreakerSpec {
                max_requests: -1,
                interval: "x".to_owned(),
                ..BreakerSpec::default()
            }),
            "invalid retry configuration \"r\": 2 error(s) decoding:\n\n* cannot parse 'maxRequests', -1.000000 overflows uint\n* error decoding 'interval': invalid duration \"x\"".to_owned(),
        ),
        (actor(""), "actor circuit breakers must include scope".to_owned()),
        (actor("all"), "unknown circuit breaker scope \"all\"".to_owned()),
    ];
    for (spec, text) in rows {
        let error = Merge::default().add(&spec).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    assert!(Merge::default().add(&actor("both")).is_ok());
}

#[test]
fn reserved_and_undefined_names_are_remarked() {
    let mut merge = Merge::default();
    let spec = Spec {
        retries: map([
            (BUILT_IN, retry("", 1)),
            ("DaprBuiltInActorNotFoundRetries", retry("", 9)),
        ]),
        apps: map([("a", target("t", "r"))]),
        ..Spec::default()
    };
    let lines: Vec<_> = merge
        .add(&spec)
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "Attempted to override protected policy DaprBuiltInActorNotFoundRetries which is not allowed. Ignoring provided policy and using default.",
            "Attempted override of DaprBuiltInServiceRetries did not meet minimum retry count, resetting to 3.",
        ]
    );
    let (resiliency, warnings) = merge.finish();
    assert_eq!(
        resiliency.built_in(),
        Some(Retry::constant(Duration::from_secs(5), 3))
    );
    let lines: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            r#"resiliency target "a" names timeout policy "t", which is not defined; it has none"#,
            r#"resiliency target "a" names retry policy "r", which is not defined; it has none"#,
        ]
    );
}

#[test]
fn constant_pauses_end_after_the_retries() {
    let pauses = |max: Option<i64>| {
        let spec = RetrySpec {
            max_retries: max,
            duration: "10ms".to_owned(),
            ..RetrySpec::default()
        };
        let mut backoff = decode::retry("r", &spec).unwrap().backoff();
        let next = |_| backoff.next(Duration::from_hours(1), 0.5);
        (0..40).map_while(next).collect::<Vec<_>>()
    };
    assert_eq!(pauses(Some(3)), [MS(10); 3]);
    assert_eq!(pauses(Some(0)), []);
    for unlimited in [None, Some(-1), Some(-7)] {
        assert_eq!(pauses(unlimited).len(), 40);
    }
}

#[test]
fn exponential_pauses_grow_to_their_cap_and_end_after_a_quarter_of_an_hour() {
    let of = |cap: &str| {
        let spec = RetrySpec {
            policy: "Exponential".to_owned(),
            max_interval: cap.to_owned(),
            ..RetrySpec::default()
        };
        decode::retry("r", &spec).unwrap().backoff()
    };
    let mut backoff = of("2s");
    let bases: Vec<_> = (0..6)
        .map_while(|_| backoff.next(Duration::ZERO, 0.5))
        .collect();
    let micros = [500_000, 750_000, 1_125_000, 1_687_500, 2_000_000, 2_000_000];
    assert_eq!(bases, micros.map(Duration::from_micros));
    let mut short = of("100ms");
    assert_eq!(short.next(Duration::ZERO, 0.0), Some(MS(250)));
    assert_eq!(short.next(Duration::ZERO, 0.0), Some(MS(50)));
    let mut late = of("");
    let quarter = Duration::from_mins(15);
    assert_eq!(
        late.next(Duration::from_millis(899_750), 0.0),
        Some(MS(250))
    );
    assert_eq!(late.next(quarter, 0.0), None);
}

#[test]
fn codes_are_matched_by_their_kind() {
    let matching = Matching::parse("100,101,501-503,,509", "1,2,5-7").unwrap();
    for (code, retried) in [
        (101, true),
        (500, false),
        (501, true),
        (503, true),
        (504, false),
        (509, true),
        (1, true),
        (3, false),
        (6, true),
        (14, false),
        (20, false),
        (600, false),
    ] {
        assert_eq!(matching.retries(code), retried, "{code}");
    }
    let all = Matching::parse("", "").unwrap();
    for code in [0, 16, 100, 404, 599] {
        assert!(all.retries(code), "{code}");
    }
    assert!(!all.retries(20));
    let grpc_only = Matching::parse("", "14").unwrap();
    assert!(grpc_only.retries(500) && !grpc_only.retries(13));
}

#[test]
fn breakers_have_defaults_and_are_found_like_the_others() {
    let named = |trip: &str, timeout: &str| BreakerSpec {
        trip: trip.to_owned(),
        timeout: timeout.to_owned(),
        ..BreakerSpec::default()
    };
    let resiliency = merged(&[Spec {
        circuit_breakers: map([
            ("five", named("", "5")),
            (
                "DefaultAppCircuitBreakerPolicy",
                named("requests > 1", "-1s"),
            ),
            ("DefaultCircuitBreaker", named("requests > 9", "")),
        ]),
        apps: map([(
            "b",
            TargetSpec {
                circuit_breaker: "five".to_owned(),
                circuit_breaker_cache_size: 7,
                ..TargetSpec::default()
            },
        )]),
        ..Spec::default()
    }]);
    let rules = resiliency.rules("b").unwrap();
    assert_eq!(rules.breakers, 7);
    let rule = BreakerRule {
        max_requests: 1,
        interval: None,
        timeout: MS(5),
        trip: Trip::default(),
    };
    assert_eq!(rules.breaker, Some(rule));
    let other = resiliency.rules("c").unwrap();
    let breaker = other.breaker.as_ref().unwrap();
    assert_eq!(breaker.timeout, Duration::from_mins(1));
    assert_eq!(breaker.trip, Trip::parse("requests > 1").unwrap());
}
