use openpeer_core::Time;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Wall-clock time that never runs backwards: one reading at start plus a monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    at_start: Time,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), at_start: Time::from_millis(since_epoch.as_millis() as u64) }
    }

    pub(crate) fn now(&self) -> Time {
        self.at_start + self.start.elapsed().as_millis() as u64
    }

    /// The instant at which [`Self::now`] will show `time`; a moment ago for times that have passed.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        // A century is as good as never, and unlike `Time::NEVER` it can be added to an instant.
        const CENTURY: u64 = 100 * 365 * 86_400 * 1000;
        self.start + Duration::from_millis(time.millis_since(self.at_start).min(CENTURY))
    }
}
