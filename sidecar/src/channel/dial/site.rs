//! Where the app is: one address, or a name with the addresses behind it.
//!
//! A name is looked up again and again, because the addresses behind it may
//! change, but only once for all connections that are made at the same time:
//! each look-up takes a thread.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpStream, lookup_host},
    sync::Mutex,
};

/// How long an answer is good for: a burst of connections.
const FRESH: Duration = Duration::from_secs(1);
/// Time for an address that says nothing before the next one is tried, as in
/// Go.
const FALLBACK: Duration = Duration::from_millis(300);

/// Host and port of the app; shared by all workers.
#[derive(Debug)]
pub(in crate::channel) enum Site {
    Address(SocketAddr),
    Name {
        host: String,
        port: u16,
        /// Locked while somebody asks.
        answer: Mutex<Option<Answer>>,
    },
}

/// The addresses behind a name.
#[derive(Debug, Clone)]
pub(in crate::channel) struct Answer {
    addresses: Arc<[SocketAddr]>,
    since: Instant,
}

impl Site {
    pub(in crate::channel) fn new(host: &str, port: u16) -> Self {
        match host.parse::<IpAddr>() {
            Ok(address) => Self::Address(SocketAddr::new(address, port)),
            Err(_) => Self::Name {
                host: host.to_owned(),
                port,
                answer: Mutex::default(),
            },
        }
    }

    /// A connection to the first address that has one.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        match self {
            Self::Address(address) => TcpStream::connect(address).await,
            Self::Name { host, port, answer } => {
                let ask = async || Ok(lookup_host((host.as_str(), *port)).await?.collect());
                let addresses = addresses(answer, ask).await?;
                let connected = first(&addresses).await;
                if connected.is_err() {
                    // Who is there is best asked again.
                    answer.lock().await.take();
                }
                connected
            }
        }
    }
}

/// The known addresses while they are fresh, else those of a look-up.
async fn addresses(
    answer: &Mutex<Option<Answer>>,
    ask: impl AsyncFnOnce() -> io::Result<Vec<SocketAddr>>,
) -> io::Result<Arc<[SocketAddr]>> {
    let mut answer = answer.lock().await;
    if let Some(known) = &*answer
        && known.since.elapsed() < FRESH
    {
        return Ok(Arc::clone(&known.addresses));
    }
    let addresses: Arc<[SocketAddr]> = ask().await?.into();
    *answer = Some(Answer {
        addresses: Arc::clone(&addresses),
        since: Instant::now(),
    });
    Ok(addresses)
}

async fn first(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let Some((last, others)) = addresses.split_last() else {
        return Err(io::Error::other("no such host"));
    };
    for address in others {
        if let Ok(Ok(socket)) = tokio::time::timeout(FALLBACK, TcpStream::connect(address)).await {
            return Ok(socket);
        }
    }
    TcpStream::connect(last).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;

    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 9))
    }

    #[tokio::test]
    async fn one_look_up_serves_all_who_come_at_once() {
        let (answer, asked) = (Mutex::default(), AtomicUsize::new(0));
        let get = || {
            addresses(&answer, async || {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(vec![address(1)])
            })
        };
        let (one, other) = tokio::join!(get(), get());
        assert_eq!(*one.unwrap(), [address(1)]);
        assert_eq!(*other.unwrap(), [address(1)]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_name_that_changes_is_followed() {
        let old = Answer {
            addresses: [address(1)].into(),
            since: Instant::now().checked_sub(FRESH).unwrap(),
        };
        let answer = Mutex::new(Some(old));
        let failing = addresses(&answer, async || Err(io::Error::other("no DNS"))).await;
        assert_eq!(failing.unwrap_err().to_string(), "no DNS");
        let moved = addresses(&answer, async || Ok(vec![address(2)])).await;
        assert_eq!(*moved.unwrap(), [address(2)]);
    }

    #[tokio::test]
    async fn addresses_without_an_app_are_passed_over() {
        let app = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = app.local_addr().unwrap();
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let socket = first(&[nobody, there]).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), there);
        let refused = first(&[nobody]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(first(&[]).await.unwrap_err().to_string(), "no such host");
    }

    #[tokio::test]
    async fn a_refused_name_is_asked_for_again() {
        let site = Site::new("localhost", 1);
        assert!(site.connect().await.is_err());
        let Site::Name { answer, .. } = &site else {
            panic!("a name");
        };
        assert!(answer.lock().await.is_none());
        assert!(matches!(Site::new("::1", 1), Site::Address(_)));
    }
}
