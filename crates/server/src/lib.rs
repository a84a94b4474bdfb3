//! The Open Peer domain server as a library: bootstrapper, names, finder and STUN in one process.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use openpeer_server::{Config, Server};
//! use std::sync::Arc;
//!
//! let config = Config::from_file("openpeer.toml".as_ref())?;
//! let store = openpeer_store::SqliteStore::open(&config.data)?;
//! let server = Server::spawn(config, Arc::new(store)).await?;
//! tokio::signal::ctrl_c().await?;
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//! What decides is elsewhere: the finder machine in [`openpeer_core::finder`], documents in
//! [`openpeer_core::document`]. Here are sockets, TLS, HTTP, WebSockets and the store's calls. The program around the
//! library chooses the store's backend, the allocator and the logger, and catches signals.
//!
//! Logs at `info` and above contain no address of a client.
#![forbid(unsafe_code)]

mod app;
mod clock;
pub mod config;
mod connection;
pub mod defaults;
mod domain;
mod error;
mod finder;
mod gate;
mod http;
mod metrics;
mod names;
mod nonce;
mod outbox;
mod random;
mod rate;
mod server;
mod session;
mod source;
mod stun;
mod tls;

pub use config::Config;
pub use error::StartError;
pub use names::invite_hash;
pub use server::Server;
