//! One table of errors (protocol section 10): stable code, who is to blame, HTTP-like status, what to do.

use std::borrow::Cow;
use std::fmt;

/// Who has to change something before the same call can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The bytes are wrong: whoever wrote them has a defect or means harm.
    Bytes,
    /// The other peer misbehaved, or somebody pretends to be it.
    Peer,
    /// The domain or its finder misbehaved, or is out of reach.
    Domain,
    /// Both sides are honest but cannot work together, such as an unknown version.
    Incompatible,
    /// The other peer, its user or an operator said no.
    Refused,
    /// The caller or its user: a wrong argument, a limit, a clock.
    Caller,
    /// This implementation.
    Internal,
}

/// A protocol error: a stable [`Code`] and a detail for developers.
///
/// `Display` shows code, detail and advice; none of them ever contains a secret or an IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    detail: Cow<'static, str>,
}

impl Error {
    /// An error with a detail for developers; the detail must not contain secrets or IP addresses.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What exactly was wrong, for developers.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self { code, detail: Cow::Borrowed("") }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        write!(f, " ({})", self.code.advice())
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $blame:ident, $status:literal, $advice:literal;)*) => {
        /// Stable error codes; `docs/registry.md` lists the same table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* #[doc = concat!("`", $text, "`: ", $advice)] $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it stands on the wire and in JSON output.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Who is to blame.
            #[must_use]
            pub const fn blame(self) -> Blame {
                match self { $(Self::$name => Blame::$blame,)* }
            }

            /// The HTTP status that belongs to the code (RFC 9457 `status`); 0 for codes that are never sent.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What a person can do next.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }

            /// The code with this text, if there is one.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    // Bytes
    Malformed = "malformed", Bytes, 400, "update the program that produced these bytes";
    TooLarge = "too-large", Bytes, 413, "send less at once; docs/protocol.md lists every limit";
    UnsupportedVersion = "unsupported-version", Incompatible, 400, "update this program: the other side speaks a newer version";
    SuiteTooOld = "suite-too-old", Incompatible, 426, "update the program that offered the old suite";
    // Peer
    BadSignature = "bad-signature", Peer, 401, "do not trust this message: it was not written by the key it names";
    WrongAudience = "wrong-audience", Peer, 403, "ignore: the message was written for somebody else";
    PrerotationMismatch = "prerotation-mismatch", Peer, 409, "compare safety numbers: somebody tried to rotate this peer's key without its recovery code";
    StaleDocument = "stale-document", Peer, 409, "fetch the peer's newest documents: an older one was shown";
    Fork = "fork", Peer, 409, "compare safety numbers: two different documents carry the same number";
    LocationRevoked = "location-revoked", Peer, 403, "ask the peer to use a device it has not removed";
    Replayed = "replayed", Peer, 409, "ignore: the message was seen before";
    Expired = "expired", Peer, 410, "ask for a fresh document or message";
    BadFingerprint = "bad-fingerprint", Peer, 401, "try another network: somebody between the two peers interfered with the link";
    ForeignAddress = "foreign-address", Peer, 403, "ignore: the document points at addresses it must not";
    Reset = "reset", Peer, 0, "compare safety numbers before you accept: this name or identity now shows another peer id";
    PeerRestarted = "peer-restarted", Peer, 0, "connect again: the other program was restarted";
    LimitExceeded = "limit-exceeded", Peer, 429, "the other side exceeded a protocol limit; nothing to do here";
    // Domain
    DomainUnreachable = "domain-unreachable", Domain, 0, "check the domain's name and your network, or try later";
    FinderUnreachable = "finder-unreachable", Domain, 0, "try later: none of the peer's finders answered";
    DomainKeyChanged = "domain-key-changed", Domain, 0, "ask the domain's operator: its key changed without notice; the known finders stay in use";
    WrongDomain = "wrong-domain", Domain, 403, "tell the operator: a finder or document speaks for a domain that does not name it";
    BadCertificate = "bad-certificate", Domain, 0, "check the domain's TLS certificate or pass the right --cacert";
    Draining = "draining", Domain, 503, "connect again: this finder is about to stop";
    Timeout = "timeout", Domain, 504, "try again: nobody answered in time";
    NeedsIntroduction = "needs-introduction", Domain, 0, "wait for a finder of the peer to come back, or let a contact introduce you";
    // Refused
    NotFound = "not-found", Refused, 404, "check the spelling: this domain lists nobody under that name";
    NameTaken = "name-taken", Refused, 409, "choose another name";
    NameReserved = "name-reserved", Refused, 403, "choose another name: this one is reserved or was released recently";
    NameInvalid = "name-invalid", Caller, 400, "use 2 to 32 characters: a-z, 0-9, dot, underscore, hyphen, starting with a letter or digit";
    InviteRequired = "invite-required", Refused, 403, "ask the domain's operator for an invite code";
    Unauthorized = "unauthorized", Refused, 401, "sign the request with the right key and a fresh nonce";
    Offline = "offline", Refused, 404, "try later: the peer has no device online";
    Declined = "declined", Refused, 403, "the other person said no";
    Busy = "busy", Refused, 409, "try again later: the peer is busy";
    NotContact = "not-contact", Refused, 403, "knock first: the two of you are not contacts";
    Blocked = "blocked", Caller, 0, "unblock the contact first";
    TicketInvalid = "ticket-invalid", Refused, 403, "try without a ticket: this one is spent, expired or belongs elsewhere";
    RateLimited = "rate-limited", Refused, 429, "wait for the time given in retry-after";
    Quota = "quota", Refused, 507, "wait, or ask the operator to raise the limit";
    Replaced = "replaced", Refused, 409, "another session of this device opened the same mailboxes";
    ExchangeLimit = "exchange-limit", Refused, 429, "start a new exchange: this one used up its time, frames or bytes";
    UnknownExchange = "unknown-exchange", Refused, 404, "start a new exchange: the finder does not know this one";
    // Caller
    InvalidArgument = "invalid-argument", Caller, 0, "correct the argument";
    ClockSkew = "clock-skew", Caller, 400, "set this device's clock";
    NoRecoveryCode = "no-recovery-code", Caller, 0, "type the recovery code shown when the peer was created";
    Cancelled = "cancelled", Caller, 0, "nothing to do: this side gave up";
    ConnectFailed = "connect-failed", Caller, 0, "no path between the two networks was found; a TURN relay at either domain would help";
    // Internal
    Internal = "internal", Internal, 500, "report this defect with its reference";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_found_by_its_text() {
        for code in Code::ALL {
            assert_eq!(Code::from_text(code.as_str()), Some(*code));
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            assert!(!code.advice().is_empty());
        }
    }
}
