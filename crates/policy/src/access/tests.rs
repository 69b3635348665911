//! Every row of the documented tables.

use super::*;

fn operation(name: &str, verbs: &[&str], action: &str) -> Operation {
    Operation {
        name: name.to_owned(),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        action: action.to_owned(),
    }
}

fn app1(default: &str, operations: Vec<Operation>) -> AppPolicy {
    AppPolicy {
        app_id: "app1".to_owned(),
        default_action: default.to_owned(),
        trust_domain: "public".to_owned(),
        namespace: "ns1".to_owned(),
        operations,
    }
}

fn spec(global: &str, policies: Vec<AppPolicy>) -> Spec {
    Spec {
        default_action: global.to_owned(),
        trust_domain: "public".to_owned(),
        policies: Some(policies),
    }
}

fn list(spec: &Spec, is_http: bool) -> AccessList {
    AccessList::parse(spec, is_http).unwrap().list.unwrap()
}

fn caller<'a>(trust_domain: &'a str, namespace: &'a str, app_id: &'a str) -> Caller<'a> {
    Caller {
        trust_domain,
        namespace,
        app_id,
    }
}

const APP1: Option<Caller<'_>> = Some(Caller {
    trust_domain: "public",
    namespace: "ns1",
    app_id: "app1",
});

fn allow(scope: Scope) -> Decision {
    Decision {
        is_allowed: true,
        scope,
    }
}

fn deny(scope: Scope) -> Decision {
    Decision {
        is_allowed: false,
        scope,
    }
}

/// Which of the rules a path finds, counted from 0.
fn found(rules: &[&str], path: &str) -> Option<usize> {
    let mut tree = Tree::default();
    for (index, rule) in rules.iter().enumerate() {
        let rule_of = tree::Rule {
            index,
            is_allowed: true,
            verbs: Box::default(),
        };
        tree.insert(rule, rule_of);
    }
    tree.search(path).map(|rule| rule.index)
}

#[test]
fn rules_are_found_by_prefix_order_and_wildcards() {
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, Option<usize>)]);
    let op7: &[&str] = &["/op7/a/b/*", "/op7/a/b/c/f", "/op7/a/b*", "/op7/c/**"];
    let rows: &[Row<'_>] = &[
        (
            &["/public"],
            &[
                ("/public", Some(0)),
                ("/public/extra", Some(0)),
                ("/publicx", None),
                ("/", None),
            ],
        ),
        (&["/a", "/a/b"], &[("/a/b", Some(0)), ("/a/b/c", Some(0))]),
        (&["/a/b", "/a"], &[("/a/b", Some(1)), ("/a/b/c", Some(1))]),
        (&["/*"], &[("/", Some(0)), ("/a", Some(0)), ("/a/b", None)]),
        (
            &["/**"],
            &[("/", Some(0)), ("/a", Some(0)), ("/a/b/c", Some(0))],
        ),
        (
            &["/a/*"],
            &[("/a", Some(0)), ("/a/b", Some(0)), ("/a/b/c", None)],
        ),
        (
            &["/a/**"],
            &[("/a", Some(0)), ("/a/b", Some(0)), ("/a/b/c", Some(0))],
        ),
        (&["/a/*/c"], &[("/a/b/c", None)]),
        (
            &["/a/**/c"],
            &[("/a/b/c", Some(0)), ("/a/b/d/c", None), ("/a/c", None)],
        ),
        (&["/a*", "/ab"], &[("/ab", Some(0)), ("/ab/c", Some(0))]),
        (&["/ab", "/a*"], &[("/ab", Some(0)), ("/ac/x", Some(1))]),
        (&["/a/*", "/a/b"], &[("/a/b", Some(0)), ("/a/b/d", Some(1))]),
        (&["/x/c/f", "/x/*"], &[("/x/c", None)]),
        (
            op7,
            &[
                ("/op7/a/b/c", Some(0)),
                ("/op7/a/b/c/d", None),
                ("/op7/a/b/c/f", Some(1)),
                ("/op7/a/bc", Some(2)),
                ("/op7/a/bc/d", Some(2)),
                ("/op7/c/d/e", Some(3)),
            ],
        ),
        (&["/*/x", "/q"], &[("/q", None)]),
        (&["/pkg.Svc/*"], &[("/pkg.Svc/M", Some(0))]),
        (&["/pkg.Svc/Get*"], &[("/pkg.Svc/GetX", Some(0))]),
        (&["/a/"], &[("/a", None)]),
        (&["/op3/a/*"], &[("/op3/b/b", None)]),
        (&["/a", "/a"], &[("/a", Some(0))]),
        // A request segment that is literally `*`.
        (&["/a/*/c"], &[("/a/*/c", Some(0))]),
    ];
    for (rules, requests) in rows {
        for (request, rule) in *requests {
            assert_eq!(found(rules, request), *rule, "{rules:?} {request}");
        }
    }
}

