//! When to look again, and when all is over: nothing is left to do, there was nothing for long enough, or there is no time.

use std::time::{Duration, Instant};

use super::super::ON_ITS_WAY;
use super::super::pace::LONG;
use super::Worker;
use crate::config::Environment;

/// So long before it would be killed the worker ends.
const LAST: Duration = Duration::from_secs(1);
/// Why jobs are given back that wait for too long.
const BEHIND: &str = "another job takes long";

impl<E: Environment + Clone + 'static> Worker<E> {
    /// When to look again though nothing happens.
    pub(super) fn timer(&self) -> Option<Instant> {
        if let Some(since) = self.stopping {
            let ends = [ON_ITS_WAY, self.last()].map(|after| since + after);
            return ends.into_iter().filter(|end| *end > Instant::now()).min();
        }
        let waiting = !self.ready.is_empty() || !self.letters.is_empty();
        let behind = self.running.front().filter(|_| waiting).map(|oldest| *oldest + LONG);
        behind.into_iter().chain(self.mute()).min()
    }

    /// The timer's moment has come.
    pub(super) fn look(&mut self) {
        let long = self.running.front().is_some_and(|oldest| oldest.elapsed() >= LONG);
        if long && self.stopping.is_none() {
            self.give_back(BEHIND);
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        let waiting = !self.letters.is_empty() || !self.ready.is_empty();
        waiting || self.taking > 0 || self.unfinished > 0
    }

    /// Nothing is left to be done, or there was nothing for long enough.
    pub(super) fn is_over(&self) -> bool {
        let heard = |since: Instant| self.asking == 0 || since.elapsed() >= ON_ITS_WAY;
        match self.stopping {
            Some(since) => !self.is_busy() && heard(since) || since.elapsed() >= self.last(),
            None => self.is_idle() && self.asking == 0,
        }
    }

    /// What is not at its end so long after a stop is left to its record.
    fn last(&self) -> Duration {
        self.shared.work.limits.stop_timeout.saturating_sub(LAST)
    }

    pub(super) fn is_idle(&self) -> bool {
        let limit = self.shared.work.idle;
        !self.is_busy() && limit.is_some_and(|limit| self.idle_since.elapsed() >= limit)
    }
}
