//! How a job ended. Owns what is recorded of it beside the invocation record. Pure.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::document::{Unknown, Version, exposed};
use crate::redacted::Redacted;
use crate::time::Time;
use crate::writer::Writer;

/// Lambda's invocation record, as it is sent to destinations.
pub type Record = Redacted<Box<RawValue>>;

/// `jobs/ID/outcome.json`: created once, by whoever was first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Version of the record.
    pub version: Version,
    /// Who decided it.
    #[serde(default = "Writer::unknown")]
    pub writer: Writer,
    /// Which attempt decided it: the last one where the job was given up.
    pub attempt: u32,
    /// The invocation record. An event or a response larger than [`crate::INLINE`] is not in it but in
    /// `request` or `response`.
    #[serde(with = "exposed")]
    pub record: Option<Record>,
    /// The event where it is too large for the record: the job's own object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Stored>,
    /// The response where it is too large for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Stored>,
    /// What the record has no words for.
    pub facts: Facts,
    /// When all destinations had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Time>,
    /// Fields of others.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What an invocation record has no words for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// How many attempts there were.
    pub attempts: u32,
    /// Duration of the invocation, milliseconds.
    pub duration_ms: f64,
    /// What Lambda would have billed, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed_duration_ms: Option<u64>,
    /// Initialisation, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_ms: Option<f64>,
    /// Most memory used, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_mb: Option<u64>,
    /// How many processes the kernel killed for want of memory: the runtime, or what it had started.
    #[serde(default, skip_serializing_if = "is_none")]
    pub oom_kills: u64,
    /// How the runtime's process ended: `exit status 1`, `signal: killed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// Who caused a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blame: Option<Blame>,
    /// The kind of error, as in the error payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// The items of a batch that the function named as failed (`ReportBatchItemFailures`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_items: Vec<String>,
    /// Fields of others.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Who caused a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// What was asked for cannot be done.
    Job,
    /// The function's own code.
    Function,
    /// Everything around it.
    Platform,
}

/// A large payload in an object of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// Key below the ledger's root, once the outcome is settled.
    pub key: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Outcome {
    /// One that wants to be decided.
    pub fn new(attempt: u32, record: Record, facts: Facts) -> Self {
        Self {
            version: Version,
            writer: Writer::random(),
            attempt,
            record: Some(record),
            request: None,
            response: None,
            facts,
            delivered: None,
            unknown: Unknown::new(),
        }
    }
}

impl Facts {
    /// Those that every outcome has.
    pub fn new(attempts: u32, duration_ms: f64) -> Self {
        Self {
            attempts,
            duration_ms,
            billed_duration_ms: None,
            init_ms: None,
            max_memory_mb: None,
            oom_kills: 0,
            exit: None,
            blame: None,
            error_type: None,
            failed_items: Vec::new(),
            unknown: Unknown::new(),
        }
    }
}
