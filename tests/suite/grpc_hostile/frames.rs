//! HTTP/2 frame by frame, in any order and shape.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use tests::{PATIENCE, Svid, tls};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Setting of the window that new streams get.
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
/// Code of RST_STREAM.
pub(crate) const CANCEL: [u8; 4] = [0, 0, 0, 8];

trait Socket: Read + Write + Send {}
impl<T: Read + Write + Send> Socket for T {}

/// A connection on which anything may be said.
pub(crate) struct Wire {
    socket: Box<dyn Socket>,
    tcp: TcpStream,
    /// Read, and not yet asked for.
    unread: Vec<u8>,
    /// So much of it was searched for pings.
    attended: usize,
}

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

// === impl Wire ===

impl Wire {
    /// With TLS where there is an SVID to present.
    pub(crate) fn connect(port: u16, svid: Option<&Svid>) -> io::Result<Self> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        let stream = tcp.try_clone()?;
        let socket: Box<dyn Socket> = if svid.is_some() {
            let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
            let session = ClientConnection::new(tls::client(svid, &[b"h2"]), name)
                .map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(session, stream);
            stream.conn.complete_io(&mut stream.sock)?;
            Box::new(stream)
        } else {
            Box::new(stream)
        };
        Ok(Self {
            socket,
            tcp,
            unread: Vec::new(),
            attended: 0,
        })
    }

    /// Preface and first settings.
    pub(crate) fn preface(&mut self, settings: &[(u16, u32)]) -> io::Result<()> {
        let mut bytes = PREFACE.to_vec();
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        bytes.extend(frame(SETTINGS, 0, 0, &payload));
        self.write(&bytes)
    }

    /// From now on a write fails after this time.
    pub(crate) fn write_for(&self, patience: Duration) {
        let _ = self.tcp.set_write_timeout(Some(patience));
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)?;
        self.socket.flush()
    }

    pub(crate) fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        self.write(&frame(kind, flags, stream, payload))
    }

    /// The next frame; `None` when the connection has ended.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::first_of(&self.unread) {
                self.attended = self.attended.saturating_sub(frame.length());
                self.unread.drain(..frame.length());
                return Some(frame);
            }
            let mut piece = [0; 16 * 1024];
            match self.socket.read(&mut piece) {
                Ok(0) => return None,
                Ok(got) => self.unread.extend_from_slice(&piece[..got]),
                Err(error) if is_timeout(&error) => panic!("nothing came, and no end either"),
                Err(_) => return None,
            }
        }
    }

    /// Answers the pings that have come: a server hangs up on who does not.
    pub(crate) fn attend(&mut self) {
        let _ = self.tcp.set_nonblocking(true);
        let mut piece = [0; 16 * 1024];
        while let Ok(got @ 1..) = self.socket.read(&mut piece) {
            self.unread.extend_from_slice(&piece[..got]);
        }
        let _ = self.tcp.set_nonblocking(false);
        while let Some(frame) = Frame::first_of(&self.unread[self.attended..]) {
            self.attended += frame.length();
            if frame.kind == PING && frame.flags & ACK == 0 {
                let _ = self.send(PING, ACK, 0, &frame.payload);
            }
        }
    }

    /// Reads frames until one is as wished; false when the connection ended
    /// before.
    #[track_caller]
    pub(crate) fn until(&mut self, wished: impl Fn(&Frame) -> bool) -> bool {
        while let Some(frame) = self.next() {
            if wished(&frame) {
                return true;
            }
        }
        false
    }

    /// Fails unless the server ends the connection.
    #[track_caller]
    pub(crate) fn expect_end(&mut self, what: &str) {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if is_timeout(&error) => panic!("{what}: the connection stays"),
                Err(_) => return,
            }
        }
    }

    /// Throws away what has come; false when the connection has ended.
    pub(crate) fn drain(&mut self) -> bool {
        let _ = self.tcp.set_nonblocking(true);
        let mut buffer = [0; 16 * 1024];
        let open = loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) => break is_timeout(&error),
            }
        };
        let _ = self.tcp.set_nonblocking(false);
        open
    }
}

// === impl Frame ===

impl Frame {
    /// The frame with which these bytes begin, once it is whole.
    fn first_of(bytes: &[u8]) -> Option<Self> {
        let (&[a, b, c, kind, flags, s0, s1, s2, s3], rest) = bytes.split_first_chunk()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        Some(Self {
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff,
            payload: rest.get(..length)?.to_vec(),
        })
    }

    /// Bytes of it on the wire.
    fn length(&self) -> usize {
        9 + self.payload.len()
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// A frame with this payload.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(payload.len(), kind, flags, stream);
    bytes.extend_from_slice(payload);
    bytes
}

/// The nine bytes before a payload.
pub(crate) fn head(length: usize, kind: u8, flags: u8, stream: u32) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes
}

/// A header field as HPACK literal without index.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        length(text.len(), &mut bytes);
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// The fields of a call, each kept in the table of the connection.
pub(crate) fn kept_call(method: &str) -> Vec<u8> {
    fields(method)
        .iter()
        .flat_map(|(name, value)| {
            let mut bytes = field(name, value);
            bytes[0] = 0x40;
            bytes
        })
        .collect()
}

/// The fields that [`kept_call`] kept, one byte for each.
pub(crate) fn same_call() -> Vec<u8> {
    const FIRST: u8 = 62;
    let count = u8::try_from(fields("").len()).unwrap();
    (0..count)
        .rev()
        .map(|place| 0x80 | (FIRST + place))
        .collect()
}

/// An HPACK integer after a prefix of seven bits.
fn length(mut length: usize, bytes: &mut Vec<u8>) {
    const PREFIX: usize = 127;
    if length < PREFIX {
        bytes.push(length as u8);
        return;
    }
    bytes.push(PREFIX as u8);
    length -= PREFIX;
    while length >= 128 {
        bytes.push((length % 128) as u8 | 128);
        length /= 128;
    }
    bytes.push(length as u8);
}

/// The fields of a call that both ports forward to the app.
pub(crate) fn call(method: &str) -> Vec<u8> {
    fields(method)
        .iter()
        .flat_map(|(name, value)| field(name, value))
        .collect()
}

fn fields(method: &str) -> [(&'static str, String); 8] {
    [
        (":method", "POST".to_owned()),
        (":scheme", "http".to_owned()),
        (":path", format!("/testing.Kinds/{method}")),
        (":authority", "localhost".to_owned()),
        ("content-type", "application/grpc".to_owned()),
        ("te", "trailers".to_owned()),
        ("dapr-callee-app-id", "callee".to_owned()),
        ("dapr-stream", "true".to_owned()),
    ]
}

/// A gRPC message.
pub(crate) fn message(text: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}
