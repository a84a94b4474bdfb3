//! The tokio shell: sockets, one task for each link, and handles. Everything that decides is in [`crate::machine`].

mod channel;
mod driver;
mod servers;
mod shared;
mod sockets;

pub use channel::{Channel, IncomingChannel};
pub use servers::IceServer;

use crate::defaults::{CONNECT_TIMEOUT, PAUSED_RETENTION};
use crate::machine::{CONTROL, LinkMachine, MachineConfig};
use crate::{
    CandidateError, ChannelError, ChannelOptions, ConnectReport, EndReason, IceParameters, PathInfo,
    PrepareError, PrivateCandidates, Role, StartError,
};
use openpeer_core::transport::{Candidate, TransportParameters};
use shared::Shared;
use sockets::Sockets;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How links are made.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Which network interfaces are used.
    pub interfaces: Interfaces,
    /// STUN and TURN servers; at most 4 of each are used. Nothing waits for them.
    pub servers: Vec<IceServer>,
    /// Which private addresses of the peer are checked: all for contacts, not a stranger's.
    pub private_candidates: PrivateCandidates,
    /// Whether only relays are used, so that the peer learns no address of this device. Without a TURN server such a
    /// link fails.
    pub relay_only: bool,
    /// The link must be open this long after it was started.
    pub connect_timeout: Duration,
    /// How long a link without a path is kept.
    pub paused_retention: Duration,
}

/// Which network interfaces a link uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interfaces {
    /// All but loopback.
    #[default]
    Usable,
    /// All, for development on one machine.
    UsableAndLoopback,
    /// Loopback alone, for tests.
    Loopback,
}

/// What happens on a link.
#[derive(Debug)]
#[non_exhaustive]
pub enum LinkEvent {
    /// A candidate for the peer.
    LocalCandidate(Candidate),
    /// There will be no more candidates, until addresses change.
    GatheringDone,
    /// The link is open.
    Open,
    /// The peer opened a channel; dropping it closes the channel.
    IncomingChannel(IncomingChannel),
    /// There has been no path for 30 s; the link waits for one.
    Paused,
    /// There is a path again.
    Resumed,
    /// The link uses another path.
    PathChanged(PathInfo),
    /// The link is over; the last event.
    Ended(EndReason),
}

/// One side of a link before the other side's parameters are known. Dropping it gives everything back.
pub struct PreparedLink {
    handle: Handle,
}

/// A link. Dropping it closes it.
pub struct Link {
    handle: Handle,
}

/// What ends a link when it is dropped.
struct Handle {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            interfaces: Interfaces::Usable,
            servers: Vec::new(),
            private_candidates: PrivateCandidates::Always,
            relay_only: false,
            connect_timeout: CONNECT_TIMEOUT,
            paused_retention: PAUSED_RETENTION,
        }
    }
}

impl PreparedLink {
    /// This side's parameters for the find or answer. They hold the candidates found so far, at least those of the
    /// device; later ones come from [`Self::next_candidate`] and, after the start, as [`LinkEvent::LocalCandidate`].
    #[must_use]
    pub fn local_parameters(&self) -> TransportParameters {
        self.handle.shared.with(|machine, _| machine.local_parameters())
    }

    /// The next candidate found after [`Self::local_parameters`] was called; `None` at the end of gathering.
    pub async fn next_candidate(&self) -> Option<Candidate> {
        self.handle.shared.next_candidate().await
    }

    /// Takes a candidate of the peer.
    ///
    /// # Errors
    /// Why the candidate is not used; the link is not harmed.
    pub fn add_remote_candidate(&self, candidate: &Candidate) -> Result<(), CandidateError> {
        self.handle.shared.with(|machine, now| machine.add_remote_candidate(candidate, now))
    }

    /// Uses one more STUN or TURN server, such as one whose credentials came with an admission. Its candidates are
    /// found as those of the others, and gathering ends once more.
    pub fn add_server(&self, server: IceServer) {
        self.handle.shared.add_server(server);
    }

    /// Starts the link with the peer's signed parameters. It is usable once [`Link::opened`] returns.
    ///
    /// # Errors
    /// `Parameters` or `Refused` if the parameters are invalid; `Ended` if every socket failed.
    pub fn start(self, remote: &TransportParameters) -> Result<Link, StartError> {
        self.handle.shared.with(|machine, now| machine.start(remote, now))?;
        Ok(Link { handle: self.handle })
    }

    /// What can be said so far.
    #[must_use]
    pub fn report(&self) -> ConnectReport {
        self.handle.shared.with(|machine, _| machine.report(false))
    }
}

