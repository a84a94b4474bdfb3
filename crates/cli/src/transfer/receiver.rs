use super::message::{Message, MessageError, Offer, Reason};
use sha2::{Digest, Sha256};

/// The receiving end of a transfer. Feed it every message with [`Receiver::handle`] and do what it says; answer its
/// offer with [`Receiver::accept`] or [`Receiver::decline`].
#[derive(Debug)]
pub(super) struct Receiver {
    size: u64,
    received: u64,
    hash: Sha256,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Deciding,
    Receiving,
    /// The hash was right; the file moves to its place.
    Complete,
    Over,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReceiverEvent {
    /// Decide about this.
    Offered(Offer),
    /// Write this.
    Data(Vec<u8>),
    /// All of it is there and the hash is right: move it to its place, then call [`Receiver::received`].
    Complete,
    /// The other end gave up.
    Aborted(String),
}

/// What is wrong with what the sender sent; the transfer is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SenderFault {
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("more bytes than offered: the other program has a defect")]
    TooMuch,
    #[error("fewer bytes than offered: the other program has a defect")]
    TooLittle,
    #[error("the file was damaged on its way or changed while it was sent: ask for it again")]
    HashMismatch,
}

impl SenderFault {
    /// The code that the sender is told.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Message(MessageError::UnsupportedVersion) => "unsupported-version",
            Self::Message(MessageError::Malformed) | Self::TooLittle => "malformed",
            Self::TooMuch => "limit-exceeded",
            Self::HashMismatch => "hash-mismatch",
        }
    }
}

impl Receiver {
    /// A transfer that begins with the sender's next message.
    pub(super) fn new() -> Self {
        Self { size: 0, received: 0, hash: Sha256::new(), state: State::Waiting }
    }

    /// A message of the sender.
    ///
    /// # Errors
    /// What is wrong with it. Tell the sender with [`Receiver::abort`].
    pub(super) fn handle(&mut self, bytes: &[u8]) -> Result<ReceiverEvent, SenderFault> {
        let result = self.step(bytes);
        if result.is_err() {
            self.state = State::Over;
        }
        result
    }

    fn step(&mut self, bytes: &[u8]) -> Result<ReceiverEvent, SenderFault> {
        match (self.state, Message::decode(bytes)?) {
            (State::Waiting, Message::Offer(offer)) => {
                self.state = State::Deciding;
                self.size = offer.size;
                Ok(ReceiverEvent::Offered(offer))
            }
            (State::Receiving, Message::Data(data)) => self.take(data),
            (State::Receiving, Message::End(hash)) => self.compare(hash),
            (State::Deciding | State::Receiving, Message::Abort(Reason { code })) => {
                self.state = State::Over;
                Ok(ReceiverEvent::Aborted(code))
            }
            _ => Err(MessageError::Malformed.into()),
        }
    }

    fn take(&mut self, data: Vec<u8>) -> Result<ReceiverEvent, SenderFault> {
        self.received += data.len() as u64;
        if self.received > self.size {
            return Err(SenderFault::TooMuch);
        }
        self.hash.update(&data);
        Ok(ReceiverEvent::Data(data))
    }

    fn compare(&mut self, hash: [u8; 32]) -> Result<ReceiverEvent, SenderFault> {
        if self.received < self.size {
            return Err(SenderFault::TooLittle);
        }
        if hash != <[u8; 32]>::from(self.hash.finalize_reset()) {
            return Err(SenderFault::HashMismatch);
        }
        self.state = State::Complete;
        Ok(ReceiverEvent::Complete)
    }

    /// The user wants the file.
    pub(super) fn accept(&mut self) -> Vec<u8> {
        self.state = State::Receiving;
        Message::Accept.encode()
    }

    /// The user does not want the file, or cannot have it.
    pub(super) fn decline(&mut self, code: &str) -> Vec<u8> {
        self.state = State::Over;
        Message::Decline(Reason::new(code)).encode()
    }

    /// The file is in its place.
    pub(super) fn received(&mut self) -> Vec<u8> {
        self.state = State::Over;
        Message::Received.encode()
    }

    /// This end gives up.
    pub(super) fn abort(&mut self, code: &str) -> Vec<u8> {
        self.state = State::Over;
        Message::Abort(Reason::new(code)).encode()
    }

    /// Bytes received so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.received
    }
}
