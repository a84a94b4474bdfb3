//! Every number of the program, with its unit and the reason for it.

use std::time::Duration;

// --- files (docs/channels.md) ---

/// Bytes of a file in one message: the largest message of a link is 64 KiB, and one byte says what it is.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024 - 1;
/// Longest file name in an offer, bytes of UTF-8: the longest that common file systems take.
pub(crate) const MAX_FILE_NAME_BYTES: usize = 255;
/// Longest message that is not data, bytes: an offer with the longest name, every byte of it escaped.
pub(crate) const MAX_NOTE_BYTES: usize = 2 * 1024;
/// Longest code in a decline or an abort, bytes.
pub(crate) const MAX_CODE_BYTES: usize = 64;
/// Largest integer in JSON that every implementation reads exactly.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 53;
/// Names that are tried for a received file before the folder counts as full of that name.
pub(crate) const MAX_NAME_ATTEMPTS: u32 = 1_000;
/// How long the sender waits for a person to accept an offer.
pub(crate) const OFFER_PATIENCE: Duration = Duration::from_secs(300);

// --- chat (docs/channels.md) ---

/// Longest chat message, bytes of UTF-8: some pages of text, and nothing that a terminal could choke on.
pub(crate) const MAX_CHAT_BYTES: usize = 16 * 1024;

// --- operator ---

/// Random bytes of an invite code: 80 bits, 16 characters, beyond guessing.
pub(crate) const INVITE_CODE_BYTES: usize = 10;

// --- listen ---

/// Questions that wait for the terminal to be free; more make whoever asks wait.
pub(crate) const QUESTION_QUEUE: usize = 16;

// --- demonstration ---

/// How long the demonstration waits for any one thing; on an idle machine each takes less than a second, but for the
/// file.
pub(crate) const DEMO_PATIENCE: Duration = Duration::from_secs(60);
/// How long the two chat, each time.
pub(crate) const DEMO_CHAT: Duration = Duration::from_secs(10);
/// One message in each direction this often.
pub(crate) const DEMO_CHAT_INTERVAL: Duration = Duration::from_millis(200);
/// The file that is sent, bytes: large enough that no buffer on the way holds it.
pub(crate) const DEMO_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of the file that are made and compared at a time.
pub(crate) const DEMO_FILE_CHUNK: usize = 1024 * 1024;
/// Pause between two readings of the servers' counters while they come to rest.
pub(crate) const SETTLED_INTERVAL: Duration = Duration::from_millis(100);
/// The counters are at rest after this many equal readings in a row.
pub(crate) const SETTLED_READINGS: u32 = 3;
