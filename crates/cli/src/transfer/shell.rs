//! Moves bytes between the machines, a channel and the disk.

use super::disk::Incoming;
use super::message::{MessageError, Offer};
use super::receiver::{Receiver, ReceiverEvent, SenderFault};
use super::sender::{Sender, SenderEvent};
use crate::defaults::{CHUNK_BYTES, MAX_FILE_BYTES, OFFER_PATIENCE};
use openpeer::Channel;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// What the receiving user says to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Accept,
    Decline,
}

/// Why a file did not arrive. [`Self::code`] is stable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// Caller: what was to be sent.
    #[error("{} is not a file: give the path of one", .0.display())]
    NotAFile(PathBuf),
    #[error("{} has a name that cannot be sent: rename it", .0.display())]
    Name(PathBuf),
    #[error("{} became shorter while it was sent: send it again", .0.display())]
    Changed(PathBuf),
    #[error("{}: {source}; check the path, permissions and free space", path.display())]
    Disk { path: PathBuf, source: io::Error },
    /// Refused.
    #[error("the other side does not want the file ({0})")]
    Declined(String),
    #[error("you declined the file")]
    DeclinedHere,
    #[error("nobody answered the offer within {} minutes: ask the other person and send it again", OFFER_PATIENCE.as_secs() / 60)]
    Unanswered,
    /// Peer.
    #[error("the other side gave up ({0}): ask it why and send the file again")]
    Aborted(String),
    #[error(transparent)]
    Sender(#[from] SenderFault),
    #[error(transparent)]
    Receiver(#[from] MessageError),
    /// The link.
    #[error("the link ended before the file was complete: connect and send it again")]
    Cut,
    #[error(transparent)]
    Channel(#[from] openpeer::Error),
}

impl TransferError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotAFile(_) | Self::Name(_) => "invalid-argument",
            Self::Changed(_) => "file-changed",
            Self::Disk { .. } => "disk",
            Self::Declined(_) | Self::DeclinedHere => "declined",
            Self::Unanswered => "timeout",
            Self::Aborted(_) => "transfer-aborted",
            Self::Sender(fault) => fault.code(),
            Self::Receiver(fault) => SenderFault::Message(*fault).code(),
            Self::Cut => "link-ended",
            Self::Channel(error) => error.code(),
        }
    }

    fn disk(path: &Path, source: io::Error) -> Self {
        Self::Disk { path: path.to_owned(), source }
    }
}

