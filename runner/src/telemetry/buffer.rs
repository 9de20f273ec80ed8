//! What waits for a subscriber: records gathered into batches, and a bound for all of it. Pure: time is
//! an argument.
//!
//! Two batches can wait, one that is full and one that is being filled; with the one under way that is
//! all the memory a subscriber can cost. When there is no more room, new log lines are dropped and
//! counted: what waits stays in order, the gap is where the count is told, and a record once taken is never
//! taken back. Platform events have a reserve beyond that, for some extensions wait for the end of an
//! invocation to be told before they let the next one begin.

use std::mem;

use crate::session::Millis;

use super::json::{self, Schema};
use super::record::{Dropped, Fact, Record};
use super::subscribe::Buffering;

/// Records as they are sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// All of them, as the destination wants them.
    pub body: Vec<u8>,
    /// How many.
    pub records: u64,
}

/// How records are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `[a,b]`
    Array,
    /// `a\nb\n`
    Lines,
}

/// What waits for one subscriber.
#[derive(Debug)]
pub struct Buffer {
    limits: Buffering,
    framing: Framing,
    schema: Schema,
    full: Option<Batch>,
    open: Batch,
    /// When the open batch got its first record.
    since: Millis,
    dropped: Dropped,
}

impl Buffer {
    /// An empty one.
    pub fn new(limits: Buffering, framing: Framing, schema: Schema) -> Self {
        let (open, dropped) = (Batch::empty(), Dropped::default());
        Self { limits, framing, schema, full: None, open, since: 0, dropped }
    }

    /// Is there room for a log line of about this many bytes? Asked before it is rendered: what is
    /// going to be dropped need not be.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.holds(bytes, 0)
    }

    fn holds(&self, bytes: usize, reserve: usize) -> bool {
        let filled = self.open.records >= self.limits.max_items as u64 && reserve == 0;
        let most = 2 * self.limits.max_bytes + reserve;
        self.full.is_none() || !filled && self.waiting() + bytes <= most
    }

    /// Counts a record that there is no room for.
    pub fn drop_record(&mut self, bytes: usize) {
        self.dropped.records += 1;
        self.dropped.bytes += bytes as u64;
    }

    /// Counts records that were lost before they came here.
    pub fn drop_records(&mut self, dropped: Dropped) {
        self.dropped.records += dropped.records;
        self.dropped.bytes += dropped.bytes;
    }

    /// Takes a log line for which there [is room](Self::has_room).
    pub fn push_line(&mut self, now: Millis, record: &[u8]) {
        self.push(now, record);
    }

    /// Takes a platform event, or counts it as dropped when even the reserve is used up.
    pub fn push_event(&mut self, now: Millis, record: &[u8]) {
        if self.holds(record.len(), self.limits.max_bytes / 4) {
            self.push(now, record);
        } else {
            self.drop_record(record.len());
        }
    }

    /// When a batch is to be sent; none while nothing waits.
    pub fn due(&self) -> Option<Millis> {
        if self.full.is_some() || self.is_filled() {
            return Some(0);
        }
        (self.open.records > 0).then_some(self.since + self.limits.timeout)
    }

    /// The next batch, if it is due. With `flush`, if there is one.
    pub fn take(&mut self, now: Millis, flush: bool) -> Option<Batch> {
        let due = self.due()?;
        if due > now && !flush {
            return None;
        }
        let batch = match self.full.take() {
            Some(batch) => batch,
            None => mem::replace(&mut self.open, Batch::empty()),
        };
        self.tell_dropped(now);
        Some(batch.closed(self.framing))
    }

    /// Is there nothing to send?
    pub fn is_empty(&self) -> bool {
        self.full.is_none() && self.open.records == 0
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> usize {
        self.full.as_ref().map_or(0, |batch| batch.body.len()) + self.open.body.len()
    }

    /// Says once what was dropped, now that there is room again.
    fn tell_dropped(&mut self, now: Millis) {
        if self.dropped == Dropped::default() {
            return;
        }
        let fact = Fact::LogsDropped(mem::take(&mut self.dropped));
        let mut out = Vec::new();
        json::render(&Record { time: now, fact }, self.schema, &mut out);
        self.push(now, &out);
    }

    fn push(&mut self, now: Millis, record: &[u8]) {
        // A batch that is not yet full is sent early rather than made twice as large as was asked for.
        let burst = self.open.body.len() + record.len() > 2 * self.limits.max_bytes;
        if self.full.is_none() && (self.is_filled() || burst && self.open.records > 0) {
            self.full = Some(mem::replace(&mut self.open, Batch::empty()));
        }
        if self.open.records == 0 {
            self.since = now;
        }
        self.open.add(record, self.framing);
    }

    fn is_filled(&self) -> bool {
        self.open.body.len() >= self.limits.max_bytes
            || self.open.records >= self.limits.max_items as u64
    }
}

impl Batch {
    const fn empty() -> Self {
        Self { body: Vec::new(), records: 0 }
    }

    fn add(&mut self, record: &[u8], framing: Framing) {
        if framing == Framing::Array {
            self.body.push(if self.records == 0 { b'[' } else { b',' });
        }
        self.body.extend_from_slice(record);
        if framing == Framing::Lines {
            self.body.push(b'\n');
        }
        self.records += 1;
    }

    fn closed(mut self, framing: Framing) -> Self {
        if framing == Framing::Array {
            self.body.push(b']');
        }
        self
    }
}

#[cfg(test)]
#[path = "buffer/tests.rs"]
mod tests;
