//! str0m as the machine uses it: built for data channels only, drained completely after each change, its errors turned
//! into reasons, and with a clock that can be moved ahead.

use super::Role;
use super::description::{Description, Setup};
use crate::defaults::{MAX_MESSAGE, PATH_INTERVAL, SCTP_RTO_MAX, SEND_BUFFER};
use crate::{EndReason, PrepareError, StartError};
use openpeer_core::transport::{Fingerprint, IceCredentials};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::SdpPendingOffer;
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::config::DtlsVersion;
use str0m::crypto::from_feature_flags;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError};

/// ICE, DTLS and SCTP of one link.
pub(super) struct Engine {
    rtc: Rtc,
    role: Role,
    /// How far str0m's clock is ahead of the machine's.
    ahead: Duration,
    /// Our own restart that waits for the peer's answer.
    pending_restart: Option<SdpPendingOffer>,
    remote_fingerprint: Option<Fingerprint>,
}

/// One thing that str0m wants done.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one step; boxing would allocate for each datagram"
)]
pub(super) enum EngineOutput {
    Transmit(str0m::net::Transmit),
    Event(Event),
    /// Nothing more until this time.
    Idle(Instant),
    Failed(EndReason),
}

impl Engine {
    pub(super) fn new(role: Role, now: Instant) -> Result<Self, PrepareError> {
        let certificate = from_feature_flags().dtls_provider.generate_certificate();
        let certificate = certificate.ok_or(PrepareError::Certificate)?;
        let config = RtcConfig::new()
            .set_dtls_cert(certificate)
            .clear_codecs()
            .clear_extension_map()
            .set_dtls_version(DtlsVersion::Auto)
            .set_sctp_max_buffered_amount(SEND_BUFFER)
            .set_sctp_max_message_size(u32::try_from(MAX_MESSAGE).unwrap_or(u32::MAX))
            .set_stats_interval(Some(PATH_INTERVAL));
        Ok(Self {
            rtc: config.build(now),
            role,
            ahead: Duration::ZERO,
            pending_restart: None,
            remote_fingerprint: None,
        })
    }

    // --- descriptions ---

    pub(super) fn local_fingerprint(&mut self) -> Fingerprint {
        let api = self.rtc.direct_api();
        let bytes = api.local_dtls_fingerprint().bytes.as_slice();
        Fingerprint(bytes.try_into().expect("str0m fingerprints are SHA-256"))
    }

    pub(super) fn local_credentials(&mut self) -> IceCredentials {
        let credentials = self.rtc.direct_api().local_ice_credentials();
        IceCredentials { ufrag: credentials.ufrag, pwd: credentials.pass }
    }

    /// Takes the peer's side and starts ICE and DTLS.
    pub(super) fn start(&mut self, fingerprint: Fingerprint, ice: &IceCredentials) -> Result<(), StartError> {
        let offer = self.describe(&fingerprint, ice).to_offer().map_err(refused)?;
        self.rtc.sdp_api().accept_offer(offer).map_err(refused)?;
        self.rtc.direct_api().set_ice_controlling(self.role == Role::Seeker);
        self.remote_fingerprint = Some(fingerprint);
        Ok(())
    }

    /// Begins an ICE restart and returns the credentials for the peer.
    pub(super) fn restart(&mut self) -> Result<IceCredentials, StartError> {
        let mut api = self.rtc.sdp_api();
        let credentials = api.ice_restart(true);
        let (_, pending) = api.apply().ok_or(StartError::NotStarted)?;
        self.pending_restart = Some(pending);
        Ok(IceCredentials { ufrag: credentials.ufrag, pwd: credentials.pass })
    }

    pub(super) fn is_restarting(&self) -> bool {
        self.pending_restart.is_some()
    }

    /// Takes the peer's restart, dropping one of our own; the new local credentials are for the answer.
    pub(super) fn accept_restart(&mut self, ice: &IceCredentials) -> Result<IceCredentials, StartError> {
        let fingerprint = self.remote_fingerprint.ok_or(StartError::NotStarted)?;
        let offer = self.describe(&fingerprint, ice).to_offer().map_err(refused)?;
        self.pending_restart = None;
        self.rtc.sdp_api().accept_offer(offer).map_err(refused)?;
        Ok(self.local_credentials())
    }

    /// Takes the peer's answer to our own restart.
    pub(super) fn finish_restart(&mut self, ice: &IceCredentials) -> Result<(), StartError> {
        let fingerprint = self.remote_fingerprint.ok_or(StartError::NotStarted)?;
        let answer = self.describe(&fingerprint, ice).to_answer().map_err(refused)?;
        let pending = self.pending_restart.take().ok_or(StartError::NoRestart)?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(refused)
    }

