//! The messages that a worker has in hand: kept hidden while something is done for them, deleted when that is durable,
//! or given back. The attempts that they led to are said to be alive by the same pulse.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ledger::Time;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, timeout};

use crate::aws::inbox::{BATCH, Inbox, Letter, Receipt};
use crate::causes::causes;
use crate::run::deliver::say;
use crate::run::ledgered::claim::Held;

/// In each time for which a message is hidden it is heard of so often.
const BEATS: u32 = 3;
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

/// What the queue is to be told.
enum Errand {
    Delete(Receipt),
    Hide(Receipt, Duration),
    /// Nothing more.
    End,
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
        let running = tokio::task::spawn_local(run(inbox.clone(), told));
        let (numbers, all) = (Cell::default(), RefCell::default());
        let hands = Rc::new(Self { inbox, visibility, hold, numbers, all, errands });
        let beating = tokio::task::spawn_local(beat(Rc::clone(&hands)));
        (hands, Runner { beating, running })
    }

    /// Takes messages from the queue.
    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Takes a message in hand.
    pub(super) fn take(&self, letter: Letter) -> Rc<Hand> {
        let number = self.numbers.replace(self.numbers.get() + 1);
        let (attempt, released) = (RefCell::default(), Cell::default());
        let hand = Rc::new(Hand { letter, number, since: Instant::now(), attempt, released });
        self.all.borrow_mut().insert(number, Rc::clone(&hand));
        hand
    }

    /// What it asked for is done and durable.
    pub(super) fn done(&self, hand: &Hand) {
        self.leave(hand, Errand::Delete(hand.letter.receipt.clone()));
    }

    /// It is to come again after this time.
    pub(super) fn back(&self, hand: &Hand, after: Duration) {
        self.leave(hand, Errand::Hide(hand.letter.receipt.clone(), after));
    }

    fn leave(&self, hand: &Hand, errand: Errand) {
        if self.all.borrow_mut().remove(&hand.number).is_some() && !hand.released.get() {
            let _runner_is_there = self.errands.send(errand);
        }
    }

    /// Says of all messages and attempts that they are still worked at.
    async fn beat(&self) {
        let all: Vec<Rc<Hand>> = self.all.borrow().values().cloned().collect();
        let rest = self.visibility / BEATS;
        let mut attempts = Vec::new();
        for hand in &all {
            if let Some((held, last)) = &mut *hand.attempt.borrow_mut() {
                if hand.since.elapsed() > self.hold && !hand.released.replace(true) {
                    say(
                        "a message is let go of, since its job takes longer than a queue keeps one: what becomes of the job is in its ledger",
                    );
                    let _runner_is_there =
                        self.errands.send(Errand::Delete(hand.letter.receipt.clone()));
                }
                if last.elapsed() >= rest / 2 {
                    *last = Instant::now();
                    attempts.push(Rc::clone(held));
                }
            }
            if !hand.released.get() && hand.since.elapsed() >= rest / 2 {
                let errand = Errand::Hide(hand.letter.receipt.clone(), self.visibility);
                let _runner_is_there = self.errands.send(errand);
            }
        }
        let until = Time::now().after(self.visibility);
        join_all(attempts.iter().map(|held| held.beat(until))).await;
    }
}

async fn beat(hands: Rc<Hands>) {
    let mut ticks = tokio::time::interval(hands.visibility / BEATS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        hands.beat().await;
    }
}

/// Tells the queue, as much at once as has gathered.
async fn run(inbox: Inbox, mut told: mpsc::UnboundedReceiver<Errand>) {
    let mut errands = Vec::with_capacity(BATCH);
    while told.recv_many(&mut errands, BATCH).await > 0 {
        let (mut deleted, mut hidden, mut last) = (Vec::new(), Vec::new(), false);
        for errand in errands.drain(..) {
            match errand {
                Errand::Delete(receipt) => deleted.push(receipt),
                Errand::Hide(receipt, time) => hidden.push((receipt, time)),
                Errand::End => last = true,
            }
        }
        let deleting = async {
            if deleted.is_empty() { Ok(Vec::new()) } else { inbox.delete(&deleted).await }
        };
        let hiding =
            async { if hidden.is_empty() { Ok(Vec::new()) } else { inbox.hide(&hidden).await } };
        let (deleting, hiding) = tokio::join!(deleting, hiding);
        for told in [deleting, hiding] {
            // What is not deleted comes again, and meets its own job.
            match told {
                Ok(failed) => failed.iter().for_each(|why| say(&format!("the queue: {why}"))),
                Err(error) => say(&causes(&error)),
            }
        }
        if last {
            return;
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
