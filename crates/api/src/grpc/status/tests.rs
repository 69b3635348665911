use super::*;
use crate::rpc;

fn any(name: &str, value: &impl prost::Message) -> Bytes {
    let any = prost_types::Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: value.encode_to_vec(),
    };
    any.encode_to_vec().into()
}

fn error_info(status: &Status) -> ErrorInfo {
    let [detail] = status.details.as_slice() else {
        unreachable!("{status:?} has other than one detail");
    };
    let any = prost_types::Any::decode(detail.clone()).unwrap();
    assert_eq!(any.type_url, "type.googleapis.com/google.rpc.ErrorInfo");
    ErrorInfo::decode(any.value.as_slice()).unwrap()
}

#[test]
fn message_survives_the_header_form() {
    let status = Status::new(Code::Internal, "50% \u{fc}ber\nline");
    let value = status.header_message();
    assert_eq!(value.to_str().unwrap(), "50%25 %C3%BCber%0Aline");
    assert_eq!(Status::decode_message(value.as_bytes()), status.message);
}

#[test]
fn broken_escapes_stay_as_they_are() {
    assert_eq!(Status::decode_message(b"a%zz%4"), "a%zz%4");
}

#[test]
fn details_survive_the_trailers_with_and_without_padding() {
    let status = Status::with_error_info(Code::NotFound, "gone", "WHY", &[("a", "b")]);
    let mut headers = HeaderMap::new();
    status.write_headers(&mut headers);
    let encoded = headers.get(DETAILS).unwrap().to_str().unwrap().to_owned();
    assert!(!encoded.contains('='), "{encoded}");
    assert_eq!(Status::from_headers(&headers).unwrap(), status);

    let wire = binary::decode(headers.get(DETAILS).unwrap()).unwrap();
    let read = rpc::Status::decode(wire).unwrap();
    assert_eq!((read.code, read.message.as_str()), (5, "gone"));
    assert_eq!(read.details.len(), 1);

    let padded = encoded.clone() + &"=".repeat(encoded.len().next_multiple_of(4) - encoded.len());
    headers.insert(DETAILS, padded.parse().unwrap());
    assert_eq!(Status::from_headers(&headers).unwrap(), status);
    for broken in ["*", "AA", "Gv8"] {
        headers.insert(DETAILS, broken.parse().unwrap());
        let read = Status::from_headers(&headers).unwrap();
        assert_eq!((read.message, read.details.len()), ("gone".to_owned(), 0));
    }
}

#[test]
fn an_http_failure_says_phrase_code_and_beginning_of_the_body() {
    let status = Status::of_http(404, b"nope");
    assert_eq!(
        (status.code, status.message.as_str()),
        (Code::NotFound, "Not Found")
    );
    let info = error_info(&status);
    assert_eq!(
        (info.reason.as_str(), info.domain.as_str()),
        ("Not Found", "dapr.io")
    );
    assert_eq!(info.metadata["http.code"], "404");
    assert_eq!(info.metadata["http.error_message"], "nope");

    for (http, code, phrase) in [
        (500, Code::Unknown, "Internal Server Error"),
        (400, Code::Internal, "Bad Request"),
        (302, Code::Unknown, "Found"),
        (413, Code::Unknown, "Request Entity Too Large"),
        (422, Code::Unknown, "Unprocessable Entity"),
        (599, Code::Unknown, ""),
    ] {
        let status = Status::of_http(http, b"");
        assert_eq!(
            (status.code, status.message.as_str()),
            (code, phrase),
            "{http}"
        );
        assert_eq!(error_info(&status).metadata["http.error_message"], "");
    }
}

#[test]
fn long_bodies_are_cut_between_characters() {
    for (body, kept) in [
        ("x".repeat(62), "x".repeat(62)),
        ("x".repeat(63), "x".repeat(63)),
        ("x".repeat(64), "x".repeat(63)),
        ("x".repeat(62) + "\u{fc}bc", "x".repeat(62)),
        ("x".repeat(60) + "\u{20ac}bc", "x".repeat(60) + "\u{20ac}"),
        ("\u{1f600}".repeat(20), "\u{1f600}".repeat(15)),
    ] {
        let info = error_info(&Status::of_http(500, body.as_bytes()));
        assert_eq!(info.metadata["http.error_message"], kept);
    }
    let binary = error_info(&Status::of_http(500, &[0xff; 1000]));
    assert_eq!(binary.metadata["http.error_message"], "\u{fffd}".repeat(21));
}

