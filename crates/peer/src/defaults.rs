//! Every number of this library, with its unit and the reason for it. Those of the protocol are in
//! `openpeer_core::defaults`, those of the link in `openpeer_link::defaults`.

use std::time::Duration;

// --- keystore ---

/// Memory of Argon2id, KiB: the second recommended option of RFC 9106 section 4, for machines that do not have 2 GiB
/// to spare.
pub const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
/// Passes of Argon2id over its memory, of the same option.
pub const ARGON2_PASSES: u32 = 3;
/// Lanes of Argon2id, of the same option.
pub const ARGON2_LANES: u32 = 4;
/// Most memory that a stored file may ask for, KiB: a damaged file must not exhaust the machine.
pub const ARGON2_MAX_MEMORY_KIB: u32 = 1024 * 1024;
/// Most passes that a stored file may ask for.
pub const ARGON2_MAX_PASSES: u32 = 16;

// --- network ---

/// A connection that is not established this long after it was asked for is given up, name resolution, TLS and
/// WebSocket upgrade included.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// The next address of a name is tried beside the current one after this long (RFC 8305 section 5).
pub const CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Most addresses of one name that are tried: two families, some spares.
pub const MAX_ADDRESSES: usize = 8;
/// A request to a domain's web server takes at most this long, all included.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest body that is read from a domain's web server, bytes: the largest document of the protocol.
pub const MAX_HTTP_BODY: usize = 64 * 1024;
/// A finder that sends nothing for this long is gone: it pings every 60 s, so this is two missed pings and a half.
pub const FINDER_SILENCE: Duration = Duration::from_secs(150);
/// A finder that takes longer than this to accept a message is gone.
pub const FINDER_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages that wait to be written to one finder; more means that it does not read.
pub const FINDER_QUEUE: usize = 64;
/// Buffer for reading from a finder, bytes: frames are at most 20 KiB and mostly 2 to 4.
pub const FINDER_READ_BUFFER: usize = 4 * 1024;

// --- handles ---

/// Inputs that wait for the driver; whoever brings more waits.
pub const DRIVER_QUEUE: usize = 256;
/// Events kept for a program that does not read them; later ones are lost.
pub const EVENT_QUEUE: usize = 1024;
/// The wall clock is compared with the monotonic one at least this often, so that a machine that slept notices it.
pub const CLOCK_CHECK: Duration = Duration::from_secs(30);
/// A wall clock that is ahead of the monotonic one by more than this shows that the machine slept, milliseconds.
pub const CLOCK_JUMP: u64 = 60_000;
/// An ICE restart that is not answered within this long has failed: several round trips of the slowest network.
pub const ICE_RESTART_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that is closed waits this long for its links to say goodbye.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
