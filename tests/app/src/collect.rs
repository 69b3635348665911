//! Which ids reached an app, and how often: counted outside of the pods,
//! because theirs ends with them. A line is an id and is acknowledged; a line
//! that begins with `?` asks for what begins with the rest of it.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use serde_json::{Value, json};

type Ids = Arc<Mutex<HashMap<String, usize>>>;

/// Counts for ever.
pub(crate) fn run(port: u16) {
    let ids = Ids::default();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a free port");
    for stream in listener.incoming().flatten() {
        let ids = ids.clone();
        thread::spawn(move || {
            let _ = listen(stream, &ids);
        });
    }
}

fn listen(mut stream: TcpStream, ids: &Ids) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if let Some(prefix) = line.strip_prefix('?') {
            writeln!(stream, "{}", counted(&ids.lock(), prefix))?;
        } else {
            *ids.lock().entry(line).or_default() += 1;
            stream.write_all(b".")?;
        }
    }
    Ok(())
}

fn counted(ids: &HashMap<String, usize>, prefix: &str) -> Value {
    let ours = || ids.iter().filter(|(id, _)| id.starts_with(prefix));
    let twice: Vec<_> = ours()
        .filter_map(|(id, &times)| (times > 1).then_some(id))
        .collect();
    json!({ "seen": ours().count(), "twice": twice })
}

/// Asks a collector and prints its answer.
pub(crate) fn count(collector: &str, prefix: &str) {
    let mut stream = TcpStream::connect(collector).expect("the collector listens");
    writeln!(stream, "?{prefix}").expect("it reads");
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .expect("it answers");
    print!("{line}");
}

/// An app's connection to the collector.
pub(crate) struct Reporter {
    address: String,
    stream: Option<TcpStream>,
}

impl Reporter {
    pub(crate) fn new(address: String) -> Self {
        Self {
            address,
            stream: None,
        }
    }

    /// Returns once the id is counted.
    pub(crate) fn report(&mut self, id: &str) -> io::Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(&self.address)?,
        };
        stream.set_nodelay(true)?;
        stream.write_all(format!("{id}\n").as_bytes())?;
        stream.read_exact(&mut [0])?;
        self.stream = Some(stream);
        Ok(())
    }
}
