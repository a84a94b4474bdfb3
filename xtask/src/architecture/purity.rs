//! Names that code in some folders must not know. Lints in `crates/core/clippy.toml` say the same about the core's
//! types; this check also sees what hides behind another path, and needs no compiler.

use std::path::Path;

use super::files::TextFile;

struct Rule {
    /// Folders whose code must not use the names, tests apart.
    folders: &'static [&'static str],
    names: &'static [&'static str],
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        folders: &["crates/core/src"],
        names: &["Instant", "SystemTime"],
        reason: "the core has no clock; take the time as an argument",
    },
    Rule {
        folders: &["crates/core/src"],
        names: &["HashMap", "HashSet"],
        reason: "the order of iteration differs from run to run; use BTreeMap or BTreeSet",
    },
    Rule {
        folders: &["crates/core/src"],
        names: &["OsRng", "SysRng", "ThreadRng", "getrandom"],
        reason: "the core draws no random numbers; take them or their generator as an argument",
    },
    Rule {
        folders: &["crates/core/src"],
        names: &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "tokio",
            "async",
            "std::fs",
            "std::env",
            "std::thread",
        ],
        reason: "the core does no IO and never waits",
    },
    Rule {
        folders: &["crates/link/src/machine"],
        names: &["Instant::now", "SystemTime", "UdpSocket", "TcpStream", "tokio", "async"],
        reason: "the machine does no IO and has no clock; that is the shell's part",
    },
    Rule {
        folders: &["crates/core/src", "crates/link/src", "crates/peer/src", "crates/server/src", "sim/src"],
        names: &[
            "MemoryStore",
            "SqliteStore",
            "openpeer_store::memory",
            "openpeer_store::sqlite",
            "rusqlite",
        ],
        reason: "concrete stores are named only by the command line program and in tests",
    },
];

pub(super) fn violations(files: &[TextFile]) -> Vec<String> {
    files.iter().flat_map(of_file).collect()
}

fn of_file(file: &TextFile) -> Vec<String> {
    let rules: Vec<&Rule> = RULES.iter().filter(|rule| rule.is_about(&file.path)).collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let lines = file.production_lines();
    let uses = rules.iter().flat_map(|rule| rule.names.iter().map(|name| (*name, rule.reason)));
    uses.flat_map(|(name, reason)| {
        let used = lines.iter().filter(move |(_, line)| has_name(line, name));
        used.map(move |(number, _)| format!("{}:{number}: `{name}`: {reason}", file.path.display()))
    })
    .collect()
}

impl Rule {
    fn is_about(&self, path: &Path) -> bool {
        let in_tests =
            path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
        let is_code = path.extension().is_some_and(|extension| extension == "rs");
        is_code && !in_tests && self.folders.iter().any(|folder| path.starts_with(folder))
    }
}

/// Whether the line holds the name as a word of its own.
fn has_name(line: &str, name: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(name).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + name.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, content: &str) -> Vec<String> {
        violations(&[TextFile { path: path.into(), content: content.to_owned() }])
    }

    #[test]
    fn a_clock_or_an_unordered_map_in_the_core_is_reported() {
        let found =
            check("crates/core/src/peer/mod.rs", "use std::time::Instant;\nlet a: HashMap<u8, u8>;\n");
        assert_eq!(
            found[0],
            "crates/core/src/peer/mod.rs:1: `Instant`: the core has no clock; take the time as an argument"
        );
        assert!(found[1].starts_with("crates/core/src/peer/mod.rs:2: `HashMap`"));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn tests_comments_longer_names_and_other_folders_are_free() {
        assert_eq!(check("crates/core/src/a.rs", "// no Instant here\nstruct InstantLike;\n"), [""; 0]);
        assert_eq!(
            check("crates/core/src/a.rs", "#[cfg(test)]\nmod tests {\n    use x::HashMap;\n}\n"),
            [""; 0]
        );
        assert_eq!(check("crates/core/src/tests.rs", "use x::HashMap;"), [""; 0]);
        assert_eq!(check("crates/link/src/a.rs", "use std::time::Instant;"), [""; 0]);
        assert_eq!(check("crates/link/src/machine/a.rs", "use std::time::Instant;"), [""; 0]);
    }

    #[test]
    fn a_link_machine_that_reads_the_clock_is_reported() {
        assert_eq!(check("crates/link/src/machine/a.rs", "let now = Instant::now();").len(), 1);
        assert_eq!(check("crates/link/src/shell/a.rs", "let now = Instant::now();"), [""; 0]);
    }

    #[test]
    fn a_server_that_names_a_concrete_store_is_reported() {
        assert_eq!(check("crates/server/src/a.rs", "fn open() -> SqliteStore {}").len(), 1);
        assert_eq!(check("crates/cli/src/serve.rs", "fn open() -> SqliteStore {}"), [""; 0]);
    }
}
