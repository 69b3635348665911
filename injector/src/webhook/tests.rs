//! Against an API server made of one object: what is called in which order.

use std::convert::Infallible as Never;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use lifecycle::health::Health;
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::timeout;
use tower_service::Service;

use super::*;
use crate::pki::Root;

const PATIENCE: Duration = Duration::from_secs(20);

/// What the API server is, and what it was asked.
#[derive(Default)]
struct Api {
    object: Value,
    calls: Vec<&'static str>,
    /// Who answers a self-test.
    answers: Option<&'static str>,
    /// Status of refused self-tests.
    refusal: Option<u16>,
}

#[derive(Clone)]
struct Server(Arc<Mutex<Api>>, Arc<Notify>);

impl Server {
    fn new(entries: &[&str], answers: Option<&'static str>) -> Self {
        let webhooks: Vec<Value> = entries
            .iter()
            .map(|name| json!({"name": name, "clientConfig": {}}))
            .collect();
        let api = Api {
            object: json!({"webhooks": webhooks}),
            answers,
            ..Api::default()
        };
        Self(Arc::new(Mutex::new(api)), Arc::default())
    }

    fn held(&self) -> Vec<Option<TrustAnchors>> {
        let entries = configuration::entries(&self.0.lock().object);
        entries.into_iter().map(|entry| entry.held).collect()
    }

    fn called(&self, what: &str) -> usize {
        self.0
            .lock()
            .calls
            .iter()
            .filter(|call| **call == what)
            .count()
    }

    /// As a user would.
    fn change(&self, change: impl FnOnce(&mut Api)) {
        change(&mut self.0.lock());
        self.1.notify_one();
    }

    async fn answer(self, request: Request<kube::client::Body>) -> (u16, Option<Value>) {
        let (head, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let watch = head
            .uri
            .query()
            .is_some_and(|query| query.contains("watch=true"));
        let lease = head.uri.path().ends_with("/leases");
        if watch {
            // One event, then the end.
            self.1.notified().await;
            return (200, Some(json!({"type": "MODIFIED", "object": {}})));
        }
        let mut api = self.0.lock();
        match (head.method, lease) {
            (Method::GET, _) => (200, Some(api.object.clone())),
            (Method::PATCH, _) => {
                api.calls.push("patch");
                let patch: json_patch::Patch = serde_json::from_slice(&body).unwrap();
                json_patch::patch(&mut api.object, &patch).unwrap();
                (200, Some(api.object.clone()))
            }
            (_, true) => {
                api.calls.push("ask");
                let query = head.uri.query();
                assert_eq!(query, Some("dryRun=All"), "nothing may be kept");
                if let Some(code) = api.refusal {
                    let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": "no"});
                    return (code, Some(status));
                }
                let mut lease: Value = serde_json::from_slice(&body).unwrap();
                if let Some(instance) = api.answers {
                    lease["metadata"]["annotations"] = json!({self_test::ANSWER: instance});
                }
                (201, Some(lease))
            }
            _ => (404, None),
        }
    }
}

impl Service<Request<kube::client::Body>> for Server {
    type Response = Response<UnsyncBoxBody<Bytes, Never>>;
    type Error = Never;
    type Future = BoxFuture<'static, Result<Self::Response, Never>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Never>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let (status, body) = server.answer(request).await;
            let body = body.map(|body| format!("{body}\n")).unwrap_or_default();
            let mut response = Response::new(Full::from(body).boxed_unsync());
            *response.status_mut() = status.try_into().unwrap();
            Ok(response)
        })
    }
}

struct Running {
    identity: Identity,
    anchors: watch::Sender<TrustAnchors>,
    serving: Serving,
    health: Health,
    _task: lifecycle::task::AbortOnDrop,
}

fn keep(server: &Server, root: &Root) -> Running {
    let identity = Identity::new(root.svid());
    let (anchors, receiver) = watch::channel(root.anchors());
    let serving = Serving::new(identity.clone());
    let health = Health::default();
    let keeper = Keeper {
        client: Client::new(server.clone(), "default"),
        namespace: "dapr-system".to_owned(),
        instance: "me".to_owned(),
        identity: identity.clone(),
        anchors: receiver,
        serving: serving.clone(),
        health: health.target("webhook-configuration"),
    };
    Running {
        identity,
        anchors,
        serving,
        health,
        _task: lifecycle::spawn("keeper", keeper.run()).abort_on_drop(),
    }
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let poll = async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(PATIENCE, poll).await.is_ok(), "never: {what}");
}

fn hold(server: &Server, wanted: &TrustAnchors) -> bool {
    let held = server.held();
    held.iter()
        .all(|held| held.as_ref().is_some_and(|held| bundle::same(held, wanted)))
}

#[tokio::test]
async fn ready_once_the_api_server_calls_us() {
    let server = Server::new(&["a", "b", self_test::ENTRY], None);
    let root = Root::new("root");
    let running = keep(&server, &root);
    eventually("asked", || server.called("ask") > 1).await;
    assert!(!running.health.is_ready());
    assert!(hold(&server, &root.anchors()));
    // Somebody else's answer is not ours.
    server.change(|api| api.answers = Some("other"));
    let asked = server.called("ask");
    eventually("asked again", || server.called("ask") > asked + 1).await;
    assert!(!running.health.is_ready());
    server.change(|api| api.answers = Some("me"));
    eventually("ready", || running.health.is_ready()).await;
    assert_eq!(server.called("patch"), 1);
}

#[tokio::test]
async fn a_lost_bundle_is_restored() {
    let server = Server::new(&["a", self_test::ENTRY], Some("me"));
    let root = Root::new("root");
    let running = keep(&server, &root);
    eventually("ready", || running.health.is_ready()).await;
    for bundle in [Value::Null, json!("Cg==")] {
        server.change(|api| api.object["webhooks"][0]["clientConfig"]["caBundle"] = bundle);
        eventually("restored", || hold(&server, &root.anchors())).await;
    }
    // Without the configuration nobody is called.
    let configuration = server.0.lock().object.take();
    server.change(|_| {});
    eventually("unready", || !running.health.is_ready()).await;
    server.change(|api| api.object = configuration);
    eventually("ready again", || running.health.is_ready()).await;
}

#[tokio::test]
async fn a_new_root_is_published_before_its_certificate_is_shown() {
    let server = Server::new(&["a", self_test::ENTRY], Some("me"));
    let (old, new) = (Root::new("old"), Root::new("new"));
    let running = keep(&server, &old);
    eventually("ready", || running.health.is_ready()).await;
    running.identity.replace(new.svid());
    running.anchors.send_replace(new.anchors());
    let both = new.anchors().union(&old.anchors());
    let svid = running.identity.svid();
    eventually("both published", || {
        let published = hold(&server, &both);
        assert!(published || !running.serving.approves(&svid));
        published
    })
    .await;
    eventually("shown", || running.serving.approves(&svid)).await;
    assert!(hold(&server, &both));
    assert!(running.health.is_ready());
}

#[tokio::test]
async fn a_configuration_of_another_chart_is_enough() {
    let server = Server::new(&["sidecar-injector.dapr.io"], None);
    let running = keep(&server, &Root::new("root"));
    eventually("ready", || running.health.is_ready()).await;
    assert_eq!(server.called("ask"), 0);
    let server = Server::new(&["a", self_test::ENTRY], None);
    server.change(|api| api.refusal = Some(403));
    let running = keep(&server, &Root::new("root"));
    eventually("ready without the right to ask", || {
        running.health.is_ready()
    })
    .await;
}
