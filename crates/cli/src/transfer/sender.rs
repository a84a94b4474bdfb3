use super::message::{Message, MessageError, Offer, Reason};
use crate::defaults::CHUNK_BYTES;
use sha2::{Digest, Sha256};

/// The sending end of a transfer. Pass on what [`Sender::handle`] returns, and while it wants data, feed it with
/// [`Sender::data`] and send what comes back.
#[derive(Debug)]
pub(super) struct Sender {
    offer: Offer,
    sent: u64,
    hash: Sha256,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Offered,
    Sending,
    /// Everything is sent, the receiver compares.
    Ended,
    Over,
}

/// What the other end decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SenderEvent {
    /// Go on with data.
    Accepted,
    /// The file is there.
    Received,
    /// The other person or program said no.
    Declined(String),
    /// The other end gave up.
    Aborted(String),
}

impl Sender {
    /// A transfer and the message that begins it.
    pub(super) fn new(offer: Offer) -> (Self, Vec<u8>) {
        let message = Message::Offer(offer.clone()).encode();
        (Self { offer, sent: 0, hash: Sha256::new(), state: State::Offered }, message)
    }

    /// A message of the receiver.
    ///
    /// # Errors
    /// If it is no message, or none that may come now. The transfer is over then.
    pub(super) fn handle(&mut self, bytes: &[u8]) -> Result<SenderEvent, MessageError> {
        let message = Message::decode(bytes);
        let (next, event) = match (&self.state, message) {
            (State::Offered, Ok(Message::Accept)) => (State::Sending, Ok(SenderEvent::Accepted)),
            (State::Offered, Ok(Message::Decline(Reason { code }))) => {
                (State::Over, Ok(SenderEvent::Declined(code)))
            }
            (State::Ended, Ok(Message::Received)) => (State::Over, Ok(SenderEvent::Received)),
            (State::Over, _) => (State::Over, Err(MessageError::Malformed)),
            (_, Ok(Message::Abort(Reason { code }))) => (State::Over, Ok(SenderEvent::Aborted(code))),
            (_, Ok(_)) => (State::Over, Err(MessageError::Malformed)),
            (_, Err(error)) => (State::Over, Err(error)),
        };
        self.state = next;
        event
    }

    /// How many bytes of the file are wanted next; 0 if none.
    pub(super) fn wants(&self) -> usize {
        if self.state != State::Sending {
            return 0;
        }
        usize::try_from(self.offer.size - self.sent).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES))
    }

    /// The next bytes of the file, at most as many as wanted, as a message.
    pub(super) fn data(&mut self, bytes: &[u8]) -> Vec<u8> {
        debug_assert!(!bytes.is_empty() && bytes.len() <= self.wants());
        self.hash.update(bytes);
        self.sent += bytes.len() as u64;
        Message::Data(bytes.to_vec()).encode()
    }

    /// The message after the last data, once nothing more is wanted.
    pub(super) fn end(&mut self) -> Option<Vec<u8>> {
        if self.state != State::Sending || self.sent != self.offer.size {
            return None;
        }
        self.state = State::Ended;
        Some(Message::End(self.hash.finalize_reset().into()).encode())
    }

    /// Gives up, for instance because the file became shorter than offered.
    pub(super) fn abort(&mut self, code: &str) -> Vec<u8> {
        self.state = State::Over;
        Message::Abort(Reason::new(code)).encode()
    }

    /// Bytes sent so far.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }
}
