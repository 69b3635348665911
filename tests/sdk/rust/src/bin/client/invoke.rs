//! `InvokeService`: by the crate's client where that suffices, by the generated
//! one below it where metadata, verb or content type matter.

use std::env;
use std::error::Error;

use dapr::Client;
use dapr::client::{ApiTokenInterceptor, ClientOptions, InvokeServiceRequest, TonicClientWithAuth};
use prost::Message as _;
use prost_types::Any;
use sdk_rust::common::http_extension::Verb;
use sdk_rust::common::{HttpExtension, InvokeRequest, InvokeResponse};
use sdk_rust::echo::Message;
use sdk_rust::report::{Held, Report, contains, failure, same};
use sdk_rust::runtime::dapr_client::DaprClient;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

const TYPE: &str = "application/vnd.testing+json";
const VERBS: [Verb; 6] = [
    Verb::Get,
    Verb::Post,
    Verb::Put,
    Verb::Patch,
    Verb::Delete,
    Verb::Options,
];

/// The generated client, with the token the crate's own would send.
pub(crate) async fn generated(
    options: &ClientOptions,
) -> Result<TonicClientWithAuth, Box<dyn Error>> {
    let token = ApiTokenInterceptor::new(options.api_token().map(str::to_owned));
    let channel = Endpoint::from_shared(options.address().to_owned())?
        .connect()
        .await?;
    Ok(DaprClient::with_interceptor(channel, token))
}

/// Calls one app.
struct Caller {
    client: Client<TonicClientWithAuth>,
    generated: TonicClientWithAuth,
    app: String,
    is_http: bool,
}

/// What the server can be asked for.
pub(crate) enum Kind {
    Http,
    Grpc,
}

pub(crate) async fn calls(report: &mut Report, app: String, kind: Kind) -> Held {
    let mut caller = Caller {
        client: Client::new().await?,
        generated: generated(&ClientOptions::from_env()?).await?,
        app,
        is_http: matches!(kind, Kind::Http),
    };
    caller.all(report).await;
    match kind {
        Kind::Http => caller.http_only(report).await,
        Kind::Grpc => caller.grpc_only(report).await,
    }
    Ok(())
}

pub(crate) async fn to_nobody(report: &mut Report, app: &str) -> Held {
    let mut client = Client::new().await?;
    let called = async {
        let error = failure(client.invoke_service(app, "echo", None).await)?.to_string();
        contains("error", "Internal", &error)?;
        contains(
            "error",
            &format!("failed to invoke, id: {app}, err: "),
            &error,
        )
    };
    report.check("unknown-app/grpc-grpc", called).await;
    Ok(())
}

impl Caller {
    async fn all(&mut self, report: &mut Report) {
        let way = if self.is_http {
            "grpc-http"
        } else {
            "grpc-grpc"
        };
        let named = |behaviour| format!("{behaviour}/{way}");
        report
            .check(&named("invoke-body"), self.echoes("tea for two ☕".into()))
            .await;
        report
            .check(&named("invoke-empty"), self.echoes(Vec::new()))
            .await;
        report
            .check(&named("binary"), self.echoes((0..=255).collect()))
            .await;
        report.check(&named("large"), self.echoes(large())).await;
        report.check(&named("any"), self.any()).await;
        report.check(&named("headers"), self.headers()).await;
        report
            .check(&named("content-type"), self.content_type())
            .await;
        report.check(&named("error"), self.error()).await;
        report
            .check(&named("unknown-method"), self.unknown_method())
            .await;
    }

    async fn http_only(&mut self, report: &mut Report) {
        report.check("verbs/grpc-http", self.verbs()).await;
        report.check("query/grpc-http", self.query()).await;
        report.check("no-verb/grpc-http", self.no_verb()).await;
    }

    async fn grpc_only(&mut self, report: &mut Report) {
        if env::var_os("DAPR_API_TOKEN").is_some() {
            report.check("token/grpc-grpc", self.wrong_token()).await;
        }
    }

    async fn echoes(&mut self, body: Vec<u8>) -> Held {
        let data = Any {
            type_url: String::new(),
            value: body.clone(),
        };
        // An app that is called with nothing need not answer with something.
        let came = self.send(data).await?.data.unwrap_or_default();
        same("answer", body, came.value)
    }

    /// A message with its type: gRPC apps get the type, HTTP apps a content type.
    async fn any(&mut self) -> Held {
        let message = Message {
            text: "packed".into(),
            count: 7,
        };
        let sent = Any {
            type_url: "type.googleapis.com/testing.Message".into(),
            value: message.encode_to_vec(),
        };
        let answer = self.send(sent.clone()).await?;
        let came = answer.data.unwrap_or_default();
        if self.is_http {
            same("message", sent.value, came.value)?;
            return same(
                "content type",
                "application/x-protobuf",
                &answer.content_type,
            );
        }
        same("answer", sent, came)
    }

