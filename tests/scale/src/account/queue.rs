//! A standard queue of SQS: what was received stays hidden, and comes again unless it is deleted; some things come twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::dice::Dice;
use super::limits;

/// What a message says.
#[derive(Debug, Clone)]
pub enum Body {
    /// The failed invocation of this number: written when it is received, since a million of them are.
    Failed(u64),
    /// This.
    Text(Arc<str>),
}

/// A message that was received.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its number in its queue.
    pub number: u64,
    /// What it says.
    pub body: Body,
}

/// A queue.
#[derive(Debug)]
pub struct Queue {
    inner: Mutex<Inner>,
    /// Somebody has sent something.
    pub arrived: Notify,
    dice: Dice,
}

#[derive(Debug, Default)]
struct Inner {
    source: Range<u64>,
    ready: VecDeque<Message>,
    hidden: BTreeMap<u64, (u64, Message)>,
    due: BTreeSet<(u64, u64)>,
    receipts: u64,
    sent: u64,
}

impl Queue {
    /// With so many failed invocations in it.
    pub fn new(failed: u64, dice: Dice) -> Self {
        let inner = Inner { source: 0..failed, sent: failed, ..Inner::default() };
        Self { inner: Mutex::new(inner), arrived: Notify::new(), dice }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("one thread")
    }

    /// Puts something in.
    pub fn send(&self, text: &str) {
        let mut inner = self.inner();
        inner.sent += 1;
        let message = Message { number: inner.sent, body: Body::Text(text.into()) };
        inner.ready.push_back(message);
        self.arrived.notify_one();
    }

    /// Takes some out, which stay hidden until then, milliseconds.
    pub fn receive(&self, most: usize, now: u64, until: u64) -> Vec<(u64, Message)> {
        let mut inner = self.inner();
        inner.come_again(now);
        let mut found = Vec::new();
        while found.len() < most {
            let Some((message, first)) = inner.next() else { break };
            if first && self.dice.happens(limits::TWICE, ("twice", message.number)) {
                inner.hide(message.clone(), now + 20_000);
            }
            let receipt = inner.hide(message.clone(), until);
            found.push((receipt, message));
        }
        found
    }

    /// What was received has done its duty.
    pub fn delete(&self, receipt: u64) {
        self.inner().take(receipt);
    }

    /// What was received comes again then.
    pub fn later(&self, receipt: u64, until: u64) {
        let mut inner = self.inner();
        if let Some(message) = inner.take(receipt) {
            inner.due.insert((until, receipt));
            inner.hidden.insert(receipt, (until, message));
        }
    }

    /// How many can be received now, and how many are hidden.
    pub fn len(&self) -> (u64, usize) {
        let inner = self.inner();
        (inner.ready.len() as u64 + inner.source.end - inner.source.start, inner.hidden.len())
    }
}

impl Inner {
    fn come_again(&mut self, now: u64) {
        while let Some((until, receipt)) = self.due.first().copied() {
            if until > now {
                return;
            }
            let message = self.take(receipt);
            self.ready.extend(message);
        }
    }

    /// The next one, and whether it is delivered for the first time.
    fn next(&mut self) -> Option<(Message, bool)> {
        if let Some(again) = self.ready.pop_front() {
            return Some((again, false));
        }
        let number = self.source.next()?;
        Some((Message { number, body: Body::Failed(number) }, true))
    }

    fn hide(&mut self, message: Message, until: u64) -> u64 {
        self.receipts += 1;
        self.due.insert((until, self.receipts));
        self.hidden.insert(self.receipts, (until, message));
        self.receipts
    }

    fn take(&mut self, receipt: u64) -> Option<Message> {
        let (until, message) = self.hidden.remove(&receipt)?;
        self.due.remove(&(until, receipt));
        Some(message)
    }
}
