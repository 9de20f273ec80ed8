//! What a message may turn out to be. Owns the words; the shapes by which it is recognised are in their own files. Pure.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use ledger::{Destination, JobId, Redacted, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The shape of a message; declared of a queue, it is looked for nowhere else.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Whatever it looks like: attributes first, then the body.
    #[default]
    Auto,
    /// Lambda's asynchronous dead-letter queue, or topic: attributes and the event.
    DeadLetter,
    /// Lambda's invocation record of an `OnFailure` destination, through whatever carries it.
    Destination,
    /// A message that its own queue gave up on.
    Redrive,
    /// A stream's on-failure record.
    Stream,
    /// The dead-letter queue of an EventBridge rule.
    Rule,
    /// The dead-letter queue of an EventBridge Scheduler schedule.
    Schedule,
    /// The dead-letter queue of an SNS subscription.
    Subscription,
    /// A Step Functions task that waits (`.waitForTaskToken`).
    Workflow,
    /// A request in our own words: `{"immortal":1,…}`.
    Direct,
    /// An event and nothing else.
    Event,
}

impl Kind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::DeadLetter => "dead-letter",
            Self::Destination => "destination",
            Self::Redrive => "redrive",
            Self::Stream => "stream",
            Self::Rule => "rule",
            Self::Schedule => "schedule",
            Self::Subscription => "subscription",
            Self::Workflow => "workflow",
            Self::Direct => "direct",
            Self::Event => "event",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What the configuration and AWS say of the world outside a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Buckets in which Lambda leaves its records of failures; empty: any.
    pub record_buckets: BTreeSet<String>,
    /// Queues that are known to have no event source mapping: of messages from them the body counts.
    pub plain_queues: BTreeSet<String>,
    /// The function of plain events on this queue.
    pub default_function: Option<String>,
}

/// What a message is. Every message is exactly one of these.
#[derive(Debug, Clone)]
pub enum Understood {
    /// A failed invocation.
    Failed(Box<Failed>),
    /// It points to an object that tells: to be read, and given to `understand_object`.
    Fetch(Object),
    /// Nothing is to be done, for this reason.
    Ignore(String),
    /// It cannot be made a job: to be kept out of the way.
    Quarantine(Reason),
}

/// Why a message cannot be made a job: what was expected, what was found, what to do. Quotes nothing of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(pub String);

/// An object in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key, decoded.
    pub key: String,
    /// Its version.
    pub version: Option<String>,
}

/// A failed invocation.
#[derive(Debug, Clone)]
pub struct Failed {
    /// The job that it becomes.
    pub job: JobId,
    /// The shape in which it came.
    pub kind: Kind,
    /// What it says of its function.
    pub function: Hint,
    /// Its event: the bytes that arrived.
    pub event: Redacted<Bytes>,
    /// Lambda's request id.
    pub request_id: Option<String>,
    /// `RetriesExhausted`, `EventAgeExceeded`, …
    pub condition: Option<String>,
    /// What it says of the error.
    pub error: Seen,
    /// What its event came from, where the event tells: a bucket's name, or the ARN of a topic, a stream, a rule.
    pub source: Option<String>,
    /// How often Lambda tried.
    pub invoke_count: Option<u32>,
    /// The token of a Step Functions task.
    pub task_token: Option<Redacted<String>>,
    /// The items of a batch that are to be done.
    pub items: Option<Vec<String>>,
    /// When it failed, or was sent.
    pub failed_at: Option<Time>,
    /// Where its outcome is to go.
    pub destinations: Option<Vec<Destination>>,
    /// Its own limit, seconds.
    pub max_duration_seconds: Option<u64>,
    /// Client context, JSON.
    pub client_context: Option<Redacted<String>>,
    /// Tenant.
    pub tenant: Option<String>,
    /// X-Ray trace header.
    pub trace_id: Option<String>,
    /// The invocation record as it came, if it was one.
    pub record: Option<Redacted<Bytes>>,
    /// Whether a topic, a bus or a bucket carried the record to the queue: then the queue is not the destination.
    pub carried: bool,
}

impl Failed {
    /// One of which only this is known.
    pub fn new(job: JobId, kind: Kind, function: Hint, event: Bytes) -> Self {
        Self {
            job,
            kind,
            function,
            event: Redacted::new(event),
            request_id: None,
            condition: None,
            error: Seen::default(),
            source: None,
            invoke_count: None,
            task_token: None,
            items: None,
            failed_at: None,
            destinations: None,
            max_duration_seconds: None,
            client_context: None,
            tenant: None,
            trace_id: None,
            record: None,
            carried: false,
        }
    }
}

/// What is known of an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// `errorType`
    pub kind: Option<String>,
    /// `errorMessage`: the function's own words.
    pub message: Option<Redacted<String>>,
}

/// What a message says of its function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Its ARN or name, with the version that ran where that is known.
    Function(String),
    /// Only the queue or topic that took its failed event, and perhaps the unique id of its role.
    DeadLetter {
        /// ARN of the queue or topic that functions name in `DeadLetterConfig`.
        target: String,
        /// `AROA…`, from `SenderId`.
        role_id: Option<String>,
    },
    /// The queue or stream that it is mapped to.
    EventSource(String),
    /// The topic that it is subscribed to.
    Topic(String),
    /// The EventBridge rule whose target it is, and the ARN that the rule named.
    Rule {
        /// ARN of the rule.
        rule: String,
        /// ARN of the target.
        target: String,
    },
    /// The schedule whose target it is (its ARN), where the message does not name the function.
    Schedule(String),
    /// What its event came from: a topic's or rule's ARN, a bucket's name, an event source's ARN.
    Source(String),
    /// Nothing.
    Unknown,
}
