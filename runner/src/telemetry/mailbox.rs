//! Between those who tell and the task that delivers: one subscriber's buffer, its address, and who has
//! to be woken. Nothing here waits for a subscriber.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::session::Millis;

use super::buffer::{Batch, Buffer, Framing};
use super::record::Dropped;
use super::subscribe::{Destination, Subscription};

/// What waits for one subscriber.
#[derive(Debug)]
pub(super) struct Mailbox {
    clock: Clock,
    state: Mutex<State>,
    /// There is something to send, or to wait for.
    work: Notify,
    /// All has been sent.
    empty: Notify,
}

#[derive(Debug)]
struct State {
    buffer: Buffer,
    destination: Destination,
    /// Size of the batch that is being sent.
    under_way: usize,
    /// Send what there is and wait for no more.
    flush: bool,
}

impl Mailbox {
    /// An empty one.
    pub(super) fn new(clock: Clock, subscription: &Subscription) -> Self {
        let state = State {
            buffer: buffer(subscription),
            destination: subscription.destination.clone(),
            under_way: 0,
            flush: false,
        };
        Self { clock, state: Mutex::new(state), work: Notify::new(), empty: Notify::new() }
    }

    /// Puts in what `fill` gives, and wakes the task if that changed when it has something to do.
    pub(super) fn put(&self, fill: impl FnOnce(&mut Buffer, Millis)) {
        let mut state = self.lock();
        let before = state.buffer.due();
        fill(&mut state.buffer, self.clock.now());
        if state.buffer.due() != before || state.flush {
            self.work.notify_one();
        }
    }

    /// The next batch and where it goes, when it is due.
    pub(super) async fn next(&self) -> (Batch, Destination) {
        loop {
            let due = match self.take() {
                Ok(next) => return next,
                Err(due) => due.map(|due| self.clock.instant(due)),
            };
            match due {
                None => self.work.notified().await,
                Some(due) => {
                    let _ = tokio::time::timeout_at(due.into(), self.work.notified()).await;
                }
            }
        }
    }

    fn take(&self) -> Result<(Batch, Destination), Option<Millis>> {
        let mut state = self.lock();
        let flush = state.flush;
        if let Some(batch) = state.buffer.take(self.clock.now(), flush) {
            state.under_way = batch.body.len();
            return Ok((batch, state.destination.clone()));
        }
        Err(state.buffer.due())
    }

    /// The batch has been sent, or given up for lost.
    pub(super) fn done(&self, lost: Dropped) {
        let mut state = self.lock();
        state.under_way = 0;
        state.buffer.drop_records(lost);
        if state.is_empty() {
            state.flush = false;
            self.empty.notify_waiters();
        }
    }

    /// Waits until all is sent, for no record that might come.
    pub(super) async fn flush(&self) {
        loop {
            let emptied = self.empty.notified();
            {
                let mut state = self.lock();
                state.flush = !state.is_empty();
                if !state.flush {
                    return;
                }
                self.work.notify_one();
            }
            emptied.await;
        }
    }

    /// Back to sending what is due.
    pub(super) fn end_flush(&self) {
        self.lock().flush = false;
    }

    /// How many bytes are in memory for this subscriber.
    pub(super) fn waiting(&self) -> usize {
        let state = self.lock();
        state.buffer.waiting() + state.under_way
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.under_way == 0
    }
}

fn buffer(subscription: &Subscription) -> Buffer {
    let framing = match subscription.destination {
        Destination::Http { .. } => Framing::Array,
        Destination::Tcp { .. } => Framing::Lines,
    };
    Buffer::new(subscription.buffering, framing, subscription.schema)
}
