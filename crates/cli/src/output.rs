//! What the program says, to people or to machines.
//!
//! Results go to standard output: words, or with `--json` one object a line. Everything else, such as progress and
//! questions, goes to standard error. A failure goes to standard error in words and to standard output as an object.

use crate::failure::Failure;
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};
use std::process::ExitCode;

/// Where results go. A copy is as good as the original.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a machine reads.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// A result: the object for machines, the words for people.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub(crate) fn result(
        self,
        object: &impl Serialize,
        words: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let line = if self.json {
            serde_json::to_string(object).map_err(|error| Failure::new("internal", error.to_string()))?
        } else {
            words()
        };
        writeln!(io::stdout().lock(), "{line}")
            .map_err(|error| Failure::new("output-closed", format!("standard output: {error}")))
    }

    /// Something on the way to a result, for people only.
    pub(crate) fn note(self, words: &str) {
        if !self.json {
            say(words);
        }
    }

    /// Why the command failed.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let object = json!({ "error": { "code": failure.code(), "message": failure.to_string() } });
            // If nobody reads, the exit code still tells.
            let _ = writeln!(io::stdout().lock(), "{object}");
        } else {
            say(&format!("error[{}]: {failure}", failure.code()));
        }
    }
}

/// A command line that cannot be understood, or a request for help.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if wants_json && error.use_stderr() {
        Output::new(true).failure(&Failure::usage(error.to_string().trim_end()));
    } else {
        // If nobody reads, the exit code still tells.
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// A line on standard error. If nobody reads there, there is nobody to tell.
fn say(words: &str) {
    let _ = writeln!(io::stderr().lock(), "{words}");
}
