//! Who does what next: jobs are handed out in the order of their bytes, because the bytes may still be
//! arriving; what no worker needs any more is released; the first error stops everybody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Archive;
use super::error::UnpackError;
use super::plan::Job;

/// A place in an archive: its index and an offset.
type Place = (usize, u64);

/// The jobs of a plan, shared by all workers.
#[derive(Debug)]
pub(super) struct Queue<'a> {
    archives: &'a [Archive<'a>],
    jobs: &'a [Job],
    state: Mutex<State>,
    stop: &'a Stop<'a>,
}

/// The end of all work, of all queues: the first error stops everybody.
#[derive(Debug)]
pub(super) struct Stop<'a> {
    archives: Vec<&'a Archive<'a>>,
    stopped: AtomicBool,
    error: Mutex<Option<UnpackError>>,
}

impl<'a> Stop<'a> {
    /// Work on these archives.
    pub(super) fn new(archives: Vec<&'a Archive<'a>>) -> Self {
        Self { archives, stopped: AtomicBool::new(false), error: Mutex::default() }
    }

    /// Ends all work. The first error is the one that is told.
    fn fail(&self, error: UnpackError) {
        locked(&self.error).get_or_insert(error);
        self.stopped.store(true, Ordering::Relaxed);
        self.archives.iter().for_each(|archive| archive.source.abort());
    }

    /// How it ended, once all workers have.
    pub(super) fn outcome(self) -> Result<(), UnpackError> {
        self.error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct State {
    /// Index of the next job.
    next: usize,
    /// What each worker still needs, from there on.
    needed: Vec<Option<Place>>,
    /// Everything before it has been released.
    released: Place,
}

impl<'a> Queue<'a> {
    /// All jobs, for this many workers.
    pub(super) fn new(
        archives: &'a [Archive<'a>],
        jobs: &'a [Job],
        workers: usize,
        stop: &'a Stop<'a>,
    ) -> Self {
        let needed = vec![None; workers];
        let state = Mutex::new(State { next: 0, needed, released: (0, 0) });
        Self { archives, jobs, state, stop }
    }

    /// The next job for a worker, which has finished the one before.
    pub(super) fn take(&self, worker: usize) -> Option<&'a Job> {
        let mut state = self.state();
        let job = self.jobs.get(state.next).filter(|_| !self.stopped());
        state.next += usize::from(job.is_some());
        state.needed[worker] = job.map(|job| (job.archive, job.start));
        self.release(&mut state);
        job
    }

    /// Within its job the worker has come to `offset`.
    pub(super) fn advance(&self, worker: usize, offset: u64) {
        let mut state = self.state();
        if let Some((_, at)) = &mut state.needed[worker] {
            *at = offset;
        }
        self.release(&mut state);
    }

    /// Ends all work, of other queues too.
    pub(super) fn fail(&self, error: UnpackError) {
        self.stop.fail(error);
    }

    /// Whether there is no point in going on.
    pub(super) fn stopped(&self) -> bool {
        self.stop.stopped.load(Ordering::Relaxed)
    }

    fn release(&self, state: &mut State) {
        let end = (self.archives.len(), 0);
        let next = self.jobs.get(state.next).map_or(end, |job| (job.archive, job.start));
        let low = state.needed.iter().flatten().copied().fold(next, Place::min);
        if low <= state.released {
            return;
        }
        for archive in &self.archives[state.released.0..low.0] {
            archive.source.done_before(archive.source.len());
        }
        if let Some(archive) = self.archives.get(low.0) {
            archive.source.done_before(low.1);
        }
        state.released = low;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::{Queue, Stop};
    use crate::unpack::plan::Job;
    use crate::unpack::{Archive, Fault, Source, UnpackError};

    /// Notes what is released.
    #[derive(Default)]
    struct Released(Mutex<Vec<u64>>);

    impl Source for Released {
        fn len(&self) -> u64 {
            1000
        }

        fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
            Ok(())
        }

        fn done_before(&self, offset: u64) {
            self.0.lock().unwrap().push(offset);
        }
    }

    fn jobs(places: &[(usize, u64)]) -> Vec<Job> {
        places
            .iter()
            .map(|(archive, start)| Job { archive: *archive, start: *start, items: 0..0 })
            .collect()
    }

    #[test]
    fn bytes_are_released_behind_the_slowest_worker() {
        let sources = [Released::default(), Released::default()];
        let archives = sources.each_ref().map(|source| Archive { name: "a", source });
        let jobs = jobs(&[(0, 10), (0, 20), (0, 30), (1, 5)]);
        let stop = Stop::new(archives.iter().collect());
        let queue = Queue::new(&archives, &jobs, 2, &stop);
        assert_eq!(queue.take(0).unwrap().start, 10);
        assert_eq!(queue.take(1).unwrap().start, 20);
        queue.advance(1, 25);
        assert_eq!(queue.take(1).unwrap().start, 30);
        queue.advance(0, 15);
        assert_eq!(queue.take(0).unwrap().start, 5);
        assert!(queue.take(1).is_none());
        assert!(queue.take(0).is_none());
        stop.outcome().unwrap();
        let [first, second] = sources.map(|source| source.0.into_inner().unwrap());
        assert_eq!(first, [10, 15, 30, 1000]);
        assert_eq!(second, [5, 1000]);
    }

    #[test]
    fn the_first_error_stops_everybody_and_is_told() {
        let error = |fault: Fault| UnpackError::Archive { archive: "a".to_owned(), fault };
        let source = Released::default();
        let archives = [Archive { name: "a", source: &source }];
        let jobs = jobs(&[(0, 0), (0, 1)]);
        let stop = Stop::new(archives.iter().collect());
        let queue = Queue::new(&archives, &jobs, 1, &stop);
        assert!(queue.take(0).is_some());
        queue.fail(error(Fault::Duplicate));
        queue.fail(error(Fault::Data { what: "x" }));
        assert!(queue.take(0).is_none());
        let UnpackError::Archive { fault, .. } = stop.outcome().unwrap_err() else { panic!() };
        assert_eq!(fault, Fault::Duplicate);
    }
}
