//! How many jobs a worker claims before it can run them: enough that the next one is at hand when a short one ends, none
//! while one runs that may take long, since others could run them meanwhile. Pure.

use std::time::Duration;

/// A job that runs for longer keeps nobody waiting behind it.
pub(super) const LONG: Duration = Duration::from_secs(1);
/// As many are claimed as are expected to begin within this time: recording and fetching take less.
const SPAN: Duration = Duration::from_millis(100);
/// The most.
const MOST: u32 = 32;

/// What is known of how long jobs take.
#[derive(Debug, Default)]
pub(super) struct Pace {
    average: Option<Duration>,
}

impl Pace {
    /// A job has run for so long. The last few count most.
    pub(super) fn saw(&mut self, took: Duration) {
        self.average = Some(self.average.map_or(took, |average| (average * 3 + took) / 4));
    }

    /// How many jobs to claim beside those that run, of which the oldest runs for so long.
    pub(super) fn ahead(&self, running: Duration) -> usize {
        let Some(average) = self.average else { return 0 };
        let expected = average.max(running);
        if expected > LONG {
            return 0;
        }
        let fitting = SPAN.as_nanos() / expected.as_nanos().max(1);
        u32::try_from(fitting).unwrap_or(MOST).clamp(1, MOST) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_they_are_the_more_are_claimed() {
        for (millis, expected) in [(0, 32), (1, 32), (10, 10), (60, 1), (900, 1), (1_100, 0)] {
            let mut pace = Pace::default();
            pace.saw(Duration::from_millis(millis));
            assert_eq!(pace.ahead(Duration::ZERO), expected, "{millis} ms");
        }
    }

    #[test]
    fn none_is_claimed_behind_one_that_takes_long() {
        let mut pace = Pace::default();
        assert_eq!(pace.ahead(Duration::ZERO), 0);
        pace.saw(Duration::from_millis(1));
        assert_eq!(pace.ahead(2 * LONG), 0);
        for _ in 0..8 {
            pace.saw(Duration::from_hours(1));
        }
        assert_eq!(pace.ahead(Duration::ZERO), 0);
    }
}
