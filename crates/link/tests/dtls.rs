//! DTLS between two machines when somebody interferes.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod common;

use common::{ANSWERER, Net, SEEKER, address};
use openpeer_link::EndReason;
use openpeer_link::machine::{CONTROL, Event, Input, Transmit};
use openpeer_link::{Fingerprint, TransportParameters};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use str0m::config::DtlsVersion;
use str0m::crypto::dtls::{DtlsInstance, DtlsOutput};
use str0m::crypto::from_feature_flags;

/// A DTLS endpoint with a certificate of its own.
struct Endpoint {
    dtls: Box<dyn DtlsInstance>,
    fingerprint: Fingerprint,
}

/// What an endpoint has to say.
#[derive(Default)]
struct Said {
    packets: Vec<Vec<u8>>,
    plaintext: Vec<Vec<u8>>,
}

impl Endpoint {
    fn new(is_client: bool, now: Instant) -> Self {
        let provider = from_feature_flags().dtls_provider;
        let certificate = provider.generate_certificate().unwrap();
        let fingerprint = Fingerprint(Sha256::digest(&certificate.certificate).into());
        let mut dtls = provider.new_dtls(&certificate, now, DtlsVersion::Auto, None).unwrap();
        dtls.set_active(is_client);
        dtls.handle_timeout(now).unwrap();
        if is_client {
            // Begins the handshake; there is no packet to take.
            let _ = dtls.handle_packet(&[]);
        }
        Self { dtls, fingerprint }
    }

    fn poll(&mut self) -> Said {
        let mut said = Said::default();
        let mut buffer = vec![0; 4096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                DtlsOutput::Packet(packet) => said.packets.push(packet.to_vec()),
                DtlsOutput::ApplicationData(data) => said.plaintext.push(data.to_vec()),
                DtlsOutput::Timeout(_) => return said,
                _ => {}
            }
        }
    }
}