impl Link {
    /// Binds UDP sockets and begins to gather candidates. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `NoInterface`, `Interfaces` if there is no network, `Certificate` if the cryptographic library fails.
    pub fn prepare(config: &LinkConfig, role: Role) -> Result<PreparedLink, PrepareError> {
        let machine_config = MachineConfig {
            allow_loopback: config.interfaces != Interfaces::Usable,
            private_candidates: config.private_candidates,
            relay_only: config.relay_only,
            connect_timeout: config.connect_timeout,
            paused_retention: config.paused_retention,
        };
        let sockets = Sockets::bind(config.interfaces)?;
        let machine = LinkMachine::new(machine_config, role, Instant::now())?;
        let shared = Arc::new(Shared::new(machine, sockets));
        let task = tokio::spawn(driver::drive(Arc::clone(&shared), config.servers.clone()));
        Ok(PreparedLink { handle: Handle { shared, task } })
    }

    /// Waits until the link is open.
    ///
    /// # Errors
    /// Why it ended instead; [`Self::report`] says more.
    pub async fn opened(&self) -> Result<(), EndReason> {
        self.handle.shared.opened().await
    }

    /// The next event; `None` once [`LinkEvent::Ended`] was returned.
    pub async fn next_event(&self) -> Option<LinkEvent> {
        Shared::next_event(&self.handle.shared).await
    }

    /// The control channel. Its handles share what arrives; dropping one closes nothing.
    #[must_use]
    pub fn control(&self) -> Channel {
        Channel::new(Arc::clone(&self.handle.shared), CONTROL)
    }

    /// Opens a channel. It can be written at once; the first messages wait until the link is open.
    ///
    /// # Errors
    /// `Name`, `TooMany`, `Ended`.
    pub fn open(&self, name: &str, options: ChannelOptions) -> Result<Channel, ChannelError> {
        let key = self.handle.shared.with(|machine, now| machine.open_channel(name, options, now))?;
        Ok(Channel::new(Arc::clone(&self.handle.shared), key))
    }

    /// Takes a candidate of the peer.
    ///
    /// # Errors
    /// Why the candidate is not used; the link is not harmed.
    pub fn add_remote_candidate(&self, candidate: &Candidate) -> Result<(), CandidateError> {
        self.handle.shared.with(|machine, now| machine.add_remote_candidate(candidate, now))
    }

    /// Uses one more STUN or TURN server, such as one whose credentials came with an admission. Its candidates are
    /// found as those of the others, and gathering ends once more.
    pub fn add_server(&self, server: IceServer) {
        self.handle.shared.add_server(server);
    }

    /// Begins an ICE restart over the network interfaces of now. The result is for the peer, its answer for
    /// [`Self::finish_ice_restart`].
    ///
    /// # Errors
    /// `Ended`.
    pub fn restart_ice(&self) -> Result<IceParameters, StartError> {
        self.handle.shared.refresh_addresses();
        self.handle.shared.with(LinkMachine::restart_ice)
    }

    /// Takes the peer's ICE restart and returns the answer for it; `None` if both sides restarted at once and ours
    /// counts.
    ///
    /// # Errors
    /// `Parameters`, `Refused`, `Ended`.
    pub fn accept_ice_restart(&self, remote: &IceParameters) -> Result<Option<IceParameters>, StartError> {
        self.handle.shared.with(|machine, now| machine.accept_ice_restart(remote, now))
    }

    /// Takes the peer's answer to our ICE restart.
    ///
    /// # Errors
    /// `NoRestart`, `Parameters`, `Refused`, `Ended`.
    pub fn finish_ice_restart(&self, remote: &IceParameters) -> Result<(), StartError> {
        self.handle.shared.with(|machine, now| machine.finish_ice_restart(remote, now))
    }

    /// The path in use.
    #[must_use]
    pub fn path(&self) -> Option<PathInfo> {
        self.handle.shared.with(|machine, _| machine.path())
    }

    /// The negotiated DTLS version, such as `1.3`.
    #[must_use]
    pub fn dtls(&self) -> Option<&'static str> {
        self.handle.shared.with(|machine, _| machine.dtls())
    }

    /// Why the link ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<EndReason> {
        self.handle.shared.with(|machine, _| machine.ended())
    }

    /// The report of this connect, without addresses.
    #[must_use]
    pub fn report(&self) -> ConnectReport {
        self.handle.shared.with(|machine, _| machine.report(false))
    }

    /// The report with the addresses of all pairs; only for the user's own eyes.
    #[must_use]
    pub fn report_with_addresses(&self) -> ConnectReport {
        self.handle.shared.with(|machine, _| machine.report(true))
    }

    /// Closes the link: what was written is delivered if that takes no longer than 2 s, then the peer is told. A
    /// reason for the peer is a message of the control channel, sent before.
    pub async fn close(mut self) {
        self.handle.shared.with(LinkMachine::close);
        // The task ends with the link; if it was cancelled with its runtime, the link is gone as well.
        let _ = (&mut self.handle.task).await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.with(LinkMachine::close);
    }
}

impl std::fmt::Debug for PreparedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedLink").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
