//! The progress of a file on the user's terminal.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error; nothing for machines, and nothing where standard error is no terminal.
pub(crate) struct FileProgress(ProgressBar);

impl FileProgress {
    pub(crate) fn new(output: Output) -> Self {
        let target =
            if output.is_json() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            .expect("the template is constant and valid");
        Self(ProgressBar::with_draw_target(Some(0), target).with_style(style))
    }

    /// How far it is, bytes.
    pub(crate) fn show(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
