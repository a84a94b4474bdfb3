//! Writes the test vectors of the protocol: `cargo run -p openpeer-core --example vectors -- DIR`.
//!
//! Everything comes from fixed seeds and one fixed moment, so that the same code writes the same bytes. `vectors/README.md`
//! says what stands in which file.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a generator stops at the first surprise")]

mod generate;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        return fail("usage: cargo run -p openpeer-core --example vectors -- DIR");
    };
    let folder = std::path::PathBuf::from(folder);
    for (name, text) in generate::all() {
        let path = folder.join(name);
        if let Err(error) = std::fs::write(&path, text) {
            return fail(&format!("{}: {error}", path.display()));
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "a command line program talks to its user")]
fn fail(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}
