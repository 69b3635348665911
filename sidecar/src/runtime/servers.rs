//! Serving on the bound sockets.

use std::{convert::Infallible, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use hyper::service::service_fn;
use lifecycle::{
    drain::{Drain, Watch},
    health::Target,
    linger::Lingering,
    serve::{self, HttpLimits, Listener},
    workers::Workers,
};
use rustls::ServerConfig;
use security::{Identity, MalformedIdentity};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info};

use super::listeners;
use crate::{
    channel::Channel,
    config::{Config, Mode},
    grpc,
    http::{self, Api, Front},
    internal::{Caller, Internal, Leaving},
    invoke::Invoker,
    me::Me,
    message::Limits,
    metrics,
    policies::Live,
    reflection::Reflection,
    wire::{Gathered, Wire},
};

/// Calls peers may have open on one connection; real sidecars share one for
/// up to 2,048 and queue on this number.
const STREAMS: u32 = 4096;
/// Header list of HTTP/2 requests at least.
const LEAST_HEADER_LIST: u32 = 64 * 1024;
/// HTTP/1 read buffer: bounds the head we look at, and reads large bodies in
/// few steps.
const READ_BUFFER: usize = 64 * 1024;
/// Frames from peers: one piece of a bulk body in one frame.
const INTERNAL_FRAME: u32 = 128 * 1024;
/// Frames from clients: the smallest value HTTP/2 allows is plenty.
const API_FRAME: u32 = 16 * 1024;

/// One drain per stage of the end.
#[derive(Debug, Default)]
pub(super) struct Drains {
    /// The pod is being ended: peers are told to go elsewhere.
    pub(super) leaving: Arc<Drain>,
    pub(super) api: Drain,
    pub(super) internal: Drain,
    pub(super) side: Drain,
}

/// Readiness still to be reported.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) outbound: Target,
    pub(super) runtime: Target,
    /// Files to remove at the end.
    pub(super) sockets: Vec<PathBuf>,
}

/// Everything the servers share.
pub(super) struct Servers {
    pub(super) api: Arc<Api>,
    /// One per worker.
    pub(super) invokers: Vec<(Arc<Invoker>, Option<Arc<Channel>>)>,
    pub(super) identity: Option<Identity>,
    pub(super) me: Arc<Me>,
    pub(super) limits: Limits,
    pub(super) policies: Arc<Live>,
    pub(super) workers: Arc<Workers>,
}

impl Servers {
    /// Starts all servers; from here on they answer.
    pub(super) fn start(
        self,
        listeners: super::Listeners,
        drains: &Drains,
        config: &Config,
    ) -> Result<Ready, super::RuntimeError> {
        let health = &self.api.health;
        let outbound = self.api.outbound.target("outbound");
        let parts = [
            "metrics-exporter",
            "grpc-api-server",
            "grpc-internal-server",
        ]
        .map(|name| health.target(name));
        let runtime = health.target("runtime");
        let internal_address = listeners.internal.local_addr()?;
        if let Some(listener) = listeners.metrics {
            side(listener, drains.side.watch(), |_| {
                std::future::ready(Ok(metrics::serve()))
            });
        }
        if let Some(listener) = listeners.public {
            let api = Arc::clone(&self.api);
            side(listener, drains.side.watch(), move |request| {
                http::public(Arc::clone(&api), request)
            });
        }
        let listen = &config.listen;
        let mut sockets = Vec::new();
        match listeners.grpc {
            listeners::Api::Tcp(bound) => {
                for listener in bound {
                    self.grpc_api(listener, drains.api.watch());
                }
                info!(target: super::SCOPE, "API gRPC server is running on port {}", listen.grpc_port);
            }
            listeners::Api::Unix(listener, path) => {
                self.grpc_api(listener, drains.api.watch());
                sockets.push(path);
                info!(target: super::SCOPE, "API gRPC server is running on a Unix Domain Socket");
            }
        }
        match listeners.http {
            listeners::Api::Tcp(bound) => {
                for listener in bound {
                    let address = listener.local_addr()?;
                    info!(target: super::SCOPE, "HTTP server listening on TCP address: {address}");
                    self.http_api(listener, drains.api.watch());
                }
                info!(target: super::SCOPE, "HTTP server is running on port {}", listen.http_port);
            }
            listeners::Api::Unix(listener, path) => {
                self.http_api(listener, drains.api.watch());
                sockets.push(path);
                info!(target: super::SCOPE, "HTTP server is running on a Unix Domain Socket");
            }
        }
        let host = &listen.internal_host;
        info!(target: super::SCOPE, "Internal gRPC server is running on {host}:{}", internal_address.port());
        self.internal(
            listeners.internal,
            drains.internal.watch(),
            Leaving::new(drains.leaving.watch(), config.mode == Mode::Kubernetes),
        );
        for part in parts {
            part.ready();
        }
        Ok(Ready {
            outbound,
            runtime,
            sockets,
        })
    }

    fn http_api<L: Listener>(&self, listener: L, drain: Watch) {
        let fronts: Arc<[Arc<Front>]> = self
            .invokers
            .iter()
            .map(|(invoker, _)| {
                Arc::new(Front {
                    api: Arc::clone(&self.api),
                    invoker: Arc::clone(invoker),
                })
            })
            .collect();
        let builder = Arc::new(api_limits(self.api.header_limit).builder());
        let watch = drain.clone();
        accept(listener, &self.workers, drain, move |worker, socket| {
            let front = fronts.get(worker).cloned();
            let (builder, watch) = (Arc::clone(&builder), watch.clone());
            async move {
                if let Some(front) = front {
                    let (socket, linger) = Lingering::new(socket);
                    let service = service_fn(move |request| {
                        Front::serve(Arc::clone(&front), request, linger.clone())
                    });
                    serve::connection(socket, &builder, service, watch).await;
                }
            }
        });
    }