    async fn headers(&mut self) -> Held {
        let mut request = Request::new(self.request(InvokeRequest {
            method: "echo".into(),
            ..self.post()
        }));
        request.metadata_mut().insert("x-in", "a value".parse()?);
        let answer = self.generated.invoke_service(request).await?;
        let said = |name| {
            answer
                .metadata()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        same("x-echo", Some("a value"), said("x-echo"))?;
        let own = self.client.get_metadata().await?.id;
        same("x-caller", Some(own.as_str()), said("x-caller"))?;
        let status = self.is_http.then_some("200");
        same("dapr-http-status", status, said("dapr-http-status"))
    }

    async fn content_type(&mut self) -> Held {
        let request = InvokeRequest {
            method: "echo".into(),
            content_type: TYPE.into(),
            ..self.post()
        };
        let answer = self.call(request).await?.into_inner();
        same("content type", TYPE, answer.content_type.as_str())
    }

    async fn error(&mut self) -> Held {
        let status = self.fails("fail").await?;
        if !self.is_http {
            same("code", Code::NotFound, status.code())?;
            same("message", "no luck", status.message())?;
            // The crate's own error shows no more than its text.
            let error = failure(self.client.invoke_service(&self.app, "fail", None).await)?;
            return contains("error of the client", "no luck", &error.to_string());
        }
        same("code", Code::Unavailable, status.code())?;
        same("message", "Service Unavailable", status.message())?;
        let info = status.get_details_error_info().ok_or("no ErrorInfo")?;
        same("domain", "dapr.io", &info.domain)?;
        let said = |name| {
            info.metadata
                .get(name)
                .map(String::as_str)
                .unwrap_or_default()
        };
        same("http.code", "503", said("http.code"))?;
        contains("http.error_message", "MY_CODE", said("http.error_message"))
    }

    async fn unknown_method(&mut self) -> Held {
        let status = self.fails("absent").await?;
        let expected = if self.is_http {
            Code::NotFound
        } else {
            Code::Unimplemented
        };
        same("code", expected, status.code())
    }

    async fn verbs(&mut self) -> Held {
        for verb in VERBS {
            let expected = format!("{} a=1", verb.as_str_name());
            same("answer", expected, self.verb(verb, "a=1").await?)?;
        }
        Ok(())
    }

    async fn query(&mut self) -> Held {
        let query = "a=1&b=x%20y%2B%C3%BC";
        same(
            "answer",
            format!("GET {query}"),
            self.verb(Verb::Get, query).await?,
        )
    }

    /// The crate's client says no verb, which HTTP apps need.
    async fn no_verb(&mut self) -> Held {
        let error = failure(self.client.invoke_service(&self.app, "echo", None).await)?;
        contains("error", "missing HTTP extension field", &error.to_string())
    }

    async fn wrong_token(&mut self) -> Held {
        let options = ClientOptions::from_env()?.with_api_token("wrong");
        let mut client = Client::from_options(options).await?;
        let error = failure(client.invoke_service(&self.app, "echo", None).await)?;
        contains("error", "Unauthenticated", &error.to_string())
    }

    /// By the crate's client where it can.
    async fn send(&mut self, data: Any) -> Result<InvokeResponse, Box<dyn Error>> {
        if !self.is_http {
            return Ok(self
                .client
                .invoke_service(&self.app, "echo", Some(data))
                .await?);
        }
        let request = InvokeRequest {
            method: "echo".into(),
            data: Some(data),
            ..self.post()
        };
        Ok(self.call(request).await?.into_inner())
    }

    async fn verb(&mut self, verb: Verb, query: &str) -> Result<String, Box<dyn Error>> {
        let extension = HttpExtension {
            verb: verb.into(),
            querystring: query.into(),
        };
        let request = InvokeRequest {
            method: "verb".into(),
            http_extension: Some(extension),
            ..InvokeRequest::default()
        };
        let answer = self.call(request).await?.into_inner();
        Ok(String::from_utf8(answer.data.unwrap_or_default().value)?)
    }

    async fn fails(&mut self, method: &str) -> Result<Status, Box<dyn Error>> {
        let request = InvokeRequest {
            method: method.into(),
            ..self.post()
        };
        failure(self.call(request).await)
    }

    async fn call(&mut self, request: InvokeRequest) -> Result<Response<InvokeResponse>, Status> {
        let request = self.request(request);
        self.generated.invoke_service(request).await
    }

    fn request(&self, message: InvokeRequest) -> InvokeServiceRequest {
        InvokeServiceRequest {
            id: self.app.clone(),
            message: Some(message),
        }
    }

    /// A request of HTTP apps has a verb.
    fn post(&self) -> InvokeRequest {
        InvokeRequest {
            http_extension: self.is_http.then(|| HttpExtension {
                verb: Verb::Post.into(),
                querystring: String::new(),
            }),
            ..InvokeRequest::default()
        }
    }
}

fn large() -> Vec<u8> {
    (0..=255).cycle().take(1 << 20).collect()
}
