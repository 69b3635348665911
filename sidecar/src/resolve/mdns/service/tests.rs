use super::super::packets::Packet;
use super::super::packets::golden::{self, bytes};
use super::*;
use crate::resolve::tests::me;

/// The sidecar of the golden packets.
fn service(address: &str, pid: u32) -> Service {
    let me = Me {
        address: address.to_owned(),
        ..me("a")
    };
    Service::new(&me, "alpha", pid).unwrap()
}

fn alpha() -> Service {
    service("10.77.0.1", 25183)
}

fn query(hex: &str) -> Query {
    match Packet::parse(&bytes(hex)) {
        Some(Packet::Query(query)) => query,
        other => panic!("{other:?}"),
    }
}

/// A query for one name, id 7.
fn asked(text: &str, kind: u16) -> Query {
    Query {
        id: 7,
        questions: vec![Question {
            name: Name::from_labels(text.split('.').map(str::as_bytes))
                .map(|mut name| {
                    name.set_fqdn(true);
                    name
                })
                .unwrap(),
            kind,
            unicast: false,
        }],
        known: Vec::new(),
        is_probe: false,
    }
}

fn answer(query: &Query) -> Option<Vec<u8>> {
    alpha().answer(query, &query.questions[0])
}

/// Same flags and counts in the header, same records.
fn assert_same(ours: &[u8], golden: &str) {
    let golden = bytes(golden);
    assert_eq!(ours[2..12], golden[2..12]);
    assert_eq!(Packet::parse(ours), Packet::parse(&golden));
}

#[test]
fn announcements_are_those_of_dapr() {
    assert_same(&alpha().announcement(), golden::ANNOUNCEMENT);
    let six = service("fd77::1", 25457);
    assert_same(&six.announcement(), golden::ANNOUNCEMENT_V6);
    assert_same(&alpha().goodbye(), golden::GOODBYE);
}

#[test]
fn a_probe_is_that_of_dapr() {
    let ours = alpha().probe();
    let golden = bytes(golden::PROBE);
    // Names are compressed in ours, so the claims are compared as records:
    // seen as a response, claims are answers.
    assert_eq!(ours[2..12], golden[2..12]);
    let as_response = |packet: &[u8]| {
        let mut packet = packet.to_vec();
        packet[2] = 0x80;
        Packet::parse(&packet)
    };
    assert_eq!(as_response(&ours), as_response(&golden));
    assert!(query(golden::PROBE).is_probe);
}

#[test]
fn answers_are_those_of_dapr() {
    let mut browse = asked("a.local", PTR);
    browse.id = 0x1234;
    let ours = answer(&browse).unwrap();
    assert_eq!(ours[..2], [0x12, 0x34]);
    assert_same(&ours, golden::ANSWER);
    let instance = asked("alpha:25183.a.local", PTR);
    assert_same(&answer(&instance).unwrap(), golden::INSTANCE_ANSWER);
    let types = asked("_services._dns-sd._udp.local", PTR);
    assert_same(&answer(&types).unwrap(), golden::TYPES_ANSWER);
}

#[test]
fn who_knows_us_gets_no_answer() {
    let known = query(golden::KNOWN);
    assert_eq!(answer(&known), None);
    let mut forgotten = known.clone();
    forgotten.known[0].ttl = 1599;
    assert!(answer(&forgotten).is_some());
    let mut other = known;
    other.known[0].data = Data::Ptr(service_name("b").unwrap());
    assert!(answer(&other).is_some());
}

#[test]
fn other_names_get_no_answer() {
    for name in [
        "A.local",
        "b.local",
        "local",
        "a.local.local",
        "alpha.local",
        "Alpha:25183.a.local",
    ] {
        assert_eq!(answer(&asked(name, PTR)), None, "{name}");
    }
    // Whoever wants an address of the app wants something else.
    assert_eq!(answer(&asked("a.local", 1)), None);
    assert!(answer(&asked("a.local", ANY)).is_some());
}

#[test]
fn a_false_goodbye_is_noticed() {
    let goodbye = |hex: &str| match Packet::parse(&bytes(hex)) {
        Some(Packet::Response(records)) => alpha().is_revoked_by(&records),
        other => panic!("{other:?}"),
    };
    assert!(goodbye(golden::GOODBYE));
    assert!(!goodbye(golden::ANNOUNCEMENT));
    let other = service("10.77.0.1", 1).goodbye();
    let Some(Packet::Response(records)) = Packet::parse(&other) else {
        panic!("a response");
    };
    assert!(!alpha().is_revoked_by(&records));
}

#[test]
fn what_cannot_be_announced_is_refused() {
    let failure = |me: &Me, host: &str| Service::new(me, host, 1).unwrap_err().to_string();
    let me = me("a");
    let with = |address: &str| Me {
        address: address.to_owned(),
        ..me.clone()
    };
    let nameless = Me {
        app_id: String::new(),
        ..me.clone()
    };
    let portless = Me {
        internal_port: 0,
        ..me.clone()
    };
    assert_eq!(failure(&nameless, "alpha"), "name is missing");
    assert_eq!(failure(&with(""), "alpha"), "address is missing");
    assert_eq!(failure(&portless, "alpha"), "port is missing or invalid");
    assert_eq!(failure(&me, ""), "missing host name");
    for address in ["localhost", "[::1]", "10.0.0.1:80"] {
        assert_eq!(
            failure(&with(address), "alpha"),
            format!("failed to parse given IP: {address}")
        );
    }
    let long = Me {
        app_id: "x".repeat(64),
        ..me.clone()
    };
    assert!(failure(&long, "alpha").contains("expected parts of 1 to 63 bytes"));
    assert!(failure(&me, "..").contains("cannot be a name"));
}

#[test]
fn a_host_may_have_a_domain() {
    let me = me("a");
    for (host, expected) in [
        ("alpha", "alpha.local."),
        ("alpha.local", "alpha.local."),
        ("alpha.lan", "alpha.lan.local."),
    ] {
        assert_eq!(
            Service::new(&me, host, 1).unwrap().host.to_ascii(),
            expected
        );
    }
}
