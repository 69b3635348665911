//! Greets everybody who calls. Knows nothing of Dapr.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use futures_util::TryStreamExt;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::helloworld::greeter_server::{Greeter, GreeterServer};
use super::helloworld::{HelloReply, HelloRequest};

/// How many greetings `SayHelloStream` has for one name.
const GREETINGS: u32 = 3;

type Replies = BoxStream<'static, Result<HelloReply, Status>>;

struct Polite;

/// Ends when told to: calls that run are finished, and clients learn that
/// there will be no more.
pub(crate) fn run() -> io::Result<()> {
    let port = crate::number("APP_PORT", 50051);
    // Only the sidecar has to get here.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    super::runtime()?.block_on(async {
        // The first process of a container has to ask for SIGTERM, or it is ignored.
        let end = end(
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        println!("listening on port {port}");
        Server::builder()
            .serve_with_shutdown(address, GreeterServer::new(Polite), end)
            .await
            .map_err(io::Error::other)
    })
}

async fn end(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn greet(name: &str) -> HelloReply {
    println!("Received: {name}");
    HelloReply {
        message: format!("Hello {name}"),
    }
}

#[tonic::async_trait]
impl Greeter for Polite {
    type SayHelloStreamStream = Replies;
    type SayHellosStream = Replies;

    async fn say_hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloReply>, Status> {
        Ok(Response::new(greet(&request.get_ref().name)))
    }

    async fn say_hello_stream(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<Replies>, Status> {
        let name = request.into_inner().name;
        let replies = (1..=GREETINGS).map(move |number| Ok(greet(&format!("{name} {number}"))));
        Ok(Response::new(stream::iter(replies).boxed()))
    }

    async fn say_hellos(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let requests = request.into_inner();
        let replies = requests.map_ok(|request| greet(&request.name));
        Ok(Response::new(replies.boxed()))
    }
}
