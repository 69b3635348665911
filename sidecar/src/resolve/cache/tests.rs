use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use serde_json::json;

use super::super::kubernetes::Kubernetes;
use super::super::local::Local;
use super::super::registry::Registry;
use super::super::settings::Settings;
use super::super::sqlite::Sqlite;
use super::super::tests::{address, eventually, me};
use super::super::{Me, registry};
use super::*;

const FAST: Pace = Pace {
    fresh: Duration::from_millis(20),
    retry: Duration::from_millis(20),
    forget: Duration::from_mins(1),
    lag: Duration::ZERO,
};

/// Renewed only when asked to.
const SLOW: Pace = Pace {
    fresh: Duration::from_hours(1),
    ..FAST
};

fn registry_names(directory: &Path, pace: Pace) -> Names {
    let registry = Registry::new(directory.to_owned());
    Names::with_pace(
        Resolver::Local(Local::of_registry(registry)),
        Some(address("127.0.0.9:9")),
        pace,
    )
}

fn register(directory: &Path, app_id: &str, host: &str) -> registry::Registration {
    let me = Me {
        address: host.to_owned(),
        ..me(app_id)
    };
    registry::Registration::start(directory, &me).unwrap()
}

#[tokio::test]
async fn answers_follow_the_resolver_in_the_background() {
    let directory = tempfile::tempdir().unwrap();
    let names = registry_names(directory.path(), FAST);
    let first = register(directory.path(), "cart", "127.0.0.1");
    assert_eq!(names.get("cart", "default"), None);
    let found = names.resolve("cart", "default").await.unwrap();
    assert_eq!(*found, [address("127.0.0.1:50002")]);
    assert_eq!(names.get("cart", "default"), Some(found));
    assert_eq!(names.get("cart", "other"), None);
    first.withdraw().await;
    let second = register(directory.path(), "cart", "127.0.0.2");
    eventually("the new address is known", || {
        let found = names.get("cart", "default");
        found.is_some_and(|found| *found == [address("127.0.0.2:50002")])
    })
    .await;
    second.withdraw().await;
    eventually("a withdrawn name is gone", || {
        names.get("cart", "default").is_none()
    })
    .await;
    assert!(names.entries.load().is_empty());
}

#[tokio::test]
async fn an_evicted_address_stays_away_until_it_is_listed_again() {
    let directory = tempfile::tempdir().unwrap();
    let names = registry_names(directory.path(), SLOW);
    let registration = register(directory.path(), "cart", "127.0.0.1");
    let found = names.resolve("cart", "default").await.unwrap();
    names.evict("cart", "default", address("127.0.0.8:1"));
    assert!(names.get("cart", "default").is_some());
    names.evict("cart", "default", found[0]);
    assert_eq!(names.get("cart", "default"), None);
    // Whoever asks meanwhile waits for the look-up that the eviction began.
    assert_eq!(names.resolve("cart", "default").await.unwrap(), found);
    assert_eq!(names.get("cart", "default"), Some(Arc::clone(&found)));
    registration.withdraw().await;
    names.evict("cart", "default", found[0]);
    let error = names.resolve("cart", "default").await.unwrap_err();
    assert_eq!(error.to_string(), "couldn't find service: cart");
}

#[tokio::test]
async fn our_own_address_is_never_a_peer() {
    let directory = tempfile::tempdir().unwrap();
    let own = address("127.0.0.1:50002");
    let registry = Registry::new(directory.path().to_owned());
    let names = Names::with_pace(
        Resolver::Local(Local::of_registry(registry)),
        Some(own),
        FAST,
    );
    let _registration = register(directory.path(), "cart", "127.0.0.1");
    let error = names.resolve("cart", "default").await.unwrap_err();
    assert_eq!(error, ResolveError::NoService("cart".to_owned()));
}

#[tokio::test]
async fn names_nobody_calls_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let pace = Pace {
        forget: Duration::from_millis(200),
        ..FAST
    };
    let names = registry_names(directory.path(), pace);
    let _registration = register(directory.path(), "cart", "127.0.0.1");
    names.resolve("cart", "default").await.unwrap();
    assert!(!names.entries.load().is_empty());
    eventually("the name is forgotten", || names.entries.load().is_empty()).await;
    assert!(names.resolve("cart", "default").await.is_ok());
}

