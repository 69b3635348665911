//! Who may call, by list and by token, and whose token goes where.

use tests::{GrpcApp, GrpcClient, GrpcRequest, Mesh, Sidecar};

use super::super::{Stage, connect, kind};
use crate::table::Table;

/// `caller` may say hello, and everything of `testing.Open`.
const LIST: &str = "accessControl: {defaultAction: deny, policies: [{appId: caller, defaultAction: deny, trustDomain: public, namespace: default, operations: [{name: /helloworld.Greeter/SayHello, action: allow}, {name: /testing.Open/*, action: allow}]}]}";

fn denial(id: &str, operation: &str) -> String {
    format!("access control policy has denied access to id: {id} operation: {operation} verb: NONE")
}

/// Answers every method with its message.
fn greeter() -> GrpcApp {
    GrpcApp::new(|mut call| async move {
        let message = call.receive().await;
        call.send(message.map(|message| message.data).unwrap_or_default())
            .await;
        call.end(&tests::grpc_app::wire::GrpcStatus::ok());
    })
}

#[test]
fn the_list_of_the_callee_judges_the_method() {
    let stage = Stage::with(greeter(), |callee| callee.spec(LIST), |caller| caller);
    let stranger = stage.mesh.sidecar("stranger").run();
    let spiffe = |app: &str| format!("spiffe://public/ns/default/{app}");
    let mut table = Table::default();
    for (path, allowed) in [
        ("/helloworld.Greeter/SayHello", true),
        ("/testing.Open/Anything", true),
        ("/helloworld.Greeter/SayHelloStream", false),
        ("/helloworld.Greeter/sayhello", false),
        ("/helloworld.greeter/SayHello", false),
    ] {
        for (who, sidecar) in [("caller", &stage.caller), ("stranger", &stranger)] {
            table.row(&format!("{who}, {path}"), || {
                let request = GrpcRequest::new(path).to("callee");
                let spoofed = request.clone().metadata("dapr-caller-app-id", "caller");
                let answer = spoofed.send(sidecar.grpc(), &["x"]);
                if allowed && who == "caller" {
                    answer.expect_ok(&["x"]);
                    assert_eq!(stage.app.take_one().path, path);
                } else {
                    answer.expect(7, &denial(&spiffe(who), path));
                    assert_eq!(answer.end().details, "");
                    assert_eq!(stage.app.take().len(), 0, "the app saw it");
                }
            });
        }
    }
    // Who asks on the wire is who holds the certificate.
    table.row("a peer that calls itself caller", || {
        let svid = stage.mesh.ca().app("mallory");
        let peer = GrpcClient::tls(stage.callee.internal(), Some(&svid)).unwrap();
        let request = GrpcRequest::new("/helloworld.Greeter/SayHello")
            .to("callee")
            .metadata("dapr-caller-app-id", "caller");
        let answer = peer.call(&request, &["x"]).unwrap();
        let operation = "/helloworld.Greeter/SayHello";
        answer.expect(7, &denial(&spiffe("mallory"), operation));
        assert_eq!(stage.app.take().len(), 0, "the app saw it");
    });
    // The app's own calls to itself are its own affair.
    table.row("the own sidecar", || {
        let request = GrpcRequest::new("/helloworld.Greeter/Other").to("callee");
        request.send(stage.callee.grpc(), &["x"]).expect_ok(&["x"]);
    });
}

const TOKEN: &str = "s3cret";

