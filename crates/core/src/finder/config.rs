use super::{Hello, Limits, turn};
use crate::defaults::{MAX_ATTACH_MAILBOXES, MAX_FRAME_HEADER_BYTES};
use crate::document::{Document, Draft, V1};
use crate::frame::{Frame, Header, MailboxId, Nonce, TicketGrant};
use crate::key::{PublicKey, Signature};
use crate::ticket::TicketKey;
use crate::uri::{Domain, FinderUrl};
use crate::{Code, Error, Time};
use std::fmt;
use zeroize::Zeroizing;

/// What one finder is and offers. `Debug` hides the secrets.
#[derive(Clone)]
pub struct FinderConfig {
    /// The domain that it speaks for.
    pub domain: Domain,
    /// Its own URL exactly as the domain document shows it: attaches are bound to it.
    pub url: FinderUrl,
    /// The key that signs `hello`; the private half stays with the shell.
    pub domain_key: PublicKey,
    /// Ticket keys are derived from it: whoever loses it voids all tickets, whoever learns it can issue them.
    pub finder_secret: Zeroizing<[u8; 32]>,
    /// STUN URLs (RFC 7064) shown in `hello`, at most [`MAX_STUN_URLS`](crate::defaults::MAX_STUN_URLS).
    pub stun: Vec<String>,
    /// The TURN servers of the domain, if it has any.
    pub turn: Option<TurnConfig>,
    /// Finds without ticket per second from one [`Source`](super::Source), and the burst; usually
    /// [`SOURCE_RATE`](crate::defaults::SOURCE_RATE).
    pub source_rate: (u32, u32),
}

/// TURN servers that share a secret with this finder (coturn's `use-auth-secret`). `Debug` hides the secret.
#[derive(Clone)]
pub struct TurnConfig {
    /// The shared secret, coturn's `static-auth-secret`.
    pub secret: Zeroizing<String>,
    /// `turn:` and `turns:` URLs (RFC 7065).
    pub urls: Vec<String>,
}

impl FinderConfig {
    /// The `hello` for one connection.
    pub(super) fn hello(&self, now: Time, nonce: Nonce) -> Hello {
        Hello {
            v: V1,
            domain: self.domain.clone(),
            finder: self.url.clone(),
            nonce,
            time: now,
            stun: self.stun.clone(),
            limits: Limits::PROTOCOL,
        }
    }

    /// Writes the largest frames that this configuration can lead to.
    pub(super) fn check(&self) -> Result<(), Error> {
        let hello = self.hello(Time::from_millis(1 << 53), Nonce([0; 32]));
        hello.check().map_err(|_| Error::new(Code::InvalidArgument, "too many STUN servers"))?;
        let jws = Draft::new(hello, self.domain_key.id()).finish(&Signature([0; 64])).compact().to_owned();
        let grant = TicketGrant { mailbox: MailboxId([0; 16]), key: TicketKey::from_bytes([0; 32]) };
        let turn =
            self.turn.iter().map(|config| turn::credentials(config, Time::from_millis(1 << 53), [0; 12]));
        let attached = Header::Attached { tickets: vec![grant; MAX_ATTACH_MAILBOXES], turn: turn.collect() };
        let fits = |header| Frame::bare(header).encode().len() <= 2 + MAX_FRAME_HEADER_BYTES;
        if fits(Header::Hello { jws }) && fits(attached) {
            Ok(())
        } else {
            Err(Error::new(
                Code::InvalidArgument,
                "the names of STUN or TURN servers are too long for a frame",
            ))
        }
    }
}

impl fmt::Debug for FinderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, url, domain_key, finder_secret: _, stun, turn, source_rate } = self;
        f.debug_struct("FinderConfig")
            .field("domain", domain)
            .field("url", url)
            .field("domain_key", domain_key)
            .field("stun", stun)
            .field("turn", turn)
            .field("source_rate", source_rate)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TurnConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret: _, urls } = self;
        f.debug_struct("TurnConfig").field("urls", urls).finish_non_exhaustive()
    }
}
