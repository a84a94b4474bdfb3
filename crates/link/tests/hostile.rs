//! What the network and a hostile peer can send; in virtual time.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod common;

use common::{ANSWERER, Net, SEEKER, address};
use openpeer_link::machine::{Event, Input, LinkMachine, MachineConfig};
use openpeer_link::{EndReason, IceCredentials, Role, TransportParameters};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::SdpOffer;
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::config::DtlsVersion;
use str0m::net::{Protocol, Receive};
use str0m::{Output, Rtc, RtcConfig};
use stun_proto::types::attribute::{AttributeType, RawAttribute, Username};
use stun_proto::types::message::{
    BINDING, IntegrityAlgorithm, Message, MessageWriteVec, ShortTermCredentials,
};
use stun_proto::types::prelude::*;

/// RFC 8445 section 16.1.
const PRIORITY: AttributeType = AttributeType::new(0x0024);
const ICE_CONTROLLED: AttributeType = AttributeType::new(0x8029);

/// A connectivity check as the answerer would send it to the seeker.
fn check(seeker: &IceCredentials, answerer: &IceCredentials, password: &str) -> Vec<u8> {
    let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
    request.add_attribute(&Username::new(&format!("{}:{}", seeker.ufrag, answerer.ufrag)).unwrap()).unwrap();
    request.add_attribute(&RawAttribute::new(PRIORITY, &1_845_501_695_u32.to_be_bytes())).unwrap();
    request.add_attribute(&RawAttribute::new(ICE_CONTROLLED, &7_u64.to_be_bytes())).unwrap();
    let credentials = ShortTermCredentials::new(password.to_owned()).into();
    request.add_message_integrity(&credentials, IntegrityAlgorithm::Sha1).unwrap();
    request.add_fingerprint().unwrap();
    request.finish()
}

/// Destinations that the seeker sends to when checks come from a thousand forged sources.
fn destinations(password: impl Fn(&IceCredentials) -> String) -> BTreeSet<SocketAddr> {
    let mut net = Net::new(1);
    net.start();
    let (seeker, answerer) =
        (net.machines[SEEKER].local_parameters(), net.machines[ANSWERER].local_parameters());
    let mut destinations = BTreeSet::new();
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        let payload = check(&seeker.ice, &answerer.ice, &password(&seeker.ice));
        let source = ([192, 0, 2 + high, low], 1000).into();
        let now = net.now;
        net.machines[SEEKER]
            .handle_input(Input::Datagram { source, local: address(SEEKER), payload: &payload }, now);
        while let Some(transmit) = net.machines[SEEKER].poll_transmit() {
            destinations.insert(transmit.destination);
        }
    }
    destinations.remove(&address(ANSWERER));
    destinations
}

#[test]
fn a_peer_cannot_aim_this_side_at_many_third_parties() {
    let destinations = destinations(|seeker| seeker.pwd.clone());
    assert!((1..=32).contains(&destinations.len()), "sent to {} addresses", destinations.len());
}

#[test]
fn checks_without_the_password_are_met_with_silence() {
    assert!(destinations(|_| "not the password of anybody".to_owned()).is_empty());
}

#[test]
fn random_datagrams_harm_no_link_in_any_state() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut flood = |net: &mut Net| {
        for number in 0..20_000_usize {
            let mut payload = vec![0; number % 400];
            random.fill_bytes(&mut payload);
            if number % 2 == 0 && payload.len() >= 20 {
                // Looks like STUN.
                payload[0] = 0;
                payload[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
                let length = u16::try_from((payload.len() - 20) & !3).unwrap();
                payload[2..4].copy_from_slice(&length.to_be_bytes());
            }
            let source = if number % 3 == 0 { ([192, 0, 2, 1], 9).into() } else { address(ANSWERER) };
            let now = net.now;
            let input = Input::Datagram { source, local: address(SEEKER), payload: &payload };
            net.machines[SEEKER].handle_input(input, now);
        }
    };
    let mut net = Net::new(2);
    flood(&mut net);
    net.start();
    flood(&mut net);
    net.run_until_open();
    flood(&mut net);
    net.open_channel(SEEKER, "unharmed");
    net.machines[SEEKER].close(net.now);
    flood(&mut net);
}

/// A peer that follows other rules: plain str0m, which takes and sends 1 MiB.
struct Rogue {
    rtc: Rtc,
    address: SocketAddr,
    channel: Option<ChannelId>,
}

impl Rogue {
    fn new(now: Instant) -> Self {
        let config = RtcConfig::new()
            .set_dtls_version(DtlsVersion::Auto)
            .set_sctp_max_buffered_amount(1 << 20)
            .set_sctp_max_message_size(1 << 20);
        let mut rtc = config.build(now);
        let address = address(ANSWERER);
        rtc.add_local_candidate(str0m::Candidate::host(address, "udp").unwrap());
        Self { rtc, address, channel: None }
    }

