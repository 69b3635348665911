//! The service of echo.proto, called through the sidecar: `dapr-app-id` names
//! the app, the crate's interceptor adds the token.

use std::error::Error;

use dapr::client::{ApiTokenInterceptor, ClientOptions};
use sdk_rust::echo::Message;
use sdk_rust::echo::echo_client::EchoClient;
use sdk_rust::report::{Held, Report, failure, same};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{StreamExt, iter};
use tonic::codec::CompressionEncoding;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

const TEXTS: [&str; 4] = ["a", "b", "ü", ""];

type Proxied = EchoClient<InterceptedService<Channel, Headers>>;

#[derive(Clone)]
struct Headers {
    token: ApiTokenInterceptor,
    app: MetadataValue<Ascii>,
    /// Policies of the sidecar end where the stream begins.
    stream: bool,
}

impl Interceptor for Headers {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let mut request = self.token.call(request)?;
        let metadata = request.metadata_mut();
        metadata.insert("dapr-app-id", self.app.clone());
        if self.stream {
            metadata.insert("dapr-stream", MetadataValue::from_static("true"));
        }
        Ok(request)
    }
}

async fn connect(app: &str, stream: bool) -> Result<Proxied, Box<dyn Error>> {
    let options = ClientOptions::from_env()?;
    let channel = Endpoint::from_shared(options.address().to_owned())?
        .connect()
        .await?;
    let headers = Headers {
        token: ApiTokenInterceptor::new(options.api_token().map(str::to_owned)),
        app: app.parse()?,
        stream,
    };
    Ok(EchoClient::with_interceptor(channel, headers))
}

pub(crate) async fn to_grpc(report: &mut Report, app: &str) -> Held {
    let mut plain = connect(app, false).await?;
    let mut stream = connect(app, true).await?;
    report
        .check("proxy-unary/grpc-grpc", unary(&mut plain))
        .await;
    report
        .check("proxy-gzip/grpc-grpc", gzip(plain.clone()))
        .await;
    report
        .check("proxy-error/grpc-grpc", error(&mut plain))
        .await;
    report
        .check("proxy-server-stream/grpc-grpc", async {
            server_stream(&mut plain).await?;
            server_stream(&mut stream).await
        })
        .await;
    report
        .check("proxy-client-stream/grpc-grpc", async {
            client_stream(&mut plain).await?;
            client_stream(&mut stream).await
        })
        .await;
    report
        .check("proxy-bidi/grpc-grpc", async {
            bidi(&mut plain).await?;
            bidi(&mut stream).await
        })
        .await;
    Ok(())
}

pub(crate) async fn to_nobody(report: &mut Report, app: &str) -> Held {
    let mut client = connect(app, false).await?;
    let called = async {
        let status = failure(client.unary(text("hello")).await)?;
        same("code", Code::Unknown, status.code())
    };
    report.check("unknown-app/proxy-grpc", called).await;
    Ok(())
}

async fn unary(client: &mut Proxied) -> Held {
    let answer = client.unary(text("hello")).await?.into_inner();
    same("answer", text("hello"), answer)
}

async fn gzip(client: Proxied) -> Held {
    let mut client = client
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let sent = text(&"hello ".repeat(1000));
    let answer = client.unary(sent.clone()).await?.into_inner();
    same("answer", sent, answer)
}

async fn error(client: &mut Proxied) -> Held {
    let status = failure(client.unary(text("fail")).await)?;
    same("code", Code::FailedPrecondition, status.code())?;
    same("message", "asked to fail", status.message())?;
    let info = status.get_details_error_info().ok_or("no ErrorInfo")?;
    same("reason", "ASKED_TO_FAIL", &info.reason)
}

async fn server_stream(client: &mut Proxied) -> Held {
    let request = Message {
        text: "number".into(),
        count: 3,
    };
    let mut answers = client.server_stream(request).await?.into_inner();
    let mut texts = Vec::new();
    while let Some(answer) = answers.next().await {
        texts.push(answer?.text);
    }
    let expected = ["number 0", "number 1", "number 2"].map(str::to_owned);
    same("answers", expected.to_vec(), texts)
}

async fn client_stream(client: &mut Proxied) -> Held {
    let answer = client
        .client_stream(iter(TEXTS.map(text)))
        .await?
        .into_inner();
    same("answer", text("a,b,ü,"), answer)
}

/// One at a time: each answer has to come before the next request goes.
async fn bidi(client: &mut Proxied) -> Held {
    let (sender, receiver) = mpsc::channel(1);
    // Headers come with the first answer, so the first request cannot wait for them.
    let [first, others @ ..] = TEXTS;
    sender.send(text(first)).await?;
    let mut answers = client
        .bidi(ReceiverStream::new(receiver))
        .await?
        .into_inner();
    same("answer", Some(text(first)), answers.message().await?)?;
    for other in others {
        sender.send(text(other)).await?;
        same("answer", Some(text(other)), answers.message().await?)?;
    }
    drop(sender);
    same("end", None, answers.message().await?)
}

fn text(text: &str) -> Message {
    Message {
        text: text.into(),
        count: 0,
    }
}
