use crate::defaults::CLOCK_JUMP;
use openpeer_core::Time;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The machine's clock: a wall-clock reading carried on by the monotonic clock, so that it never runs backwards.
///
/// The monotonic clock of many systems stands still while the machine sleeps. Messages would then carry times hours
/// ago and be refused, so a wall clock that is far ahead is believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Time,
    monotonic: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { wall: wall_clock(), monotonic: Instant::now() }
    }

    /// The time now.
    pub(crate) fn now(&mut self) -> Time {
        self.adjust(Instant::now(), wall_clock())
    }

    /// When the monotonic clock will show a time.
    pub(crate) fn instant_of(&self, time: Time) -> Instant {
        self.monotonic + Duration::from_millis(time.millis_since(self.wall).min(MAX_WAIT))
    }

    fn adjust(&mut self, monotonic: Instant, wall: Time) -> Time {
        let elapsed = monotonic.saturating_duration_since(self.monotonic).as_millis();
        let time = self.wall + u64::try_from(elapsed).unwrap_or(u64::MAX);
        if wall.millis_since(time) > CLOCK_JUMP {
            *self = Self { wall, monotonic };
            return wall;
        }
        time
    }
}

/// A year in milliseconds: no timer waits longer, and an `Instant` can be that far away.
const MAX_WAIT: u64 = 365 * 24 * 3_600_000;

fn wall_clock() -> Time {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_monotonic_clock_and_jumps_ahead_after_a_sleep() {
        let start = Instant::now();
        let wall = Time::from_secs(1_000_000);
        let mut clock = Clock { wall, monotonic: start };
        let second = Duration::from_secs(1);
        assert_eq!(clock.adjust(start + second, wall - 3_600_000), wall + 1_000, "wall clock set back");
        assert_eq!(clock.adjust(start + second, wall + 59_000), wall + 1_000, "wall clock adjusted a little");
        assert_eq!(clock.adjust(start + 2 * second, wall + 3_600_000), wall + 3_600_000, "slept for an hour");
        assert_eq!(clock.adjust(start + 3 * second, wall + 3_601_000), wall + 3_601_000);
        assert_eq!(clock.instant_of(wall + 3_605_000), start + 7 * second);
        assert_eq!(clock.instant_of(Time::NEVER), start + 2 * second + Duration::from_millis(MAX_WAIT));
    }
}
