//! The gRPC side: an app that answers any rpc, and calls that are passed on
//! to it by their metadata.

use std::sync::Arc;
use std::thread;
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};
use tests::grpc_app::wire::GrpcStatus;
use tests::grpc_app::{Listen, kinds};
use tests::{GrpcAnswer, GrpcApp, GrpcCall, GrpcClient, GrpcRequest};

use crate::call::{PACE, PATIENCE, lines};
use crate::load::Line;
use crate::serve::{self, Collector, WORK};

/// The rpc that says who answers; beside it there are those of the harness.
const WHO: &str = "/testing.Pods/Who";

struct App {
    pod: String,
    collector: Collector,
}

/// Answers until told to end, then as servers of gRPC do: GOAWAY, no new
/// connections, an answer to what is there, and gone.
pub(crate) fn serve() {
    let signals = serve::ask_for_the_end();
    let app = Arc::new(App {
        pod: serve::pod(),
        collector: serve::collector(),
    });
    let listen = Listen {
        port: Some(crate::port("APP_PORT", 8080)),
        forgets: true,
        ..Listen::default()
    };
    let server = GrpcApp::listening(listen, move |call| app.clone().answer(call));
    let _ = signals.wait();
    server.drain();
}

impl App {
    async fn answer(self: Arc<Self>, mut call: GrpcCall) {
        if call.path() != WHO {
            return kinds(call).await;
        }
        let id = call.header("x-id").unwrap_or_default().to_owned();
        let messages = call.receive_all().await;
        tokio::time::sleep(WORK).await;
        if let Err(error) = self.clone().report(id.clone()).await {
            return call.end(&GrpcStatus::error(13, &error));
        }
        call.head(&[("x-pod", &self.pod), ("x-id", &id)]);
        for message in messages {
            call.send(message.data).await;
        }
        call.end(&GrpcStatus::ok());
    }

    /// Beside the one thread that all calls share.
    async fn report(self: Arc<Self>, id: String) -> Result<(), String> {
        let reported = tokio::task::spawn_blocking(move || match &self.collector {
            Some(collector) => collector.lock().report(&id),
            None => Ok(()),
        });
        let reported = reported.await.expect("it does not panic");
        reported.map_err(|error| format!("collector: {error}"))
    }
}

/// Prints how a call went.
pub(crate) fn call(target: &str) {
    let shown = match ask(target, "call") {
        Ok(answer) => shown(&answer),
        Err(error) => json!({ "error": error }),
    };
    println!("{shown}");
}

/// Calls until one ends with this code; prints when that call began.
pub(crate) fn until(code: u32, target: &str) {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let begun = SystemTime::now();
        let answer = ask(target, "until").ok();
        if answer.and_then(|answer| Some(answer.status?.code)) == Some(code) {
            let at = begun.duration_since(SystemTime::UNIX_EPOCH);
            let at = at.expect("after 1970").as_millis() as u64;
            println!("{}", json!({ "at_ms": at }));
            return;
        }
        thread::sleep(PACE);
    }
    println!("{}", json!({ "error": format!("never {code}") }));
}

fn ask(target: &str, id: &str) -> Result<GrpcAnswer, String> {
    Grpc::connect()?.ask(target, id)
}

fn shown(answer: &GrpcAnswer) -> Value {
    let headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        })
        .collect();
    let status = answer.status.as_ref();
    json!({
        "code": status.map(|status| status.code),
        "message": status.map(|status| &status.message),
        "headers": lines(&headers),
        "messages": answer.texts(),
    })
}

/// One connection to the sidecar's gRPC API.
pub(crate) struct Grpc(GrpcClient);

impl Grpc {
    fn ask(&self, target: &str, id: &str) -> Result<GrpcAnswer, String> {
        let request = GrpcRequest::new(WHO).to(target).metadata("x-id", id);
        let answer = self.0.call(&request, &[id]);
        answer.map_err(|broken| broken.to_string())
    }
}

impl Line for Grpc {
    fn connect() -> Result<Self, String> {
        let port = crate::port("DAPR_GRPC_PORT", 50001);
        Ok(Self(GrpcClient::connect(port)?))
    }

    fn call(&mut self, target: &str, _: u64, id: &str) -> Result<String, String> {
        let answer = self.ask(target, id)?;
        let is_ok = answer.status.as_ref().is_some_and(|end| end.code == 0);
        if !is_ok || answer.texts() != [id] || answer.header("x-id") != Some(id) {
            return Err(format!("{answer:?}"));
        }
        Ok(answer.header("x-pod").unwrap_or_default().to_owned())
    }
}
