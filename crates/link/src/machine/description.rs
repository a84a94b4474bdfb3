//! Session descriptions for the ICE and DTLS stack, built from signed fields.
//!
//! str0m takes the peer's side of a session as SDP, and restarts ICE only through SDP: its direct interface has no
//! restart and must not be mixed with offers. So the text is written here, from values whose characters are checked,
//! and what the peer sent is never parsed as SDP. Both sides describe the other as the offerer of one data section
//! with a fixed identifier; who controls ICE and who is DTLS client follows from the role alone.

use crate::defaults::MAX_MESSAGE;
use openpeer_core::transport::{Fingerprint, IceCredentials};
use std::fmt::Write as _;
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::error::SdpError;

/// DTLS role of the described side (RFC 8842).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setup {
    /// The described side is DTLS client.
    Active,
    /// The described side is DTLS server.
    Passive,
}

/// What a description says. Credentials must have passed [`IceCredentials::check`]: nothing else may stand in a line.
#[derive(Clone, Copy)]
pub(super) struct Description<'a> {
    pub(super) fingerprint: &'a Fingerprint,
    pub(super) ice: &'a IceCredentials,
    pub(super) setup: Setup,
}

impl Description<'_> {
    pub(super) fn to_offer(self) -> Result<SdpOffer, SdpError> {
        SdpOffer::from_sdp_string(&self.to_sdp())
    }

    pub(super) fn to_answer(self) -> Result<SdpAnswer, SdpError> {
        SdpAnswer::from_sdp_string(&self.to_sdp())
    }

    fn to_sdp(self) -> String {
        let Self { fingerprint, ice, setup } = self;
        let setup = match setup {
            Setup::Active => "active",
            Setup::Passive => "passive",
        };
        let lines = [
            "v=0".to_owned(),
            "o=- 1 1 IN IP4 0.0.0.0".to_owned(),
            "s=-".to_owned(),
            "t=0 0".to_owned(),
            "a=group:BUNDLE 0".to_owned(),
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel".to_owned(),
            "c=IN IP4 0.0.0.0".to_owned(),
            "a=mid:0".to_owned(),
            format!("a=ice-ufrag:{}", ice.ufrag),
            format!("a=ice-pwd:{}", ice.pwd),
            "a=ice-options:trickle".to_owned(),
            format!("a=fingerprint:sha-256 {}", colon_hex(fingerprint)),
            format!("a=setup:{setup}"),
            "a=sctp-port:5000".to_owned(),
            format!("a=max-message-size:{MAX_MESSAGE}"),
        ];
        lines.join("\r\n") + "\r\n"
    }
}

/// RFC 8122: upper-case hexadecimal bytes with colons between them.
fn colon_hex(fingerprint: &Fingerprint) -> String {
    let mut text = String::with_capacity(fingerprint.0.len() * 3);
    for (index, byte) in fingerprint.0.iter().enumerate() {
        let separator = if index == 0 { "" } else { ":" };
        write!(text, "{separator}{byte:02X}").expect("writing to a string does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_exactly_the_signed_fields() {
        let fingerprint = Fingerprint([0xab; 32]);
        let ice = IceCredentials { ufrag: "abcd+/12".to_owned(), pwd: "p".repeat(22) };
        let sdp = Description { fingerprint: &fingerprint, ice: &ice, setup: Setup::Active }.to_sdp();
        let attributes: Vec<_> = sdp.lines().filter(|line| line.starts_with("a=")).collect();
        assert!(attributes.contains(&"a=ice-ufrag:abcd+/12"));
        assert!(attributes.contains(&"a=setup:active"));
        assert!(sdp.contains(&format!("a=fingerprint:sha-256 AB{}\r\n", ":AB".repeat(31))));
        assert!(!sdp.contains("candidate"));
    }
}
