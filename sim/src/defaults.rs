//! Every number of the model, with its unit and the reason for it.

use openpeer_core::Time;

const SECOND: u64 = 1_000;

/// When every world begins: some moment in 2026, since documents carry Unix time.
pub(crate) const BEGINNING: Time = Time::from_secs(1_795_000_000);

// --- network ---

/// One-way latency of a path that nobody configured, milliseconds: two households of one continent.
pub(crate) const LATENCY: u64 = 20;
/// First retransmission timeout of a stream (RFC 6298 with the minimum that Linux uses) and of a connectivity check,
/// milliseconds; doubled with every further loss.
pub(crate) const RETRANSMISSION: u64 = 200;
/// Losses in a row of one segment; more is a partition and not a loss.
pub(crate) const MAX_LOSSES: u32 = 6;
/// Within this long after a path came back a stalled stream sends again, milliseconds: its timer had backed off.
pub(crate) const RECOVERY: u64 = SECOND;

// --- shells, as the native library and the server have them ---

/// A dial or an HTTPS request that did not finish by then has failed, milliseconds.
pub(crate) const DIAL_TIMEOUT: u64 = 10 * SECOND;
/// A finder connection on which nothing arrives for this long is given up by its client, milliseconds: the server
/// pings every minute, so two pings and their delay are missing.
pub(crate) const CLIENT_SILENCE: u64 = 150 * SECOND;
/// The same for the server, which waits for two answers, milliseconds.
pub(crate) const SERVER_SILENCE: u64 = 120 * SECOND;
/// Answer of a STUN server that does not answer, milliseconds: five transmissions and a last wait.
pub(crate) const STUN_TIMEOUT: u64 = 8 * SECOND;
/// A link that is not open this long after it was started has failed, milliseconds.
pub(crate) const LINK_CONNECT_TIMEOUT: u64 = 30 * SECOND;
/// A link without path keeps its state this long before it ends, milliseconds.
pub(crate) const LINK_RETENTION: u64 = 24 * 3600 * SECOND;
/// Nonces of a web server that may be open at a time.
pub(crate) const MAX_NONCES: usize = 256;
/// Life of the domain documents that a simulated domain writes, milliseconds.
pub(crate) const DOMAIN_DOCUMENT_LIFE: u64 = 7 * 24 * 3600 * SECOND;
/// A domain document is written anew when less than this is left of its life, milliseconds.
pub(crate) const DOMAIN_DOCUMENT_RENEWAL: u64 = 2 * 24 * 3600 * SECOND;
/// Names that were given back are blocked this long, milliseconds.
pub(crate) const NAME_BLOCK: u64 = 90 * 24 * 3600 * SECOND;

// --- watching ---

/// Wake-ups of one machine at one moment after which it counts as spinning.
pub(crate) const MAX_WAKES_AT_ONCE: u32 = 100;
