//! A package on its way into its window: connections that receive segments in order, one more while that
//! makes it faster, the directory's bytes ahead of all others, and the digest behind them.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use super::answer::{Answer, Trouble, Wanted, changed};
use super::digest::Digest;
use super::error::Fault;
use super::governor::{Governor, TICK};
use super::link::{Body, Link, Retry};
use super::progress::Progress;
use super::window::{BLOCK, Window};

/// What one connection takes on at a time, in bytes.
const SEGMENT: u64 = 4 << 20;
/// So much of the end is asked for at once: the directory of some 2,500 files.
pub(super) const TAIL: u64 = 256 << 10;

/// One package.
#[derive(Debug)]
pub(super) struct Download {
    shared: Arc<Shared>,
    first: Body,
    tail: Option<Tail>,
    governor: Governor,
    sha256: Option<String>,
}

/// The end of a package that is shorter than this comes soon enough by itself.
pub(super) const SMALL: u64 = 1 << 20;

/// The answer to the request for the end, which was made before the length was known.
pub(super) type Tail = tokio::task::JoinHandle<Result<Body, Trouble>>;

/// What all connections share.
#[derive(Debug)]
struct Shared {
    window: Arc<Window>,
    link: Arc<Link>,
    length: u64,
    etag: Option<String>,
    /// Where the next segment begins.
    next: AtomicU64,
    connections: AtomicUsize,
    /// Position up to which everything is in the digest.
    digest: Mutex<(u64, Digest)>,
    progress: Arc<Progress>,
    /// Bytes since the last tick, and whether somebody waited for readers.
    came: AtomicU32,
    held_up: AtomicBool,
}

/// Wakes readers when the download ends in any way but the good one.
struct Guard(Arc<Window>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fail();
    }
}

impl Download {
    /// Goes on from the first answer, which must be the first part of a package of `length` bytes.
    pub(super) fn new(
        window: Arc<Window>,
        link: Arc<Link>,
        (first, length): (Body, u64),
        tail: Option<Tail>,
        connections: usize,
        (sha256, progress): (Option<String>, Arc<Progress>),
    ) -> Self {
        progress.expect(length);
        let shared = Shared {
            window,
            link,
            length,
            etag: first.etag.clone(),
            next: AtomicU64::new(0),
            connections: AtomicUsize::new(1),
            digest: Mutex::default(),
            progress,
            came: AtomicU32::new(0),
            held_up: AtomicBool::new(false),
        };
        if length > SMALL && tail.is_some() {
            shared.window.want(length - TAIL..length);
        }
        let governor = Governor::new(connections);
        Self { shared: Arc::new(shared), first, tail, governor, sha256 }
    }

    /// Receives everything and checks it; ends early, without an error, when readers give up.
    pub(super) async fn run(self) -> Result<(), Fault> {
        let Self { shared, first, tail, mut governor, sha256 } = self;
        let _guard = Guard(Arc::clone(&shared.window));
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&shared).connection(Some(first)));
        let mut early = JoinSet::new();
        early.spawn(Arc::clone(&shared).early(tail));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    Some(ended) => finished(ended)?,
                    None => break,
                },
                Some(ended) = early.join_next() => finished(ended)?,
                _ = ticks.tick(), if !governor.enough() => {
                    if shared.wants_more(&mut governor) {
                        shared.connections.fetch_add(1, Ordering::Relaxed);
                        tasks.spawn(Arc::clone(&shared).connection(None));
                    }
                }
                () = shared.window.failed() => return Ok(()),
            }
        }
        shared.digest().1.clone().check(sha256.as_deref())?;
        shared.window.complete();
        Ok(())
    }
}

fn differs() -> Fault {
    Fault::Changed {
        expected: "the directory that came first".to_owned(),
        found: "another one in its place".to_owned(),
    }
}

/// A task's own result; it is never cancelled while it is waited for.
fn finished(ended: Result<Result<(), Fault>, JoinError>) -> Result<(), Fault> {
    ended.unwrap_or_else(|error| Err(Fault::Client { problem: error.to_string() }))
}

impl Shared {
    /// Receives segments until there are no more.
    async fn connection(self: Arc<Self>, mut open: Option<Body>) -> Result<(), Fault> {
        while let Some(segment) = self.claim() {
            self.segment(segment, &mut open).await?;
        }
        Ok(())
    }

    fn claim(&self) -> Option<Range<u64>> {
        let start = self.next.fetch_add(SEGMENT, Ordering::Relaxed);
        (start < self.length).then(|| start..self.length.min(start + SEGMENT))
    }

    /// Receives one segment, block by block, over as many connections as it takes.
    async fn segment(&self, segment: Range<u64>, open: &mut Option<Body>) -> Result<(), Fault> {
        let mut retry = Retry::default();
        let mut at = segment.start;
        while at < segment.end {
            let end = segment.end.min(at + BLOCK as u64);
            if self.window.room(end).await {
                self.held_up.store(true, Ordering::Relaxed);
            }
            let mut block = self.window.spare();
            while at + (block.len() as u64) < end {
                let from = at + block.len() as u64;
                if let Err(trouble) = self.more(open, from..segment.end, end, &mut block).await {
                    *open = None;
                    retry.after(trouble, &self.link).await?;
                    retry.used = self.link.renewed().await;
                }
            }
            self.window.put(at / BLOCK as u64, block);
            retry.progress();
            self.check()?;
            at = end;
        }
        Ok(())
    }

