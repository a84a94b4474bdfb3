//! Finder sessions over real sockets.

use crate::support::http::metric;
use crate::support::{Client, dial, eventually, open, plain, spawn, tls};
use openpeer_core::Code;
use openpeer_core::defaults::MAX_FRAME_BYTES;
use openpeer_core::frame::{Frame, Header, MailboxId};
use openpeer_core::key::Seed;
use openpeer_server::Server;
use tokio_tungstenite::tungstenite::Error as WebSocketError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const LOCATION: Seed = Seed::new([1; 32]);
const GUEST: Seed = Seed::new([2; 32]);

async fn find_and_answer(server: &Server) {
    let (mut bob, mut alice) = (Client::connect(server).await, Client::connect(server).await);
    let tickets = bob.attach(&LOCATION, &GUEST).await;
    let to = MailboxId::of(&LOCATION.public_key());
    let ticket = tickets.issue(crate::support::peer::now(), [7; 12]);
    alice.send(Header::Find { x: 1, to, ticket: Some(ticket), kept: None }, b"sealed find").await;
    let find = bob.receive().await;
    let Header::Find { x, ticket: None, .. } = find.header else { panic!("{find:?}") };
    assert_eq!(find.body, b"sealed find");
    bob.send(Header::Answer { x }, b"sealed answer").await;
    let answer = alice.receive().await;
    assert_eq!((answer.header, &*answer.body), (Header::Answer { x: 1 }, &b"sealed answer"[..]));
    alice.send(Header::Done { x: 1 }, &[]).await;
    assert_eq!(bob.receive().await.header, Header::Done { x });
}

#[tokio::test]
async fn find_and_answer_in_plain() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(plain(data.path())).await;
    find_and_answer(&server).await;
    eventually("sessions end", async || metric(&server, "openpeer_sessions").await == 0).await;
    let exchanged = metric(&server, "openpeer_bytes_total{kind=\"exchange\",direction=\"in\"}").await;
    assert!((80..400).contains(&exchanged), "{exchanged}");
    assert_eq!(metric(&server, "openpeer_finds_total{outcome=\"admitted\"}").await, 1);
    assert_eq!(metric(&server, "openpeer_answers_total").await, 1);
}

#[tokio::test]
async fn find_and_answer_over_tls() {
    let data = tempfile::tempdir().unwrap();
    find_and_answer(&spawn(tls(data.path())).await).await;
}

#[tokio::test]
async fn the_subprotocol_is_required() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(plain(data.path())).await;
    for offer in [None, Some("openpeer.2")] {
        match open(dial(&server).await, offer).await {
            Err(WebSocketError::Http(response)) => assert_eq!(response.status(), 400),
            _ => panic!("upgraded with {offer:?}"),
        }
    }
    open(dial(&server).await, Some("other, openpeer.1")).await.unwrap();
    let answer = crate::support::http::get(dial(&server).await, "/finder").await;
    assert_eq!(answer.code(), "unsupported-version");
}

#[tokio::test]
async fn a_second_attach_replaces_the_first() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(plain(data.path())).await;
    let mut first = Client::connect(&server).await;
    first.attach(&LOCATION, &GUEST).await;
    let mut second = Client::connect(&server).await;
    second.attach(&LOCATION, &GUEST).await;
    let (frames, reason) = first.read_to_end().await;
    assert_eq!(frames, [Frame::bare(Header::Replaced {})]);
    let reason = reason.unwrap();
    assert_eq!((reason.code, reason.reason.as_str()), (CloseCode::Policy, Code::Replaced.as_str()));
}

#[tokio::test]
async fn oversized_and_malformed_messages_are_refused_with_a_code() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(plain(data.path())).await;
    for length in [MAX_FRAME_BYTES + 1, MAX_FRAME_BYTES + 2, 60_000] {
        let mut client = Client::connect(&server).await;
        client.send_bytes(vec![0; length]).await;
        let (frames, _) = client.read_to_end().await;
        let codes: Vec<_> = frames.iter().map(code).collect();
        assert!(codes.contains(&Some("too-large")), "{length}: {codes:?}");
    }
    let mut client = Client::connect(&server).await;
    client.send_bytes(b"\0\x02{}".to_vec()).await;
    assert_eq!(code(&client.receive().await), Some("malformed"));
    assert!(metric(&server, "openpeer_refusals_total{code=\"too-large\"}").await >= 3);
}

fn code(frame: &Frame) -> Option<&str> {
    match &frame.header {
        Header::Error { code, .. } => Some(code),
        _ => None,
    }
}

#[tokio::test]
async fn whoever_says_nothing_is_closed() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(plain(data.path())).await;
    let (_, reason) = Client::connect(&server).await.read_to_end().await;
    assert_eq!(reason.unwrap().reason.as_str(), "timeout");
}

#[tokio::test]
async fn shutdown_tells_sessions_to_move_and_ends_when_they_have() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(tls(data.path())).await;
    let mut client = Client::connect(&server).await;
    client.attach(&LOCATION, &GUEST).await;
    let address = server.local_addr();
    let shutdown = tokio::spawn(server.shutdown());
    assert!(matches!(client.receive().await.header, Header::Drain { within: 1.. }));
    eventually("port closed", async || tokio::net::TcpStream::connect(address).await.is_err()).await;
    drop(client);
    tokio::time::timeout(crate::support::PATIENCE, shutdown).await.unwrap().unwrap();
}

#[tokio::test]
async fn dropping_the_server_ends_everything() {
    let data = tempfile::tempdir().unwrap();
    let server = spawn(plain(data.path())).await;
    let mut client = Client::connect(&server).await;
    client.attach(&LOCATION, &GUEST).await;
    drop(server);
    let (_, reason) = client.read_to_end().await;
    assert_eq!(reason.unwrap().code, CloseCode::Away);
}
