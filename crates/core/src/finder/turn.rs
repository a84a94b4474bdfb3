use super::TurnConfig;
use crate::Time;
use crate::defaults::TURN_CREDENTIAL_LIFE;
use crate::encoding::to_base64url;
use crate::frame::TurnServer;
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Credentials for the TURN servers of `config`, good for an hour (draft-uberti-behave-turn-rest, coturn's
/// `use-auth-secret`): the user name is the expiry and a random name, the password an HMAC-SHA1 over it.
pub(super) fn credentials(config: &TurnConfig, now: Time, random: [u8; 12]) -> TurnServer {
    let expires = (now + TURN_CREDENTIAL_LIFE).as_secs();
    let username = format!("{expires}:{}", to_base64url(&random));
    let mut mac =
        Hmac::<Sha1>::new_from_slice(config.secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(username.as_bytes());
    let credential = BASE64.encode(&mac.finalize().into_bytes());
    TurnServer { urls: config.urls.clone(), username, credential, expires }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked with `printf %s 1795003600:AAAAAAAAAAAAAAAA | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn are_what_coturn_computes() {
        let config = TurnConfig { secret: "north".to_owned().into(), urls: vec!["turn:turn.b.test".into()] };
        let server = credentials(&config, Time::from_secs(1_795_000_000), [0; 12]);
        assert_eq!(server.urls, config.urls);
        assert_eq!(server.expires, 1_795_003_600);
        assert_eq!(server.username, "1795003600:AAAAAAAAAAAAAAAA");
        assert_eq!(server.credential, "Ngz6jYwB7TPHHm+e3n5FJ+gAg7U=");
    }
}
