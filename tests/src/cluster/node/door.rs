//! The way from a port of this machine to the API server inside: a socket in
//! the file system, which belongs to no network.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

/// Carries connections to `port` of this machine to the door.
pub(super) fn outside(port: u16, door: PathBuf) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Closed at once while the inside is not there yet.
            if let Ok(inside) = UnixStream::connect(&door) {
                thread::spawn(move || relay(client, inside));
            }
        }
    });
    Ok(())
}

/// Carries connections that come through the door to `port`.
pub(super) fn inside(door: PathBuf, port: u16) -> io::Result<()> {
    let listener = UnixListener::bind(door)?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                thread::spawn(move || relay(server, client));
            }
        }
    });
    Ok(())
}

fn relay(tcp: TcpStream, unix: UnixStream) {
    let _ = tcp.set_nodelay(true);
    let (Ok(mut tcp_in), Ok(mut unix_out)) = (tcp.try_clone(), unix.try_clone()) else {
        return;
    };
    let there = thread::spawn(move || {
        let _ = io::copy(&mut tcp_in, &mut unix_out);
        let _ = unix_out.shutdown(Shutdown::Write);
    });
    let (mut unix_in, mut tcp_out) = (unix, tcp);
    let _ = io::copy(&mut unix_in, &mut tcp_out);
    let _ = tcp_out.shutdown(Shutdown::Write);
    let _ = there.join();
}
