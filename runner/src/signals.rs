//! The signals that this program acts on. Blocked as the first act of `main`: PID 1 would otherwise
//! lose one that arrives before there is a handler. What they lead to is decided elsewhere.

use std::io;
use std::time::Instant;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// Streams of the signals, once handlers are in place.
#[derive(Debug)]
pub struct Signals {
    /// Told to stop.
    pub stop: Stop,
    /// `SIGCHLD`: a child may have ended.
    pub child: Stream,
}

/// `SIGTERM` or `SIGINT`.
#[derive(Debug)]
pub struct Stop {
    terminate: Stream,
    interrupt: Stream,
    /// When the first of them came.
    since: Option<Instant>,
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
        Ok(Self { stop: Stop { terminate, interrupt, since: None }, child })
    }
}

impl Stop {
    /// Waits to be told; returns at once where that has been. When it was told first.
    pub async fn asked(&mut self) -> Instant {
        if let Some(since) = self.since {
            return since;
        }
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        *self.since.insert(Instant::now())
    }
}
