//! How often and how long a download is tried. Decisions only; waiting is done by others.

use std::time::Duration;

/// How patient to be.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Tries in a row without progress before giving up.
    pub tries: u32,
    /// Pause after the first failure; doubled after each further one.
    pub pause: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// A connection that brings no byte for so long is given up for another.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 8,
            pause: Duration::from_millis(100),
            longest: Duration::from_secs(5),
            stall: Duration::from_secs(10),
        }
    }
}

impl Patience {
    /// How long to wait after so many failures in a row; none to give up. `chance` of 0 to 1 spreads
    /// those who failed together over the second half of the pause.
    pub(super) fn pause_after(&self, failures: u32, chance: f64) -> Option<Duration> {
        if failures >= self.tries {
            return None;
        }
        let doubled = self.pause.saturating_mul(1 << failures.saturating_sub(1).min(16));
        Some(doubled.min(self.longest).mul_f64(f64::midpoint(1.0, chance.clamp(0.0, 1.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let patience = Patience::default();
        let pauses: Vec<_> =
            (1..).map_while(|failures| patience.pause_after(failures, 1.0)).collect();
        assert_eq!(pauses.len(), 7);
        assert!(pauses.is_sorted() && pauses[0] == Duration::from_millis(100));
        assert_eq!(pauses.last(), Some(&Duration::from_secs(5)));
        assert_eq!(patience.pause_after(1, 0.0), Some(Duration::from_millis(50)));
    }
}
