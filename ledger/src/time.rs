//! Moments as invocation records have them: RFC 3339, UTC, milliseconds
//! (`2026-10-09T16:43:26.568Z`; Lambda developer guide, invocation records). Pure but for `now`.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(Timestamp);

impl Time {
    /// Now, by the wall clock.
    pub fn now() -> Self {
        Self(Timestamp::now())
    }

    /// Milliseconds since the Unix epoch; a moment out of range becomes the epoch.
    pub fn from_millis(millis: u64) -> Self {
        let millis = i64::try_from(millis).unwrap_or_default();
        Self(Timestamp::from_millisecond(millis).unwrap_or_default())
    }

    /// Milliseconds since the Unix epoch; 0 for what was before.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millisecond()).unwrap_or_default()
    }

    /// So much later, to the millisecond.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.as_millis().saturating_add(millis))
    }

    /// How long ago that was; nothing for what is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = text.parse().map_err(|_| {
            de::Error::custom(format!(
                "expected a time like `2026-10-09T16:43:26.568Z`, found `{text}`"
            ))
        });
        time.map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_three_digits_of_a_second() {
        assert_eq!(Time::from_millis(1_791_564_206_568).to_string(), "2026-10-09T16:43:26.568Z");
        assert_eq!(Time::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_moment_is_read_again() {
        let time = Time::from_millis(1_791_564_206_568);
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
        assert_eq!(time.as_millis(), 1_791_564_206_568);
    }

    #[test]
    fn what_is_no_moment_is_refused_with_an_example() {
        let error = serde_json::from_str::<Time>("\"yesterday\"").unwrap_err().to_string();
        assert!(error.contains("2026-10-09T16:43:26.568Z"), "{error}");
    }
}