/// Offers a file on a channel of its own and sends it once it is accepted. Returns its size after the receiver
/// confirmed the hash. `progress` is told the bytes sent and their total, first when the offer was accepted.
pub(crate) async fn send(
    channel: &Channel,
    path: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64, TransferError> {
    let (mut file, offer) = open(path).await?;
    let total = offer.size;
    let (mut sender, message) = Sender::new(offer);
    channel.send(&message).await?;
    let answer = timeout(OFFER_PATIENCE, channel.recv()).await;
    let Ok(answer) = answer else {
        channel.send(&sender.abort("timeout")).await?;
        return Err(TransferError::Unanswered);
    };
    accepted(&mut sender, answer?.as_deref())?;
    progress(0, total);
    let mut buffer = vec![0; CHUNK_BYTES];
    while sender.wants() > 0 {
        let wanted = sender.wants();
        let read = file.read(&mut buffer[..wanted]).await;
        let message = match read {
            Ok(0) => return give_up(channel, &mut sender, TransferError::Changed(path.to_owned())).await,
            Err(error) => return give_up(channel, &mut sender, TransferError::disk(path, error)).await,
            Ok(read) => sender.data(&buffer[..read]),
        };
        tokio::select! {
            // The receiver speaks before the end only to give up.
            early = channel.recv() => return Err(unwanted(&mut sender, early?.as_deref())),
            sent = channel.send(&message) => sent?,
        }
        progress(sender.sent(), total);
    }
    if let Some(end) = sender.end() {
        channel.send(&end).await?;
    }
    match sender.handle(&channel.recv().await?.ok_or(TransferError::Cut)?)? {
        SenderEvent::Received => Ok(total),
        SenderEvent::Aborted(code) | SenderEvent::Declined(code) => Err(TransferError::Aborted(code)),
        SenderEvent::Accepted => Err(MessageError::Malformed.into()),
    }
}

/// Takes the file that the other end offers on a channel, if `decide` wants it, into a folder. Returns where it is
/// and its size, after its hash was found right. `progress` is told the bytes received and their total.
pub(crate) async fn receive(
    channel: &Channel,
    folder: &Path,
    decide: impl AsyncFnOnce(&Offer) -> Decision,
    mut progress: impl FnMut(u64, u64),
) -> Result<(PathBuf, u64), TransferError> {
    let mut receiver = Receiver::new();
    let offer = match next(channel, &mut receiver).await? {
        ReceiverEvent::Offered(offer) => offer,
        event => return Err(unexpected(event)),
    };
    let decision = tokio::select! {
        decision = decide(&offer) => decision,
        event = next(channel, &mut receiver) => return Err(unexpected(event?)),
    };
    if decision == Decision::Decline {
        channel.send(&receiver.decline("declined")).await?;
        return Err(TransferError::DeclinedHere);
    }
    let mut incoming = match Incoming::create(folder, &offer.name) {
        Ok(incoming) => incoming,
        Err(error) => {
            channel.send(&receiver.decline("disk")).await?;
            return Err(TransferError::disk(folder, error));
        }
    };
    channel.send(&receiver.accept()).await?;
    progress(0, offer.size);
    loop {
        match next(channel, &mut receiver).await? {
            ReceiverEvent::Data(data) => {
                if let Err(error) = incoming.write(&data).await {
                    channel.send(&receiver.abort("disk")).await?;
                    return Err(TransferError::disk(folder, error));
                }
                progress(receiver.bytes(), offer.size);
            }
            ReceiverEvent::Complete => break,
            event => return Err(unexpected(event)),
        }
    }
    match incoming.finish().await {
        Ok(path) => {
            channel.send(&receiver.received()).await?;
            Ok((path, offer.size))
        }
        Err(error) => {
            channel.send(&receiver.abort("disk")).await?;
            Err(TransferError::disk(folder, error))
        }
    }
}

async fn open(path: &Path) -> Result<(File, Offer), TransferError> {
    let file = File::open(path).await.map_err(|error| TransferError::disk(path, error))?;
    let metadata = file.metadata().await.map_err(|error| TransferError::disk(path, error))?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(TransferError::NotAFile(path.to_owned()));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| TransferError::Name(path.to_owned()))?;
    Ok((file, Offer::new(name.to_owned(), metadata.len())))
}

fn accepted(sender: &mut Sender, answer: Option<&[u8]>) -> Result<(), TransferError> {
    match sender.handle(answer.ok_or(TransferError::Cut)?)? {
        SenderEvent::Accepted => Ok(()),
        SenderEvent::Declined(code) => Err(TransferError::Declined(code)),
        SenderEvent::Aborted(code) => Err(TransferError::Aborted(code)),
        SenderEvent::Received => Err(MessageError::Malformed.into()),
    }
}

/// What the receiver said before the end.
fn unwanted(sender: &mut Sender, message: Option<&[u8]>) -> TransferError {
    let Some(message) = message else { return TransferError::Cut };
    match sender.handle(message) {
        Ok(SenderEvent::Aborted(code)) => TransferError::Aborted(code),
        Ok(_) => MessageError::Malformed.into(),
        Err(error) => error.into(),
    }
}

async fn give_up(channel: &Channel, sender: &mut Sender, error: TransferError) -> Result<u64, TransferError> {
    channel.send(&sender.abort(error.code())).await?;
    Err(error)
}

/// The next message of the sender; tells it what is wrong with it.
async fn next(channel: &Channel, receiver: &mut Receiver) -> Result<ReceiverEvent, TransferError> {
    let message = channel.recv().await?.ok_or(TransferError::Cut)?;
    match receiver.handle(&message) {
        Ok(event) => Ok(event),
        Err(fault) => {
            channel.send(&receiver.abort(fault.code())).await?;
            Err(fault.into())
        }
    }
}

fn unexpected(event: ReceiverEvent) -> TransferError {
    match event {
        ReceiverEvent::Aborted(code) => TransferError::Aborted(code),
        ReceiverEvent::Offered(_) | ReceiverEvent::Data(_) | ReceiverEvent::Complete => {
            MessageError::Malformed.into()
        }
    }
}
