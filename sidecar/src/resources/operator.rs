//! What the operator holds for this sidecar: fetched at start, followed
//! afterwards. Events only say that something changed; the state is listed
//! again each time, so an event lost in a reconnection loses nothing.
//! Mirrors Dapr 1.18 pkg/operator/client and pkg/runtime/hotreload.

use std::time::Duration;

use api::operator::v1::{
    ConfigurationUpdateRequest, GetConfigurationRequest, ListResiliencyRequest,
    ResiliencyUpdateRequest, operator_client::OperatorClient,
};
use security::channel::{Channel, Connector, Session};
use serde_json::Value;
use tokio::{sync::Notify, time};
use tonic::{Code, Response, Status, Streaming};
use tracing::{debug, info, warn};

use super::changes::{Kind, changes, reduced};

const SCOPE: &str = "dapr.runtime.operator.client";
/// Time for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pauses between connections that fail: from, to.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Where the operator is and what is asked of it.
#[derive(Debug)]
pub(crate) struct Operator {
    connector: Connector,
    origin: http::Uri,
    namespace: String,
    /// Name of our Configuration.
    configuration: Option<String>,
}

/// All resources at one moment, without what changes by itself
/// (`metadata` apart from the name).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// Our Configuration.
    pub(crate) configuration: Option<Value>,
    /// All of our namespace, in the operator's order.
    pub(crate) resiliencies: Vec<Value>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    /// The address cannot be part of a URL.
    #[error("invalid value for 'control-plane-address' option: {0}")]
    Address(http::Error),
    /// The operator refused.
    #[error("error loading configuration: rpc error: code = {} desc = {}", go_name(.0), .0.message())]
    Configuration(Status),
    /// The operator answered with nothing.
    #[error("error loading configuration: configuration {0} not found")]
    NotFound(String),
    /// The operator refused, or an answer did not come in time.
    #[error("error listing resources: rpc error: code = {} desc = {}", go_name(.0), .0.message())]
    List(Status),
    /// An object is no JSON.
    #[error("the operator sent a damaged {kind}: {reason}")]
    Damaged { kind: &'static str, reason: String },
}

impl OperatorError {
    /// Whether another try may help.
    fn is_passing(&self) -> bool {
        match self {
            Self::Configuration(status) | Self::List(status) => matches!(
                status.code(),
                Code::Unavailable
                    | Code::ResourceExhausted
                    | Code::DeadlineExceeded
                    | Code::Cancelled
            ),
            Self::Address(_) | Self::NotFound(_) | Self::Damaged { .. } => false,
        }
    }
}

impl Operator {
    /// `configuration` names our Configuration, if we have one.
    pub(crate) fn new(
        connector: Connector,
        namespace: String,
        configuration: Option<String>,
    ) -> Result<Self, OperatorError> {
        Ok(Self {
            origin: connector.origin().map_err(OperatorError::Address)?,
            connector,
            namespace,
            configuration,
        })
    }