    /// Adds the next bytes to a block, up to `end`, from the open answer or from another one.
    async fn more(
        &self,
        open: &mut Option<Body>,
        range: Range<u64>,
        end: u64,
        block: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let body = match open.take() {
            Some(body) if body.at == range.start => body,
            _ => self.get(range.clone()).await?,
        };
        let body = open.insert(body);
        let Some(mut bytes) = body.next().await? else {
            let problem = format!("the connection ended at byte {} of {}", body.at, self.length);
            return Err(Trouble::Again(problem));
        };
        let most = usize::try_from(end - range.start).unwrap_or(usize::MAX);
        if bytes.len() > most {
            body.take_back(bytes.split_off(most));
        }
        block.extend_from_slice(&bytes);
        self.progress.received(bytes.len());
        self.came.fetch_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
        Ok(())
    }

    /// Asks for a range; for everything behind it as well where there is no other connection for that.
    async fn get(&self, range: Range<u64>) -> Result<Body, Trouble> {
        let start = range.start;
        let alone = self.connections.load(Ordering::Relaxed) == 1;
        let wanted = if alone { Wanted::From(start) } else { Wanted::Between(range) };
        let body = self.link.get(&wanted, self.etag.as_deref()).await?;
        self.same(body)
    }

    /// Refuses an answer about another package than the first one was about, or none with ranges.
    fn same(&self, body: Body) -> Result<Body, Trouble> {
        match body.answer {
            Answer::Part(_, total) if total == self.length => {}
            Answer::Part(_, total) | Answer::Whole(Some(total)) if total != self.length => {
                return Err(changed(&format!("{} bytes", self.length), format!("{total} bytes")));
            }
            Answer::Part(..) | Answer::Whole(_) => {
                let found = "the whole package".to_owned();
                return Err(
                    Fault::Answer { expected: "the range asked for, as before", found }.into()
                );
            }
        }
        match (&self.etag, &body.etag) {
            (Some(expected), Some(found)) if expected != found => {
                Err(changed(expected, found.clone()))
            }
            _ => Ok(body),
        }
    }

    /// Adds blocks to the digest as far as they are here in order.
    fn check(&self) -> Result<(), Fault> {
        let mut digest = self.digest();
        while let Some(block) = self.window.unchecked(digest.0) {
            if !self.window.compare(digest.0, &block) {
                return Err(differs());
            }
            digest.1.update(&block);
            digest.0 += block.len() as u64;
            self.window.checked(digest.0);
        }
        Ok(())
    }

    fn digest(&self) -> std::sync::MutexGuard<'_, (u64, Digest)> {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches what readers want out of order, as long as the download lasts.
    async fn early(self: Arc<Self>, mut tail: Option<Tail>) -> Result<(), Fault> {
        loop {
            let range = self.window.wanted().await;
            let bytes = self.range(range.clone(), tail.take()).await?;
            if !self.window.pin(range.start, bytes) {
                return Err(differs());
            }
        }
    }

    async fn range(&self, range: Range<u64>, early: Option<Tail>) -> Result<Vec<u8>, Fault> {
        let (mut bytes, mut retry) = (Vec::new(), Retry::default());
        let mut open = match early {
            Some(tail) => tail.await.ok().and_then(Result::ok),
            None => None,
        };
        if let Some(body) = open.take() {
            open = self.same(body).ok();
        }
        while range.start + (bytes.len() as u64) < range.end {
            let from = range.start + bytes.len() as u64;
            let more = self.piece(&mut open, from..range.end, &mut bytes).await;
            match more {
                Ok(()) => retry.progress(),
                Err(trouble) => {
                    open = None;
                    retry.after(trouble, &self.link).await?;
                    retry.used = self.link.renewed().await;
                }
            }
        }
        Ok(bytes)
    }

    async fn piece(
        &self,
        open: &mut Option<Body>,
        range: Range<u64>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let body = match open.take() {
            Some(body) if body.at == range.start => body,
            _ => {
                let wanted = Wanted::Between(range.clone());
                self.same(self.link.get(&wanted, self.etag.as_deref()).await?)?
            }
        };
        let body = open.insert(body);
        let ended = || Trouble::Again("the connection ended early".to_owned());
        bytes.extend_from_slice(&body.next().await?.ok_or_else(ended)?);
        Ok(())
    }

    fn wants_more(&self, governor: &mut Governor) -> bool {
        let came = self.came.swap(0, Ordering::Relaxed);
        let held_up = self.held_up.swap(false, Ordering::Relaxed);
        let left = self.length.saturating_sub(self.next.load(Ordering::Relaxed));
        governor.tick(came, held_up || left == 0)
    }
}