    fn parameters(&mut self) -> TransportParameters {
        let api = self.rtc.direct_api();
        let ice = api.local_ice_credentials();
        let fingerprint = api.local_dtls_fingerprint().bytes.as_slice().try_into().unwrap();
        TransportParameters {
            fingerprint: openpeer_link::Fingerprint(fingerprint),
            ice: IceCredentials { ufrag: ice.ufrag, pwd: ice.pass },
            candidates: Vec::new(),
        }
    }

    /// Takes the machine's parameters, but believes that it takes messages of any size.
    fn start(&mut self, peer: &TransportParameters) {
        let mut fingerprint = String::new();
        for byte in peer.fingerprint.0 {
            write!(fingerprint, "{byte:02X}:").unwrap();
        }
        let fingerprint = fingerprint.trim_end_matches(':');
        let (ufrag, pwd) = (&peer.ice.ufrag, &peer.ice.pwd);
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
             a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\na=fingerprint:sha-256 {fingerprint}\r\n\
             a=setup:passive\r\na=sctp-port:5000\r\na=max-message-size:1048576\r\n"
        );
        self.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(&offer).unwrap()).unwrap();
        self.rtc.add_remote_candidate(str0m::Candidate::host(address(SEEKER), "udp").unwrap());
        let control = ChannelConfig { negotiated: Some(0), ..ChannelConfig::default() };
        self.rtc.direct_api().create_data_channel(control);
        let config = ChannelConfig { label: "bulk".to_owned(), ..ChannelConfig::default() };
        self.channel = Some(self.rtc.direct_api().create_data_channel(config));
    }
}

/// Runs both without delay for so much virtual time.
fn run(machine: &mut LinkMachine, rogue: &mut Rogue, now: &mut Instant, duration: Duration) -> Vec<Event> {
    let until = *now + duration;
    let mut events = Vec::new();
    while *now < until {
        let wake = loop {
            match rogue.rtc.poll_output().unwrap() {
                Output::Timeout(at) => break at,
                Output::Transmit(transmit) => {
                    let (source, payload) = (rogue.address, &transmit.contents);
                    machine.handle_input(Input::Datagram { source, local: address(SEEKER), payload }, *now);
                }
                Output::Event(_) => {}
            }
        };
        while let Some(transmit) = machine.poll_transmit() {
            let receive =
                Receive::new(Protocol::Udp, transmit.source, transmit.destination, &transmit.payload)
                    .unwrap();
            rogue.rtc.handle_input(str0m::Input::Receive(*now, receive)).unwrap();
        }
        events.extend(std::iter::from_fn(|| machine.poll_event()));
        *now += Duration::from_millis(1);
        if wake <= *now {
            rogue.rtc.handle_input(str0m::Input::Timeout(*now)).unwrap();
        }
        if machine.poll_timeout().is_some_and(|at| at <= *now) {
            machine.handle_timeout(*now);
        }
    }
    events
}

fn link_with_rogue(now: &mut Instant) -> (LinkMachine, Rogue) {
    let mut machine = LinkMachine::new(MachineConfig::default(), Role::Seeker, *now).unwrap();
    machine.handle_input(Input::AddressUp(address(SEEKER)), *now);
    let mut rogue = Rogue::new(*now);
    rogue.start(&machine.local_parameters());
    machine.start(&rogue.parameters(), *now).unwrap();
    let events = run(&mut machine, &mut rogue, now, Duration::from_secs(2));
    assert!(events.contains(&Event::Open), "{events:?}");
    (machine, rogue)
}

#[test]
fn a_message_above_the_limit_is_never_delivered() {
    for size in [65_536, 65_537, 300_000] {
        let mut now = Instant::now();
        let (mut machine, mut rogue) = link_with_rogue(&mut now);
        let id = rogue.channel.unwrap();
        assert!(rogue.rtc.channel(id).unwrap().write(true, &vec![1; size]).unwrap());
        let events = run(&mut machine, &mut rogue, &mut now, Duration::from_secs(5));
        let readable = events.iter().find_map(|event| match event {
            Event::Readable(channel) => Some(*channel),
            _ => None,
        });
        let message = readable.and_then(|channel| machine.read(channel, now).unwrap());
        if size == 65_536 {
            assert_eq!(message.map(|message| message.len()), Some(size));
        } else {
            assert_eq!(message, None, "{size} bytes were delivered; {events:?}");
        }
    }
}

#[test]
fn no_more_than_256_channels_are_kept() {
    let mut now = Instant::now();
    let (mut machine, mut rogue) = link_with_rogue(&mut now);
    let mut incoming = 0;
    for number in 0..400 {
        let label = if number % 4 == 0 { "openpeer/control".to_owned() } else { number.to_string() };
        rogue.rtc.direct_api().create_data_channel(ChannelConfig { label, ..ChannelConfig::default() });
        let events = run(&mut machine, &mut rogue, &mut now, Duration::from_millis(20));
        incoming += events.iter().filter(|event| matches!(event, Event::IncomingChannel { .. })).count();
    }
    assert!((200..256).contains(&incoming), "{incoming}");
    assert_eq!(machine.ended(), None::<EndReason>);
}
