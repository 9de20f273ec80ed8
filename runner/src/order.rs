//! One event that wants to be run, and where its answer goes: what the front door and a job hand to
//! an environment. How it is run is not known here, nor who asked.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::job::Event;
use crate::payload::Payload;
use crate::session::{Failure, Millis};

/// One event that wants to be run.
#[derive(Debug)]
pub struct Order {
    /// The event.
    pub event: Event,
    /// How the answer is wanted.
    pub wants: Wants,
    /// When the answer is wanted.
    pub when: When,
    /// How long it may run, in milliseconds, where that is not what its environment says.
    pub limit: Option<Millis>,
    /// Where the answer goes. An order that is dropped unanswered belonged to an environment that ended.
    pub reply: oneshot::Sender<Reply>,
}

/// When an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As soon as there is one.
    Answered,
    /// When the invocation is over, log and all.
    Finished,
    /// Then, with the last 4 KiB of its log.
    WithTail,
}

/// How an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// All of it at once, whatever the function does.
    Whole,
    /// As it comes, where the function streams.
    Stream,
}

/// What became of an order.
#[derive(Debug)]
pub enum Reply {
    /// The whole answer.
    Whole(Answer),
    /// The answer began and goes on.
    Stream {
        /// What the function said it is; `application/octet-stream` where it said nothing.
        content_type: String,
        /// Its bytes, and how it ended. Closed without an end: cut off.
        chunks: mpsc::Receiver<Chunk>,
    },
    /// The supervisor was told to stop before there was an answer.
    Stopped,
}

/// An answer that is complete.
#[derive(Debug)]
pub struct Answer {
    /// The response, or the error payload.
    pub payload: Payload,
    /// Is it an error? Lambda says `Unhandled` of every one.
    pub failed: bool,
    /// What kind of error.
    pub error_type: Option<String>,
    /// `Content-Type`, as the runtime sent it.
    pub content_type: Option<String>,
    /// The log's end, where it was wanted.
    pub tail: Option<Vec<u8>>,
    /// Why it failed, where that is not what the function said itself.
    pub failure: Option<Box<Failure>>,
    /// What the invocation took; not there for answers that are given before its end.
    pub figures: Option<Figures>,
}

impl Answer {
    /// An answer that has its payload and nothing else.
    pub fn new(payload: Payload, failed: bool) -> Self {
        let (error_type, content_type) = (payload.error_type.clone(), payload.content_type.clone());
        Self { payload, failed, error_type, content_type, tail: None, failure: None, figures: None }
    }
}

/// What an invocation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// From the event's handing out to its end.
    pub duration: Duration,
    /// How long making ready took, where this was the first invocation.
    pub init: Option<Duration>,
    /// The most memory that the function used, in bytes.
    pub peak_memory: u64,
    /// How many processes the kernel had killed for want of memory.
    pub oom_kills: u64,
}

/// A piece of a streamed answer.
pub enum Chunk {
    /// Bytes, as the runtime sent them.
    Data(Bytes),
    /// The end.
    End {
        /// What went wrong in the middle: error type, and the error as JSON.
        error: Option<(String, Vec<u8>)>,
        /// The log's end, where it was wanted.
        tail: Option<Vec<u8>>,
    },
}

impl fmt::Debug for Chunk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Chunk([redacted])")
    }
}
