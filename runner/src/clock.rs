//! The time, as one number that only grows: wall-clock milliseconds at the start plus what a
//! monotonic clock has counted since. A corrected wall clock therefore moves no deadline.

use std::time::{Duration, Instant, SystemTime};

use crate::session::Millis;

/// Milliseconds since the Unix epoch, monotonic for the life of the program.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    wall: Duration,
}

impl Clock {
    /// A clock that agrees with the wall clock now.
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), wall }
    }

    /// Now.
    pub fn now(&self) -> Millis {
        millis(self.wall + self.started.elapsed())
    }

    /// The moment at which [`Clock::now`] will have reached `time`.
    pub fn instant(&self, time: Millis) -> Instant {
        self.started + Duration::from_millis(time).saturating_sub(self.wall)
    }
}

/// Whole milliseconds of a duration.
pub fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_found_again() {
        let clock = Clock { started: Instant::now(), wall: Duration::from_secs(1_000) };
        assert_eq!(clock.instant(1_002_500) - clock.started, Duration::from_millis(2_500));
        assert_eq!(clock.instant(5), clock.started);
    }
}
