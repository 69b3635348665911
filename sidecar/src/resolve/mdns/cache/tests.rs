use super::super::packets::golden::{self, bytes};
use super::super::packets::{Message, Packet};
use super::super::service::Service;
use super::*;
use crate::resolve::Me;
use crate::resolve::tests::{address, me};

const ABROAD: Arrival = Arrival {
    interface: 2,
    from_here: false,
};
const HERE: Arrival = Arrival {
    from_here: true,
    ..ABROAD
};
const SECOND: Duration = Duration::from_secs(1);

fn parsed(packet: &[u8]) -> Vec<Record> {
    match Packet::parse(packet) {
        Some(Packet::Response(records)) => records,
        other => panic!("{other:?}"),
    }
}

fn golden(hex: &str) -> Vec<Record> {
    parsed(&bytes(hex))
}

fn service(app_id: &str, host: &str, pid: u32) -> Service {
    let me = Me {
        address: host.to_owned(),
        ..me(app_id)
    };
    Service::new(&me, "alpha", pid).unwrap()
}

fn announced(app_id: &str, host: &str, pid: u32) -> Vec<Record> {
    parsed(&service(app_id, host, pid).announcement())
}

/// A cache that was asked for `a`.
fn asked(now: Instant) -> Cache {
    let mut cache = Cache::default();
    assert!(cache.look_up("a", now).is_empty());
    cache
}

#[test]
fn announcements_and_answers_of_dapr_are_found_and_goodbyes_end_them() {
    let now = Instant::now();
    for packet in [
        golden::ANNOUNCEMENT,
        golden::ANSWER,
        golden::INSTANCE_ANSWER,
    ] {
        let mut cache = asked(now);
        let change = |gone: &[SocketAddr]| Change {
            app_id: "a".into(),
            gone: gone.to_vec(),
        };
        let changes = cache.take_in(&golden(packet), ABROAD, now);
        assert_eq!(changes, [change(&[])]);
        assert_eq!(cache.look_up("a", now), [address("10.77.0.1:50002")]);
        // Once more is no news.
        assert!(cache.take_in(&golden(packet), ABROAD, now).is_empty());
        let changes = cache.take_in(&golden(golden::GOODBYE), ABROAD, now);
        assert_eq!(changes, [change(&[address("10.77.0.1:50002")])]);
        assert!(cache.get("a", now).is_empty());
    }
}

#[test]
fn ipv4_comes_first_and_all_instances_count() {
    let now = Instant::now();
    let mut cache = asked(now);
    cache.take_in(&golden(golden::ANNOUNCEMENT_V6), ABROAD, now);
    cache.take_in(&golden(golden::ANNOUNCEMENT), ABROAD, now);
    cache.take_in(&announced("a", "fe80::5", 5), ABROAD, now);
    let mut local = address("[fe80::5]:50002");
    if let SocketAddr::V6(address) = &mut local {
        address.set_scope_id(2);
    }
    let expected = [
        address("10.77.0.1:50002"),
        address("[fd77::1]:50002"),
        local,
    ];
    assert_eq!(cache.look_up("a", now), expected);
}

#[test]
fn apps_nobody_looked_up_are_not_remembered() {
    let now = Instant::now();
    let mut cache = asked(now);
    for pid in 0..1000 {
        let other = announced("b", "10.0.0.1", pid);
        assert!(cache.take_in(&other, ABROAD, now).is_empty());
    }
    assert_eq!(cache.apps.len(), 1);
    assert!(cache.get("b", now).is_empty());
}

#[test]
fn an_instance_lives_for_a_minute_after_its_last_word() {
    let now = Instant::now();
    let mut cache = asked(now);
    let words = golden(golden::ANNOUNCEMENT);
    cache.take_in(&words, ABROAD, now);
    cache.take_in(&words, ABROAD, now + 59 * SECOND);
    assert_eq!(cache.look_up("a", now + 118 * SECOND).len(), 1);
    assert!(cache.look_up("a", now + 119 * SECOND).is_empty());
    // What is good for less is believed for less.
    let mut short = words;
    for record in &mut short {
        record.ttl = 5;
    }
    let later = now + 120 * SECOND;
    cache.take_in(&short, ABROAD, later);
    assert_eq!(cache.get("a", later + 4 * SECOND).len(), 1);
    assert!(cache.get("a", later + 5 * SECOND).is_empty());
}

