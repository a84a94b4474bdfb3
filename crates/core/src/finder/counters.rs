use crate::Code;
use crate::frame::Header;
use std::collections::BTreeMap;

/// What a finder has done since it started, for metrics. Only [`sessions`](Self::sessions) and
/// [`attached`](Self::attached) go down again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections open now.
    pub sessions: u64,
    /// Connections open now that hold mailboxes.
    pub attached: u64,
    /// Attaches that succeeded.
    pub attaches: u64,
    /// What became of finds.
    pub finds: FindCounters,
    /// Answers passed to seekers.
    pub answers: u64,
    /// Exchanges that used up their time, frames or bytes.
    pub exchange_limits: u64,
    /// Knocks handed to the store; it keeps those for members with room.
    pub knocks_to_store: u64,
    /// Kept knocks delivered to a location.
    pub knocks_fetched: u64,
    /// Kept knocks that a location took over.
    pub knocks_taken: u64,
    /// TURN credentials minted.
    pub turn_credentials: u64,
    /// Error frames sent, by code.
    pub refusals: BTreeMap<Code, u64>,
    /// Connections closed by the finder, by reason.
    pub closes: BTreeMap<Code, u64>,
    /// Bytes of frames that belong to an exchange: `find`, `accepted`, `answer`, `more`, `done`, `admit`, `admitted`
    /// and errors that name an exchange. Zero while nobody is being introduced.
    pub exchange: Traffic,
    /// Bytes of all other frames: `hello`, `attach`, `attached`, `replaced`, `drain`, other errors, and what does not
    /// decode.
    pub session: Traffic,
}

impl Counters {
    /// The counter to which a frame's bytes belong.
    pub(super) const fn traffic(&mut self, header: &Header) -> &mut Traffic {
        match header {
            Header::Find { .. }
            | Header::Accepted { .. }
            | Header::Answer { .. }
            | Header::More { .. }
            | Header::Done { .. }
            | Header::Admit { .. }
            | Header::Admitted { .. }
            | Header::Error { x: Some(_), .. } => &mut self.exchange,
            Header::Hello { .. }
            | Header::Attach { .. }
            | Header::Attached { .. }
            | Header::Replaced {}
            | Header::Drain { .. }
            | Header::Error { x: None, .. } => &mut self.session,
        }
    }
}

/// Bytes of whole frames, without WebSocket and TLS framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From clients.
    pub bytes_in: u64,
    /// To clients.
    pub bytes_out: u64,
}

/// Finds by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FindCounters {
    /// With a ticket, passed to the location.
    pub admitted: u64,
    /// With a ticket, but nobody has the mailbox open.
    pub offline: u64,
    /// With a ticket that is forged, spent, expired or of another mailbox.
    pub ticket_invalid: u64,
    /// Without ticket, passed to one location.
    pub public: u64,
    /// Without ticket, passed to the locations that hold a guest mailbox.
    pub knocks: u64,
    /// Without ticket, and nobody has the mailbox open.
    pub absent: u64,
    /// Without ticket, dropped because the mailbox or the store is over its rate.
    pub dropped: u64,
    /// Without ticket, refused because the source is over its rate.
    pub rate_limited: u64,
    /// Refused because the connection has too many exchanges open.
    pub too_many: u64,
    /// Refused because the finder drains.
    pub draining: u64,
}
