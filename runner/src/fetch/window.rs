//! The part of a package that is in memory while it arrives: a bounded window of blocks between those
//! who receive (async, one thread) and those who read (blocking threads). Knows nothing of HTTP or zip.
//!
//! Blocks are immutable once they are here. What was fetched out of order, for the directory, is pinned
//! beside them and held against the stream when that gets there.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use crate::unpack::Source;

/// Bytes of a block; the last one may be shorter.
pub(super) const BLOCK: usize = 64 << 10;

/// A package of known length that is arriving.
#[derive(Debug)]
pub(super) struct Window {
    length: u64,
    /// How far ahead of the readers the receivers may be, in bytes.
    capacity: u64,
    state: Mutex<State>,
    /// Something has arrived, or never will.
    arrived: Condvar,
    /// Readers have moved on, want something, or are gone.
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    blocks: BTreeMap<u64, Arc<Vec<u8>>>,
    /// Memory of blocks that are no longer needed.
    spare: Vec<Vec<u8>>,
    /// Readers need nothing before.
    done: u64,
    /// Everything before is here or was, and is in the digest.
    checked: u64,
    /// Ranges wanted out of order, all of them and those that nobody has taken up yet.
    wanted: Vec<Range<u64>>,
    open: VecDeque<Range<u64>>,
    pinned: Vec<Pinned>,
    end: End,
}

/// Bytes that came out of order. Once readers have them, their digest is enough.
#[derive(Debug)]
struct Pinned {
    range: Range<u64>,
    bytes: Option<Vec<u8>>,
    /// Of the stream in this range, as far as it has come.
    stream: Sha256,
    expected: [u8; 32],
}

impl Pinned {
    fn new(start: u64, bytes: Vec<u8>) -> Self {
        let (range, expected) = (start..start + bytes.len() as u64, Sha256::digest(&bytes).into());
        Self { range, bytes: Some(bytes), stream: Sha256::new(), expected }
    }

    /// Takes the stream's next bytes. Says whether it is still the same there.
    fn compare(&mut self, start: u64, block: &[u8]) -> bool {
        let from = self.range.start.max(start);
        let to = self.range.end.min(start + block.len() as u64);
        if from >= to {
            return true;
        }
        self.stream.update(&block[index(from - start)..index(to - start)]);
        to < self.range.end || self.stream.clone().finalize()[..] == self.expected
    }
}

/// Whether it is over, and how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Complete,
    /// Receivers or readers have given up.
    Failed,
}

impl State {
    /// Where the window begins: readers are through, and so is the digest.
    fn base(&self) -> u64 {
        self.done.min(self.checked)
    }

    /// Copies a range that is here; says whether it is.
    fn copy(&mut self, offset: u64, buffer: &mut [u8]) -> Option<Vec<Arc<Vec<u8>>>> {
        let end = offset + buffer.len() as u64;
        let covers = |pinned: &Pinned| pinned.range.start <= offset && end <= pinned.range.end;
        if let Some(pinned) = self.pinned.iter_mut().find(|pinned| covers(pinned))
            && let Some(bytes) = &pinned.bytes
        {
            let from = index(offset - pinned.range.start);
            buffer.copy_from_slice(&bytes[from..from + buffer.len()]);
            // Who reads all of it, as a directory is read, has it now.
            if bytes.len() == buffer.len() {
                pinned.bytes = None;
            }
            return Some(Vec::new());
        }
        let numbers = offset / BLOCK as u64..end.div_ceil(BLOCK as u64);
        numbers.map(|number| self.blocks.get(&number).map(Arc::clone)).collect()
    }
}

