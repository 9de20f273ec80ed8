//! A message that could not be made a job. Owns what is kept of it, so that it is neither lost nor met again and
//! again. Why it was refused is said by whoever refused it. Pure.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::document::{Unknown, Version, exposed};
use crate::id::JobId;
use crate::redacted::Redacted;
use crate::time::Time;
use crate::writer::Writer;

/// `quarantine/ID.json`: created once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Version of the record.
    pub version: Version,
    /// Its name: that of the queue's message.
    pub id: JobId,
    /// Who kept it.
    #[serde(default = "Writer::unknown")]
    pub writer: Writer,
    /// What was expected, what was found, what to do.
    pub reason: String,
    /// The queue that it came from.
    pub queue_arn: String,
    /// The message, as `aws sqs receive-message` prints one.
    #[serde(with = "exposed")]
    pub message: Option<Redacted<Box<RawValue>>>,
    /// When it was taken out of the way.
    pub at: Time,
    /// Fields of others.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Quarantined {
    /// A message and what is wrong with it.
    pub fn new(id: JobId, queue_arn: &str, reason: &str, message: Box<RawValue>, at: Time) -> Self {
        Self {
            version: Version,
            id,
            writer: Writer::random(),
            reason: reason.to_owned(),
            queue_arn: queue_arn.to_owned(),
            message: Some(Redacted::new(message)),
            at,
            unknown: Unknown::new(),
        }
    }
}
