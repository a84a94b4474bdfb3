//! The committed vectors are what the code writes today, and what they say holds: every value is checked from the
//! files alone with the core's public functions, as another implementation would with its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test of files everything unexpected is a failure"
)]

mod documents;
mod exchanges;
mod frames;
#[path = "../../examples/vectors/generate/mod.rs"]
mod generate;
mod keys;
mod sealing;
mod support;

#[test]
fn the_files_are_what_the_code_writes() {
    for (name, text) in generate::all() {
        assert!(
            support::text(name) == text,
            "vectors/{name} differs; `cargo run -p openpeer-core --example vectors -- vectors` writes it anew, and a \
             change of the format belongs into docs/protocol.md"
        );
    }
}

#[test]
fn there_are_no_other_files() {
    let known: Vec<&str> = generate::all().into_iter().map(|(name, _)| name).collect();
    for entry in std::fs::read_dir(support::folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            known.contains(&name.as_str()) || name == "README.md",
            "vectors/{name}: nothing writes this file"
        );
    }
}
