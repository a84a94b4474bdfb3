use super::message::{Message, Offer};
use super::receiver::{Receiver, ReceiverEvent, SenderFault};
use super::sender::{Sender, SenderEvent};
use crate::defaults::CHUNK_BYTES;

/// A file through both machines; gives what the receiver would have written.
fn transfer(content: &[u8]) -> Vec<u8> {
    let (mut sender, offer) = Sender::new(Offer::new("f".to_owned(), content.len() as u64));
    let mut receiver = Receiver::new();
    assert!(matches!(receiver.handle(&offer).unwrap(), ReceiverEvent::Offered(_)));
    assert_eq!(sender.wants(), 0, "no byte before the yes");
    assert_eq!(sender.handle(&receiver.accept()).unwrap(), SenderEvent::Accepted);
    let mut written = Vec::new();
    while sender.wants() > 0 {
        let at = usize::try_from(sender.sent()).unwrap();
        let message = sender.data(&content[at..at + sender.wants()]);
        assert!(message.len() <= CHUNK_BYTES + 1);
        let ReceiverEvent::Data(data) = receiver.handle(&message).unwrap() else { panic!("no data") };
        written.extend(data);
    }
    assert_eq!(receiver.handle(&sender.end().unwrap()).unwrap(), ReceiverEvent::Complete);
    assert_eq!(sender.handle(&receiver.received()).unwrap(), SenderEvent::Received);
    written
}

/// A receiver that accepted an offer of `size` bytes.
fn receiving(size: u64) -> Receiver {
    let mut receiver = Receiver::new();
    receiver.handle(&Message::Offer(Offer::new("f".to_owned(), size)).encode()).unwrap();
    receiver.accept();
    receiver
}

#[test]
fn files_of_any_size_arrive() {
    for size in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
        let content: Vec<u8> = (0..size).map(|at| at as u8).collect();
        assert_eq!(transfer(&content), content, "{size}");
    }
}

#[test]
fn nothing_is_written_before_the_yes() {
    let mut receiver = Receiver::new();
    receiver.handle(&Message::Offer(Offer::new("f".to_owned(), 1)).encode()).unwrap();
    assert!(receiver.handle(&Message::Data(vec![0]).encode()).is_err());
}

#[test]
fn the_receiver_takes_what_was_offered_and_nothing_else() {
    let hash = |content: &[u8]| <[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(content));
    let data = |bytes: &[u8]| Message::Data(bytes.to_vec()).encode();

    assert_eq!(receiving(1).handle(&data(b"ab")), Err(SenderFault::TooMuch));
    assert_eq!(receiving(1).handle(&Message::End(hash(b"")).encode()), Err(SenderFault::TooLittle));

    let mut receiver = receiving(1);
    receiver.handle(&data(b"a")).unwrap();
    assert_eq!(receiver.handle(&Message::End(hash(b"b")).encode()), Err(SenderFault::HashMismatch));
    assert!(receiver.handle(&Message::End(hash(b"a")).encode()).is_err(), "over after a fault");

    let mut receiver = receiving(1);
    receiver.handle(&data(b"a")).unwrap();
    assert_eq!(receiver.handle(&Message::End(hash(b"a")).encode()), Ok(ReceiverEvent::Complete));
}

#[test]
fn each_side_can_say_no() {
    let offer = || Sender::new(Offer::new("f".to_owned(), 1));
    let (mut sender, message) = offer();
    let mut receiver = Receiver::new();
    receiver.handle(&message).unwrap();
    let declined = sender.handle(&receiver.decline("declined")).unwrap();
    assert_eq!(declined, SenderEvent::Declined("declined".to_owned()));
    assert!(sender.handle(&Message::Accept.encode()).is_err(), "no second thoughts");
    assert_eq!((sender.wants(), sender.end()), (0, None));

    let (mut sender, message) = offer();
    let mut receiver = Receiver::new();
    receiver.handle(&message).unwrap();
    let aborted = receiver.handle(&sender.abort("cancelled")).unwrap();
    assert_eq!(aborted, ReceiverEvent::Aborted("cancelled".to_owned()));

    let (mut sender, message) = offer();
    let mut receiver = Receiver::new();
    receiver.handle(&message).unwrap();
    sender.handle(&receiver.accept()).unwrap();
    assert_eq!(sender.handle(&receiver.abort("disk")).unwrap(), SenderEvent::Aborted("disk".to_owned()));
}

#[test]
fn the_sender_believes_nothing_early() {
    let (mut sender, _) = Sender::new(Offer::new("f".to_owned(), 1));
    assert!(sender.handle(&Message::Received.encode()).is_err());
    let (mut sender, _) = Sender::new(Offer::new("f".to_owned(), 1));
    sender.handle(&Message::Accept.encode()).unwrap();
    assert!(sender.handle(&Message::Received.encode()).is_err(), "nothing was sent yet");
}