    /// Everything, waiting for an operator that cannot be reached.
    pub(crate) async fn fetch(&self) -> Result<Snapshot, OperatorError> {
        let mut pause = PAUSE.0;
        loop {
            let Session {
                channel,
                connection,
            } = self.connector.connect().await;
            let list = self.list(channel);
            let outcome = tokio::select! {
                // The answer first: a server may close right behind it.
                biased;
                outcome = list => outcome,
                () = connection => Err(OperatorError::List(Status::unavailable("connection closed"))),
            };
            match outcome {
                Err(error) if error.is_passing() => {
                    warn!(target: SCOPE, "the operator does not answer, trying again: {error}");
                }
                settled => return settled,
            }
            time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Tells `changed` about every new state, for ever. `last` is the state in
    /// force; `interval` is the longest time without a comparison.
    pub(crate) async fn follow(
        self,
        mut last: Snapshot,
        interval: Duration,
        mut changed: impl FnMut(&Snapshot) + Send,
    ) {
        for kind in self.kinds() {
            info!(target: "dapr.runtime.hotreload", "Starting to watch {kind} updates for SIGHUP reload");
        }
        let mut pause = PAUSE.0;
        loop {
            let Session {
                channel,
                connection,
            } = self.connector.connect().await;
            let news = Notify::new();
            let reason = tokio::select! {
                status = self.configuration_events(channel.clone(), &news) => status.to_string(),
                status = self.resiliency_events(channel.clone(), &news) => status.to_string(),
                () = connection => "connection closed".to_owned(),
                error = self.compare(channel, &news, interval, &mut last, &mut changed, &mut pause) => error.to_string(),
            };
            debug!(target: SCOPE, reason, "lost the operator, connecting again");
            time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> {
        let configuration = self.configuration.is_some().then_some(Kind::Configuration);
        configuration.into_iter().chain([Kind::Resiliency])
    }

    /// Lists at once and after each of the news; ends with the first failure.
    async fn compare(
        &self,
        channel: Channel,
        news: &Notify,
        interval: Duration,
        last: &mut Snapshot,
        changed: &mut (impl FnMut(&Snapshot) + Send),
        pause: &mut Duration,
    ) -> OperatorError {
        let mut told: Option<String> = None;
        loop {
            match self.list(channel.clone()).await {
                Ok(snapshot) => {
                    *pause = PAUSE.0;
                    told = None;
                    if snapshot != *last {
                        for line in changes(last, &snapshot) {
                            info!(target: "dapr.runtime.hotreload", "{line}");
                        }
                        changed(&snapshot);
                        *last = snapshot;
                    }
                }
                Err(error) if error.is_passing() => return error,
                // A Configuration that was deleted, say: what is in force stays.
                Err(error) => {
                    let text = error.to_string();
                    if told.as_ref() != Some(&text) {
                        tracing::error!(target: SCOPE, "cannot reload, keeping what is in force: {text}");
                        told = Some(text);
                    }
                }
            }
            // A silent stream says nothing about the other side; the
            // comparison after the interval does.
            let _ = time::timeout(jittered(interval), news.notified()).await;
        }
    }

    async fn list(&self, channel: Channel) -> Result<Snapshot, OperatorError> {
        let mut client = self.client(channel);
        let configuration = match &self.configuration {
            None => None,
            Some(name) => {
                let request = GetConfigurationRequest {
                    name: name.clone(),
                    namespace: self.namespace.clone(),
                };
                let answer = in_time(client.get_configuration(request))
                    .await
                    .map_err(OperatorError::Configuration)?;
                if answer.configuration.is_empty() {
                    return Err(OperatorError::NotFound(name.clone()));
                }
                Some(parse("Configuration", &answer.configuration)?)
            }
        };
        let request = ListResiliencyRequest {
            namespace: self.namespace.clone(),
        };
        let answer = in_time(client.list_resiliency(request))
            .await
            .map_err(OperatorError::List)?;
        let resiliencies = answer
            .resiliencies
            .iter()
            .map(|json| parse("Resiliency", json))
            .collect::<Result<_, _>>()?;
        Ok(Snapshot {
            configuration,
            resiliencies,
        })
    }

    async fn configuration_events(&self, channel: Channel, news: &Notify) -> Status {
        if self.configuration.is_none() {
            return std::future::pending().await;
        }
        let mut client = self.client(channel);
        let request = ConfigurationUpdateRequest {
            namespace: self.namespace.clone(),
        };
        events(client.configuration_update(request), news).await
    }

    async fn resiliency_events(&self, channel: Channel, news: &Notify) -> Status {
        let mut client = self.client(channel);
        let request = ResiliencyUpdateRequest {
            namespace: self.namespace.clone(),
        };
        events(client.resiliency_update(request), news).await
    }

    fn client(&self, channel: Channel) -> OperatorClient<Channel> {
        OperatorClient::with_origin(channel, self.origin.clone())
    }
}

/// Passes the news of one stream on until it ends. Some operators send nothing
/// at all, not even headers, before the first event.
async fn events<T>(
    open: impl Future<Output = Result<Response<Streaming<T>>, Status>>,
    news: &Notify,
) -> Status {
    let mut stream = match open.await {
        Ok(response) => response.into_inner(),
        Err(status) if status.code() == Code::Unimplemented => {
            warn!(target: SCOPE, "the operator does not offer updates: {}", status.message());
            return std::future::pending().await;
        }
        Err(status) => return status,
    };
    loop {
        match stream.message().await {
            Ok(Some(_)) => news.notify_one(),
            Ok(None) => return Status::unavailable("stream ended"),
            Err(status) => return status,
        }
    }
}

async fn in_time<T>(
    answer: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    match time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map(Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded("context deadline exceeded")),
    }
}

fn parse(kind: &'static str, json: &[u8]) -> Result<Value, OperatorError> {
    serde_json::from_slice(json)
        .map(reduced)
        .map_err(|error| OperatorError::Damaged {
            kind,
            reason: error.to_string(),
        })
}

/// Sidecars that lost the same operator do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + 0.5 * fastrand::f64())
}

fn go_name(status: &Status) -> &'static str {
    api::grpc::Code::from_wire(i64::from(i32::from(status.code()))).name()
}
