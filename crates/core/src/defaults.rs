//! Every number of the protocol, with its unit and the reason for it. `docs/protocol.md` repeats them.

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

// --- documents (section 3) ---

/// Largest JSON text and largest compact JWS, bytes. A chain of forty rotations still fits.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// Deepest nesting of arrays and objects. The deepest document of ours uses four.
pub const MAX_JSON_DEPTH: usize = 16;
/// Life of location certificates, B, public and name documents, milliseconds: a month offline keeps a contact.
pub const DOCUMENT_LIFE: u64 = 30 * DAY;
/// Life of a reach document, milliseconds: bounds how long an inbox key must be kept.
pub const REACH_LIFE: u64 = 8 * DAY;
/// How long before its end a document of our own is written anew, milliseconds.
pub const RENEW_BEFORE: u64 = 7 * DAY;
/// An inbox key is replaced after this long, milliseconds: a find is unreadable once its key is gone.
pub const INBOX_KEY_ROTATION: u64 = DAY;
/// Life of a pair key, milliseconds: two contacts may meet again after nearly a year.
pub const PAIR_KEY_LIFE: u64 = 365 * DAY;
/// Most statements in one chain A: at most one rotation a week for a year.
pub const MAX_CHAIN: usize = 52;
/// Most keys, and most `next` hashes, in one chain statement.
pub const MAX_CHAIN_KEYS: usize = 3;
/// Most domains in B: enough for a spare, too few to aim a crowd of clients at third parties.
pub const MAX_DOMAINS: usize = 4;
/// Most locations in B.
pub const MAX_LOCATIONS: usize = 8;
/// Most finders in one reach, public or domain document.
pub const MAX_FINDERS: usize = 8;
/// Most direct addresses in a reach document.
pub const MAX_DIRECT_ADDRESSES: usize = 4;
/// Most STUN URLs in a domain document.
pub const MAX_STUN_URLS: usize = 4;
/// Cached documents older than this are fetched again before a link carries application data, milliseconds.
pub const DOCUMENT_FRESHNESS: u64 = 24 * HOUR;
/// How long that fetch may hold up a link, milliseconds: servers that hang must not keep two peers apart.
pub const FRESHNESS_CHECK_TIMEOUT: u64 = 3 * SECOND;
/// A guest inbox key is replaced after this long, milliseconds; the one before stays for kept knocks.
pub const GUEST_KEY_PERIOD: u64 = DOCUMENT_LIFE;
/// How long a claim waits for its domain to be reached, milliseconds.
pub const CLAIM_TIMEOUT: u64 = 20 * SECOND;
/// A domain key that changed is accepted after this long of unchanged documents, milliseconds.
pub const DOMAIN_KEY_HOLD_DOWN: u64 = 7 * DAY;
/// The same, when no pinned finder answers, milliseconds.
pub const DOMAIN_KEY_HOLD_DOWN_UNREACHABLE: u64 = 24 * HOUR;
/// Longest life that a domain document may give itself, milliseconds.
pub const DOMAIN_DOCUMENT_LIFE: u64 = 30 * DAY;

// --- sealing (section 4) ---

/// Padded sizes of a find, an answer and a knock, bytes: sizes tell a finder almost nothing.
pub const BUCKETS: [usize; 4] = [2048, 4096, 8192, 16384];
/// Padded sizes of frames that continue an exchange, bytes: a trickled candidate must not cost two kilobytes.
pub const CONTINUATION_BUCKETS: [usize; 4] = [256, 1024, 4096, 8192];
/// Largest finder frame, bytes: the largest bucket, the envelope around it and a header.
pub const MAX_FRAME_BYTES: usize = 20 * 1024;
/// Largest JSON header of a frame, bytes: an `attached` with its TURN credentials is the largest, about 1.5 KiB.
pub const MAX_FRAME_HEADER_BYTES: usize = 4 * 1024;

// --- find, answer, knock (section 5) ---

/// How far `iat` of a message may be from the receiver's clock, milliseconds.
pub const FRESHNESS: u64 = 10 * MINUTE;
/// Most ICE candidates in one message and over one exchange from one side.
pub const MAX_CANDIDATES: usize = 16;
/// Longest candidate line, bytes.
pub const MAX_CANDIDATE_BYTES: usize = 256;
/// Candidates trickle at most this often, milliseconds.
pub const TRICKLE_INTERVAL: u64 = 200;
/// Longest text of a knock, bytes of UTF-8.
pub const MAX_KNOCK_TEXT_BYTES: usize = 280;
/// Knocks shown to the user and not yet answered, most at one time.
pub const MAX_PENDING_KNOCKS: usize = 64;
/// How long a knock may be accepted by the knocked peer, milliseconds: as long as its domain keeps it.
pub const KNOCK_LIFE: u64 = 7 * DAY;
/// A find without answer is given up after this long, milliseconds: the exchange limit of a finder.
pub const FIND_TIMEOUT: u64 = 20 * SECOND;
/// A finder that does not answer is given this long before the next one is tried beside it, milliseconds.
pub const FINDER_HEAD_START: u64 = 2 * SECOND;
/// A link that is not open this long after its answer is given up, milliseconds.
pub const LINK_TIMEOUT: u64 = 30 * SECOND;
/// Most connections that one find to several locations may prepare.
pub const MAX_PARALLEL_EXCHANGES: usize = 4;

