//! Whether the end of a process was a kill of the kernel's for want of memory. The kernel counts such kills and names
//! nobody: of who else was killed by SIGKILL only the time tells. Pure.

use std::time::{Duration, Instant};

/// A process that the kernel kills is gone when its memory is, which of a large one takes seconds. Later ends are others'.
const TAKES: Duration = Duration::from_secs(5);

/// What the kernel's count has told so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kills {
    at_first: u64,
    count: u64,
    /// So many of them are nobody's end yet,
    unexplained: u64,
    /// since this moment.
    since: Instant,
}

impl Kills {
    /// Before any process is started.
    pub(super) fn new(count: u64, now: Instant) -> Self {
        Self { at_first: count, count, unexplained: 0, since: now }
    }

    /// How many there have been since then.
    pub(super) fn all(&self) -> u64 {
        self.count - self.at_first
    }

    /// The kernel has been asked again.
    pub(super) fn see(&mut self, count: u64, now: Instant) {
        let grown = count.saturating_sub(self.count);
        if now.duration_since(self.since) > TAKES {
            self.unexplained = 0;
        }
        if grown > 0 {
            (self.unexplained, self.since) = (self.unexplained + grown, now);
        }
        self.count = self.count.max(count);
    }

    /// Whether one of them is the end of a process that a SIGKILL has ended just now.
    pub(super) fn explain(&mut self, count: u64, now: Instant) -> bool {
        self.see(count, now);
        let explains = self.unexplained > 0;
        self.unexplained = self.unexplained.saturating_sub(1);
        explains
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_explains_one_end_and_soon() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut kills = Kills::new(7, start);
        assert!(!kills.explain(7, after(1)), "it was somebody else's");
        assert!(kills.explain(8, after(60)));
        assert!(!kills.explain(8, after(60)));
        // Two at once are two ends.
        assert!(kills.explain(10, after(70)) && kills.explain(10, after(71)));
        assert!(!kills.explain(10, after(72)));
        assert_eq!(kills.all(), 3);
    }

    #[test]
    fn a_kill_that_was_noticed_explains_no_later_end() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut kills = Kills::new(0, start);
        kills.see(1, after(10));
        kills.see(1, after(12));
        assert!(
            Kills::explain(&mut kills.clone(), 1, after(13)),
            "memory is given back for a while"
        );
        assert!(!kills.explain(1, after(60)));
        assert!(kills.explain(2, after(61)));
    }
}
