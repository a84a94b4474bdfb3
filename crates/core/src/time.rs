use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// A moment: milliseconds since the Unix epoch, as the caller's clock shows it.
///
/// Shells derive it from one wall-clock reading at start plus a monotonic clock, so that it never runs backwards
/// while a machine lives. Documents and messages carry whole seconds ([`Time::as_secs`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    /// A moment far beyond every lifetime in the protocol.
    pub const NEVER: Self = Self(u64::MAX);

    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch, as documents carry them.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Milliseconds from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Adds milliseconds.
impl Add<u64> for Time {
    type Output = Self;
    fn add(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// Subtracts milliseconds, stopping at the epoch.
impl Sub<u64> for Time {
    type Output = Self;
    fn sub(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }
}

/// Serde form of a moment as whole seconds since the Unix epoch, for `#[serde(with = "…")]`.
pub(crate) mod secs {
    use super::Time;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        u64::deserialize(deserializer).map(Time::from_secs)
    }
}
