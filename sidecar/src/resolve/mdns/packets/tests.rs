use super::golden::bytes;
use super::*;

fn name(text: &str) -> Name {
    let mut name = Name::from_labels(text.split('.').map(str::as_bytes)).unwrap();
    name.set_fqdn(true);
    name
}

fn records(hex: &str) -> Vec<Record> {
    match Packet::parse(&bytes(hex)) {
        Some(Packet::Response(records)) => records,
        other => panic!("{other:?}"),
    }
}

fn record(name: &Name, flush: bool, ttl: u32, data: Data) -> Record {
    Record {
        name: name.clone(),
        flush,
        ttl,
        data,
    }
}

#[test]
fn an_announcement_of_dapr_is_understood() {
    let (instance, service) = (name("alpha:25183.a.local"), name("a.local"));
    let host = name("alpha.local");
    let types = name("_services._dns-sd._udp.local");
    let at = Data::Srv {
        port: 50002,
        host: host.clone(),
    };
    let expected = [
        record(&instance, true, 3200, at),
        record(&instance, true, 3200, Data::Txt(b"a".to_vec())),
        record(&service, false, 3200, Data::Ptr(instance.clone())),
        record(&types, false, 3200, Data::Ptr(service)),
        record(&host, true, 120, Data::Address([10, 77, 0, 1].into())),
    ];
    assert_eq!(records(golden::ANNOUNCEMENT), expected);
    // The end of a sidecar is the same without any time to live.
    let goodbye = expected.map(|record| Record { ttl: 0, ..record });
    assert_eq!(records(golden::GOODBYE), goodbye);
}

#[test]
fn an_ipv6_address_is_understood() {
    let last = records(golden::ANNOUNCEMENT_V6).pop().unwrap();
    let address: IpAddr = "fd77::1".parse().unwrap();
    let expected = record(&name("alpha.local"), true, 120, Data::Address(address));
    assert_eq!(last, expected);
}

#[test]
fn a_query_of_dapr_is_understood() {
    let expected = Query {
        id: 0xc061,
        questions: vec![Question {
            name: name("shop.local"),
            kind: PTR,
            unicast: false,
        }],
        known: Vec::new(),
        is_probe: false,
    };
    let packet = Packet::parse(&bytes(golden::QUERY));
    assert_eq!(packet, Some(Packet::Query(expected)));
    let Some(Packet::Query(probe)) = Packet::parse(&bytes(golden::PROBE)) else {
        panic!("a probe is a query");
    };
    assert!(probe.is_probe);
    assert_eq!(probe.questions[0].name, name("alpha:25183.a.local"));
}

#[test]
fn a_query_of_ours_is_that_of_dapr() {
    let ours = Message::query(&name("shop.local"), Vec::new()).encode();
    // All but the id.
    assert_eq!(ours[2..], bytes(golden::QUERY)[2..]);
}

#[test]
fn what_is_built_is_read_back() {
    let service = name("shop.local");
    let known = record(&service, false, 3000, Data::Ptr(name("x:1.shop.local")));
    let packet = Message::query(&service, vec![known.clone()]).encode();
    let Some(Packet::Query(query)) = Packet::parse(&packet) else {
        panic!("a query");
    };
    assert_eq!((query.known, query.is_probe), (vec![known], false));
}

#[test]
fn cut_packets_are_no_packets() {
    let whole = bytes(golden::ANNOUNCEMENT);
    for length in 0..whole.len() {
        assert_eq!(Packet::parse(&whole[..length]), None, "{length}");
    }
}

#[test]
fn what_is_not_multicast_dns_is_passed_over() {
    let mut update = bytes(golden::QUERY);
    update[2] = 0x28;
    assert_eq!(Packet::parse(&update), None);
    let mut failure = bytes(golden::ANNOUNCEMENT);
    failure[3] = 3;
    assert_eq!(Packet::parse(&failure), None);
}

