//! What is on the wire: the packets of a real sidecar, record by record.

use std::net::{SocketAddr, UdpSocket};

use nix::sys::signal::Signal;
use tests::{holds, within};

use super::network::{GROUP, Lan, Machine, PORT, alone};

const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const SRV: u16 = 33;
const IN: u16 = 1;
/// IN, and older records are void.
const FLUSH: u16 = 0x8001;
/// IN, and the answer is for the one who asks.
const UNICAST: u16 = 0x8001;

/// A packet taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Packet {
    id: u16,
    flags: u16,
    questions: Vec<(String, u16, u16)>,
    answers: Vec<Record>,
    authorities: Vec<Record>,
    additionals: Vec<Record>,
}

/// Name, kind, class, time to live, data.
type Record = (String, u16, u16, u32, String);

struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u16(&mut self) -> u16 {
        let number = u16::from_be_bytes([self.packet[self.at], self.packet[self.at + 1]]);
        self.at += 2;
        number
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        let mut after = None;
        loop {
            let length = usize::from(self.packet[self.at]);
            if length >= 0xc0 {
                let pointer = usize::from(self.u16() & 0x3fff);
                after = after.or(Some(self.at));
                self.at = pointer;
                continue;
            }
            self.at += 1;
            if length == 0 {
                break;
            }
            let label = &self.packet[self.at..self.at + length];
            name = format!("{name}{}.", String::from_utf8_lossy(label));
            self.at += length;
        }
        self.at = after.unwrap_or(self.at);
        name
    }

    fn record(&mut self) -> Record {
        let (name, kind, class) = (self.name(), self.u16(), self.u16());
        let ttl = u32::from(self.u16()) << 16 | u32::from(self.u16());
        let end = usize::from(self.u16()) + self.at;
        let data = match kind {
            PTR => self.name(),
            SRV => format!(
                "{} {} {} {}",
                self.u16(),
                self.u16(),
                self.u16(),
                self.name()
            ),
            _ => self.packet[self.at..end]
                .iter()
                .map(u8::to_string)
                .collect::<Vec<_>>()
                .join(" "),
        };
        self.at = end;
        (name, kind, class, ttl, data)
    }
}

fn decode(packet: &[u8]) -> Packet {
    let mut reader = Reader { packet, at: 0 };
    let [id, flags, questions, answers, authorities, additionals] = [(); 6].map(|()| reader.u16());
    let records = |count: u16, reader: &mut Reader<'_>| -> Vec<Record> {
        (0..count).map(|_| reader.record()).collect()
    };
    Packet {
        id,
        flags,
        questions: (0..questions)
            .map(|_| (reader.name(), reader.u16(), reader.u16()))
            .collect(),
        answers: records(answers, &mut reader),
        authorities: records(authorities, &mut reader),
        additionals: records(additionals, &mut reader),
    }
}

/// Labels as they travel.
pub(crate) fn wire_name(name: &str) -> Vec<u8> {
    let labels = name.trim_end_matches('.').split('.');
    let mut bytes: Vec<u8> = labels
        .flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat())
        .collect();
    bytes.push(0);
    bytes
}

/// A query with one question and these known answers.
pub(crate) fn query(id: u16, name: &str, class: u16, known: &[(&str, u32)]) -> Vec<u8> {
    let mut packet = [id, 0, 1, known.len() as u16, 0, 0]
        .map(u16::to_be_bytes)
        .concat();
    packet.extend(wire_name(name));
    packet.extend([PTR, class].map(u16::to_be_bytes).concat());
    for (instance, ttl) in known {
        packet.extend(wire_name(name));
        packet.extend([PTR, IN].map(u16::to_be_bytes).concat());
        packet.extend(ttl.to_be_bytes());
        let data = wire_name(instance);
        packet.extend((data.len() as u16).to_be_bytes());
        packet.extend(data);
    }
    packet
}

