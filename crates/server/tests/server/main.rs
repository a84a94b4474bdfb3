//! The server as its clients see it: real sockets on loopback.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are test code")]

mod finder;
#[cfg(target_os = "linux")] // reads its memory from /proc
mod flood;
mod names;
mod operator;
mod restart;
mod slow;
mod support;