    fn describe<'a>(&self, fingerprint: &'a Fingerprint, ice: &'a IceCredentials) -> Description<'a> {
        let setup = match self.role {
            Role::Seeker => Setup::Active,
            Role::Answerer => Setup::Passive,
        };
        Description { fingerprint, ice, setup }
    }

    // --- candidates ---

    /// The candidate with its priority, or nothing if it is redundant.
    pub(super) fn add_local_candidate(&mut self, candidate: Candidate) -> Option<Candidate> {
        self.rtc.add_local_candidate(candidate).cloned()
    }

    pub(super) fn add_remote_candidate(&mut self, candidate: Candidate) {
        self.rtc.add_remote_candidate(candidate);
    }

    pub(super) fn invalidate_local_candidate(&mut self, candidate: &Candidate) {
        self.rtc.direct_api().invalidate_candidate(candidate);
    }

    /// Forms all pairs with these local candidates anew, so that they are checked again from the beginning. Taking a
    /// candidate back and adding it again is what the agent offers for it, and leaves nothing behind.
    pub(super) fn recheck(&mut self, local: &[Candidate]) {
        for candidate in local {
            self.rtc.direct_api().invalidate_candidate(candidate);
            self.rtc.add_local_candidate(candidate.clone());
        }
    }

    // --- channels ---

    pub(super) fn open_channel(&mut self, config: ChannelConfig) -> ChannelId {
        self.rtc.direct_api().create_data_channel(config)
    }

    pub(super) fn close_channel(&mut self, id: ChannelId) {
        self.rtc.direct_api().close_data_channel(id);
    }

    pub(super) fn channel(&mut self, id: ChannelId) -> Option<str0m::channel::Channel<'_>> {
        self.rtc.channel(id)
    }

    pub(super) fn dtls_version(&mut self) -> Option<&'static str> {
        use str0m::crypto::dtls::ProtocolVersion;
        match self.rtc.direct_api().dtls_protocol_version()? {
            ProtocolVersion::DTLS1_3 => Some("1.3"),
            ProtocolVersion::DTLS1_2 => Some("1.2"),
            _ => Some("unknown"),
        }
    }

    // --- running ---

    /// Whether a datagram belongs to this link: STUN with the right credentials, or anything from an address that ICE
    /// has validated.
    pub(super) fn accepts(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
        now: Instant,
    ) -> bool {
        Receive::new(Protocol::Udp, source, destination, payload)
            .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(now + self.ahead, receive)))
    }

    /// Feeds a datagram; what cannot be parsed is dropped.
    pub(super) fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
        now: Instant,
    ) -> Result<(), EndReason> {
        let Ok(receive) = Receive::new(Protocol::Udp, source, destination, payload) else { return Ok(()) };
        self.rtc.handle_input(Input::Receive(now + self.ahead, receive)).map_err(|error| end_reason(&error))
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), EndReason> {
        self.rtc.handle_input(Input::Timeout(now + self.ahead)).map_err(|error| end_reason(&error))
    }

    /// Must be called until it is idle or failed, after every other call.
    pub(super) fn poll(&mut self) -> EngineOutput {
        match self.rtc.poll_output() {
            Ok(Output::Transmit(transmit)) => EngineOutput::Transmit(transmit),
            Ok(Output::Event(event)) => EngineOutput::Event(event),
            Ok(Output::Timeout(at)) => EngineOutput::Idle(at.checked_sub(self.ahead).unwrap_or(at)),
            Err(error) => EngineOutput::Failed(end_reason(&error)),
        }
    }

    /// Moves SCTP's clock ahead by its longest retransmission timeout, so that everything unacknowledged is sent
    /// again now. ICE and DTLS have no deadlines that this could break while the path works.
    pub(super) fn retransmit_now(&mut self) {
        self.ahead += SCTP_RTO_MAX;
    }

    /// Tells the peer that the link ends.
    pub(super) fn close(&mut self) {
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "closing without telling the peer");
        }
    }
}

fn refused(error: impl std::fmt::Display) -> StartError {
    StartError::Refused(error.to_string())
}

/// str0m reports a certificate that differs from the described one as an error of the remote SDP; once running it
/// has no other error of that kind.
fn end_reason(error: &RtcError) -> EndReason {
    tracing::debug!(%error, "the engine failed");

    match error {
        RtcError::RemoteSdp(_) => EndReason::BadFingerprint,
        RtcError::Dtls(_) => EndReason::DtlsFailed,
        RtcError::Sctp(_) => EndReason::ChannelsFailed,
        _ => EndReason::Internal,
    }
}
