//! File names that strangers chose.

use crate::defaults::MAX_FILE_NAME_BYTES;

/// A name for a received file that stays inside its folder and does what it looks like, whatever the sender wrote:
/// the last path component, without control characters, characters that common file systems refuse or that change the
/// direction of writing, leading dots, and the device names of Windows.
pub(super) fn safe_file_name(offered: &str) -> String {
    let last = offered.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().map(|c| if is_harmless(c) { c } else { '_' }).collect();
    let trimmed = kept.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
    let name = shorten(trimmed);
    match name {
        "" => "file".to_owned(),
        name if is_device(name) => format!("_{name}"),
        name => name.to_owned(),
    }
}

/// `name`, `name (1)`, `name (2)`, …, with the number before the extension.
pub(super) fn numbered(name: &str, attempt: u32) -> String {
    match (attempt, name.rfind('.').filter(|at| *at > 0)) {
        (0, _) => name.to_owned(),
        (_, Some(at)) => format!("{} ({attempt}){}", &name[..at], &name[at..]),
        (_, None) => format!("{name} ({attempt})"),
    }
}

fn is_harmless(c: char) -> bool {
    let reorders = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !c.is_control() && !reorders && !r#"<>:"|?*"#.contains(c)
}

/// Leaves room for a number.
fn shorten(name: &str) -> &str {
    const ROOM: usize = " (999)".len();
    let mut end = name.len().min(MAX_FILE_NAME_BYTES - ROOM);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |prefix| stem.strip_prefix(prefix).is_some_and(|n| matches!(n.as_bytes(), [b'0'..=b'9']));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_and_mean_what_they_show() {
        for (offered, safe) in [
            ("holiday.jpg", "holiday.jpg"),
            ("Straße 7.txt", "Straße 7.txt"),
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            (r"C:\Windows\system.ini", "system.ini"),
            ("..", "file"),
            ("", "file"),
            ("dir/", "file"),
            (".bashrc", "bashrc"),
            ("a\0b\nc\u{1b}[2J", "a_b_c_[2J"),
            ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
            ("name. . ", "name"),
            ("a:b", "a_b"),
            ("nul.txt", "_nul.txt"),
            ("COM1", "_COM1"),
            ("COMET", "COMET"),
        ] {
            assert_eq!(safe_file_name(offered), safe, "{offered:?}");
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let name = safe_file_name(&"ü".repeat(300));
        assert!(name.len() <= MAX_FILE_NAME_BYTES - 6 && name.chars().all(|c| c == 'ü'));
        assert!(numbered(&name, 999).len() <= MAX_FILE_NAME_BYTES);
    }

    #[test]
    fn numbers_stand_before_the_extension() {
        assert_eq!(numbered("a.txt", 0), "a.txt");
        assert_eq!(numbered("a.txt", 2), "a (2).txt");
        assert_eq!(numbered("a", 1), "a (1)");
    }
}