/// V21: every method of the API asks, also those that are not its own.
#[test]
fn every_method_asks_for_the_api_token() {
    let stage = Stage::with(
        GrpcApp::kinds(),
        |callee| callee,
        |caller| caller.env("DAPR_API_TOKEN", TOKEN),
    );
    let client = stage.client();
    let mut table = Table::default();
    for (name, request) in [
        ("proxied", kind("Unary")),
        ("nobody's", GrpcRequest::new("/testing.Kinds/Unary")),
        (
            "InvokeService",
            GrpcRequest::new("/dapr.proto.runtime.v1.Dapr/InvokeService"),
        ),
        (
            "GetMetadata",
            GrpcRequest::new("/dapr.proto.runtime.v1.Dapr/GetMetadata"),
        ),
        (
            "SaveState",
            GrpcRequest::new("/dapr.proto.runtime.v1.Dapr/SaveState"),
        ),
        (
            "reflection",
            GrpcRequest::new("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
        ),
        (
            "older reflection",
            GrpcRequest::new("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
        ),
    ] {
        for (kind, token, reason) in [
            ("none", None, "missing api token in request metadata"),
            (
                "wrong",
                Some("wrong"),
                "authentication error: api token mismatch",
            ),
            (
                "longer",
                Some("s3cret!"),
                "authentication error: api token mismatch",
            ),
        ] {
            table.row(&format!("{name}, token: {kind}"), || {
                let request = token.into_iter().fold(request.clone(), |request, token| {
                    request.metadata("dapr-api-token", token)
                });
                let answer = client.call(&request, &[""]).unwrap();
                answer.expect(16, "Unauthorized");
                let info = answer.end().error_info();
                assert_eq!(info.domain, "dapr.io");
                assert_eq!(
                    info.metadata.get("http.error_message").map(String::as_str),
                    Some(reason),
                    "{info:?}"
                );
                assert_eq!(stage.app.take().len(), 0, "the app saw it");
            });
        }
    }
    table.row("the right one", || {
        let request = kind("Unary").metadata("dapr-api-token", TOKEN);
        client.call(&request, &["x"]).unwrap().expect_ok(&["x"]);
        let seen = stage.app.take_one();
        assert_eq!(seen.values("dapr-api-token"), [""; 0], "the token went on");
    });
    table.row("HTTP/1.1 on the same port is no way in", || {
        let mut http = tests::RawClient::connect(stage.caller.grpc());
        let answer = http.call(&tests::Request::get("/v1.0/metadata"));
        assert!(answer.is_err(), "{answer:?}");
    });
}

#[test]
fn the_app_token_goes_to_the_own_app_only() {
    let mut table = Table::default();
    for callee_token in [None, Some("callee-token")] {
        let mesh = Mesh::mtls();
        let app = GrpcApp::kinds();
        let builder = mesh.sidecar("callee").grpc_app(&app);
        let builder = callee_token.iter().fold(builder, |builder, token| {
            builder.env("APP_API_TOKEN", token)
        });
        let callee = builder.run();
        let caller = mesh
            .sidecar("caller")
            .env("APP_API_TOKEN", "caller-token")
            .run();
        for (way, sidecar) in [("another sidecar", &caller), ("the own sidecar", &callee)] {
            for sent in [None, Some("mine")] {
                table.row(&format!("{way}, {callee_token:?}, sent {sent:?}"), || {
                    let request = sent.into_iter().fold(kind("Unary"), |request, token| {
                        request.metadata("dapr-api-token", token)
                    });
                    request.send(sidecar.grpc(), &["x"]).expect_ok(&["x"]);
                    let expected: Vec<_> = callee_token.into_iter().collect();
                    assert_eq!(app.take_one().values("dapr-api-token"), expected);
                });
            }
        }
    }
}

/// Without mTLS nobody proves anything, and calls work all the same.
#[test]
fn plaintext_sidecars_forward_as_well() {
    let mesh = Mesh::plain();
    let app = GrpcApp::kinds();
    let callee = mesh.sidecar("callee").grpc_app(&app).run();
    let caller = mesh.sidecar("caller").run();
    for sidecar in [&caller, &callee] {
        let answer = kind("Bidi").send(sidecar.grpc(), &["a", "b"]);
        answer.expect_ok(&["a", "b"]);
        let seen = app.take_one();
        assert_eq!(seen.values("dapr-caller-app-id"), [sidecar.app_id()]);
    }
}

/// An old name that leads to another app must not send a call in circles.
#[test]
fn a_stale_name_is_refused_and_not_followed() {
    let mesh = Mesh::plain();
    let app = GrpcApp::kinds();
    let callee = mesh.sidecar("callee").grpc_app(&app).run();
    let caller = mesh.sidecar("caller").run();
    let address = format!("127.0.0.1:{}", callee.internal());
    crate::names::insert(&mesh.names().open(), "moved", &address, "");
    let ask = |sidecar: &Sidecar| {
        let client = connect(sidecar);
        let request = GrpcRequest::new("/testing.Kinds/Unary").to("moved");
        client.call(&request, &["x"]).unwrap()
    };
    for sidecar in [&caller, &callee] {
        let answer = ask(sidecar);
        assert_ne!(answer.code(), 0, "{answer:?}");
    }
    assert_eq!(app.take().len(), 0, "the wrong app was asked");
}
