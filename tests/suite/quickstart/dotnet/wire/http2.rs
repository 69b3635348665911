//! HTTP/2 without TLS: `HttpClient` told to speak nothing else, on the port
//! of the HTTP API, and `Grpc.Net.Client`.

use super::{JSON, ORDER, Pair, TAKEN, TRACE};
use crate::grpc_hostile::frames::{
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    Wire, field,
};

/// `:status: 200` in the static table of HPACK.
const STATUS_200: u8 = 0x88;

/// What a sidecar has said.
#[derive(Default)]
struct Heard {
    /// The block of the answer's headers.
    head: Vec<u8>,
    body: Vec<u8>,
    /// The answer is complete.
    ended: bool,
    pongs: Vec<Vec<u8>>,
}

/// As .NET opens a connection: no pushes, 64 KiB for each stream, 64 MiB for
/// all of them.
fn open(wire: &mut Wire) {
    const ENABLE_PUSH: u16 = 2;
    const INITIAL_WINDOW_SIZE: u16 = 4;
    const MORE: u32 = (64 << 20) - 65_535;
    wire.preface(&[(ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, 65_535)])
        .unwrap();
    wire.send(WINDOW_UPDATE, 0, 0, &MORE.to_be_bytes()).unwrap();
}

fn start_request(wire: &mut Wire, stream: u32, path: &str, port: u16, fields: &[(&str, &str)]) {
    let authority = format!("localhost:{port}");
    let pseudo = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", &authority),
        (":path", path),
    ];
    let block: Vec<u8> = pseudo
        .iter()
        .chain(fields)
        .flat_map(|(name, value)| field(name, value))
        .collect();
    wire.send(HEADERS, END_HEADERS, stream, &block).unwrap();
}

/// Measures the way there and back, or shows that the other side lives.
fn ping(wire: &mut Wire, number: u8) {
    wire.send(PING, 0, 0, &[0, 0, 0, 0, 0, 0, 0, number])
        .unwrap();
}

/// Reads until enough was heard.
fn listen(wire: &mut Wire, enough: impl Fn(&Heard) -> bool) -> Heard {
    let mut heard = Heard::default();
    while !enough(&heard) {
        let frame = wire.next().expect("the connection stays");
        let is = |flag| frame.flags & flag != 0;
        heard.ended |= matches!(frame.kind, HEADERS | DATA) && is(END_STREAM);
        match frame.kind {
            SETTINGS if !is(ACK) => wire.send(SETTINGS, ACK, 0, &[]).unwrap(),
            PING if !is(ACK) => wire.send(PING, ACK, 0, &frame.payload).unwrap(),
            PING => heard.pongs.push(frame.payload),
            HEADERS if heard.head.is_empty() => heard.head = frame.payload,
            DATA => heard.body.extend(frame.payload),
            GOAWAY | RST_STREAM => panic!("{frame:?}"),
            _ => {}
        }
    }
    heard
}

#[test]
fn orders_pass_over_http2_that_was_not_negotiated() {
    let pair = Pair::new();
    let mut wire = Wire::connect(pair.http, None).unwrap();
    open(&mut wire);
    let trace = format!("00-{TRACE}-b7ad6b7169203331-00");
    let fields = [("traceparent", trace.as_str()), ("content-type", JSON)];
    for stream in [1, 3, 5] {
        start_request(&mut wire, stream, &pair.path(), pair.http, &fields);
        ping(&mut wire, 1);
        let (start, end) = ORDER.as_bytes().split_at(5);
        wire.send(DATA, 0, stream, start).unwrap();
        ping(&mut wire, 2);
        wire.send(DATA, END_STREAM, stream, end).unwrap();
        let heard = listen(&mut wire, |heard| heard.ended && heard.pongs.len() == 2);
        assert_eq!(heard.head.first(), Some(&STATUS_200));
        assert_eq!(String::from_utf8_lossy(&heard.body), TAKEN);
        assert_eq!([heard.pongs[0][7], heard.pongs[1][7]], [1, 2]);

        let order = pair.app.take_one();
        assert_eq!(String::from_utf8_lossy(&order.body), ORDER);
        assert_eq!(order.target, "/orders");
        assert_eq!(order.values("Content-Type"), [JSON]);
        assert_eq!(order.values("Transfer-Encoding"), ["chunked"]);
    }
    pair.still_serves();
}

/// To know whether a sidecar is there the client connects and says nothing,
/// for long, then goes away, or makes its calls on this very connection.
#[test]
fn channels_may_connect_in_silence_and_ping_without_a_call() {
    const GET_METADATA: &str = "/dapr.proto.runtime.v1.Dapr/GetMetadata";
    const EMPTY_MESSAGE: [u8; 5] = [0; 5];
    let pair = Pair::new();
    let mut silent = Wire::connect(pair.grpc, None).unwrap();
    drop(Wire::connect(pair.grpc, None).unwrap());
    let mut loud = Wire::connect(pair.grpc, None).unwrap();
    open(&mut loud);
    for number in 1..=3 {
        ping(&mut loud, number);
        let heard = listen(&mut loud, |heard| !heard.pongs.is_empty());
        assert_eq!(heard.pongs[0][7], number);
    }
    open(&mut silent);
    for wire in [&mut loud, &mut silent] {
        start_request(
            wire,
            1,
            GET_METADATA,
            pair.grpc,
            &[
                (
                    "user-agent",
                    "grpc-dotnet/2.71.0 (.NET 8.0.17; CLR 8.0.17; net8.0; linux; x64)",
                ),
                ("te", "trailers"),
                ("grpc-accept-encoding", "identity,gzip,deflate"),
                ("content-type", "application/grpc"),
            ],
        );
        ping(wire, 1);
        wire.send(DATA, END_STREAM, 1, &EMPTY_MESSAGE).unwrap();
        let heard = listen(wire, |heard| heard.ended && !heard.pongs.is_empty());
        assert_eq!(heard.head.first(), Some(&STATUS_200));
        let answer = String::from_utf8_lossy(&heard.body);
        assert!(answer.contains(&pair.caller_id), "{answer:?}");
    }
    pair.still_serves();
}
