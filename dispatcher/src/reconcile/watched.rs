//! What was started and not yet seen to have ended, by job, so that what is alive needs no look into the ledger. A
//! memory and no record: whoever has none looks there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ledger::{Active, JobId, Launch, Time};

use crate::launch::worker;

/// What is at work for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// What the launcher can look at, by its name for it.
    Container(String),
    /// A message for workers, of which only the records tell: they are looked at again then; ever more rarely while
    /// nobody has taken it.
    Message {
        /// When, by the wall clock: a Lambda function's other clock may stand still between two looks.
        again: Time,
        /// So long after the look before.
        pause: Duration,
    },
}

/// The longest time between two looks at a job that waits for workers: nobody is at work, and who takes it and dies is
/// noticed by the next worker, to whom its message comes again.
const LONGEST: Duration = Duration::from_mins(15);

/// What is at work.
#[derive(Debug, Default)]
pub struct Watched(RefCell<BTreeMap<JobId, Work>>);

impl Watched {
    /// What this launch has started is at work for a job; a worker will be `heard` of until then. `every` is how often jobs
    /// are looked after.
    pub fn launched(&self, job: &JobId, launch: &Launch, every: Duration, heard: Option<Time>) {
        match &launch.id {
            Some(id) if launch.launcher != worker::NAME => self.container(job, id),
            _ => self.message(job, every, heard),
        }
    }

    /// This container is at work for a job.
    fn container(&self, job: &JobId, id: &str) {
        self.0.borrow_mut().insert(job.clone(), Work::Container(id.to_owned()));
    }

    /// A message waits for a worker; or one is at work, who will be `heard` of until then.
    fn message(&self, job: &JobId, every: Duration, heard: Option<Time>) {
        let mut all = self.0.borrow_mut();
        let pause = match all.get(job) {
            Some(Work::Message { pause, .. }) if heard.is_none() => {
                (*pause * 2).min(LONGEST).max(every)
            }
            _ => every,
        };
        let again = Time::now().after(pause).max(heard.unwrap_or(Time::from_millis(0)));
        all.insert(job.clone(), Work::Message { again, pause });
    }

    /// Nothing is known of this job any more.
    pub fn forget(&self, job: &JobId) {
        self.0.borrow_mut().remove(job);
    }

    /// What is at work for a job.
    pub fn of(&self, job: &JobId) -> Option<Work> {
        self.0.borrow().get(job).cloned()
    }

    /// How many jobs something is at work for.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether nothing is at work.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Forgets the jobs that were at work before this look, and are not unfinished any more.
    pub fn keep(&self, before: &BTreeSet<JobId>, unfinished: &[Active]) {
        let unfinished: BTreeSet<&JobId> = unfinished.iter().map(|marker| &marker.id).collect();
        self.0.borrow_mut().retain(|job, _| !before.contains(job) || unfinished.contains(job));
    }

    /// The jobs that something is at work for.
    pub fn jobs(&self) -> BTreeSet<JobId> {
        self.0.borrow().keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> JobId {
        name.parse().unwrap()
    }

    #[test]
    fn what_is_struck_off_is_forgotten_and_what_is_new_is_not() {
        let watched = Watched::default();
        watched.container(&id("gone"), "task-1");
        watched.container(&id("here"), "task-2");
        let before = watched.jobs();
        // Started while the ledger was read.
        watched.container(&id("new"), "task-3");
        watched.keep(&before, &[Active { id: id("here"), since: ledger::Time::from_millis(0) }]);
        assert_eq!(watched.jobs(), [id("here"), id("new")].into());
        assert_eq!(watched.of(&id("here")), Some(Work::Container("task-2".into())));
    }

    fn looked_after(watched: &Watched, heard: Option<Time>) -> (Time, Duration) {
        watched.message(&id("j"), Duration::from_mins(1), heard);
        let Some(Work::Message { again, pause }) = watched.of(&id("j")) else { panic!() };
        (again, pause)
    }

    #[test]
    fn a_message_is_looked_after_ever_more_rarely_until_somebody_has_taken_it() {
        let watched = Watched::default();
        for minutes in [1, 2, 4, 8, 15, 15] {
            assert_eq!(looked_after(&watched, None).1, Duration::from_mins(minutes));
        }
        let heard = Time::now().after(Duration::from_mins(2));
        for _beat in 0..3 {
            assert_eq!(looked_after(&watched, Some(heard)), (heard, Duration::from_mins(1)));
        }
    }
}
