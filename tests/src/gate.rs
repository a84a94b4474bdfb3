//! A TCP relay in front of a server that can act at a chosen moment and turn into a black hole.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Something that happens once a number of pieces have passed a set of gates.
#[derive(Clone, Default)]
pub struct Trap {
    set: Arc<Mutex<Option<Set>>>,
    sprung: Arc<AtomicBool>,
    swallows: Arc<AtomicBool>,
}

struct Set {
    remaining: usize,
    action: Box<dyn FnOnce() + Send>,
}

impl Trap {
    /// Lets `pieces` pass, counting from now, and then acts, before the next one goes on.
    ///
    /// # Panics
    /// If an action panicked.
    pub fn set(&self, pieces: usize, action: impl FnOnce() + Send + 'static) {
        *self.set.lock().unwrap() = Some(Set { remaining: pieces, action: Box::new(action) });
    }

    /// Whether it has acted.
    #[must_use]
    pub fn has_sprung(&self) -> bool {
        self.sprung.load(Ordering::SeqCst)
    }

    /// Turns its gates into black holes: connections are still taken, and everything is swallowed.
    pub fn swallow(&self) {
        self.swallows.store(true, Ordering::SeqCst);
    }

    /// Whether a piece may go on.
    fn passes(&self) -> bool {
        let mut set = self.set.lock().unwrap();
        match &mut *set {
            Some(Set { remaining: 0, .. }) => {
                if let Some(Set { action, .. }) = set.take() {
                    action();
                }
                self.sprung.store(true, Ordering::SeqCst);
            }
            Some(Set { remaining, .. }) => *remaining -= 1,
            None => {}
        }
        drop(set);
        !self.swallows.load(Ordering::SeqCst)
    }
}

/// Opens a gate on loopback in front of a server; it stays open as long as this process.
///
/// # Panics
/// If there is no free port.
#[must_use]
pub fn open(server: SocketAddr, trap: &Trap) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let trap = trap.clone();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let trap = trap.clone();
            thread::spawn(move || relay(client, server, &trap));
        }
    });
    address
}

fn relay(client: TcpStream, server: SocketAddr, trap: &Trap) {
    if trap.swallows.load(Ordering::SeqCst) {
        return swallow(client);
    }
    let Ok(server) = TcpStream::connect(server) else { return };
    let (from_client, to_client) = (client.try_clone().unwrap(), client);
    let (from_server, to_server) = (server.try_clone().unwrap(), server);
    let answers = {
        let trap = trap.clone();
        thread::spawn(move || copy(from_server, to_client, &trap))
    };
    copy(from_client, to_server, trap);
    // A thread that panicked has said so.
    let _ = answers.join();
}

fn copy(mut from: TcpStream, mut to: TcpStream, trap: &Trap) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if trap.passes() && to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Into a black hole nothing falls, not even an end.
    if !trap.swallows.load(Ordering::SeqCst) {
        let _ = to.shutdown(Shutdown::Both);
    }
}

fn swallow(mut client: TcpStream) {
    let mut buffer = [0; 1024];
    while let Ok(1..) = client.read(&mut buffer) {}
}
