//! What is counted: requests by who made them, launches by the second, and a hash of all that happened, in order.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Mutex, MutexGuard};

use super::clock;

/// Who makes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The dispatcher.
    Dispatcher,
    /// A runner, in a task, a job of Batch or a worker.
    Runner,
}

/// Counts.
pub type Counts = BTreeMap<(Who, &'static str), u64>;

/// How many there were in each second.
pub type Course = Vec<u32>;

/// What was counted.
#[derive(Debug, Default, Clone)]
pub struct Counted {
    /// Requests, by who made them.
    pub counts: Counts,
    /// Of them, those that were throttled.
    pub throttled: u64,
    /// Launches that were asked for.
    pub asked: Course,
    /// Launches that were made.
    pub launched: Course,
    /// Hash of all requests, in order.
    pub trace: u64,
}

/// Counts what happens.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counted>);

impl Tally {
    fn inner(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().expect("one thread")
    }

    /// A request, about this.
    pub fn count(&self, who: Who, operation: &'static str, about: &str) {
        clock::happens();
        let inner = &mut *self.inner();
        *inner.counts.entry((who, operation)).or_default() += 1;
        if operation == "RunTask" {
            one_more(&mut inner.asked);
        }
        let mut hasher = DefaultHasher::new();
        (inner.trace, who, operation, clock::passed(), about).hash(&mut hasher);
        inner.trace = hasher.finish();
    }

    /// One of them was throttled.
    pub fn throttled(&self) {
        self.inner().throttled += 1;
    }

    /// A launch was made.
    pub fn launched(&self) {
        one_more(&mut self.inner().launched);
    }

    /// All that was counted so far.
    pub fn counted(&self) -> Counted {
        self.inner().clone()
    }
}

fn one_more(course: &mut Course) {
    let second = usize::try_from(clock::passed() / 1_000).unwrap_or_default();
    course.resize(course.len().max(second + 1), 0);
    course[second] += 1;
}
