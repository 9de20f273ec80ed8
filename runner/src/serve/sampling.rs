//! How much memory an environment uses while it is at work, looked at again and again: workers that come and go leave
//! no mark of what they used together. Nothing is looked at while it is idle.

use std::time::{Duration, Instant};

use crate::process::Group;
use crate::process::memory::Watched;

/// Between two looks: what is held for so long is seen.
const EVERY: Duration = Duration::from_millis(50);
/// Looking takes at most one part in so many of the time, however many processes there are.
const SHARE: u32 = 50;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    most: u64,
    watched: Watched,
    next: Option<Instant>,
}

impl Sampling {
    /// When to look next; never while nothing is at work.
    pub(super) fn due(&mut self, at_work: bool) -> Option<Instant> {
        if !at_work {
            self.next = None;
            return None;
        }
        Some(*self.next.get_or_insert_with(|| Instant::now() + EVERY))
    }

    /// Looks.
    pub(super) fn look(&mut self, groups: &[Group]) {
        let began = Instant::now();
        self.most = self.watched.most(groups, self.most);
        let took = began.elapsed();
        self.next = Some(began + took + EVERY.max(took * SHARE));
    }

    /// The most that was seen, in bytes.
    pub(super) fn most(&self) -> u64 {
        self.most
    }
}