    fn grpc_api<L: Listener>(&self, listener: L, drain: Watch) {
        let reflection = Reflection::api();
        let fronts: Arc<[Arc<grpc::Front>]> = self
            .invokers
            .iter()
            .map(|(invoker, _)| {
                Arc::new(grpc::Front {
                    api: Arc::clone(&self.api),
                    invoker: Arc::clone(invoker),
                    reflection: reflection.clone(),
                    message_limit: self.limits.body,
                })
            })
            .collect();
        let builder = Arc::new(grpc_builder(&api_limits(self.api.header_limit)));
        let watch = drain.clone();
        accept(listener, &self.workers, drain, move |worker, socket| {
            let front = fronts.get(worker).cloned();
            let (builder, watch) = (Arc::clone(&builder), watch.clone());
            async move {
                if let Some(front) = front {
                    let service =
                        service_fn(move |request| grpc::Front::serve(Arc::clone(&front), request));
                    let wire = Wire::over(socket);
                    let flusher = wire.flusher();
                    let serving = serve::connection(wire, &builder, service, watch);
                    Gathered::new(flusher, serving).await;
                }
            }
        });
    }

    fn internal(&self, listener: TcpListener, drain: Watch, leaving: Leaving) {
        let limits = HttpLimits {
            frame_bytes: INTERNAL_FRAME,
            ..api_limits(self.api.header_limit)
        };
        let builder = Arc::new(grpc_builder(&limits));
        let reflection = Reflection::internal();
        let channels: Arc<[Option<Arc<Channel>>]> = self
            .invokers
            .iter()
            .map(|(_, channel)| channel.clone())
            .collect();
        let tls = self.identity.as_ref().map(Identity::server_config);
        let (me, limits) = (Arc::clone(&self.me), self.limits);
        let policies = Arc::clone(&self.policies);
        let watch = drain.clone();
        accept(listener, &self.workers, drain, move |worker, socket| {
            let internal = Internal {
                channel: channels.get(worker).cloned().flatten(),
                me: Arc::clone(&me),
                peer: Caller::Unproven,
                limits,
                policies: Arc::clone(&policies),
                leaving: leaving.clone(),
                reflection: reflection.clone(),
            };
            let (builder, tls, watch) = (Arc::clone(&builder), tls.clone(), watch.clone());
            let mut leaving = leaving.clone();
            async move {
                let Some((wire, internal)) = secured(socket, tls, internal).await else {
                    return;
                };
                let internal = Arc::new(internal);
                let service =
                    service_fn(move |request| Internal::serve(Arc::clone(&internal), request));
                let flusher = wire.flusher();
                // Who comes after that knows no other replica yet.
                let told = leaving.is_started();
                let leave = async move {
                    if told {
                        std::future::pending::<()>().await;
                    } else {
                        leaving.started().await;
                    }
                };
                let serving = serve::connection_until(wire, &builder, service, watch, leave);
                Gathered::new(flusher, serving).await;
            }
        });
    }
}

/// The TLS handshake, where there is TLS; afterwards the peer is known.
async fn secured(
    socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    mut internal: Internal,
) -> Option<(Wire, Internal)> {
    let Some(tls) = tls else {
        return Some((Wire::plain(socket), internal));
    };
    let address = socket.peer_addr().ok();
    match security::accept(socket, &TlsAcceptor::from(tls)).await {
        Ok(stream) => {
            internal.peer = match security::verified_peer(stream.get_ref().1) {
                Ok(Some(app)) => Caller::App(Arc::new(app)),
                // Not after a handshake; nobody is believed then.
                Ok(None) => Caller::NoApp(MalformedIdentity(String::new())),
                Err(malformed) => Caller::NoApp(malformed),
            };
            Some((Wire::tls(stream.into()), internal))
        }
        Err(error) => {
            debug!(target: "dapr.runtime.internal", ?address, %error, "peer refused");
            None
        }
    }
}

fn api_limits(header_limit: usize) -> HttpLimits {
    HttpLimits {
        header_bytes: READ_BUFFER.max(header_limit + 8192),
        header_list_bytes: u32::try_from(header_limit)
            .unwrap_or(u32::MAX)
            .max(LEAST_HEADER_LIST),
        streams: STREAMS,
        frame_bytes: API_FRAME,
        ping_after: Some(Duration::from_secs(10)),
    }
}

/// gRPC answers carry no date of the sidecar's.
fn grpc_builder(limits: &HttpLimits) -> serve::Builder {
    let mut builder = limits.builder().http2_only();
    builder.http2().auto_date_header(false);
    builder
}

/// Accepts on the first worker: the control thread may be busy with files.
fn accept<L, H, F>(listener: L, workers: &Arc<Workers>, drain: Watch, handler: H)
where
    L: Listener,
    H: Fn(usize, L::Stream) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let accepting = serve::accept_on_workers(listener, Arc::clone(workers), drain, handler);
    if let Some(task) = workers.spawn_on(0, "accept", accepting) {
        task.detach();
    }
}

/// Servers beside the data path, on the control thread.
fn side<S, F>(listener: TcpListener, drain: Watch, answer: S)
where
    S: Fn(hyper::Request<hyper::body::Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<hyper::Response<crate::message::Body>, Infallible>> + Send + 'static,
{
    let builder = Arc::new(api_limits(READ_BUFFER).builder());
    let watch = drain.clone();
    let handler = move |socket| {
        let (answer, builder, watch) = (answer.clone(), Arc::clone(&builder), watch.clone());
        async move {
            serve::connection(socket, &builder, service_fn(answer), watch).await;
        }
    };
    lifecycle::spawn("accept", serve::accept_here(listener, drain, handler)).detach();
}
