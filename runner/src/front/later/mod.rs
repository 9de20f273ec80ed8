//! Events that nobody waits for: accepted into memory, run in turn, tried again as Lambda does, and handed to whoever
//! wants to know how they ended. What that leads to (destinations, dead-letter queues) is decided there.

mod fate;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ledger::Redacted;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

pub use fate::{Condition, Policy};
use fate::{Course, Next, Went};

use super::refusal::Refusal;
use crate::job::Event;
use crate::order::{Answer, Order, Reply, Wants, When};

/// Events up to this size are copied, so that a small one does not keep a whole network buffer.
const COPIED: usize = 64 << 10;

/// How many events may wait, and how they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Events that are kept, running ones and those between two attempts included.
    pub events: usize,
    /// Their bytes.
    pub bytes: usize,
    /// How they are tried.
    pub policy: Policy,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: 10_000, bytes: 256 << 20, policy: Policy::default() }
    }
}

/// How an event ended.
#[derive(Debug)]
pub struct Outcome {
    /// The event.
    pub event: Event,
    /// Why it is done with.
    pub condition: Condition,
    /// How often the function was tried.
    pub attempts: u32,
    /// Its last answer, if it ever gave one.
    pub answer: Option<Answer>,
}

/// In one line, for the log.
impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, condition) = (&self.event.request_id, self.condition.name());
        let attempts = self.attempts;
        write!(formatter, "event RequestId: {id} Condition: {condition} Attempts: {attempts}")?;
        let kind = self.answer.as_ref().and_then(|answer| answer.error_type.as_ref());
        kind.map_or(Ok(()), |kind| write!(formatter, " Error Type: {kind}"))
    }
}

/// Who wants to know how events ended. Neither method may block.
pub trait Outcomes: Send + Sync + 'static {
    /// An event is done with.
    fn ended(&self, outcome: Outcome);
    /// The program stops, and so many accepted events have not ended. Not told of none.
    fn abandoned(&self, events: usize);
}

/// Tells of outcomes in lines of text.
pub struct Lines<F>(pub F);

impl<F> fmt::Debug for Lines<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lines")
    }
}

impl<F: Fn(&str) + Send + Sync + 'static> Outcomes for Lines<F> {
    fn ended(&self, outcome: Outcome) {
        (self.0)(&outcome.to_string());
    }

    fn abandoned(&self, events: usize) {
        (self.0)(&format!(
            "stopped with {events} accepted events that have not ended; they were in memory and are lost"
        ));
    }
}

/// The events that were accepted.
pub(super) struct Later {
    count: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    limits: Limits,
    shared: Arc<Shared>,
}

/// What each event needs.
struct Shared {
    /// One permit for each event that may run.
    turns: Semaphore,
    concurrency: u32,
    policy: Policy,
    orders: mpsc::Sender<Order>,
    outcomes: Arc<dyn Outcomes>,
    stopped: watch::Receiver<bool>,
}

impl Later {
    pub(super) fn new(
        limits: Limits,
        concurrency: usize,
        orders: mpsc::Sender<Order>,
        outcomes: Arc<dyn Outcomes>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let concurrency = u32::try_from(concurrency.max(1)).unwrap_or(u32::MAX);
        let (turns, policy) = (Semaphore::new(concurrency as usize), limits.policy.clone());
        let semaphore =
            |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let shared = Shared { turns, concurrency, policy, orders, outcomes, stopped };
        Self {
            count: semaphore(limits.events),
            bytes: semaphore(limits.bytes),
            limits,
            shared: Arc::new(shared),
        }
    }

    /// Takes an event, to be run when its turn comes.
    pub(super) fn accept(&self, mut event: Event) -> Result<(), Refusal> {
        let length = event.payload.expose().length();
        let size = u32::try_from(length).map_err(|_| Refusal::Full)?;
        let place = Arc::clone(&self.count).try_acquire_owned().map_err(|_| Refusal::Full)?;
        let room = Arc::clone(&self.bytes).try_acquire_many_owned(size);
        let room = room.map_err(|_| Refusal::Full)?;
        if let Some(bytes) = event.payload.expose().at_hand().filter(|it| it.len() <= COPIED) {
            event.payload = Redacted::new(Bytes::copy_from_slice(bytes).into());
        }
        let accepted = Accepted {
            event,
            since: Instant::now(),
            course: Course::default(),
            place: Some(place),
            _room: room,
            shared: Arc::clone(&self.shared),
        };
        tokio::spawn(accepted.run());
        Ok(())
    }

    /// Waits until no event runs any more. Only after a stop.
    pub(super) async fn quiet(&self) {
        let _ = self.shared.turns.acquire_many(self.shared.concurrency).await;
    }

    fn open(&self) -> usize {
        self.limits.events.min(Semaphore::MAX_PERMITS) - self.count.available_permits()
    }
}

/// However serving ends, what was accepted is accounted for.
impl Drop for Later {
    fn drop(&mut self) {
        let open = self.open();
        if open > 0 {
            self.shared.outcomes.abandoned(open);
        }
    }
}

/// An event on its way.
struct Accepted {
    event: Event,
    since: Instant,
    course: Course,
    /// Given back when the event has ended, and only then: what is missing at the end was abandoned.
    place: Option<OwnedSemaphorePermit>,
    _room: OwnedSemaphorePermit,
    shared: Arc<Shared>,
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            place.forget();
        }
    }
}

impl Accepted {
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut stopped = shared.stopped.clone();
        loop {
            // Its turn is over when the outcome has been told.
            let turn = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return,
                turn = shared.turns.acquire() => turn,
            };
            let Some(delay) = self.attempt().await else { return };
            drop(turn);
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// Tries once, and says after which time to try again, if at all.
    async fn attempt(&mut self) -> Option<Duration> {
        let shared = Arc::clone(&self.shared);
        if self.since.elapsed() > shared.policy.max_age {
            self.end(Condition::EventAgeExceeded, None);
            return None;
        }
        let reply = self.order().await;
        let (went, answer) = match reply {
            Some(Reply::Whole(answer)) if answer.failed => (Went::Badly, Some(answer)),
            Some(Reply::Whole(answer)) => (Went::Well, Some(answer)),
            Some(Reply::Stopped) => return None,
            Some(Reply::Stream { .. }) | None if *shared.stopped.borrow() => return None,
            Some(Reply::Stream { .. }) | None => (Went::Nowhere, None),
        };
        match self.course.after(went, self.since.elapsed(), &shared.policy) {
            Next::Again(delay) => Some(delay),
            Next::End(condition) => {
                self.end(condition, answer);
                None
            }
        }
    }

    async fn order(&self) -> Option<Reply> {
        let (reply, answer) = oneshot::channel();
        let event = self.event.clone();
        let order = Order { event, wants: Wants::Whole, when: When::Answered, limit: None, reply };
        self.shared.orders.send(order).await.ok()?;
        answer.await.ok()
    }

    fn end(&mut self, condition: Condition, answer: Option<Answer>) {
        let (event, attempts) = (self.event.clone(), self.course.attempts);
        drop(self.place.take());
        self.shared.outcomes.ended(Outcome { event, condition, attempts, answer });
    }
}
