//! UDP sockets, one for each usable address.

use super::Interfaces;
use crate::PrepareError;
use crate::candidate::is_usable;
use crate::defaults::{MAX_HOST_CANDIDATES, SOCKET_BUFFER};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use tokio::net::UdpSocket;

/// A socket bound to one address of this device.
pub(super) struct LocalSocket {
    pub(super) address: SocketAddr,
    pub(super) socket: UdpSocket,
}

/// All sockets of one link.
pub(super) struct Sockets {
    interfaces: Interfaces,
    bound: Vec<Arc<LocalSocket>>,
}

/// What changed when the interfaces were read again.
pub(super) struct Changes {
    pub(super) up: Vec<SocketAddr>,
    pub(super) down: Vec<SocketAddr>,
}

impl Sockets {
    pub(super) fn bind(interfaces: Interfaces) -> Result<Self, PrepareError> {
        let mut sockets = Self { interfaces, bound: Vec::new() };
        sockets.refresh()?;
        if sockets.bound.is_empty() { Err(PrepareError::NoInterface) } else { Ok(sockets) }
    }

    /// Binds new addresses and drops the sockets of those that are gone.
    pub(super) fn refresh(&mut self) -> Result<Changes, PrepareError> {
        let addresses = usable_addresses(self.interfaces).map_err(PrepareError::Interfaces)?;
        let is_gone = |local: &Arc<LocalSocket>| !addresses.contains(&local.address.ip());
        let down = self.bound.iter().filter(|local| is_gone(local)).map(|local| local.address).collect();
        self.bound.retain(|local| !is_gone(local));
        let mut up = Vec::new();
        for ip in addresses {
            if self.bound.iter().any(|local| local.address.ip() == ip) {
                continue;
            }
            match bind(ip) {
                Ok(local) => {
                    up.push(local.address);
                    self.bound.push(Arc::new(local));
                }
                Err(error) => tracing::debug!(%ip, %error, "cannot bind an address"),
            }
        }
        Ok(Changes { up, down })
    }

    pub(super) fn all(&self) -> Vec<Arc<LocalSocket>> {
        self.bound.clone()
    }
}

fn bind(ip: IpAddr) -> io::Result<LocalSocket> {
    let socket = Socket::new(Domain::for_address(SocketAddr::new(ip, 0)), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Larger buffers are a wish: without them bursts are lost and sent again.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&SocketAddr::new(ip, 0).into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    Ok(LocalSocket { address: socket.local_addr()?, socket })
}

/// Addresses to bind, those of the default routes first: servers are asked from them.
fn usable_addresses(interfaces: Interfaces) -> io::Result<Vec<IpAddr>> {
    let allow_loopback = interfaces != Interfaces::Usable;
    let preferred = [default_route("203.0.113.1:9"), default_route("[2001:db8::1]:9")];
    let mut addresses: Vec<IpAddr> = if_addrs::get_if_addrs()?
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| is_usable(SocketAddr::new(*ip, 9), allow_loopback))
        .filter(|ip| interfaces != Interfaces::Loopback || ip.is_loopback())
        .collect();
    addresses.sort_by_key(|ip| (!preferred.contains(&Some(*ip)), *ip));
    addresses.dedup();
    addresses.truncate(MAX_HOST_CANDIDATES);
    Ok(addresses)
}

/// The address from which a destination would be reached. Connecting a UDP socket sends nothing.
fn default_route(destination: &str) -> Option<IpAddr> {
    let destination: SocketAddr = destination.parse().ok()?;
    let any: SocketAddr = if destination.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = StdUdpSocket::bind(any).ok()?;
    socket.connect(destination).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}