/// Whether somebody looks for the app.
pub(crate) fn is_query_for(packet: &[u8], app_id: &str) -> bool {
    let packet = decode(packet);
    packet.flags == 0
        && packet.authorities.is_empty()
        && packet.questions == [(format!("{app_id}.local."), PTR, IN)]
}

/// All packets of others up to the one that is waited for.
#[track_caller]
pub(crate) fn packets_until(ears: &UdpSocket, is_last: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let mut heard = Vec::new();
    let mut buffer = [0; 9000];
    within(tests::PATIENCE, "the last packet was heard", || {
        let (length, _) = ears.recv_from(&mut buffer).ok()?;
        let packet = buffer[..length].to_vec();
        let done = is_last(&packet);
        heard.push(packet);
        done.then_some(())
    });
    heard
}

pub(crate) fn everybody() -> SocketAddr {
    (GROUP, PORT).into()
}

/// The records of the app `a` in a packet to everybody.
fn everything(instance: &str, host: &str, port: u16, flush_address: u16) -> Vec<Record> {
    let types = "_services._dns-sd._udp.local.".to_owned();
    let service = "a.local.".to_owned();
    vec![
        (
            instance.to_owned(),
            SRV,
            FLUSH,
            3200,
            format!("0 0 {port} {host}"),
        ),
        (instance.to_owned(), TXT, FLUSH, 3200, "1 97".to_owned()),
        (service.clone(), PTR, IN, 3200, instance.to_owned()),
        (types, PTR, IN, 3200, service),
        (
            host.to_owned(),
            A,
            flush_address,
            120,
            "10 77 0 1".to_owned(),
        ),
    ]
}

/// The flags, classes and times of each packet are those captured from Dapr
/// 1.18; the same records as golden packets are among the unit tests.
#[test]
fn packets_are_those_of_dapr() {
    alone(|| {
        let lan = Lan::new();
        let [speaker, listener, third]: [Machine; 3] = lan.machines();
        let ears = listener.listen();
        let app = speaker.app();
        let sidecar = speaker.serve("a", &app);
        let name = nix::unistd::gethostname().unwrap().into_string().unwrap();
        let instance = format!("{name}:{}.a.local.", sidecar.pid());
        let host = format!("{name}.local.");
        let port = sidecar.internal();

        let mut heard = Vec::new();
        while heard.len() < 4 {
            heard.extend(packets_until(&ears, |_| true));
        }
        let heard: Vec<_> = heard.iter().map(|packet| decode(packet)).collect();
        let claims = || {
            let mut claims = everything(&instance, &host, port, FLUSH);
            claims.truncate(2);
            for claim in &mut claims {
                claim.2 = IN;
            }
            claims
        };
        let probe = || Packet {
            id: 0,
            flags: 0,
            questions: vec![(instance.clone(), PTR, IN)],
            answers: Vec::new(),
            authorities: claims(),
            additionals: Vec::new(),
        };
        let told = |id, flags, answers, additionals| Packet {
            id,
            flags,
            questions: Vec::new(),
            answers,
            authorities: Vec::new(),
            additionals,
        };
        let announcement = || {
            told(
                0,
                0x8000,
                everything(&instance, &host, port, FLUSH),
                Vec::new(),
            )
        };
        assert_eq!(heard, [probe(), probe(), announcement(), announcement()]);

        let ask = |packet: &[u8]| ears.send_to(packet, everybody()).unwrap();
        let answer_to = |id: u16| {
            let is_answer = |packet: &[u8]| {
                let packet = decode(packet);
                packet.flags == 0x8400 && packet.id == id
            };
            packets_until(&ears, is_answer)
                .pop()
                .map(|packet| decode(&packet))
        };
        let pointer = || vec![everything(&instance, &host, port, IN).remove(2)];
        let more = || {
            let mut more = claims();
            more.extend(everything(&instance, &host, port, IN).pop());
            more
        };
        ask(&query(7, "a.local", IN, &[]));
        assert_eq!(answer_to(7), Some(told(7, 0x8400, pointer(), more())));
        ask(&query(8, &instance, IN, &[]));
        let whole = everything(&instance, &host, port, IN);
        assert_eq!(answer_to(8), Some(told(8, 0x8400, whole, Vec::new())));
        let types = "_services._dns-sd._udp.local";
        ask(&query(9, types, IN, &[]));
        let list = vec![everything(&instance, &host, port, IN).remove(3)];
        assert_eq!(answer_to(9), Some(told(9, 0x8400, list, Vec::new())));

        // For one alone, nobody else; then nothing for who knows.
        let others = third.listen();
        ask(&query(10, "a.local", UNICAST, &[]));
        assert_eq!(answer_to(10), Some(told(10, 0x8400, pointer(), more())));
        ask(&query(11, "a.local", IN, &[(&instance, 1600)]));
        ask(&query(12, "A.local", IN, &[]));
        ask(&query(13, types, IN, &[]));
        let is_fence = |packet: &[u8]| {
            let packet = decode(packet);
            packet.flags == 0x8400 && packet.id == 13
        };
        let public = packets_until(&others, is_fence);
        let answered: Vec<_> = public
            .iter()
            .map(|packet| decode(packet))
            .filter(|packet| packet.flags == 0x8400)
            .map(|packet| packet.id)
            .collect();
        assert_eq!(answered, [13]);

        sidecar.signal(Signal::SIGTERM);
        sidecar.wait_for_code(0);
        let last = packets_until(&ears, |packet| decode(packet).flags == 0x8000);
        let mut goodbye = announcement();
        for record in &mut goodbye.answers {
            record.3 = 0;
        }
        assert_eq!(last.last().map(|packet| decode(packet)), Some(goodbye));
    });
}

