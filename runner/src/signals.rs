//! The signals that this program acts on. Blocked as the first act of `main`: PID 1 would otherwise
//! lose one that arrives before there is a handler. What they lead to is decided elsewhere.

use std::io;
use std::time::Instant;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::watch;

/// Streams of the signals, once handlers are in place.
#[derive(Debug)]
pub struct Signals {
    /// Told to stop.
    pub stop: Stop,
    /// `SIGCHLD`: a child may have ended.
    pub child: Stream,
}

/// `SIGTERM` or `SIGINT`. Clones hear of the same ones.
#[derive(Debug, Clone)]
pub struct Stop {
    /// When the first of them came.
    told: watch::Receiver<Option<Instant>>,
}

fn handled() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT].into_iter().collect()
}

/// Keeps signals waiting until there are handlers.
pub fn block() -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&handled()), None)
}

/// Lets signals through with whatever handlers there are.
pub fn unblock() -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&handled()), None)
}

impl Signals {
    /// Puts handlers in place and lets waiting signals through; children then start with nothing
    /// blocked. Call inside the Tokio runtime.
    pub fn install() -> io::Result<Self> {
        let (terminate, interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let child = signal(SignalKind::child())?;
        unblock()?;
        let (tell, told) = watch::channel(None);
        tokio::spawn(listen(terminate, interrupt, tell));
        Ok(Self { stop: Stop { told }, child })
    }
}

/// Tells of the first signal, as long as somebody wants to know.
async fn listen(
    mut terminate: Stream,
    mut interrupt: Stream,
    tell: watch::Sender<Option<Instant>>,
) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = tell.closed() => return,
    }
    tell.send_replace(Some(Instant::now()));
}

/// `SIGCHLD`, for one more who waits for children.
pub fn child() -> io::Result<Stream> {
    signal(SignalKind::child())
}

impl Stop {
    /// Whether it has been told.
    pub fn is_told(&self) -> bool {
        self.told.borrow().is_some()
    }

    /// Waits to be told; returns at once where that has been. When it was told first.
    pub async fn asked(&mut self) -> Instant {
        match self.told.wait_for(Option::is_some).await.map(|told| *told) {
            Ok(Some(since)) => since,
            // Nobody listens any more: the program is at its end.
            _ => std::future::pending().await,
        }
    }
}
