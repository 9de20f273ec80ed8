//! The messages that a worker has in hand: kept hidden while something is done for them, deleted when that is durable,
//! or given back. The attempts that they led to are said to be alive by the same pulse. How the queue is told, `errands`
//! knows.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ledger::Time;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::errands::{self, Errand, Outside, Wish};
use crate::aws::inbox::{Inbox, Letter};
use crate::run::deliver::say;
use crate::run::ledgered::claim::Held;

/// In each time for which a message is hidden it is heard of so often. Two in a row may fail: the third is in time, even
/// of a message that came when the first beat was all but over.
const BEATS: u32 = 4;
/// The queue is given so long for an answer at least.
const PATIENCE: Duration = Duration::from_secs(1);
/// So long what is on its way to the queue may take at the end.
const LAST: Duration = Duration::from_secs(5);

/// A message in hand.
pub(super) struct Hand {
    pub(super) letter: Letter,
    number: u64,
    since: Instant,
    /// The attempt that was claimed for it, and when that was last said to be alive.
    attempt: RefCell<Option<(Rc<Held>, Instant)>>,
    /// It is not in the queue any more: what becomes of its job is in the ledger.
    released: Cell<bool>,
}

impl Hand {
    /// This attempt was claimed for it, just now.
    pub(super) fn holds(&self, held: &Rc<Held>) {
        *self.attempt.borrow_mut() = Some((Rc::clone(held), Instant::now()));
    }
}

/// All messages in hand.
pub(super) struct Hands {
    inbox: Inbox,
    visibility: Duration,
    hold: Duration,
    numbers: Cell<u64>,
    all: RefCell<HashMap<u64, Rc<Hand>>>,
    errands: mpsc::UnboundedSender<Errand>,
}

/// What keeps messages hidden and tells the queue of them.
pub(super) struct Runner {
    beating: JoinHandle<()>,
    running: JoinHandle<()>,
}

impl Hands {
    /// Empty ones.
    pub(super) fn new(inbox: Inbox, visibility: Duration, hold: Duration) -> (Rc<Self>, Runner) {
        let (errands, told) = mpsc::unbounded_channel();
        let (numbers, all) = (Cell::default(), RefCell::default());
        let hands = Rc::new(Self { inbox, visibility, hold, numbers, all, errands });
        let (telling, patience) = (hands.inbox.clone(), hands.patience());
        let running =
            tokio::task::spawn_local(async move { errands::run(&telling, told, patience).await });
        let beaten = Rc::clone(&hands);
        let beating = tokio::task::spawn_local(async move { beaten.beats(&beaten.inbox).await });
        (hands, Runner { beating, running })
    }

    /// Takes messages from the queue.
    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Takes a message in hand.
    pub(super) fn take(&self, letter: Letter) -> Rc<Hand> {
        self.taken(letter, Instant::now())
    }

    fn taken(&self, letter: Letter, since: Instant) -> Rc<Hand> {
        let number = self.numbers.replace(self.numbers.get() + 1);
        let (attempt, released) = (RefCell::default(), Cell::default());
        let hand = Rc::new(Hand { letter, number, since, attempt, released });
        self.all.borrow_mut().insert(number, Rc::clone(&hand));
        hand
    }

    /// What it asked for is done and durable.
    pub(super) fn done(&self, hand: &Hand) {
        self.leave(hand, Wish::Delete);
    }

    /// It is to come again after this time.
    pub(super) fn back(&self, hand: &Hand, after: Duration) {
        self.leave(hand, Wish::Hide(after));
    }

    fn leave(&self, hand: &Hand, wish: Wish) {
        if self.all.borrow_mut().remove(&hand.number).is_some() && !hand.released.get() {
            self.tell(hand, wish);
        }
    }

    fn tell(&self, hand: &Hand, wish: Wish) {
        let errand = Errand::Of(hand.number, hand.letter.receipt.clone(), wish);
        let _runner_is_there = self.errands.send(errand);
    }

    fn beat(&self) -> Duration {
        self.visibility / BEATS
    }

    /// So long an answer of the queue is waited for: the next beat is not to wait for it.
    fn patience(&self) -> Duration {
        (self.beat() / 2).max(PATIENCE)
    }

    /// Says of all messages and attempts that they are still worked at, again and again.
    async fn beats(&self, outside: &impl Outside) {
        loop {
            let all: Vec<Rc<Hand>> = self.all.borrow().values().cloned().collect();
            let (now, until) = (outside.now(), Time::now().after(self.visibility));
            for hand in &all {
                self.heard_of(hand, now, until);
            }
            outside.sleep(self.beat()).await;
        }
    }

    fn heard_of(&self, hand: &Hand, now: Instant, until: Time) {
        let is_due = |since: Instant| now.saturating_duration_since(since) >= self.beat() / 2;
        if let Some((held, last)) = &mut *hand.attempt.borrow_mut() {
            if now.saturating_duration_since(hand.since) > self.hold && !hand.released.replace(true)
            {
                say(
                    "a message is let go of, since its job takes longer than a queue keeps one: what becomes of the job is in its ledger",
                );
                self.tell(hand, Wish::Delete);
            }
            if is_due(*last) {
                *last = now;
                // A ledger that hesitates keeps no message from being heard of.
                let held = Rc::clone(held);
                tokio::task::spawn_local(async move { held.beat(until).await });
            }
        }
        if !hand.released.get() && is_due(hand.since) {
            self.tell(hand, Wish::Hide(self.visibility));
        }
    }
}

impl Runner {
    /// Lets the queue hear what there is to be told.
    pub(super) async fn end(self, hands: &Hands) {
        self.beating.abort();
        let _runner_is_there = hands.errands.send(Errand::End);
        let _best_effort = timeout(LAST, self.running).await;
    }
}

#[cfg(test)]
mod tests;
