//! The project's own text files.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A text file: path relative to the root, content.
#[derive(Debug)]
pub(super) struct TextFile {
    pub(super) path: PathBuf,
    pub(super) content: String,
}

/// Folders that hold nothing that was written by hand.
const NOT_OURS: [&str; 4] = [".git", "target", "corpus", "artifacts"];

/// Files that are ours although they have no extension that says so.
const EXTENSIONLESS: [&str; 2] = ["run", "Dockerfile"];

const EXTENSIONS: [&str; 8] = ["md", "rs", "sh", "toml", "js", "ts", "html", "css"];

/// Every text file below the root, in the order of their paths.
pub(super) fn all(root: &Path) -> Result<Vec<TextFile>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.extend(Some(path).filter(|path| !is_named(path, &NOT_OURS)));
            } else if is_text(&path) {
                let content =
                    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                found.push(TextFile { path: path.strip_prefix(root).unwrap_or(&path).to_owned(), content });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

impl TextFile {
    /// The lines of a Rust file with their numbers from 1, without comments and without items for tests only.
    pub(super) fn production_lines(&self) -> Vec<(usize, &str)> {
        let mut lines = Vec::new();
        let mut skipping: Option<Item> = None;
        for (number, line) in (1..).zip(self.content.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(item) = &mut skipping {
                if item.ends_with(code) {
                    skipping = None;
                }
            } else if code.trim_start().starts_with("#[cfg(test)]") {
                skipping = Some(Item::default()).filter(|_| code.trim() == "#[cfg(test)]");
            } else {
                lines.push((number, code));
            }
        }
        lines
    }
}

/// The item after an attribute, read line by line. Braces in strings count too, which errs towards the end of the file;
/// there the tests are anyway.
#[derive(Default)]
struct Item {
    depth: usize,
    opened: bool,
}

impl Item {
    fn ends_with(&mut self, code: &str) -> bool {
        for character in code.chars() {
            match character {
                '{' => (self.depth, self.opened) = (self.depth + 1, true),
                '}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        if self.opened { self.depth == 0 } else { code.trim_end().ends_with(';') }
    }
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
        || is_named(path, &EXTENSIONLESS)
}

fn is_named(path: &Path, names: &[&str]) -> bool {
    path.file_name().is_some_and(|file| names.iter().any(|name| file == *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_comments_are_not_production() {
        let content = "\
use a; // about a
#[cfg(test)]
use b;
fn c() { if d {} }
#[cfg(test)]
mod tests {
    fn e() {}
}
fn f() {}
#[cfg(test)] use g;
fn h() {}
";
        let file = TextFile { path: "a.rs".into(), content: content.to_owned() };
        let numbers: Vec<usize> = file.production_lines().into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 4, 9, 11]);
        assert_eq!(file.production_lines()[0].1, "use a; ");
    }
}
