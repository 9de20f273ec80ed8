//! One output of a child: a pipe, and what it is read as.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::unix::pipe::Receiver;

use crate::telemetry::record::Source;

use super::frames::{Frame, Frames};
use super::journal::Journal;
use super::lines::Lines;

/// A pipe holds this much; what was written before a call arrived is in it.
const PIPE: usize = 64 << 10;

/// One stream among all, so that its pieces of a line are not taken for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin(u64);

impl Origin {
    /// Another than all before.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for Origin {
    fn default() -> Self {
        Self::new()
    }
}

/// Who takes what is read.
pub trait Sink {
    /// Whole lines with their ends, or a piece of an endless one.
    fn lines(&mut self, source: &Source, origin: Origin, bytes: &[u8]);
    /// One record of a framed channel.
    fn frame(&mut self, source: &Source, frame: Frame<'_>);
    /// So many bytes of a framed channel were no frame.
    fn garbage(&mut self, source: &Source, bytes: u64);
}

/// One output of a child.
#[derive(Debug)]
pub struct Stream {
    pipe: Option<Receiver>,
    source: Source,
    origin: Origin,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Lines(Lines),
    Frames(Frames),
}

impl Stream {
    /// The reading end of a standard output or error.
    pub fn lines(pipe: OwnedFd, source: Source) -> io::Result<Self> {
        Self::new(pipe, source, Reader::Lines(Lines::default()))
    }

    /// The reading end of a framed log channel.
    pub fn frames(pipe: OwnedFd, source: Source) -> io::Result<Self> {
        Self::new(pipe, source, Reader::Frames(Frames::default()))
    }

    fn new(pipe: OwnedFd, source: Source, reader: Reader) -> io::Result<Self> {
        let pipe = Some(Receiver::from_owned_fd(pipe)?);
        Ok(Self { pipe, source, origin: Origin::new(), reader })
    }

    /// Waits until there is something to read and room for it in the journal: while nobody reads the
    /// log, children that print have to wait, and nobody else.
    pub async fn readable(&self, journal: &Journal) {
        match &self.pipe {
            Some(pipe) => {
                journal.room().await;
                drop(pipe.readable().await);
            }
            None => std::future::pending().await,
        }
    }

    /// Is there nothing more to come?
    pub const fn is_closed(&self) -> bool {
        self.pipe.is_none()
    }

    /// Passes on what has been written so far, up to about one pipe's worth.
    pub fn pump(&mut self, sink: &mut impl Sink) {
        let mut buffer = [0; 16 << 10];
        for _ in 0..=PIPE / buffer.len() {
            let Some(pipe) = &self.pipe else { return };
            match pipe.try_read(&mut buffer) {
                Ok(count) if count > 0 => self.take(&buffer[..count], sink),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => self.close(sink),
            }
        }
    }

    /// Passes on what has been written so far, an unfinished line with an end: what comes next belongs
    /// to something else.
    pub fn settle(&mut self, sink: &mut impl Sink) {
        self.pump(sink);
        let (source, origin) = (&self.source, self.origin);
        if let Reader::Lines(lines) = &mut self.reader {
            lines.end(&mut |bytes| sink.lines(source, origin, bytes));
        }
    }

    /// Passes on what is unfinished and stops reading; [`pump`](Self::pump) first, if what is still in
    /// the pipe matters.
    pub fn close(&mut self, sink: &mut impl Sink) {
        self.pipe = None;
        let (source, origin) = (&self.source, self.origin);
        match &mut self.reader {
            Reader::Lines(lines) => lines.end(&mut |bytes| sink.lines(source, origin, bytes)),
            Reader::Frames(frames) => frames.end(&mut |frame| sink.frame(source, frame)),
        }
        self.report_garbage(sink);
    }

    fn take(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let (source, origin) = (&self.source, self.origin);
        match &mut self.reader {
            Reader::Lines(lines) => {
                lines.take(bytes, &mut |bytes| sink.lines(source, origin, bytes));
            }
            Reader::Frames(frames) => frames.take(bytes, &mut |frame| sink.frame(source, frame)),
        }
        self.report_garbage(sink);
    }

    fn report_garbage(&mut self, sink: &mut impl Sink) {
        let Reader::Frames(frames) = &mut self.reader else { return };
        let garbage = frames.garbage();
        if garbage > 0 {
            sink.garbage(&self.source, garbage);
        }
    }
}
