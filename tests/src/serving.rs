//! A server of the harness: one task that accepts, one per connection, and
//! all of them end with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::peer::runtime::{runtime, settle};
use crate::wait::{eventually, holds};

/// A running server.
#[derive(Debug)]
pub(crate) struct Serving {
    port: u16,
    connections: Arc<AtomicUsize>,
    draining: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// What tells a connection to end in good order.
#[derive(Clone)]
pub(crate) struct Draining(watch::Receiver<bool>);

// === impl Serving ===

impl Serving {
    /// Listens there as soon as the port is free and calls `connection` with
    /// each one and its number, counted from 0.
    pub(crate) fn start<F>(
        address: SocketAddr,
        connection: impl Fn(TcpStream, usize, Draining) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = eventually("the app's port can be bound", || {
            runtime().block_on(async { bind(address) }).ok()
        });
        let port = listener.local_addr().expect("it is bound").port();
        let (draining, told) = watch::channel(false);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let accepting = runtime().spawn(accept(listener, Draining(told), move |stream, told| {
            connection(stream, count.fetch_add(1, Ordering::SeqCst), told)
        }));
        Self {
            port,
            connections,
            draining,
            accepting,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Stops listening, tells the connections, and waits for their end.
    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
        holds("the app has drained", || self.accepting.is_finished());
    }

    /// Stops listening and cuts every connection.
    pub(crate) fn stop(&self) {
        self.accepting.abort();
        // The task ends, then those of its connections.
        settle();
        holds("the app has stopped", || self.accepting.is_finished());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
        settle();
    }
}

// === impl Draining ===

impl Draining {
    /// Completes when the drain starts.
    pub(crate) async fn started(&mut self) {
        if self.0.wait_for(|&draining| draining).await.is_err() {
            // The server was dropped: its connections are cut.
            std::future::pending::<()>().await;
        }
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    const BACKLOG: u32 = 1024;
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept<F>(
    listener: TcpListener,
    mut draining: Draining,
    connection: impl Fn(TcpStream, Draining) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    // Connections end with the server: the set aborts them when dropped.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = draining.started() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            return;
        };
        let _ = stream.set_nodelay(true);
        connections.spawn_on(connection(stream, draining.clone()), runtime());
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
