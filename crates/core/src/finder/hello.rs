use crate::defaults::{EXCHANGE_BYTES, EXCHANGE_FRAMES, EXCHANGE_LIFE, MAX_FRAME_BYTES, MAX_STUN_URLS};
use crate::document::{Document, Signed, V1};
use crate::frame::Nonce;
use crate::key::PublicKey;
use crate::uri::{Domain, FinderUrl};
use crate::{Code, Error, Time};
use serde::{Deserialize, Serialize};

/// What a finder says first on every connection, signed by its domain's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Version.
    pub v: V1,
    /// The domain that it speaks for.
    pub domain: Domain,
    /// Its own URL.
    pub finder: FinderUrl,
    /// What an attach on this connection has to sign.
    pub nonce: Nonce,
    /// Its clock, milliseconds since the Unix epoch: a hint.
    pub time: Time,
    /// STUN URLs (RFC 7064), at most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stun: Vec<String>,
    /// What it allows.
    pub limits: Limits,
}

/// The limits of one finder. Clients keep to the smaller of these and the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Life of an exchange, milliseconds.
    pub exchange_ms: u64,
    /// Frames of an exchange, both directions together.
    pub exchange_frames: u32,
    /// Bytes of an exchange, both directions together.
    pub exchange_bytes: u32,
    /// Bytes of a frame.
    pub frame_bytes: u32,
}

impl Limits {
    /// The limits of protocol section 6.
    pub const PROTOCOL: Self = Self {
        exchange_ms: EXCHANGE_LIFE,
        exchange_frames: EXCHANGE_FRAMES,
        exchange_bytes: EXCHANGE_BYTES,
        frame_bytes: MAX_FRAME_BYTES as u32,
    };
}

impl Document for Hello {
    const TYPE: &'static str = "openpeer-hello+jws";

    fn check(&self) -> Result<(), Error> {
        if self.stun.len() > MAX_STUN_URLS {
            return Err(Error::new(Code::LimitExceeded, "hello with too many STUN servers"));
        }
        Ok(())
    }
}

impl Hello {
    /// Verifies the `hello` of a connection that was opened to `finder` because `domain`, whose key is `domain_key`,
    /// names it. A finder that passes on another finder's `hello`, to make its clients sign for that one, is found out
    /// by the URL inside.
    ///
    /// # Errors
    /// As [`Signed::verify`]; `wrong-domain` if it speaks for another domain or finder.
    pub fn verify(
        compact: &str,
        domain_key: &PublicKey,
        domain: &Domain,
        finder: &FinderUrl,
    ) -> Result<Signed<Self>, Error> {
        let hello = Signed::<Self>::verify(compact, domain_key)?;
        if hello.domain != *domain {
            return Err(Error::new(Code::WrongDomain, "hello speaks for another domain"));
        }
        if hello.finder != *finder {
            return Err(Error::new(Code::WrongDomain, "hello was written by another finder"));
        }
        Ok(hello)
    }
}
