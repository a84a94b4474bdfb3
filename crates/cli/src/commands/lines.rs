//! Lines that the user types.

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

/// Standard input, line by line.
pub(crate) struct Typed {
    lines: Option<Lines<BufReader<Stdin>>>,
}

impl Typed {
    pub(crate) fn new() -> Self {
        Self { lines: Some(BufReader::new(tokio::io::stdin()).lines()) }
    }

    /// The next line; `None` once, at the end. After that it waits for ever, so that a `select!` goes on with its
    /// other branches. Cancelling it loses nothing.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let Some(lines) = &mut self.lines else { return std::future::pending().await };
        // What cannot be read is as good as the end.
        let line = lines.next_line().await.ok().flatten();
        if line.is_none() {
            self.lines = None;
        }
        line
    }
}
