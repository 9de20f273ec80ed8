//! A connection whose end is not noticed while something that was said on it is being taken. A runtime
//! may post its answer and exit: the server would otherwise drop the answer it has just read, together
//! with the connection that it came on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// What has been said in full is taken within this; for what was cut off there is nothing to wait for.
const PATIENCE: Duration = Duration::from_millis(300);

/// What is being taken on one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Taking(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    count: AtomicUsize,
    waker: AtomicWaker,
}

/// Something is being taken for as long as this value lives.
#[derive(Debug)]
pub(super) struct Taken(Taking);

impl Taking {
    pub(super) fn begin(&self) -> Taken {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Taken(self.clone())
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
#[derive(Debug)]
pub(super) struct Patient {
    stream: TcpStream,
    taking: Taking,
    /// How it ended, and until when that is not noticed.
    ended: Option<(io::Result<()>, Pin<Box<Sleep>>)>,
}

impl Patient {
    pub(super) fn new(stream: TcpStream, taking: Taking) -> Self {
        Self { stream, taking, ended: None }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended.is_none() {
            let before = buffer.filled().len();
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
            if read.is_ok() && buffer.filled().len() > before {
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
