//! The Open Peer protocol without IO.
#![forbid(unsafe_code)]
pub mod transport;
