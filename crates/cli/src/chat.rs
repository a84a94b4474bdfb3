//! The channel protocol `chat` of `docs/channels.md`: one message is one text, UTF-8, at most 16 KiB.

use crate::defaults::MAX_CHAT_BYTES;
use crate::failure::Failure;
use openpeer::Channel;

/// Name of the channels that carry chat.
pub(crate) const CHANNEL: &str = "chat";

/// Sends one text.
///
/// # Errors
/// `too-large`, `invalid-argument` for an empty text, or why the link ended.
pub(crate) async fn send(channel: &Channel, text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Err(Failure::new("invalid-argument", "an empty text cannot be sent"));
    }
    if text.len() > MAX_CHAT_BYTES {
        let message = format!("a text is at most {MAX_CHAT_BYTES} bytes: send it in parts, or as a file");
        return Err(Failure::new("too-large", message));
    }
    Ok(channel.send(text).await?)
}

/// The next text; `None` once the other end has closed the channel or the link has ended. Bytes that are no text
/// are replaced, texts that are too long are cut.
pub(crate) async fn receive(channel: &Channel) -> Option<String> {
    let bytes = channel.recv().await.ok()??;
    Some(read(&bytes))
}

fn read(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_CHAT_BYTES)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_is_read_as_some_text() {
        assert_eq!(read("Grüße".as_bytes()), "Grüße");
        assert_eq!(read(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(read(&[b'x'; MAX_CHAT_BYTES + 1]).len(), MAX_CHAT_BYTES);
    }
}
