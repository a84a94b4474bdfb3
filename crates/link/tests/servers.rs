//! STUN and TURN servers that are slow, silent, absent or helpful; no real ones.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

use openpeer_link::{
    ConnectReport, EndReason, IceServer, Interfaces, Link, LinkConfig, LinkEvent, PreparedLink, Role,
    ServerKind, ServerOutcome, TransportParameters,
};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use stun_proto::types::attribute::XorMappedAddress;
use stun_proto::types::message::{Message, MessageWriteVec};
use stun_proto::types::prelude::*;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);

fn direct() -> LinkConfig {
    LinkConfig { interfaces: Interfaces::Loopback, ..LinkConfig::default() }
}

/// Parameters with every candidate that gathering gives.
async fn complete_parameters(link: &PreparedLink) -> TransportParameters {
    let mut parameters = link.local_parameters();
    while let Some(candidate) = timeout(LONG, link.next_candidate()).await.unwrap() {
        parameters.candidates.push(candidate);
    }
    parameters
}

fn outcomes(report: &ConnectReport) -> Vec<(ServerKind, ServerOutcome)> {
    report.servers.iter().map(|server| (server.kind, server.outcome)).collect()
}

#[tokio::test]
async fn nothing_waits_for_servers_that_do_not_answer() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = silent.local_addr().unwrap();
    let servers = vec![
        IceServer::turn(format!("turn:{address}"), "user", "password"),
        IceServer::stun(format!("stun:{address}")),
        IceServer::turn(format!("turns:{address}"), "user", "password"),
    ];
    let config = LinkConfig { servers, ..direct() };
    let seeker = Link::prepare(&config, Role::Seeker).unwrap();
    let answerer = Link::prepare(&direct(), Role::Answerer).unwrap();
    let (find, answer) = (seeker.local_parameters(), answerer.local_parameters());
    assert!(!find.candidates.is_empty());
    let answerer = answerer.start(&find).unwrap();
    let seeker = seeker.start(&answer).unwrap();
    timeout(LONG, async { tokio::try_join!(seeker.opened(), answerer.opened()) }).await.unwrap().unwrap();
    let outcomes = outcomes(&seeker.report());
    assert!(outcomes.contains(&(ServerKind::Turn, ServerOutcome::Pending)), "{outcomes:?}");
    assert!(outcomes.contains(&(ServerKind::Turn, ServerOutcome::Unsupported)), "{outcomes:?}");
    loop {
        if let LinkEvent::GatheringDone = timeout(LONG, seeker.next_event()).await.unwrap().unwrap() {
            break;
        }
    }
    assert!(seeker.report().servers.iter().all(|server| server.outcome != ServerOutcome::Pending));
    assert!(seeker.report().phases.gather_ms.is_some());
}

#[tokio::test]
async fn a_link_that_may_only_be_relayed_fails_without_a_relay() {
    let config = LinkConfig { relay_only: true, connect_timeout: Duration::from_millis(500), ..direct() };
    let seeker = Link::prepare(&config, Role::Seeker).unwrap();
    let answerer = Link::prepare(&config, Role::Answerer).unwrap();
    let (find, answer) = (complete_parameters(&seeker).await, complete_parameters(&answerer).await);
    assert!(find.candidates.is_empty() && answer.candidates.is_empty());
    let _answerer = answerer.start(&find).unwrap();
    let seeker = seeker.start(&answer).unwrap();
    assert_eq!(timeout(LONG, seeker.opened()).await.unwrap(), Err(EndReason::ConnectTimeout));
    assert!(seeker.report().advice.is_some());
}

/// A STUN server that says everybody comes from one address.
async fn serve_stun(socket: tokio::net::UdpSocket, mapped: SocketAddr) {
    let mut buffer = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let request = Message::from_bytes(&buffer[..length]).unwrap();
        let mut response = Message::builder_success(&request, MessageWriteVec::new());
        response.add_attribute(&XorMappedAddress::new(mapped, request.transaction_id())).unwrap();
        response.add_fingerprint().unwrap();
        socket.send_to(&response.finish(), from).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_reflexive_candidate_trickles() {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("stun:{}", socket.local_addr().unwrap());
    let server = tokio::spawn(serve_stun(socket, ([203, 0, 113, 9], 7777).into()));
    let config = LinkConfig { servers: vec![IceServer::stun(url)], ..direct() };
    let link = Link::prepare(&config, Role::Seeker).unwrap();
    let at_once = link.local_parameters();
    assert!(at_once.candidates.iter().all(|candidate| candidate.0.contains("typ host")));
    let trickled = timeout(LONG, link.next_candidate()).await.unwrap().unwrap();
    assert!(trickled.0.contains(" 203.0.113.9 7777 typ srflx "), "{}", trickled.0);
    assert!(!trickled.0.contains("127.0.0.1"), "names the address behind the NAT: {}", trickled.0);
    assert!(trickled.0.contains(&format!("ufrag {}", at_once.ice.ufrag)));
    assert_eq!(timeout(LONG, link.next_candidate()).await.unwrap(), None);
    assert_eq!(link.report().local.srflx, 1);
    // Servers may come later; gathering ends once more, here without another candidate.
    link.add_server(IceServer::turn("turns:127.0.0.1", "user", "password"));
    assert_eq!(timeout(LONG, link.next_candidate()).await.unwrap(), None);
    assert!(outcomes(&link.report()).contains(&(ServerKind::Turn, ServerOutcome::Unsupported)));
    server.abort();
}