#[test]
fn a_refused_address_is_dropped_and_asked_for_at_once() {
    let now = Instant::now();
    let mut cache = asked(now);
    cache.take_in(&announced("a", "10.0.0.1", 1), ABROAD, now);
    cache.take_in(&announced("a", "10.0.0.2", 2), ABROAD, now);
    // The first rounds of questions are over.
    let mut later = now;
    while let Some(next) = cache.next_due().filter(|next| *next < now + 10 * SECOND) {
        later = next;
        cache.due(next);
    }
    let refused = address("10.0.0.1:50002");
    cache.refused("a", address("10.9.9.9:1"), later);
    assert!(cache.next_due() > Some(later));
    cache.refused("a", refused, later);
    assert_eq!(cache.get("a", later), [address("10.0.0.2:50002")]);
    assert_eq!(cache.next_due(), Some(later));
    assert_eq!(cache.due(later).len(), 1);
    // It may have been a short illness.
    cache.take_in(&announced("a", "10.0.0.1", 1), ABROAD, later);
    assert_eq!(cache.get("a", later).len(), 2);
}

#[test]
fn a_new_instance_at_an_address_replaces_the_old_one() {
    let now = Instant::now();
    let mut cache = asked(now);
    cache.take_in(&announced("a", "10.0.0.1", 1), ABROAD, now);
    cache.take_in(&announced("a", "10.0.0.1", 2), ABROAD, now);
    let late = parsed(&service("a", "10.0.0.1", 1).goodbye());
    assert!(cache.take_in(&late, ABROAD, now).is_empty());
    assert_eq!(cache.get("a", now).len(), 1);
}

/// Two sidecars that both say `alpha:1`, as containers in the network of their
/// host do.
#[test]
fn twins_are_two_instances() {
    let now = Instant::now();
    let mut cache = asked(now);
    let twins = ["10.0.0.1", "10.0.0.2"].map(|host| service("a", host, 1));
    let words = twins.each_ref().map(|twin| parsed(&twin.announcement()));
    let both = twins_at(&["10.0.0.1", "10.0.0.2"]);
    for said in &words {
        cache.take_in(said, ABROAD, now);
    }
    assert_eq!(cache.get("a", now), both);
    // Each is asked whether it is still there, and says so.
    assert_eq!(cache.due(now).len(), 1);
    let answered = now + SECOND;
    for said in &words {
        cache.take_in(said, ABROAD, answered);
    }
    let later = now + 50 * SECOND;
    assert_eq!(cache.get("a", later), both);
    // They do not make each other doubtful for ever.
    assert_ne!(cache.next_due(), Some(answered));
    cache.take_in(&parsed(&twins[0].goodbye()), ABROAD, later);
    assert_eq!(cache.get("a", later), twins_at(&["10.0.0.2"]));
}

fn twins_at(hosts: &[&str]) -> Vec<SocketAddr> {
    let texts = hosts.iter().map(|host| format!("{host}:50002"));
    texts.map(|text| address(&text)).collect()
}

#[test]
fn an_instance_that_moved_is_no_longer_where_it_was() {
    let now = Instant::now();
    let mut cache = asked(now);
    cache.take_in(&announced("a", "10.0.0.1", 1), ABROAD, now);
    let moved = now + 20 * SECOND;
    cache.take_in(&announced("a", "10.0.0.2", 1), ABROAD, moved);
    assert_eq!(cache.next_due(), Some(moved), "it is asked for");
    assert_eq!(cache.get("a", moved + DOUBT), twins_at(&["10.0.0.2"]));
    // A goodbye that names no place is one to all of them.
    let mut farewell = parsed(&service("a", "10.0.0.9", 1).goodbye());
    farewell.retain(|record| matches!(record.data, Data::Ptr(_)));
    cache.take_in(&farewell, ABROAD, moved);
    assert!(cache.get("a", moved).is_empty());
}

#[test]
fn an_app_that_is_still_waited_for_is_not_forgotten() {
    let now = Instant::now();
    let mut cache = asked(now);
    cache.look_up("a", now + SECOND / 2);
    cache.forget("a", now);
    assert!(cache.is_asked_for("a"));
    cache.forget("a", now + SECOND / 2);
    assert!(!cache.is_asked_for("a"));
}

#[test]
fn addresses_that_lead_nowhere_are_refused() {
    let now = Instant::now();
    for nowhere in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1"] {
        let mut cache = asked(now);
        cache.take_in(&announced("a", nowhere, 1), HERE, now);
        assert!(cache.get("a", now).is_empty(), "{nowhere}");
    }
    for local in ["127.0.0.1", "::1"] {
        let mut cache = asked(now);
        cache.take_in(&announced("a", local, 1), ABROAD, now);
        assert!(cache.get("a", now).is_empty(), "{local} of others");
        cache.take_in(&announced("a", local, 1), HERE, now);
        assert_eq!(cache.get("a", now).len(), 1, "{local} of our own");
    }
}

