//! Who has subscribed, and what each is told. Telling is cheap and never waits; with nobody to tell,
//! nothing is rendered.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::session::{Feed, Millis};

use super::deliver::deliver;
use super::json;
use super::mailbox::Mailbox;
use super::record::{Line, Record, Type};
use super::replay::{Replay, tell_line};
use super::subscribe::{self, Subscription};

/// The subscribers of one environment.
#[derive(Debug)]
pub struct Hub {
    clock: Clock,
    /// Lines that are JSON are told as objects, where the subscriber knows them.
    objects: bool,
    subscribers: Vec<Subscriber>,
    /// None: nobody can subscribe any more.
    replay: Option<Replay>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Subscriber {
    name: Arc<str>,
    subscription: Subscription,
    mailbox: Arc<Mailbox>,
    task: JoinHandle<()>,
}

impl Hub {
    /// A hub that one can subscribe to.
    pub fn new(clock: Clock, objects: bool) -> Self {
        let (subscribers, replay) = (Vec::new(), Some(Replay::default()));
        Self { clock, objects, subscribers, replay, scratch: Vec::new() }
    }

    /// Tells a platform event.
    pub fn event(&mut self, record: &Record) {
        if let Some(replay) = &mut self.replay {
            replay.event(record);
        }
        let out = &mut self.scratch;
        for subscriber in wanting(&self.subscribers, Type::Platform) {
            out.clear();
            if json::render(record, subscriber.subscription.schema, out) {
                subscriber.mailbox.put(|buffer, now| buffer.push_event(now, out));
            }
        }
    }

    /// Does anybody want lines of this kind, or might somebody yet?
    pub fn wants(&self, kind: Type) -> bool {
        self.replay.is_some() || wanting(&self.subscribers, kind).next().is_some()
    }

    /// Tells one line.
    pub fn line(&mut self, line: &Line<'_>) {
        self.tell(line.kind, |each| each(line));
    }

    /// Tells whole lines, or a piece of an endless one.
    pub fn lines(&mut self, kind: Type, time: Millis, bytes: &[u8]) {
        self.tell(kind, |each| {
            for text in bytes.split_inclusive(|byte| *byte == b'\n') {
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                each(&Line { time, kind, text, level: None });
            }
        });
    }

    /// Calls `lines` with whoever wants to know.
    fn tell(&mut self, kind: Type, lines: impl Fn(&mut dyn FnMut(&Line<'_>))) {
        if let Some(replay) = &mut self.replay {
            lines(&mut |line| replay.line(line));
        }
        let (out, objects) = (&mut self.scratch, self.objects);
        for subscriber in wanting(&self.subscribers, kind) {
            let write = (subscriber.subscription.schema, objects);
            subscriber.mailbox.put(|buffer, now| {
                lines(&mut |line| tell_line(buffer, now, line, write, out));
            });
        }
    }

    /// Subscribes the extension of this name, or says why not. Doing so again changes what was asked for. Returns
    /// what it is subscribed to.
    pub fn subscribe(&mut self, name: &str, feed: Feed, body: &[u8]) -> Result<Vec<Type>, String> {
        let subscription = subscribe::parse(feed, body)?;
        let types = subscription.types.clone();
        let known = self.subscribers.iter().position(|known| *known.name == *name);
        if let Some(index) = known {
            if self.subscribers[index].subscription.schema.feed() != feed {
                return Err("the extension is subscribed through the other API already".to_owned());
            }
            if self.subscribers[index].subscription == subscription {
                return Ok(types);
            }
            self.subscribers.remove(index);
        }
        self.add(name, subscription);
        Ok(types)
    }

    fn add(&mut self, name: &str, subscription: Subscription) {
        let mailbox = Arc::new(Mailbox::new(self.clock, &subscription));
        if let Some(replay) = &self.replay {
            let write = (subscription.schema, self.objects);
            mailbox.put(|buffer, now| replay.tell(buffer, now, &subscription.types, write));
        }
        let task = tokio::spawn(deliver(Arc::clone(&mailbox)));
        self.subscribers.push(Subscriber { name: name.into(), subscription, mailbox, task });
    }

    /// Nobody subscribes from now on.
    pub fn close(&mut self) {
        self.replay = None;
    }

    /// The environment begins anew, and with it its extensions.
    pub fn reset(&mut self) {
        self.subscribers.clear();
        self.replay = Some(Replay::default());
    }

    /// Sends everything that waits; done when it has arrived, or at the deadline.
    pub fn flush(&self, deadline: Instant) -> impl Future<Output = ()> + use<> {
        let mailboxes: Vec<_> = self.subscribers.iter().map(|it| Arc::clone(&it.mailbox)).collect();
        async move {
            let all = futures_util::future::join_all(mailboxes.iter().map(|it| it.flush()));
            let _ = tokio::time::timeout_at(deadline, all).await;
            for mailbox in &mailboxes {
                mailbox.end_flush();
            }
        }
    }

    /// How many bytes are in memory for subscribers.
    pub fn waiting(&self) -> usize {
        self.subscribers.iter().map(|subscriber| subscriber.mailbox.waiting()).sum()
    }
}

fn wanting(subscribers: &[Subscriber], kind: Type) -> impl Iterator<Item = &Subscriber> {
    subscribers.iter().filter(move |it| it.subscription.types.contains(&kind))
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
