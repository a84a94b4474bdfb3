//! The server as its clients see it: real sockets on loopback.

mod finder;
mod names;
mod restart;
mod support;