#[test]
fn json_leaves_out_what_has_no_value() {
    assert_eq!(Status::new(Code::Ok, "").json(), "{}");
    assert_eq!(Status::new(Code::NotFound, "").json(), r#"{"code":5}"#);
    assert_eq!(
        Status::new(Code::NotFound, "a \"b\"").json(),
        r#"{"code":5,"message":"a \"b\""}"#
    );
    let unknown = Status {
        details: vec![
            any("testing.Unknown", &rpc::Help::default()),
            Bytes::from_static(b"\xff"),
        ],
        ..Status::new(Code::NotFound, "x")
    };
    assert_eq!(unknown.json(), r#"{"code":5,"message":"x"}"#);
}

#[test]
fn json_of_every_standard_detail() {
    let text = ToOwned::to_owned;
    let hello = rpc::LocalizedMessage {
        locale: text("de"),
        message: text("nein"),
    };
    let quota = rpc::quota_failure::Violation {
        subject: text("s"),
        quota_dimensions: [(text("k"), text("v"))].into(),
        quota_value: -9_007_199_254_740_993,
        future_quota_value: Some(0),
        ..Default::default()
    };
    let delay = |seconds, nanos| rpc::RetryInfo {
        retry_delay: Some(prost_types::Duration { seconds, nanos }),
    };
    let rows = [
        (
            any(
                "google.rpc.ErrorInfo",
                &ErrorInfo {
                    reason: text("r"),
                    domain: text("d"),
                    metadata: [(text("a"), text("")), (text("b"), text("2"))].into(),
                },
            ),
            r#""reason":"r","domain":"d","metadata":{"a":"","b":"2"}"#,
        ),
        (
            any("google.rpc.RetryInfo", &delay(3, 0)),
            r#""retryDelay":"3s""#,
        ),
        (
            any("google.rpc.RetryInfo", &delay(0, 50_000_000)),
            r#""retryDelay":"0.050s""#,
        ),
        (
            any("google.rpc.RetryInfo", &delay(-1, -1_000)),
            r#""retryDelay":"-1.000001s""#,
        ),
        (
            any("google.rpc.RetryInfo", &delay(1, 1)),
            r#""retryDelay":"1.000000001s""#,
        ),
        (
            any(
                "google.rpc.DebugInfo",
                &rpc::DebugInfo {
                    stack_entries: vec![text("a"), text("")],
                    detail: text("x"),
                },
            ),
            r#""stackEntries":["a",""],"detail":"x""#,
        ),
        (
            any(
                "google.rpc.QuotaFailure",
                &rpc::QuotaFailure {
                    violations: vec![quota, rpc::quota_failure::Violation::default()],
                },
            ),
            r#""violations":[{"subject":"s","quotaDimensions":{"k":"v"},"quotaValue":"-9007199254740993","futureQuotaValue":"0"},{}]"#,
        ),
        (
            any(
                "google.rpc.PreconditionFailure",
                &rpc::PreconditionFailure {
                    violations: vec![rpc::precondition_failure::Violation {
                        r#type: text("t"),
                        subject: text("s"),
                        description: text("d"),
                    }],
                },
            ),
            r#""violations":[{"type":"t","subject":"s","description":"d"}]"#,
        ),
        (
            any(
                "google.rpc.BadRequest",
                &rpc::BadRequest {
                    field_violations: vec![rpc::bad_request::FieldViolation {
                        field: text("f"),
                        description: text("d"),
                        reason: text("r"),
                        localized_message: Some(hello.clone()),
                    }],
                },
            ),
            r#""fieldViolations":[{"field":"f","description":"d","reason":"r","localizedMessage":{"locale":"de","message":"nein"}}]"#,
        ),
        (
            any(
                "google.rpc.RequestInfo",
                &rpc::RequestInfo {
                    request_id: text("1"),
                    serving_data: text("2"),
                },
            ),
            r#""requestId":"1","servingData":"2""#,
        ),
        (
            any(
                "google.rpc.ResourceInfo",
                &rpc::ResourceInfo {
                    resource_type: text("t"),
                    resource_name: text("n"),
                    owner: text("o"),
                    description: text("d"),
                },
            ),
            r#""resourceType":"t","resourceName":"n","owner":"o","description":"d""#,
        ),
        (
            any(
                "google.rpc.Help",
                &rpc::Help {
                    links: vec![rpc::help::Link {
                        description: text("d"),
                        url: text("u"),
                    }],
                },
            ),
            r#""links":[{"description":"d","url":"u"}]"#,
        ),
        (
            any("google.rpc.LocalizedMessage", &hello),
            r#""locale":"de","message":"nein""#,
        ),
    ];
    for (detail, members) in rows {
        let any = prost_types::Any::decode(detail.clone()).unwrap();
        let status = Status {
            details: vec![detail],
            ..Status::new(Code::Aborted, "m")
        };
        assert_eq!(
            status.json(),
            format!(
                r#"{{"code":10,"message":"m","details":[{{"@type":"{}",{members}}}]}}"#,
                any.type_url
            )
        );
    }
}