#[test]
fn incomplete_and_foreign_entries_are_refused() {
    let now = Instant::now();
    let whole = golden(golden::ANNOUNCEMENT);
    // SRV, TXT, PTR, address: each is needed.
    for missing in [0, 1, 2, 4] {
        let mut part = whole.clone();
        part.remove(missing);
        let mut cache = asked(now);
        assert!(cache.take_in(&part, ABROAD, now).is_empty(), "{missing}");
    }
    let mut other = whole.clone();
    other[1].data = Data::Txt(b"A".to_vec());
    let mut portless = whole.clone();
    if let Data::Srv { port, .. } = &mut portless[0].data {
        *port = 0;
    }
    for refused in [other, portless] {
        assert!(asked(now).take_in(&refused, ABROAD, now).is_empty());
    }
    let mut upper = Cache::default();
    upper.look_up("A", now);
    assert!(upper.take_in(&whole, ABROAD, now).is_empty());
}

#[test]
fn an_app_is_asked_for_until_nobody_new_answers_and_then_every_half_minute() {
    let now = Instant::now();
    let mut cache = asked(now);
    let mut asks = Vec::new();
    let mut answered = 0;
    while let Some(next) = cache.next_due().filter(|next| *next < now + 70 * SECOND) {
        // In use all the time.
        cache.look_up("a", next);
        for ask in cache.due(next) {
            let after = next.duration_since(now);
            asks.push((after.as_millis(), ask.known.len()));
            if answered != 1 {
                cache.take_in(&golden(golden::ANSWER), ABROAD, next + SECOND / 10);
            }
            answered += 1;
        }
    }
    // Who answered in a round is known for the rest of it; the round at half
    // a minute ends with the answer.
    let expected = [
        (0, 0),
        (100, 1),
        (300, 1),
        (700, 1),
        (2700, 1),
        (32_700, 0),
        (62_700, 0),
    ];
    assert_eq!(asks, expected);
}

#[test]
fn apps_not_in_use_are_forgotten() {
    let now = Instant::now();
    let mut cache = asked(now);
    cache.take_in(&golden(golden::ANNOUNCEMENT), ABROAD, now);
    while let Some(next) = cache.next_due() {
        assert!(next < now + 200 * SECOND);
        cache.due(next);
    }
    assert!(cache.apps.is_empty());
}

#[test]
fn app_ids_that_are_no_names_are_not_asked_for() {
    let mut cache = Cache::default();
    for id in ["", "a..b", &"x".repeat(64), &"x.".repeat(200)] {
        assert!(cache.look_up(id, Instant::now()).is_empty());
    }
    assert!(cache.apps.is_empty());
}

#[test]
fn the_cache_has_bounds() {
    let now = Instant::now();
    let mut cache = asked(now);
    for pid in 0..2000 {
        let host = format!("10.0.{}.{}", pid / 250, pid % 250 + 1);
        let later = now + Duration::from_millis(pid.into());
        cache.take_in(&announced("a", &host, pid), ABROAD, later);
    }
    assert_eq!(cache.apps["a"].instances.len(), MOST_INSTANCES);
    // Questions stay small whatever was heard.
    let ask = cache.due(now + 3 * SECOND).remove(0);
    assert!(Message::query(&ask.service, ask.known).encode().len() < 1400);
    for id in 0..1000_u32 {
        let later = now + Duration::from_millis(u64::from(id) + 3000);
        cache.look_up(&format!("app-{id}"), later);
    }
    assert_eq!(cache.apps.len(), MOST_APPS);
    assert!(cache.apps.contains_key("app-999"));
}

/// Any packet that parses may be taken in.
#[test]
fn random_records_do_no_harm() {
    let now = Instant::now();
    let mut random = fastrand::Rng::with_seed(5353);
    let mut cache = asked(now);
    let seeds = [
        golden::ANNOUNCEMENT,
        golden::ANSWER,
        golden::GOODBYE,
        golden::ANNOUNCEMENT_V6,
    ]
    .map(bytes);
    for _ in 0..50_000 {
        let mut packet = random.choice(&seeds).unwrap().clone();
        for _ in 0..random.usize(..4) {
            let at = random.usize(12..packet.len());
            packet[at] = random.u8(..);
        }
        if let Some(Packet::Response(records)) = Packet::parse(&packet) {
            cache.take_in(&records, ABROAD, now);
        }
        assert!(cache.apps["a"].instances.len() <= MOST_INSTANCES);
    }
    assert_eq!(cache.apps.len(), 1);
}