/// Most links that run or are being set up at one time; a further find is told `busy`.
pub const MAX_LINKS: usize = 64;

// --- finder (section 6) ---

/// An exchange ends after this long, milliseconds: a rendezvous introduces, it does not stay.
pub const EXCHANGE_LIFE: u64 = 60 * SECOND;
/// Most frames in an exchange, both directions together.
pub const EXCHANGE_FRAMES: u32 = 16;
/// Most bytes in an exchange, both directions together, headers included.
pub const EXCHANGE_BYTES: u32 = 64 * 1024;
/// Most exchanges that one connection has open as seeker.
pub const MAX_OPEN_EXCHANGES: usize = 3;
/// A connection that sends no complete frame within this long is closed, milliseconds.
pub const FIRST_FRAME_TIMEOUT: u64 = 5 * SECOND;
/// Most mailboxes in one attach.
pub const MAX_ATTACH_MAILBOXES: usize = 4;
/// Most locations attached to one guest mailbox.
pub const MAX_GUEST_LOCATIONS: usize = 8;
/// Finds without ticket per second from one /24 or /56, and the burst.
pub const SOURCE_RATE: (u32, u32) = (1, 5);
/// Finds without ticket per second to one mailbox, and the burst.
pub const MAILBOX_RATE: (u32, u32) = (2, 10);
/// Bytes per second that a connection may send, and the burst: two exchanges at once, then one every two seconds.
pub const CONNECTION_RATE: (u32, u32) = (32 * 1024, 160 * 1024);
/// Tickets are bound to an epoch of this length and valid in it and the next one, milliseconds.
pub const TICKET_EPOCH: u64 = 7 * DAY;
/// Tickets given to a contact at a time.
pub const TICKETS_ISSUED: usize = 32;
/// Spent tickets remembered per mailbox and epoch; above it tickets count as invalid until the next epoch.
pub const MAX_SPENT_TICKETS: usize = 4096;
/// Knocks that a domain keeps for one peer who is away.
pub const MAX_STORED_KNOCKS: usize = 8;
/// Largest knock that a domain keeps, bytes.
pub const MAX_STORED_KNOCK_BYTES: usize = 10 * 1024;
/// A domain that could not be shown our new front door is tried again after this long, milliseconds, or as soon as its
/// finder is back.
pub const NAMES_RETRY: u64 = 5 * MINUTE;
/// Life of minted TURN credentials, milliseconds.
pub const TURN_CREDENTIAL_LIFE: u64 = HOUR;
/// How long before their end a location renews its TURN credentials, milliseconds.
pub const TURN_RENEW_BEFORE: u64 = 10 * MINUTE;
/// Time a draining finder gives its sessions, milliseconds.
pub const DRAIN_TIME: u64 = 10 * SECOND;

// --- link and control channel (section 7) ---

/// Largest control message, bytes: room for media sections and documents.
pub const MAX_CONTROL_BYTES: usize = 64 * 1024;
/// Shortest time between two `documents` messages, milliseconds.
pub const DOCUMENTS_INTERVAL: u64 = 10 * SECOND;
/// Shortest time between two `ice` messages, milliseconds.
pub const ICE_INTERVAL: u64 = 5 * SECOND;
/// Largest `documents` message, bytes.
pub const MAX_DOCUMENTS_BYTES: usize = 16 * 1024;

// --- attaching (section 6, section 9) ---

/// First retry after a finder was lost, milliseconds, doubled up to [`ATTACH_RETRY_MAX`]; each wait is drawn evenly
/// between zero and twice the value, so that a thousand locations do not come back in one burst.
pub const ATTACH_RETRY_MIN: u64 = 500;
/// Longest wait between two attempts to attach while the finder stays away, milliseconds: a location is findable
/// again within two seconds of its finder being back.
pub const ATTACH_RETRY_MAX: u64 = 1_000;
/// After this long without success the waits grow to [`ATTACH_RETRY_IDLE`], milliseconds.
pub const ATTACH_RETRY_PATIENCE: u64 = 10 * MINUTE;
/// Longest wait once a finder has been away for long, milliseconds: idle users cost bytes, not kilobytes.
pub const ATTACH_RETRY_IDLE: u64 = MINUTE;
/// A finder that opened a connection but sends no `hello` or `attached` within this long is dropped, milliseconds.
pub const ATTACH_TIMEOUT: u64 = 10 * SECOND;
/// A finder connection opened only to find somebody stays open this long after its last use, milliseconds.
pub const FINDER_LINGER: u64 = MINUTE;

// --- people ---

/// Rounds of hashing behind a safety number: make the search for a peer id with a similar number 5,000 times dearer.
pub const SAFETY_NUMBER_ROUNDS: usize = 5_000;
