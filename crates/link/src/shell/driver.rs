//! The one task of a link: moves datagrams between its sockets and its machine.

use super::servers::{IceServer, Resolved};
use super::shared::Shared;
use super::sockets::LocalSocket;
use crate::defaults::{MAX_DATAGRAM, RECEIVE_BATCH};
use crate::machine::{Input, LinkMachine, Transmit};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tokio::task::JoinSet;

pub(super) async fn drive(shared: Arc<Shared>, servers: Vec<IceServer>) {
    let mut resolving: JoinSet<Vec<Resolved>> = servers.into_iter().map(IceServer::resolve).collect();
    if resolving.is_empty() {
        complete_gathering(&shared);
    }
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut transmits = Vec::new();
    loop {
        let output = shared.take_output(transmits);
        transmits = output.transmits;
        for transmit in transmits.drain(..) {
            send(&output.sockets, &transmit).await;
        }
        if output.is_ended {
            return;
        }
        for server in output.new_servers {
            resolving.spawn(server.resolve());
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            () = readable(&output.sockets) => {
                output.sockets.iter().for_each(|local| receive(&shared, local, &mut buffer));
            }
            () = sleep_until(output.deadline) => shared.with_from_task(LinkMachine::handle_timeout),
            Some(resolved) = resolving.join_next() => {
                add_servers(&shared, resolved.unwrap_or_default());
                if resolving.is_empty() {
                    complete_gathering(&shared);
                }
            }
        }
    }
}

/// Datagrams that cannot be sent are lost, as on any network; checks find out.
async fn send(sockets: &[Arc<LocalSocket>], transmit: &Transmit) {
    let Some(local) = sockets.iter().find(|local| local.address == transmit.source) else { return };
    if let Err(error) = local.socket.send_to(&transmit.payload, transmit.destination).await {
        tracing::trace!(%error, "a datagram is lost");
    }
}

/// Waits until any socket has something to read.
async fn readable(sockets: &[Arc<LocalSocket>]) {
    poll_fn(|context| {
        // Each is asked, so that each wakes the task.
        let ready = sockets.iter().filter(|local| local.socket.poll_recv_ready(context).is_ready()).count();
        if ready > 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Reads what is there, so much at most that output does not starve.
fn receive(shared: &Shared, local: &LocalSocket, buffer: &mut [u8]) {
    shared.with_from_task(|machine, now| {
        for _ in 0..RECEIVE_BATCH {
            match local.socket.try_recv_from(buffer) {
                Ok((length, source)) => {
                    let payload = &buffer[..length];
                    machine.handle_input(Input::Datagram { source, local: local.address, payload }, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Such as an ICMP message about an earlier datagram; the next read tells the next thing.
                Err(error) => tracing::trace!(%error, "reading a socket"),
            }
        }
    });
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

fn add_servers(shared: &Shared, resolved: Vec<Resolved>) {
    shared.with_from_task(|machine, now| {
        for server in resolved {
            let input = match server {
                Ok(server) => Input::Server(server),
                Err((kind, outcome)) => Input::ServerUnusable(kind, outcome),
            };
            machine.handle_input(input, now);
        }
    });
}

fn complete_gathering(shared: &Shared) {
    shared.with_from_task(|machine, now| machine.handle_input(Input::GatheringComplete, now));
}
