//! Rules for every text file: short enough to read, and meaningful on any machine.

use std::path::{Component, Path};

use super::files::TextFile;

/// Nobody reads a longer file from top to bottom. Under 500 is the rule, this is where it ends.
const MAX_LINES: usize = 1000;

/// Where checkouts and home folders are: no such path means anything on another machine.
const MACHINE_FOLDERS: [&str; 6] = ["/home/", "/root/", "/Users/", "/work/", "/workspace/", "/builds/"];

/// Words of the machines that projects are built on, which say nothing about the project.
const MACHINE_WORDS: [&str; 2] = [".cargo/registry", "file:///"];

pub(super) fn violations(root: &Path, files: &[TextFile]) -> Vec<String> {
    files.iter().flat_map(|file| of_file(root, file)).collect()
}

fn of_file(root: &Path, file: &TextFile) -> Vec<String> {
    let mut found = Vec::new();
    let length = file.content.lines().count();
    if length > MAX_LINES {
        found.push(format!("{}: {length} lines; split it, {MAX_LINES} are the limit", file.path.display()));
    }
    // The lists above are here.
    if file.path.ends_with(file!()) {
        return found;
    }
    for (number, line) in (1..).zip(file.content.lines()) {
        let complaints = [machine_path(line), outside_path(line, &file.path), dead_link(line, root, file)];
        let place = format!("{}:{number}", file.path.display());
        found.extend(complaints.into_iter().flatten().map(|complaint| format!("{place}: {complaint}")));
    }
    found
}

/// An absolute path of some machine.
fn machine_path(line: &str) -> Option<String> {
    let word = MACHINE_WORDS.into_iter().find(|word| line.contains(word));
    let folder = MACHINE_FOLDERS.into_iter().find(|folder| {
        // In a URL or a relative path something stands before the slash.
        let continues =
            |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || "._-~/}>)".contains(c));
        line.match_indices(folder).any(|(start, _)| !continues(&line[..start]))
    });
    word.or(folder).map(|found| format!("`{found}` belongs to one machine; use a relative path"))
}

/// A relative path that leaves the project.
fn outside_path(line: &str, file: &Path) -> Option<String> {
    let depth = file.components().count() - 1;
    let ends = |c: char| c.is_whitespace() || "\"'`()[]<>,;".contains(c);
    let paths = line.split(ends).filter(|word| word.starts_with("../"));
    let leaves = |path: &&str| climbs(Path::new(path)) > depth;
    paths.into_iter().find(leaves).map(|path| format!("`{path}` lies outside of the project"))
}

/// How many folders a relative path goes up before it goes down.
fn climbs(path: &Path) -> usize {
    path.components().take_while(|part| *part == Component::ParentDir).count()
}

/// A link in a Markdown file to a file that is not there.
fn dead_link(line: &str, root: &Path, file: &TextFile) -> Option<String> {
    if file.path.extension().is_none_or(|extension| extension != "md") {
        return None;
    }
    let folder = root.join(file.path.parent()?);
    let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    let mut local = links.filter(|link| !link.is_empty() && !link.contains(':'));
    local.find(|link| !folder.join(link).exists()).map(|link| format!("the link to `{link}` leads nowhere"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, content: &str) -> Vec<String> {
        let file = TextFile { path: path.into(), content: content.to_owned() };
        of_file(Path::new(env!("CARGO_MANIFEST_DIR")), &file)
    }

    #[test]
    fn a_file_may_have_a_thousand_lines_and_no_more() {
        assert_eq!(check("a.rs", &"\n".repeat(1000)), [""; 0]);
        assert_eq!(check("a.rs", &"\n".repeat(1001)), ["a.rs: 1001 lines; split it, 1000 are the limit"]);
    }

    #[test]
    fn paths_of_one_machine_are_reported_and_urls_are_not() {
        for line in ["see /home/me/x", "path = \"/root/x\"", "C:/x file:///x", "(/work/x)"] {
            assert_eq!(check("a.md", line).len(), 1, "{line}");
        }
        for line in ["https://a.test/home/x", "docs/work/x", "at-home", "{root}/work/x"] {
            assert_eq!(check("a.md", line), [""; 0], "{line}");
        }
    }

    #[test]
    fn relative_paths_stay_inside() {
        assert_eq!(check("docs/a.rs", "`../README.md`"), [""; 0]);
        assert_eq!(
            check("docs/a.rs", "`../../other`"),
            ["docs/a.rs:1: `../../other` lies outside of the project"]
        );
        assert_eq!(check("crates/peer/src/lib.rs", "include_str!(\"../../../README.md\")"), [""; 0]);
    }

    #[test]
    fn links_lead_somewhere() {
        assert_eq!(check("a.md", "[x](src/main.rs#l1) [y](#z) [z](https://a.test)"), [""; 0]);
        assert_eq!(check("a.md", "[x](src/none.rs)"), ["a.md:1: the link to `src/none.rs` leads nowhere"]);
    }
}
