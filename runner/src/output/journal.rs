//! The log on standard error. Whoever has something to log hands it over and goes on: a thread writes, so
//! that a reader who does not read stops nobody but those who print. All environments share one journal.
//!
//! What waits is bounded by those who look at [`Journal::room`] before they read more of a child's pipe.
//! The supervisor's own lines do not ask: they are few, and are lost only beyond a limit that takes tens of
//! thousands of unread invocations; that is said.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::stream::Origin;

/// When this much waits, children's pipes are not read.
const ENOUGH: usize = 256 << 10;
/// When this much waits, more is lost.
const MOST: usize = 16 << 20;
/// Written in one go, so that room is seen soon.
const SLICE: usize = 32 << 10;

/// The log. Clones are the same log.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// How much waits or is being written.
    load: AtomicUsize,
    work: Condvar,
    done: Condvar,
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// The writer waits for work.
    idle: bool,
    /// Whose line the log ends in the middle of.
    unended: Option<Origin>,
    lost: u64,
    closed: bool,
}

impl Journal {
    /// A log on standard error.
    pub fn stderr() -> io::Result<Self> {
        Self::new(io::stderr())
    }

    /// A log somewhere else.
    pub fn new(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        thread::Builder::new().name("journal".to_owned()).spawn(move || writer.drain(out))?;
        Ok(Self(shared))
    }

    /// Logs whole lines, or a piece of this origin's endless one.
    pub fn write(&self, origin: Origin, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        self.0.add(|state| {
            if state.unended != Some(origin) {
                state.end_line();
            }
            state.waiting.extend_from_slice(bytes);
            state.unended = (*last != b'\n').then_some(origin);
        });
    }

    /// Logs one record, which may have several lines.
    pub fn line(&self, text: &[u8]) {
        self.0.add(|state| {
            state.end_line();
            state.waiting.extend_from_slice(text);
            state.waiting.push(b'\n');
        });
    }

    /// Is there room for what children print?
    pub fn ready(&self) -> bool {
        self.0.load.load(Ordering::Acquire) < ENOUGH
    }

    /// Waits for [room](Self::ready).
    pub async fn room(&self) {
        loop {
            let changed = self.0.room.notified();
            if self.ready() {
                return;
            }
            changed.await;
        }
    }

    /// Ends the log: waits until all of it is written, or for as long as `limit`. What is logged
    /// afterwards is lost. True: all of it is written.
    pub fn finish(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.0.lock();
        state.closed = true;
        self.0.work.notify_all();
        while self.0.load.load(Ordering::Acquire) > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.done.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, add: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        if state.closed || state.waiting.len() > MOST {
            state.lost += 1;
            return;
        }
        let before = state.waiting.len();
        state.tell_lost();
        add(&mut state);
        self.load.fetch_add(state.waiting.len() - before, Ordering::AcqRel);
        if mem::take(&mut state.idle) {
            drop(state);
            self.work.notify_one();
        }
    }

    /// Writes whatever comes until the log is ended. A reader that went away is no reason to end a
    /// run: what was for it goes nowhere.
    fn drain(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        while self.fetch(&mut batch) {
            for slice in batch.chunks(SLICE) {
                let _ = put(&mut out, slice);
                self.written(slice.len());
            }
            batch.clear();
            batch.shrink_to(2 * ENOUGH);
        }
    }

    /// Waits for work; false: there will be none.
    fn fetch(&self, batch: &mut Vec<u8>) -> bool {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return false;
            }
            state.idle = true;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(batch, &mut state.waiting);
        true
    }

    fn written(&self, count: usize) {
        let before = self.load.fetch_sub(count, Ordering::AcqRel);
        if before >= ENOUGH && before - count < ENOUGH {
            self.room.notify_waiters();
        }
        if before == count {
            // The lock: whoever looked at the load is by now waiting to be told.
            drop(self.lock());
            self.done.notify_all();
        }
    }
}

impl State {
    /// Nobody's words end up in the middle of another's.
    fn end_line(&mut self) {
        if self.unended.take().is_some() {
            self.waiting.push(b'\n');
        }
    }

    fn tell_lost(&mut self) {
        if self.lost > 0 {
            self.end_line();
            let note = format!("{} parts of this log were lost: nobody read it\n", self.lost);
            self.lost = 0;
            self.waiting.extend_from_slice(note.as_bytes());
        }
    }
}

/// As `write_all`, for a standard error that somebody made non-blocking too.
fn put(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests;
