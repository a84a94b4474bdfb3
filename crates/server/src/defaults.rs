//! Every number of this crate, with its unit and its reason. Limits of the protocol itself are in
//! [`openpeer_core::defaults`].

use std::time::Duration;

// --- connections ---

/// Connections that the kernel holds until the server accepts them: a reconnect storm after a restart arrives at once.
pub const LISTEN_BACKLOG: u32 = 4096;
/// Time for a TLS handshake. Two round trips over a bad mobile network take about two seconds.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the head of an HTTP request, and for an idle connection until its next one.
pub const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the body of an HTTP request: 64 KiB at 13 KiB/s.
pub const HTTP_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Life of an HTTP connection, whatever it does: bounds readers that take one byte per second.
pub const HTTP_CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// Largest head of an HTTP request, bytes: browsers send about 1 KiB without cookies.
pub const HTTP_HEAD_BYTES: usize = 8 * 1024;
/// Largest body of an HTTP request, bytes: the largest document of the protocol.
pub const HTTP_BODY_BYTES: usize = 64 * 1024;
/// Sessions at a time unless configured: about 1 GiB of memory.
pub const MAX_SESSIONS: usize = 100_000;
/// Connections at a time that are not sessions (TLS handshakes and HTTP) unless configured: each costs about 30 KiB.
pub const MAX_HTTP_CONNECTIONS: usize = 4_096;
/// Connections of any kind at a time from one /24 or /56 unless configured: a campus or a carrier-grade NAT fits.
pub const MAX_CONNECTIONS_PER_SOURCE: usize = 1_024;
/// Pause after the operating system refused to accept, such as for want of file descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

// --- sessions ---

/// Read buffer of a session, bytes. Idle sessions keep it, so it decides what an idle peer costs.
pub const SESSION_READ_BUFFER: usize = 512;
/// Frames that wait for a slow reader before its session is closed. An exchange has at most 16.
pub const MAX_QUEUED_FRAMES: usize = 64;
/// Bytes that wait for a slow reader before its session is closed: eight kept knocks and two exchanges.
pub const MAX_QUEUED_BYTES: usize = 256 * 1024;
/// Time between two pings. NAT bindings for TCP live five minutes and more (RFC 5382 asks for two hours); a minute also
/// notices dead peers soon enough.
pub const PING_INTERVAL: Duration = Duration::from_secs(60);
/// The interval varies by this part in each direction, so that sessions opened together do not stay together.
pub const PING_JITTER: f64 = 0.1;
/// A session whose peer answered none of this many pings is closed.
pub const MISSED_PINGS: u8 = 2;
/// Time for one message to leave: above it the peer does not read.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// WebSocket control frames that a session may receive between two pings; an honest client answers one.
pub const MAX_CONTROL_FRAMES: u16 = 64;
/// Time for the last frames and the closing handshake of a session that ends.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

// --- domain document ---

/// Life of a domain document, milliseconds. The protocol's limit is 30 days; a lost server stays usable for as long.
pub const DOMAIN_DOCUMENT_LIFE: u64 = openpeer_core::defaults::DOMAIN_DOCUMENT_LIFE;
/// A domain document is signed anew when at most this part (one in n) of its life is left.
pub const DOMAIN_DOCUMENT_RENEW: u64 = 3;
/// How often the age of the domain document is looked at, and expired records are removed from the store.
pub const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(600);
/// Time that answers of the bootstrapper may be cached, seconds (protocol section 3).
pub const BOOTSTRAP_MAX_AGE: u32 = 300;

// --- names ---

/// Life of a claim nonce, milliseconds: a person may be typing a passphrase.
pub const NONCE_LIFE: u64 = 2 * 60 * 1000;
/// Spent nonces remembered at most; above it claims wait until some have expired. About 3 MiB.
pub const MAX_SPENT_NONCES: usize = 65_536;
/// Claims and releases per minute from one /24 or /56, unless configured; the burst is as large.
pub const CLAIMS_PER_MINUTE: u32 = 10;
/// Lookups per minute from one /24 or /56, unless configured; the burst is as large. Slows down harvesting of names.
pub const LOOKUPS_PER_MINUTE: u32 = 120;
/// A released name stays blocked this long and then until the operator frees it, milliseconds (protocol section 3).
pub const RELEASED_NAME_BLOCK: u64 = 90 * 24 * 60 * 60 * 1000;

// --- sources ---

/// Sources remembered by each rate limit at most; beyond it the ones with the fullest buckets are forgotten. About 4 MiB.
pub const MAX_TRACKED_SOURCES: usize = 65_536;

// --- STUN ---

/// Largest datagram that is looked at, bytes: a binding request with every attribute in use stays below 200.
pub const STUN_MAX_REQUEST: usize = 548;
/// Answers per second to one /24 or /56, and the burst: a campus behind one address gathers candidates, and a forged
/// source address gets at most 4.4 kB/s.
pub const STUN_RATE: (u32, u32) = (100, 200);

// --- development certificates ---

/// Life of the certificates of `dev` mode, days. Browsers refuse more than 398.
pub const DEV_CERTIFICATE_DAYS: u64 = 365;