/// Positions within what is in memory fit.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Window {
    /// For a package of this length in bytes.
    pub(super) fn new(length: u64, capacity: u64) -> Self {
        let (state, arrived, moved) = (Mutex::default(), Condvar::new(), Notify::new());
        Self { length, capacity, state, arrived, moved }
    }

    /// Asks for bytes out of order, before any reader does.
    pub(super) fn want(&self, range: Range<u64>) {
        let mut state = self.state();
        state.wanted.push(range.clone());
        state.open.push_back(range);
    }

    /// Waits for a range that is wanted out of order.
    pub(super) async fn wanted(&self) -> Range<u64> {
        self.when(|state| state.open.pop_front()).await
    }

    /// Waits until there is room for everything before `end`. Says whether it had to.
    pub(super) async fn room(&self, end: u64) -> bool {
        let mut waited = false;
        self.when(|state| {
            let fits = end <= state.base().saturating_add(self.capacity);
            waited |= !fits;
            fits.then_some(())
        })
        .await;
        waited
    }

    /// Waits until readers have given up.
    pub(super) async fn failed(&self) {
        self.when(|state| (state.end == End::Failed).then_some(())).await;
    }

    async fn when<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            if let Some(found) = ready(&mut self.state()) {
                return found;
            }
            moved.await;
        }
    }

    /// Memory for a block.
    pub(super) fn spare(&self) -> Vec<u8> {
        self.state().spare.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK))
    }

    /// A block has arrived.
    pub(super) fn put(&self, number: u64, bytes: Vec<u8>) {
        self.state().blocks.insert(number, Arc::new(bytes));
        self.arrived.notify_all();
    }

    /// The next block for the digest, if it is here.
    pub(super) fn unchecked(&self, at: u64) -> Option<Arc<Vec<u8>>> {
        let number = (at < self.length).then_some(at / BLOCK as u64)?;
        self.state().blocks.get(&number).map(Arc::clone)
    }

    /// Everything before `at` is in the digest.
    pub(super) fn checked(&self, at: u64) {
        let mut state = self.state();
        state.checked = at;
        self.release(&mut state);
    }

    /// Keeps bytes that came out of order. Says whether they are those that came in order.
    pub(super) fn pin(&self, start: u64, bytes: Vec<u8>) -> bool {
        let mut state = self.state();
        // Once readers are under way they have all that they wanted out of order.
        if state.done > 0 {
            return true;
        }
        let mut pinned = Pinned::new(start, bytes);
        let come =
            state.blocks.iter().filter(|(number, _)| **number * (BLOCK as u64) < state.checked);
        let same = come.fold(true, |same, (number, block)| {
            pinned.compare(number * BLOCK as u64, block) && same
        });
        state.pinned.push(pinned);
        self.arrived.notify_all();
        same
    }

    /// Holds the next block of the stream against what came out of order.
    pub(super) fn compare(&self, start: u64, block: &[u8]) -> bool {
        self.state().pinned.iter_mut().all(|pinned| pinned.compare(start, block))
    }

    /// Everything has arrived and is right.
    pub(super) fn complete(&self) {
        self.over(End::Complete);
    }

    /// There is no point in going on.
    pub(super) fn fail(&self) {
        self.over(End::Failed);
    }

    fn over(&self, end: End) {
        let mut state = self.state();
        if state.end == End::Open {
            state.end = end;
        }
        drop(state);
        self.arrived.notify_all();
        self.moved.notify_waiters();
    }

    /// Gives up what nobody needs any more.
    fn release(&self, state: &mut State) {
        let before = state.base() / BLOCK as u64;
        while let Some(first) = state.blocks.first_entry().filter(|first| *first.key() < before) {
            if let Ok(mut bytes) = Arc::try_unwrap(first.remove()) {
                bytes.clear();
                state.spare.push(bytes);
            }
        }
        self.moved.notify_waiters();
    }

    /// Copies a range, waiting for it; `early` fetches it out of order if it is far away.
    fn copy(&self, offset: u64, buffer: &mut [u8], early: bool) -> io::Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        if end > self.length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut state = self.state();
        let blocks = loop {
            if let Some(blocks) = state.copy(offset, buffer) {
                break blocks;
            }
            if state.end != End::Open {
                return Err(io::Error::new(ErrorKind::ConnectionAborted, "the download has ended"));
            }
            let covered = |range: &Range<u64>| range.start <= offset && end <= range.end;
            let near = end <= state.base().saturating_add(self.capacity);
            if early && !near && !state.wanted.iter().any(covered) {
                state.wanted.push(offset..end);
                state.open.push_back(offset..end);
                self.moved.notify_waiters();
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        gather(&blocks, index(offset % BLOCK as u64), buffer);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fills `buffer` from consecutive blocks, from `skip` bytes into the first one on.
fn gather(blocks: &[Arc<Vec<u8>>], mut skip: usize, mut buffer: &mut [u8]) {
    for block in blocks {
        let from = &block[skip..];
        let count = from.len().min(buffer.len());
        let (head, rest) = buffer.split_at_mut(count);
        head.copy_from_slice(&from[..count]);
        (buffer, skip) = (rest, 0);
    }
}

impl Source for Window {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.copy(offset, buffer, false)
    }

    fn read_early(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.copy(offset, buffer, true)
    }

    fn done_before(&self, offset: u64) {
        let mut state = self.state();
        if offset > state.done {
            state.done = offset;
            state.pinned.iter_mut().for_each(|pinned| pinned.bytes = None);
            self.release(&mut state);
        }
    }

    fn finish(&self) -> io::Result<()> {
        self.done_before(self.length);
        let mut state = self.state();
        while state.end == End::Open {
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.end {
            End::Complete => Ok(()),
            End::Open | End::Failed => {
                Err(io::Error::new(ErrorKind::ConnectionAborted, "the download has ended"))
            }
        }
    }

    fn abort(&self) {
        self.fail();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    const B: u64 = BLOCK as u64;

    fn block(byte: u8) -> Vec<u8> {
        vec![byte; BLOCK]
    }

    fn within<T>(time: Duration, wait: impl Future<Output = T>) -> Option<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(time, wait).await.ok() })
    }

    fn soon<T>(wait: impl Future<Output = T>) -> T {
        within(Duration::from_secs(30), wait).expect("it does not come")
    }

    fn never<T>(wait: impl Future<Output = T>) -> bool {
        within(Duration::from_millis(20), wait).is_none()
    }

    #[test]
    fn readers_wait_for_what_arrives_and_read_across_blocks() {
        let window = Window::new(2 * B, 16 * B);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut buffer = [0; 4];
                window.read_at(B - 2, &mut buffer).map(|()| buffer)
            });
            window.put(1, block(2));
            window.put(0, block(1));
            assert_eq!(reader.join().unwrap().unwrap(), [1, 1, 2, 2]);
        });
        assert!(window.read_at(2 * B, &mut [0]).is_err());
    }

    #[test]
    fn receivers_wait_for_readers_and_for_the_digest() {
        let window = Window::new(10 * B, 2 * B);
        assert!(!soon(window.room(2 * B)));
        window.put(0, block(1));
        window.done_before(2 * B);
        assert!(never(window.room(3 * B)));
        window.checked(B);
        assert!(!soon(window.room(3 * B)));
        assert!(never(window.room(4 * B)));
        assert!(window.unchecked(0).is_none());
        assert_eq!(window.spare().capacity(), BLOCK);
    }

    #[test]
    fn what_is_far_away_is_wanted_once_and_only_for_the_directory() {
        let window = Window::new(10 * B, 2 * B);
        thread::scope(|scope| {
            let readers = [8 * B, 8 * B + 1].map(|at| {
                let window = &window;
                scope.spawn(move || window.read_early(at, &mut [0]))
            });
            let first = soon(window.wanted());
            let second = soon(window.wanted());
            assert!(never(window.wanted()));
            assert!(window.pin(first.start, vec![1]) && window.pin(second.start, vec![1]));
            for reader in readers {
                reader.join().unwrap().unwrap();
            }
            let late = scope.spawn(|| window.read_at(9 * B, &mut [0]));
            assert!(never(window.wanted()));
            window.fail();
            assert!(late.join().unwrap().is_err());
        });
    }

    #[test]
    fn what_came_out_of_order_is_held_against_the_stream() {
        let window = Window::new(3 * B, 8 * B);
        assert!(window.pin(B + 5, vec![1; 100]));
        assert!(window.compare(0, &block(0)));
        window.put(0, block(0));
        window.checked(B);
        assert!(window.pin(B - 1, vec![0]) && !window.pin(B - 2, vec![0, 1]));
        assert!(!window.compare(B, &block(2)));
    }

    #[test]
    fn what_readers_have_is_held_no_longer_but_still_compared() {
        let window = Window::new(3 * B, 8 * B);
        assert!(window.pin(2 * B, block(1)));
        window.read_at(2 * B, &mut [0]).unwrap();
        window.done_before(B);
        assert!(window.state().pinned[0].bytes.is_none());
        assert!(!window.compare(2 * B, &block(2)));
    }

    #[test]
    fn the_end_is_told_to_everybody() {
        let window = Window::new(B, B);
        assert!(never(window.failed()));
        thread::scope(|scope| {
            let waits = scope.spawn(|| window.finish());
            window.complete();
            waits.join().unwrap().unwrap();
        });
        window.fail();
        window.finish().unwrap();
        let window = Window::new(B, B);
        window.abort();
        soon(window.failed());
        assert!(window.finish().is_err());
    }
}