#[test]
fn records_of_other_kinds_and_classes_are_passed_over() {
    // NSEC and OPT as Bonjour adds them, HINFO, A of class CHAOS and of a
    // wrong length, an empty TXT, then one that counts.
    let packet = bytes(
        "000084000000000000000007\
         0161056c6f63616c00002f8001000000780008c00c000400008008\
         00002905a00000119400040004000e\
         c00c000d000100000078000401410142\
         c00c0001000300000078000401020304\
         c00c000100010000007800020102\
         c00c00100001000000780000\
         c00c0001000100000078000401020304",
    );
    let address = Data::Address([1, 2, 3, 4].into());
    let expected = record(&name("a.local"), false, 120, address);
    assert_eq!(
        Packet::parse(&packet),
        Some(Packet::Response(vec![expected]))
    );
}

#[test]
fn names_that_lead_round_are_refused() {
    for loops in [
        // A pointer to itself, two that point at each other, one forward.
        "000084000000000100000000c00c000c000100000078000100",
        "000084000000000100000000c00ec00c000c000100000078000100",
        "000084000000000100000000c020000c000100000078000100",
        // A label that runs past the end, and the reserved kind of label.
        "0000840000000001000000003f41",
        "0000840000000001000000008041",
    ] {
        assert_eq!(Packet::parse(&bytes(loops)), None, "{loops}");
    }
}

#[test]
fn data_does_not_reach_into_the_next_record() {
    // A pointer record of one byte whose name goes on behind it.
    let packet = bytes(
        "000084000000000200000000\
         0161056c6f63616c00000c00010000007800010161056c6f63616c00",
    );
    assert_eq!(Packet::parse(&packet), None);
}

#[test]
fn names_need_not_be_text() {
    let packet = bytes("00008400000000010000000002fffe056c6f63616c000001000100000078000401020304");
    let Some(Packet::Response(records)) = Packet::parse(&packet) else {
        panic!("a response");
    };
    let odd = Name::from_labels([&b"\xff\xfe"[..], b"local"]).unwrap();
    assert!(records[0].name.eq_ignore_root_case(&odd));
}

#[test]
fn of_very_many_records_some_are_read() {
    let record = bytes("00000100010000007800040a000001");
    let mut packet = bytes("00008400000002580000ffff");
    for _ in 0..590 {
        packet.extend(&record);
    }
    let Some(Packet::Response(records)) = Packet::parse(&packet) else {
        panic!("a response");
    };
    assert_eq!(records.len(), MOST_RECORDS);
}

#[test]
fn many_questions_are_read_and_very_many_refused() {
    let asking = |count: u16| {
        let mut packet = [0, 0, count, 0, 0, 0].map(u16::to_be_bytes).concat();
        for _ in 0..count {
            packet.extend(bytes("00000c0001"));
        }
        Packet::parse(&packet)
    };
    // A browser that looks for everything it knows.
    let Some(Packet::Query(query)) = asking(200) else {
        panic!("a query");
    };
    assert_eq!(query.questions.len(), 200);
    assert_eq!(asking(513), None);
}

/// Every length, random bytes and packets of Dapr with bytes changed: never a
/// panic, never more than is bounded.
#[test]
fn random_packets_do_no_harm() {
    let seeds = [
        golden::PROBE,
        golden::ANNOUNCEMENT,
        golden::ANSWER,
        golden::KNOWN,
        golden::GOODBYE,
    ]
    .map(bytes);
    let mut random = fastrand::Rng::with_seed(5353);
    for _ in 0..100_000 {
        let mut packet = if random.bool() {
            random.choice(&seeds).unwrap().clone()
        } else {
            let most = 1 << random.u32(..14);
            let length = random.usize(..LARGEST.min(most));
            std::iter::repeat_with(|| random.u8(..))
                .take(length)
                .collect()
        };
        for _ in 0..random.usize(..8) {
            if !packet.is_empty() {
                let at = random.usize(..packet.len());
                // Lengths and pointers do more damage than other bytes.
                let byte = random.u8(..);
                packet[at] = *random.choice(&[0, 1, 0x3f, 0xc0, 0xff, byte]).unwrap();
            }
        }
        packet.truncate(random.usize(..=packet.len()));
        match Packet::parse(&packet) {
            Some(Packet::Response(records)) => assert!(records.len() <= MOST_RECORDS),
            Some(Packet::Query(query)) => {
                assert!(query.known.len() <= MOST_RECORDS);
                assert!(query.questions.len() <= MOST_QUESTIONS);
            }
            None => {}
        }
    }
}
