//! Asks an app for greetings, by its name. All that makes the call go through
//! Dapr is whose port it is, and who is meant.

use std::io;
use std::time::Duration;

use futures_util::stream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

use super::helloworld::greeter_client::GreeterClient;
use super::helloworld::{HelloReply, HelloRequest};
use crate::call::repeat;

/// How long a greeting may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// One greeting, or several with pauses between.
pub(crate) fn run(target: &str, name: &str, times: u64) -> io::Result<()> {
    let target = app_id(target)?;
    let runtime = super::runtime()?;
    let mut greeter = runtime.block_on(async { greeter() })?;
    repeat(times, |_| {
        let mut request = to(&target, hello(name));
        request.set_timeout(DEADLINE);
        let reply = runtime
            .block_on(greeter.say_hello(request))
            .map_err(failed)?;
        Ok(greeting(reply.get_ref()))
    })
}

/// Several greetings for the first name, then one for each name.
pub(crate) fn stream(target: &str, names: &[&str]) -> io::Result<()> {
    let target = app_id(target)?;
    let names: Vec<_> = names.iter().map(|name| hello(name)).collect();
    super::runtime()?.block_on(async {
        let mut greeter = greeter()?;
        if let Some(first) = names.first() {
            let request = long(to(&target, first.clone()));
            let replies = greeter.say_hello_stream(request).await.map_err(failed)?;
            print_all(replies.into_inner()).await.map_err(failed)?;
        }
        let request = long(to(&target, stream::iter(names)));
        let replies = greeter.say_hellos(request).await.map_err(failed)?;
        print_all(replies.into_inner()).await.map_err(failed)
    })
}

/// Connects with the first call.
fn greeter() -> io::Result<GreeterClient<Channel>> {
    let port = crate::number("DAPR_GRPC_PORT", 50001);
    let sidecar =
        Endpoint::from_shared(format!("http://localhost:{port}")).map_err(io::Error::other)?;
    Ok(GreeterClient::new(sidecar.connect_lazy()))
}

fn app_id(target: &str) -> io::Result<MetadataValue<Ascii>> {
    target
        .parse()
        .map_err(|_| io::Error::other(format!("not an app id: {target}")))
}

/// For the app of this name.
fn to<T>(target: &MetadataValue<Ascii>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("dapr-app-id", target.clone());
    request
}

/// The sidecar's timeouts and retries end where the stream has begun.
fn long<T>(mut request: Request<T>) -> Request<T> {
    let yes = MetadataValue::from_static("true");
    request.metadata_mut().insert("dapr-stream", yes);
    request
}

fn hello(name: &str) -> HelloRequest {
    HelloRequest {
        name: name.to_owned(),
    }
}

async fn print_all(mut replies: Streaming<HelloReply>) -> Result<(), Status> {
    while let Some(reply) = replies.message().await? {
        println!("{}", greeting(&reply));
    }
    Ok(())
}

fn greeting(reply: &HelloReply) -> String {
    format!("Greeting: {}", reply.message)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(status: Status) -> io::Error {
    io::Error::other(format!("{:?}: {}", status.code(), status.message()))
}
