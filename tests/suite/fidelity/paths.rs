//! Method paths and queries: decoded once, cleaned once, delivered so that
//! the app decodes the same path; queries untouched.

use super::{Stage, To, WAYS};
use crate::table::Table;

/// Sent path; what the app must decode it to.
const DELIVERED: &[(&str, &str)] = &[
    ("foo", "/foo"),
    ("a/b/c", "/a/b/c"),
    ("", "/"),
    ("/", "/"),
    ("a//b///c", "/a/b/c"),
    ("a/./b", "/a/b"),
    ("a/../b", "/b"),
    ("../../b", "/b"),
    ("a/b/", "/a/b"),
    ("a/b/..", "/a"),
    ("a%20b", "/a b"),
    ("a+b", "/a+b"),
    ("a%2Bb", "/a+b"),
    ("a%2Fb", "/a/b"),
    ("a%2fb", "/a/b"),
    ("admin%2F..%2Fpublic", "/public"),
    ("%2e%2e/b", "/b"),
    ("%22q%22", "/\"q\""),
    ("%2A", "/*"),
    ("%5C", "/\\"),
    ("a%7Cb", "/a|b"),
    ("a%3Cb%3E", "/a<b>"),
    ("%7Bid%7D", "/{id}"),
    ("t%C3%A9st", "/t\u{e9}st"),
    ("%E2%82%AC", "/\u{20ac}"),
    ("!$&'()*+,;=:@", "/!$&'()*+,;=:@"),
    ("[x]", "/[x]"),
    ("~user/a.b-c_d", "/~user/a.b-c_d"),
    ("public%23/../admin", "/admin"),
    ("v1.0/invoke/x/method/y", "/v1.0/invoke/x/method/y"),
    ("a%3Bb", "/a;b"),
];

#[test]
fn the_app_decodes_the_path_that_was_meant() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (sent, expected) in DELIVERED {
        for way in WAYS {
            table.row(&format!("{sent:?}, {way}"), || {
                stage.forget();
                way.request("GET", sent)
                    .send(stage.caller.http())
                    .expect(200, "ok");
                let seen = stage.app(way).take_one();
                assert!(seen.target.is_ascii(), "{:?}", seen.target);
                assert_eq!(
                    decode(&seen.target),
                    *expected,
                    "sent on as {:?}",
                    seen.target
                );
            });
        }
    }
}

#[test]
fn an_escaped_percent_stays_escaped() {
    let stage = Stage::new();
    for way in WAYS {
        stage.forget();
        way.request("GET", "a%252Fb")
            .send(stage.caller.http())
            .expect(200, "ok");
        assert_eq!(stage.app(way).take_one().target, "/a%2Fb", "{way}");
    }
}

#[test]
fn forbidden_characters_are_refused() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (sent, quoted) in [
        ("a%23b", "forbidden character: \"a#b\""),
        ("a%3Fb", r#"forbidden character: "a?b""#),
        ("a%00b", r#": "a\x00b""#),
        ("a%0Db", r#": "a\rb""#),
        ("a%0Ab", r#": "a\nb""#),
        ("a%1Fb", r#": "a\x1fb""#),
        ("a%7Fb", r#": "a\x7fb""#),
    ] {
        for way in WAYS {
            table.row(&format!("{sent:?}, {way}"), || {
                stage.forget();
                let answer = way.request("GET", sent).send(stage.caller.http());
                assert_eq!(answer.status, 500, "{answer:?}");
                let json = answer.json();
                assert_eq!(json["errorCode"], "ERR_DIRECT_INVOKE");
                let message = json["message"].as_str().unwrap();
                let start = format!(
                    "failed to invoke, id: {}, err: rpc error: code = InvalidArgument desc = invalid method: method contains ",
                    way.target()
                );
                assert!(message.starts_with(&start), "{message}");
                assert!(message.ends_with(quoted), "{message}");
                assert_eq!(stage.app(way).take().len(), 0);
            });
        }
    }
}

#[test]
fn a_lone_percent_is_no_path() {
    let stage = Stage::new();
    let mut table = Table::default();
    for sent in ["%25x", "a%25zz", "a%25"] {
        for way in WAYS {
            table.row(&format!("{sent:?}, {way}"), || {
                stage.forget();
                let answer = way.request("GET", sent).send(stage.caller.http());
                assert_eq!(answer.status, 500, "{answer:?}");
                assert!(answer.text().contains("invalid URL escape"), "{answer:?}");
                assert_eq!(stage.app(way).take().len(), 0);
            });
        }
    }
}

#[test]
fn a_path_that_is_not_text_cannot_travel() {
    let stage = Stage::new();
    for way in WAYS.into_iter().filter(|way| way.to == To::Other) {
        let answer = way.request("GET", "a%E9").send(stage.caller.http());
        answer.expect(500, &way.refusal("error sending message: rpc error: code = Internal desc = grpc: error while marshaling: string field contains invalid UTF-8"));
    }
}

#[test]
fn a_malformed_escape_is_a_bad_request() {
    let stage = Stage::new();
    let mut table = Table::default();
    for sent in ["a%zz", "a%2"] {
        for way in WAYS {
            table.row(&format!("{sent:?}, {way}"), || {
                stage.forget();
                let answer = way.request("GET", sent).send(stage.caller.http());
                assert_eq!(answer.status, 400, "{answer:?}");
                assert_eq!(stage.app(way).take().len(), 0);
            });
        }
    }
}

#[test]
fn query_bytes_are_kept() {
    let stage = Stage::new();
    let mut table = Table::default();
    for query in [
        "a=b&a=c",
        "x=%20+%2B%41%61",
        "%ff%00%0a",
        "=",
        "&&",
        "a;b",
        "a?b?c",
        "arr[]=1&arr[]=2",
        "j={a:1}",
        "p=a/b/../c//d",
        "u=%C3%A9",
        "pipe=|^`",
        "broken=%zz%",
        "stream",
        "http://x:1/y?z=%23",
    ] {
        for way in WAYS {
            table.row(&format!("{query:?}, {way}"), || {
                stage.forget();
                let request = way.request("GET", &format!("x?{query}"));
                request.send(stage.caller.http()).expect(200, "ok");
                assert_eq!(stage.app(way).take_one().target, format!("/x?{query}"));
            });
        }
    }
}

/// RFC 3986 has no place for these in a URL; clients must encode them.
#[test]
fn what_no_url_contains_is_a_bad_request() {
    let stage = Stage::new();
    let mut table = Table::default();
    for query in ["j=\"a\"", "a<b", "a>b"] {
        for way in WAYS {
            table.row(&format!("{query:?}, {way}"), || {
                stage.forget();
                let request = way.request("GET", &format!("x?{query}"));
                assert_eq!(request.send(stage.caller.http()).status, 400);
                assert_eq!(stage.app(way).take().len(), 0);
            });
        }
    }
}

#[test]
fn a_bare_question_mark_is_no_query() {
    let stage = Stage::new();
    for way in WAYS {
        stage.forget();
        way.request("GET", "x?")
            .send(stage.caller.http())
            .expect(200, "ok");
        assert_eq!(stage.app(way).take_one().target, "/x", "{way}");
    }
}

fn decode(target: &str) -> String {
    let bytes = target.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&target[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}
