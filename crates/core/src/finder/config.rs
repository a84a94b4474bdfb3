use crate::key::PublicKey;
use std::fmt;
use zeroize::Zeroizing;

/// What one finder is and offers. `Debug` hides the secrets.
#[derive(Clone)]
pub struct FinderConfig {
    /// The domain that it speaks for, in A-label form.
    pub domain: String,
    /// Its own URL exactly as the domain document shows it, such as `wss://b.test/finder`: attaches are bound to it.
    pub url: String,
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
