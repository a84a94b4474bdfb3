//! The STUN and TURN libraries log addresses at levels where this project must not.

use tracing::Dispatch;
use tracing::dispatcher::with_default;

/// Runs library code whose logs must not be seen.
pub(super) fn quietly<T>(run: impl FnOnce() -> T) -> T {
    // The empty dispatcher is a constant: unlike any other it costs no registration.
    with_default(&Dispatch::none(), run)
}
