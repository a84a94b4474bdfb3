//! Text that strangers wrote, on the user's terminal.

/// The text without anything that could steer a terminal, fake a line of this program, or change the direction of
/// writing.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect()
}

const fn is_plain(c: char) -> bool {
    !matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_steer_the_terminal() {
        assert_eq!(plain("Grüße 👋"), "Grüße 👋");
        assert_eq!(
            plain("a\u{1b}[2Jb\nc\r\u{202e}d\u{9b}1m"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}d\u{fffd}1m"
        );
    }
}