#[tokio::test]
async fn the_last_answer_is_served_while_the_resolver_fails() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("names.db");
    let value = json!({"connectionString": path});
    let (sqlite, registration) = Sqlite::start(Settings::new(&value), &me("cart"))
        .await
        .unwrap();
    let names = Names::with_pace(Resolver::Sqlite(sqlite), None, FAST);
    let found = names.resolve("cart", "default").await.unwrap();
    let rename = |from: &str, to: &str| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
            .execute_batch(&format!("ALTER TABLE {from} RENAME TO {to}"))
            .unwrap();
    };
    rename("hosts", "away");
    // Nothing but a failed renewal can put this address back.
    names.evict("cart", "default", found[0]);
    assert_eq!(names.resolve("cart", "default").await.unwrap(), found);
    let error = names
        .resolve("other", "default")
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("failed to look up address: "), "{error}");
    rename("away", "hosts");
    registration.withdraw().await;
    eventually("the real answer counts again", || {
        names.get("cart", "default").is_none()
    })
    .await;
}

/// A name server on loopback: two A and one AAAA record for `cart`, a server
/// failure for `broken`, no such name for all others. Counts questions.
fn name_server() -> (ResolverConfig, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut packet) {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = socket.send_to(&dns_answer(&packet[..length]), client);
        }
    });
    let mut server = NameServerConfig::udp(IpAddr::from([127, 0, 0, 1]));
    server.connections[0].port = port;
    (ResolverConfig::from_name_servers(vec![server]), asked)
}

fn dns_answer(query: &[u8]) -> Vec<u8> {
    let mut end = 12;
    let mut name = Vec::new();
    while query[end] != 0 {
        let next = end + 1 + usize::from(query[end]);
        name.push(
            std::str::from_utf8(&query[end + 1..next])
                .unwrap()
                .to_ascii_lowercase(),
        );
        end = next;
    }
    let question = &query[12..end + 5];
    let is_ipv6 = query[end + 2] == 28;
    let known = name == ["cart-dapr", "shop", "svc", "cluster", "local"];
    let (code, records): (u8, Vec<Vec<u8>>) = match name[0].as_str() {
        "broken-dapr" => (2, Vec::new()),
        _ if !known => (3, Vec::new()),
        _ if is_ipv6 => (0, vec![[&[0; 15][..], &[1]].concat()]),
        _ => (0, vec![vec![127, 0, 0, 1], vec![127, 0, 0, 2]]),
    };
    let mut answer = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, 0];
    answer.extend([u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    answer.extend(question);
    for record in records {
        let kind = if is_ipv6 { 28 } else { 1 };
        answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 30, 0]);
        answer.push(u8::try_from(record.len()).unwrap());
        answer.extend(record);
    }
    answer
}

fn cluster_names(config: ResolverConfig) -> Names {
    let value = serde_json::Value::Null;
    let kubernetes = Kubernetes::with_dns(Settings::new(&value), &me("caller"), config);
    Names::with_pace(
        Resolver::Kubernetes(Box::new(kubernetes.unwrap())),
        None,
        SLOW,
    )
}

#[tokio::test]
async fn cluster_names_give_all_records_and_one_question_each() {
    let (config, asked) = name_server();
    let names = cluster_names(config);
    let together = (0..50).map(|_| names.resolve("cart", "shop"));
    for found in futures_util::future::join_all(together).await {
        let expected = ["127.0.0.1:50002", "127.0.0.2:50002", "[::1]:50002"].map(address);
        let mut found = found.unwrap().to_vec();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
    // A and AAAA, no search list, nobody asks twice.
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn cluster_names_without_service_fail_by_name() {
    let (config, _) = name_server();
    let names = cluster_names(config);
    let error = names.resolve("nobody", "shop").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to resolve address for 'nobody-dapr.shop.svc.cluster.local': no such host"
    );
    assert!(error.is_answer());
    let error = names.resolve("broken", "shop").await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("failed to resolve address for 'broken-dapr.shop.svc.cluster.local': "),
        "{text}"
    );
    assert!(!error.is_answer());
}
