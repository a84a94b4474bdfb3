//! wip
#![forbid(unsafe_code)]
pub mod defaults;
mod keystore;
pub use keystore::KeystoreError;
