//! A connection whose end is not noticed while something that was said on it is being taken. A runtime
//! may post its answer and exit: the server would otherwise drop the answer it has just read, together
//! with the connection that it came on.
//!
//! It is also read no faster than there is room for: what a client says before its request is complete is kept in
//! memory, and there may be many clients.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// What has been said in full is taken within this; for what was cut off there is nothing to wait for.
const PATIENCE: Duration = Duration::from_millis(300);

/// A head that is larger than this waits until it is its turn: one at a time is read.
const SMALL_HEAD: usize = 8 << 10;
/// Read at once: the server's buffer grows to twice what it was given at once.
const AT_ONCE: usize = 16 << 10;

/// Who may send a large head now, of all connections.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// What is being taken on one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Taking(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    count: AtomicUsize,
    waker: AtomicWaker,
    /// A request's head has been read, and it is not answered yet.
    heard: AtomicBool,
    /// A request's head has been read, ever.
    spoke: AtomicBool,
    /// How much of the next head has been read.
    head: AtomicUsize,
    /// Held while a large head is read.
    turn: Mutex<Option<OwnedSemaphorePermit>>,
}

/// Something is being taken for as long as this value lives.
#[derive(Debug)]
pub(super) struct Taken(Taking);

impl Taking {
    pub(super) fn begin(&self) -> Taken {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Taken(self.clone())
    }

    /// A head has been read: what comes now is taken as it comes.
    pub(super) fn heard(&self) {
        self.0.heard.store(true, Ordering::Release);
        self.0.spoke.store(true, Ordering::Release);
        self.0.head.store(0, Ordering::Release);
        drop(self.turn().take());
    }

    /// It is answered: another head comes.
    pub(super) fn answered(&self) {
        self.0.heard.store(false, Ordering::Release);
    }

    /// Was there ever a request?
    pub(super) fn has_spoken(&self) -> bool {
        self.0.spoke.load(Ordering::Acquire)
    }

    fn turn(&self) -> std::sync::MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is there room for more of a head?
    fn has_room(&self) -> bool {
        let small = self.0.head.load(Ordering::Acquire) < SMALL_HEAD;
        small || self.0.heard.load(Ordering::Acquire) || self.turn().is_some()
    }

    fn read(&self, bytes: usize) {
        if !self.0.heard.load(Ordering::Acquire) {
            self.0.head.fetch_add(bytes, Ordering::AcqRel);
        }
    }

    fn is_idle(&self) -> bool {
        self.0.count.load(Ordering::Acquire) == 0
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.0.waker.wake();
    }
}

/// The connection.
pub(super) struct Patient {
    stream: TcpStream,
    taking: Taking,
    turns: Turns,
    /// Until it is its turn.
    waiting: Option<BoxFuture<'static, Option<OwnedSemaphorePermit>>>,
    /// How it ended, and until when that is not noticed.
    ended: Option<(io::Result<()>, Pin<Box<Sleep>>)>,
}

impl Patient {
    pub(super) fn new(stream: TcpStream, taking: Taking, turns: Turns) -> Self {
        Self { stream, taking, turns, waiting: None, ended: None }
    }

    /// Waits until there is room for more of a head.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.taking.has_room() {
            self.waiting = None;
            return Poll::Ready(());
        }
        let turns = Arc::clone(&self.turns.0);
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(async { turns.acquire_owned().await.ok() }));
        let turn = ready!(waiting.as_mut().poll(context));
        self.waiting = None;
        *self.taking.turn() = turn;
        Poll::Ready(())
    }

    /// Reads a little.
    fn poll_some(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() <= AT_ONCE {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let mut piece = [0; AT_ONCE];
        let mut part = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        buffer.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended.is_none() {
            ready!(self.poll_room(context));
            let before = buffer.filled().len();
            let read = ready!(self.poll_some(context, buffer));
            let bytes = buffer.filled().len() - before;
            if read.is_ok() && bytes > 0 {
                self.taking.read(bytes);
                return Poll::Ready(Ok(()));
            }
            self.ended = Some((read, Box::pin(sleep(PATIENCE))));
        }
        self.taking.0.waker.register(context.waker());
        let idle = self.taking.is_idle();
        if let Some((_, patience)) = &mut self.ended
            && !idle
        {
            ready!(patience.as_mut().poll(context));
        }
        Poll::Ready(self.ended.take().map_or(Ok(()), |(read, _)| read))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