/// Somebody on the path between two machines: lets connectivity checks through and ends DTLS itself, on both sides.
struct Interceptor {
    /// DTLS server for the answerer.
    towards_answerer: Endpoint,
    /// DTLS client for the seeker.
    towards_seeker: Endpoint,
    seen: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Interceptor {
    fn new(now: Instant) -> Self {
        Self {
            towards_answerer: Endpoint::new(false, now),
            towards_seeker: Endpoint::new(true, now),
            seen: Rc::default(),
        }
    }

    fn handle(&mut self, transmit: &Transmit, now: Instant) -> Option<Vec<Transmit>> {
        if transmit.payload[0] < 2 {
            return None;
        }
        let from_seeker = transmit.source == address(SEEKER);
        let near = if from_seeker { &mut self.towards_seeker } else { &mut self.towards_answerer };
        near.dtls.handle_timeout(now).unwrap();
        // A victim that hangs up sends what this side cannot use.
        let _ = near.dtls.handle_packet(&transmit.payload);
        let mut out = Vec::new();
        for from_seeker in [true, false] {
            let (near, far) = if from_seeker {
                (&mut self.towards_seeker, &mut self.towards_answerer)
            } else {
                (&mut self.towards_answerer, &mut self.towards_seeker)
            };
            let said = near.poll();
            for plaintext in said.plaintext {
                let _ = far.dtls.send_application_data(&plaintext);
                self.seen.borrow_mut().push(plaintext);
            }
            let (source, destination) = if from_seeker {
                (address(ANSWERER), address(SEEKER))
            } else {
                (address(SEEKER), address(ANSWERER))
            };
            out.extend(said.packets.into_iter().map(|payload| Transmit { source, destination, payload }));
        }
        let said = self.towards_answerer.poll();
        let (source, destination) = (address(SEEKER), address(ANSWERER));
        out.extend(said.packets.into_iter().map(|payload| Transmit { source, destination, payload }));
        Some(out)
    }
}

fn intercepted(forge: impl Fn(&mut TransportParameters, &Endpoint)) -> (Net, Rc<RefCell<Vec<Vec<u8>>>>) {
    let mut net = Net::new(1);
    let mut interceptor = Interceptor::new(net.now);
    let mut seeker = net.machines[SEEKER].local_parameters();
    let mut answerer = net.machines[ANSWERER].local_parameters();
    forge(&mut seeker, &interceptor.towards_answerer);
    forge(&mut answerer, &interceptor.towards_seeker);
    let seen = Rc::clone(&interceptor.seen);
    net.tap = Some(Box::new(move |transmit, now| interceptor.handle(transmit, now)));
    let now = net.now;
    net.machines[ANSWERER].start(&seeker, now).unwrap();
    net.machines[SEEKER].start(&answerer, now).unwrap();
    (net, seen)
}

/// Shows that the interceptor below can read everything, if only the fingerprints are its own.
#[test]
fn an_interceptor_whose_fingerprints_are_believed_reads_everything() {
    let (mut net, seen) =
        intercepted(|parameters, interceptor| parameters.fingerprint = interceptor.fingerprint);
    net.run_until_open();
    net.write_all(SEEKER, CONTROL, [b"a secret".to_vec()]);
    net.run_until("message", Duration::from_secs(5), |net| !net.messages(ANSWERER, CONTROL).is_empty());
    assert!(seen.borrow().iter().any(|packet| packet.windows(8).any(|window| window == b"a secret")));
}

#[test]
fn an_interceptor_is_found_out_by_both_sides() {
    let (mut net, seen) = intercepted(|_, _| {});
    net.run_until("the answerer ends", Duration::from_secs(20), |net| net.ended(ANSWERER).is_some());
    net.run_until("the seeker ends", Duration::from_secs(20), |net| net.ended(SEEKER).is_some());
    assert_eq!(net.ended(SEEKER), Some(EndReason::BadFingerprint));
    assert_eq!(net.ended(ANSWERER), Some(EndReason::BadFingerprint));
    assert!(!net.has_event(SEEKER, &Event::Open) && !net.has_event(ANSWERER, &Event::Open));
    assert!(seen.borrow().is_empty());
    assert!(net.machines[SEEKER].report(false).advice.unwrap().contains("intercepting"));
}

/// A DTLS client may send its ClientHello as soon as any of its checks is answered, before this side's ICE accepts its
/// address. Dropped, it would come again only when DTLS's timer runs out.
#[test]
fn an_early_client_hello_is_kept_if_its_source_has_authenticated_itself() {
    let mut net = Net::new(2);
    let start = net.now;
    let stranger: SocketAddr = ([10, 0, 0, 99], 4000).into();
    let answered = Rc::new(Cell::new(None));
    let note = Rc::clone(&answered);
    net.tap = Some(Box::new(move |transmit, now| {
        let from_seeker = transmit.source == address(SEEKER);
        let is_check_response = transmit.payload.starts_with(&[1, 1]);
        let is_stun = transmit.payload[0] < 2;
        assert!(transmit.destination != stranger, "answered a stranger");
        if from_seeker && !is_stun {
            note.set(note.get().or(Some(now)));
        }
        // Nothing of the answerer's own DTLS, and for 300 ms nothing that completes the seeker's ICE.
        let is_late = now - start >= Duration::from_millis(300);
        (!from_seeker && (!is_stun || (is_check_response && !is_late))).then(Vec::new)
    }));
    net.start();
    net.run_for(Duration::from_millis(100));
    let hello = Endpoint::new(true, net.now).poll().packets.remove(0);
    // However much a stranger sends, there is room for the peer's.
    for source in [stranger; 20].into_iter().chain([address(ANSWERER)]) {
        let input = Input::Datagram { source, local: address(SEEKER), payload: &hello };
        net.machines[SEEKER].handle_input(input, net.now);
    }
    net.run_for(Duration::from_millis(150));
    assert_eq!(answered.get(), None, "answered before its address was validated");
    net.run_until("the hello is answered", Duration::from_secs(1), |_| answered.get().is_some());
}

/// However much arrives early, little is kept, and the link opens all the same.
#[test]
fn a_flood_of_early_datagrams_changes_nothing() {
    let mut net = Net::new(3);
    net.start();
    let now = net.now;
    for number in 0..10_000_u32 {
        let mut payload = vec![22, 0xfe, 0xfd];
        payload.extend(number.to_be_bytes().repeat(100));
        let source = if number % 2 == 0 { address(ANSWERER) } else { ([10, 0, 0, 99], 4000).into() };
        net.machines[SEEKER]
            .handle_input(Input::Datagram { source, local: address(SEEKER), payload: &payload }, now);
    }
    net.run_until_open();
}

/// Whoever knows the two addresses can send what looks like records of either side.
#[test]
fn forged_records_do_not_harm_a_running_link() {
    let mut net = Net::open(4);
    let now = net.now;
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for number in 0..10_000_usize {
        let mut payload = vec![0; 14 + number % 300];
        random.fill_bytes(&mut payload);
        // Plaintext alerts, handshake and application data of the first epoch, and records of any later one.
        payload[0] = [21, 20, 22, 23, 24, 26, 0x2c, 0x2d, 0x2e, 0x2f][number % 10];
        if payload[0] < 32 {
            payload[1..5].copy_from_slice(&[0xfe, 0xfd, 0, 0]);
            if payload[0] == 21 && number % 20 == 0 {
                // Well-formed alerts: close_notify, handshake_failure.
                payload.truncate(13);
                payload.extend(if number % 40 == 0 { [1, 0] } else { [2, 40] });
            }
            let length = u16::try_from(payload.len() - 13).unwrap();
            payload[11..13].copy_from_slice(&length.to_be_bytes());
        }
        for node in [SEEKER, ANSWERER] {
            let input =
                Input::Datagram { source: address(1 - node), local: address(node), payload: &payload };
            net.machines[node].handle_input(input, now);
        }
    }
    let (near, far) = net.open_channel(SEEKER, "unharmed");
    net.write_all(SEEKER, near, [b"fine".to_vec()]);
    net.run_until("message", Duration::from_secs(5), |net| net.messages(ANSWERER, far).len() == 1);
}