#[test]
fn a_question_is_the_one_dapr_asks() {
    alone(|| {
        let lan = Lan::new();
        let [here, listener]: [Machine; 2] = lan.machines();
        let ears = listener.listen();
        let caller = here.caller();
        assert_eq!(here.call(&caller, "shop").status, 500);
        let heard = packets_until(&ears, |packet| is_query_for(packet, "shop"));
        let question = heard.last().unwrap();
        // As captured, without the id.
        let captured = b"\0\0\0\x01\0\0\0\0\0\0\x04shop\x05local\0\0\x0c\0\x01";
        assert_eq!(question[2..], captured[..]);
    });
}

#[test]
fn a_false_goodbye_is_set_right() {
    alone(|| {
        let lan = Lan::new();
        let [there, here, foe]: [Machine; 3] = lan.machines();
        let app = there.app();
        let callee = there.serve("callee", &app);
        let caller = here.caller();
        here.call(&caller, "callee").expect(200, "ok");
        let ears = foe.listen();
        let instance = format!(
            "{}:{}.callee.local",
            nix::unistd::gethostname().unwrap().into_string().unwrap(),
            callee.pid()
        );
        // The answer section of a query with TTL 0, made a response.
        let mut goodbye = query(0, "callee.local", IN, &[(&instance, 0)]);
        goodbye[2] = 0x84;
        goodbye[5] = 0;
        let question = wire_name("callee.local").len() + 4;
        goodbye.drain(12..12 + question);
        holds("the callee announces itself again", || {
            ears.send_to(&goodbye, everybody()).unwrap();
            let mut buffer = [0; 9000];
            let heard = ears.recv_from(&mut buffer);
            heard.is_ok_and(|(length, _)| {
                let packet = decode(&buffer[..length]);
                packet.flags == 0x8000 && packet.answers.len() == 5
            })
        });
        for _ in 0..5 {
            ears.send_to(&goodbye, everybody()).unwrap();
            here.call(&caller, "callee").expect(200, "ok");
        }
    });
}
