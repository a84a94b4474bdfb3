//! What each fuzz target does with its input, and what must hold afterwards. The targets themselves are one line each.
//!
//! Run for seconds with `cargo xtask test fuzz`, for longer with `cargo +nightly fuzz run TARGET`.
#![forbid(unsafe_code)]

mod document;
mod envelope;
mod finder_machine;
mod frame;
mod input;
mod peer_machine;

pub use document::document;
pub use envelope::envelope;
pub use finder_machine::finder_machine;
pub use frame::frame;
pub use peer_machine::peer_machine;

/// When everything happens: the time of the test vectors, so that their documents are alive.
const NOW: openpeer_core::Time = openpeer_core::Time::from_secs(1_795_000_000);
