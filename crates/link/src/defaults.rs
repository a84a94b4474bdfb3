//! Every number of the link, with its unit and the reason for it.

use std::time::Duration;

// --- candidates (protocol section 5) ---

/// Most candidates of one side, as in a find or an answer: a document must not aim clients at a crowd of third parties.
pub const MAX_CANDIDATES: usize = 16;
/// Most host candidates of our own; leaves room for reflexive and relayed ones within [`MAX_CANDIDATES`].
pub const MAX_HOST_CANDIDATES: usize = 8;
/// Most source addresses from which the peer's authenticated checks are answered: its candidates and as many that only
/// a NAT on the way made up.
pub const MAX_REMOTE_ADDRESSES: usize = 2 * MAX_CANDIDATES;
/// Most candidate pairs that are checked (RFC 8445 section 6.1.2.5). The ICE agent enforces it; the report uses it as
/// its own bound too.
pub const MAX_PAIRS: usize = 100;

// --- gathering ---

/// Port of a STUN or TURN server whose URL names none (RFC 7064, RFC 7065).
pub const STUN_PORT: u16 = 3478;
/// Most STUN and most TURN servers that are used; more would only delay the end of gathering.
pub const MAX_SERVERS: usize = 4;
/// First retransmission of a request to a STUN or TURN server (RFC 8489 section 6.2.1).
pub const STUN_RTO: Duration = Duration::from_millis(500);
/// Retransmissions never wait longer than this, so that one lost packet late in the row does not cost seconds.
pub const STUN_RTO_MAX: Duration = Duration::from_secs(2);
/// Transmissions of one request to a STUN or TURN server; with the two above a dead server is given up after 8 s.
pub const STUN_TRANSMISSIONS: u32 = 5;
/// How long the last transmission waits for its response.
pub const STUN_FINAL_WAIT: Duration = Duration::from_secs(2);
/// A NAT binding made for a server-reflexive candidate is refreshed this often until the link is up. NATs keep
/// bindings for at least 2 minutes by RFC 4787 and 30 s in practice.
pub const BINDING_REFRESH: Duration = Duration::from_secs(20);
/// Datagrams to one peer that wait at a TURN client for the peer's permission: the first connectivity checks.
pub const MAX_AWAITING_PERMISSION: usize = 8;

// --- connecting ---

/// A link that is not open this long after both sides' parameters are known has failed. Relayed paths over slow
/// networks need up to 10 s; people give up after 30.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between the first checks of two pairs (RFC 8445 section 14.2 allows no less); the agent's own pace of 50 ms
/// would make the tenth pair wait for half a second.
pub const CHECK_PACE: Duration = Duration::from_millis(5);
/// DTLS datagrams kept that arrive before ICE accepts their source: one flight of a ClientHello with room to spare.
pub const MAX_EARLY_DTLS: usize = 8;

// --- a running link ---

/// Without an answer to a consent check for this long the link has no path (RFC 7675 section 5.1).
pub const CONSENT_TIMEOUT: Duration = Duration::from_secs(30);
/// When consent returns after a gap longer than this, everything unacknowledged is sent again at once. Checks on a
/// working path are answered every 3 s.
pub const CONSENT_GAP: Duration = Duration::from_secs(5);
/// How long a link without a path keeps its state before it ends (protocol section 7).
pub const PAUSED_RETENTION: Duration = Duration::from_secs(24 * 3600);
/// Pause between two rounds of connectivity checks while there is no path, doubled each round.
pub const REVIVE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause between two rounds. A link that waits for a day sends some thousand checks.
pub const REVIVE_MAX: Duration = Duration::from_secs(60);
/// Longest retransmission timeout of SCTP (RFC 9260 section 16). When a path comes back, SCTP's clock is moved ahead
/// by this much, so that it retransmits now and not when its backed-off timer would have run out.
pub const SCTP_RTO_MAX: Duration = Duration::from_secs(60);
/// How often the selected path and its round-trip time are read while nothing is sent.
pub const PATH_INTERVAL: Duration = Duration::from_secs(5);
/// A closing link waits this long for its last messages to be acknowledged.
pub const LINGER: Duration = Duration::from_secs(2);

// --- channels (protocol section 7) ---

/// Name of the channel that every link has.
pub const CONTROL_CHANNEL: &str = "openpeer/control";
/// SCTP stream of the control channel; fixed, so that it needs no negotiation.
pub const CONTROL_STREAM: u16 = 0;
/// Most channels of one link, those of both sides together.
pub const MAX_CHANNELS: usize = 256;
/// Longest channel name, bytes.
pub const MAX_CHANNEL_NAME: usize = 128;
/// Largest message on any channel, bytes. Browsers take 256 KiB, but not all of them and not without blocking.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Bytes of all channels together that are written but not acknowledged. More slows SCTP down, whose cost for each
/// packet grows with what is buffered.
pub const SEND_BUFFER: usize = 128 * 1024;
/// A blocked writer goes on once this little is buffered, so that it finds room for at least one message.
pub const SEND_BUFFER_LOW: usize = SEND_BUFFER - MAX_MESSAGE;
/// Received bytes not yet read, all channels together, above which the peer is slowed down.
pub const RECEIVE_BUFFER: usize = 1024 * 1024;
/// The peer may go on once this little is unread.
pub const RECEIVE_BUFFER_LOW: usize = 256 * 1024;
/// Datagrams kept while the peer is being slowed down: SCTP's receive window (1 MiB) in packets of some 1,200 bytes,
/// and half as much again for its retransmissions.
pub const MAX_HELD_DATAGRAMS: usize = 1536;

// --- shell ---

/// Largest datagram that is read, bytes: the Ethernet MTU with room for jumbo frames is never needed by ICE or DTLS.
pub const MAX_DATAGRAM: usize = 2048;
/// Datagrams read from one socket before the machine's output is sent.
pub const RECEIVE_BATCH: usize = 64;
/// Kernel buffers of each socket, bytes: a burst of SCTP at full window, twice.
pub const SOCKET_BUFFER: usize = 2 * 1024 * 1024;
/// Events kept for a program that does not read them.
pub const MAX_EVENTS: usize = 1024;
