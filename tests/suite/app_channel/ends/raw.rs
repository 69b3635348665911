//! An HTTP/2 app made of frames: does with each request what it is told.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// 200 without a body.
    Answer,
    /// GOAWAY with this code; the request was not looked at.
    GoAway(u32),
    /// RST_STREAM with this code.
    Reset(u32),
    /// The connection is closed.
    Close,
    /// Four bytes of an answer, then RST_STREAM with this code.
    CutByReset(u32),
    /// Four bytes of an answer, then the connection is closed.
    CutByClose,
    /// An answer that promises more bytes than it has.
    Short,
}

#[derive(Debug)]
pub(super) struct RawHttp2 {
    port: u16,
    requests: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` in HPACK.
const OK: &[u8] = &[0x88];
/// The same with `content-length: 999`.
const OK_999: &[u8] = &[0x88, 0x0f, 0x0d, 3, b'9', b'9', b'9'];

impl RawHttp2 {
    /// Does `acts` with the first requests, and answers all others.
    pub(super) fn new(acts: &[Act]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let bytes = Arc::new(AtomicUsize::new(0));
        let (acts, count, sum) = (acts.to_vec(), requests.clone(), bytes.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (acts, count, sum) = (acts.clone(), count.clone(), sum.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &acts, &count, &sum));
            }
        });
        Self {
            port,
            requests,
            bytes,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until so many bytes of bodies have arrived.
    pub(super) fn wait_for_bytes(&self, count: usize) {
        tests::holds("the body has begun to arrive", || {
            self.bytes.load(Ordering::SeqCst) >= count
        });
    }

    /// How many requests have arrived.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Until the other side goes, or an act ends the connection.
fn serve(
    mut stream: TcpStream,
    acts: &[Act],
    count: &AtomicUsize,
    bytes: &AtomicUsize,
) -> io::Result<()> {
    send(&mut stream, SETTINGS, 0, 0, &[])?;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [_, _, _, kind, flags, id @ ..] = head;
        let id = u32::from_be_bytes(id);
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload)?;
        if kind == SETTINGS && flags == 0 {
            send(&mut stream, SETTINGS, 1, 0, &[])?;
        }
        if kind == DATA {
            bytes.fetch_add(payload.len(), Ordering::SeqCst);
        }
        // A request is acted on at its end.
        if !matches!(kind, HEADERS | DATA) || flags & END_STREAM == 0 {
            continue;
        }
        let number = count.fetch_add(1, Ordering::SeqCst);
        let act = acts.get(number).copied().unwrap_or(Act::Answer);
        match act {
            Act::Answer => send(&mut stream, HEADERS, END_HEADERS | END_STREAM, id, OK)?,
            Act::GoAway(code) => {
                let last = id.saturating_sub(2).to_be_bytes();
                let payload = [last, code.to_be_bytes()].concat();
                send(&mut stream, GOAWAY, 0, 0, &payload)?;
                return close(&mut stream);
            }
            Act::Reset(code) => send(&mut stream, RST_STREAM, 0, id, &code.to_be_bytes())?,
            Act::Close => return close(&mut stream),
            Act::CutByReset(code) => {
                send(&mut stream, HEADERS, END_HEADERS, id, OK)?;
                send(&mut stream, DATA, 0, id, b"some")?;
                send(&mut stream, RST_STREAM, 0, id, &code.to_be_bytes())?;
            }
            Act::CutByClose => {
                send(&mut stream, HEADERS, END_HEADERS, id, OK)?;
                send(&mut stream, DATA, 0, id, b"some")?;
                return close(&mut stream);
            }
            Act::Short => {
                send(&mut stream, HEADERS, END_HEADERS, id, OK_999)?;
                send(&mut stream, DATA, END_STREAM, id, b"some")?;
            }
        }
    }
}

fn send(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> io::Result<()> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend_from_slice(&id.to_be_bytes());
    frame.extend_from_slice(payload);
    stream.write_all(&frame)
}

/// In good order: what was sent arrives first.
fn close(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    io::copy(stream, &mut io::sink()).map(drop)
}