#[test]
fn truth_table_of_callers_and_defaults() {
    let nothing = Spec::default();
    assert!(AccessList::parse(&nothing, true).unwrap().list.is_none());
    let unconfigured = list(&spec("allow", Vec::new()), true);
    assert!(unconfigured.allows_everything());
    for caller in [APP1, None] {
        let decision = unconfigured.decide(caller, "op", Some("POST"));
        assert_eq!(decision, allow(Scope::Global));
    }
    for is_http in [true, false] {
        let denying = list(&spec("allow", vec![app1("deny", Vec::new())]), is_http);
        assert!(!denying.allows_everything());
        let other = Some(caller("public", "ns1", "appX"));
        assert_eq!(denying.decide(other, "op", None), allow(Scope::Global));
        let allowing = spec(
            "deny",
            vec![app1("allow", vec![operation("/op", &["*"], "allow")])],
        );
        let allowing = list(&allowing, is_http);
        for stranger in [
            Some(caller("public", "ns2", "app1")),
            Some(caller("private", "ns1", "app1")),
            Some(caller("public", "ns1", "APP1")),
            None,
        ] {
            let decision = allowing.decide(stranger, "op", Some("POST"));
            assert_eq!(decision, deny(Scope::Global), "{stranger:?}");
        }
    }
}

#[test]
fn truth_table_of_http_apps() {
    use Scope::{App, Global};
    type Row<'a> = (
        &'a str,
        &'a str,
        Operation,
        Option<&'a str>,
        &'a str,
        Decision,
    );
    let rows: &[Row<'_>] = &[
        (
            "deny",
            "deny",
            operation("/op", &["POST", "GET"], "allow"),
            Some("POST"),
            "op",
            allow(App),
        ),
        (
            "deny",
            "deny",
            operation("/op", &["POST", "GET"], "allow"),
            Some("PUT"),
            "op",
            deny(App),
        ),
        (
            "deny",
            "deny",
            operation("/op", &["POST"], "allow"),
            Some("POST"),
            "OP/x",
            allow(App),
        ),
        (
            "deny",
            "deny",
            operation("/OP", &["POST"], "allow"),
            Some("POST"),
            "op",
            allow(App),
        ),
        (
            "allow",
            "deny",
            operation("/op", &["*"], "deny"),
            Some("GET"),
            "op",
            deny(App),
        ),
        (
            "deny",
            "deny",
            operation("/op", &[], "allow"),
            Some("GET"),
            "op",
            deny(App),
        ),
        (
            "",
            "allow",
            operation("/op", &["POST"], "deny"),
            Some("PUT"),
            "op",
            allow(Global),
        ),
        (
            "",
            "deny",
            operation("op", &["POST"], "allow"),
            Some("POST"),
            "/op",
            allow(Global),
        ),
        (
            "",
            "allow",
            operation("/op", &["*"], "allow"),
            None,
            "op",
            deny(Global),
        ),
        (
            "allow",
            "deny",
            operation("/op", &["*"], "deny"),
            None,
            "op",
            allow(App),
        ),
        (
            "deny",
            "deny",
            operation("/op", &["post"], "allow"),
            Some("POST"),
            "op",
            deny(App),
        ),
        (
            "deny",
            "deny",
            operation("/public", &["*"], "allow"),
            Some("GET"),
            "public",
            allow(App),
        ),
        (
            "deny",
            "deny",
            operation("/op", &["*"], ""),
            Some("GET"),
            "op",
            deny(App),
        ),
        (
            "Allow",
            "deny",
            operation("/op", &["*"], "ALLOW"),
            Some("GET"),
            "op",
            allow(App),
        ),
        (
            "allowed",
            "allow",
            operation("/x", &["*"], "allow"),
            Some("GET"),
            "op",
            deny(App),
        ),
    ];
    for (default, global, rule, verb, request, expected) in rows {
        let list = list(&spec(global, vec![app1(default, vec![rule.clone()])]), true);
        let decision = list.decide(APP1, request, *verb);
        assert_eq!(decision, *expected, "{default} {global} {rule:?} {request}");
    }
}

#[test]
fn truth_table_of_grpc_apps() {
    let hello = "/helloworld.Greeter/SayHello";
    for (rule, request, expected) in [
        (operation("/op", &[], "allow"), "op", allow(Scope::App)),
        (operation("/op", &["GET"], "allow"), "op", allow(Scope::App)),
        (operation("/op", &[], "allow"), "OP", deny(Scope::App)),
        (operation(hello, &[], "allow"), hello, allow(Scope::App)),
        (
            operation("/public", &[], "allow"),
            "public",
            allow(Scope::App),
        ),
        (
            operation("/public", &[], "allow"),
            "admin%2F..%2Fpublic",
            deny(Scope::App),
        ),
    ] {
        let list = list(&spec("deny", vec![app1("deny", vec![rule.clone()])]), false);
        assert_eq!(
            list.decide(APP1, request, None),
            expected,
            "{rule:?} {request}"
        );
    }
}

