//! Logs, on standard error.

use crate::failure::Failure;
use std::io;
use tracing_subscriber::EnvFilter;

/// Logs what a filter lets through, such as `info` or `openpeer_server=debug`; with `json` one object a line.
///
/// # Errors
/// `usage` if the filter cannot be read.
pub(crate) fn start(filter: &str, json: bool) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::usage(format!("the log filter cannot be read: {error}; try `info`")))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = if json { log.json().try_init() } else { log.try_init() };
    started.map_err(|error| Failure::new("internal", error.to_string()))
}