#[test]
fn a_missing_default_action_depends_on_the_list_of_policies() {
    let of = |policies| Spec {
        policies,
        ..spec("", Vec::new())
    };
    for (policies, is_allowed) in [
        (None, false),
        (Some(vec![]), true),
        (Some(vec![app1("allow", Vec::new())]), false),
    ] {
        let parsed = AccessList::parse(&of(policies.clone()), true).unwrap();
        let decision = parsed.list.unwrap().decide(None, "op", None);
        assert_eq!(decision.is_allowed, is_allowed, "{policies:?}");
        assert_eq!(
            parsed.warnings.contains(&Warning::NoDefaultAction),
            !is_allowed
        );
    }
    assert!(!list(&spec("allowed", Vec::new()), true).allows_others);
    assert!(list(&spec("ALLOW", Vec::new()), true).allows_others);
}

#[test]
fn policies_say_whom_they_are_about() {
    let policy = |app_id: &str, trust_domain: &str, namespace: &str| AppPolicy {
        app_id: app_id.to_owned(),
        trust_domain: trust_domain.to_owned(),
        namespace: namespace.to_owned(),
        ..AppPolicy::default()
    };
    let invalid = spec(
        "deny",
        vec![
            policy("a", "", "x"),
            policy("b", "", "x"),
            policy("c", "public", ""),
            policy("ok", "public", "x"),
        ],
    );
    assert_eq!(
        AccessList::parse(&invalid, true).unwrap_err().to_string(),
        "invalid access control spec. missing trustdomain for apps: [a b], missing namespace for apps: [c], missing app name on at least one of the app policies: false"
    );
    let nameless = spec("deny", vec![policy("", "public", "x")]);
    assert_eq!(
        AccessList::parse(&nameless, true).unwrap_err().to_string(),
        "invalid access control spec. missing trustdomain for apps: [], missing namespace for apps: [], missing app name on at least one of the app policies: true"
    );
}

#[test]
fn one_app_id_in_two_namespaces_and_twice_in_one() {
    let mut elsewhere = app1("allow", Vec::new());
    elsewhere.namespace = "ns2".to_owned();
    let both = spec("deny", vec![app1("deny", Vec::new()), elsewhere]);
    let both = list(&both, true);
    assert_eq!(both.decide(APP1, "op", None), deny(Scope::App));
    let other = Some(caller("public", "ns2", "app1"));
    assert_eq!(both.decide(other, "op", None), allow(Scope::App));
    let twice = spec(
        "deny",
        vec![app1("deny", Vec::new()), app1("allow", Vec::new())],
    );
    assert_eq!(
        list(&twice, true).decide(APP1, "op", None),
        allow(Scope::App)
    );
}

#[test]
fn what_cannot_be_meant_is_remarked() {
    let operations = vec![
        operation("/a", &["*"], "allow"),
        operation("/a/b", &["*"], "allow"),
        operation("/c/*/d", &["GET"], "deny"),
        operation("/e", &[], "allow"),
        operation("/f", &["post"], "alow"),
        operation("/g/", &["*"], "allow"),
        operation("/h/*", &["*"], "allow"),
        operation("/h/b", &["*"], "deny"),
        operation("/h/**", &["*"], "allow"),
    ];
    let parsed = AccessList::parse(&spec("deny", vec![app1("never", operations)]), true).unwrap();
    let lines: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    let place = "access control: policy of app app1 in ns1: ";
    assert_eq!(
        lines,
        [
            "action \"never\" is neither allow nor deny and denies",
            "operation \"/a/b\" is never reached: \"/a\" comes first",
            "operation \"/c/*/d\" never matches: '*' fits the last segment of a path only; use '**'",
            "operation \"/e\" has no httpVerb and never matches calls of an HTTP app; use ['*']",
            "operation \"/f\" action \"alow\" is neither allow nor deny and denies",
            "operation \"/f\" names verb \"post\", which is not in upper case and never matches",
            "operation \"/g/\" never matches: it ends with a slash",
        ]
        .map(|line| format!("{place}{line}"))
    );
}

#[test]
fn denials_have_the_known_text() {
    let denial = Denial {
        id: "spiffe://public/ns/ns1/app1",
        operation: "Orders/7",
        verb: "POST",
    };
    assert_eq!(
        denial.to_string(),
        "access control policy has denied access to id: spiffe://public/ns/ns1/app1 operation: Orders/7 verb: POST"
    );
    let nameless = Denial { id: "", ..denial };
    assert!(nameless.to_string().contains("access to id:  operation: "));
}

#[test]
fn escapes_that_are_left_are_seen() {
    for (path, further) in [
        ("a/b", false),
        ("100%", false),
        ("a%zz", false),
        ("admin%stream", false),
        ("a%2Fb", true),
        ("a%2", false),
        ("%41", true),
    ] {
        assert_eq!(decodes_further(path), further, "{path}");
    }
}
