//! An outcome on its way to its destinations. Owns what is known of its two payloads: their bytes where
//! they are small, and where the ledger keeps them, so that a record which is too large for its carrier
//! can name the place instead. Pure: a large response is read by `stream`.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use ledger::{
    Condition, DocumentError, InvocationRecord, Job, JobId, Layout, Outcome, Redacted, Root, Stored,
};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::room;
use super::source::Large;

/// An outcome on its way.
#[derive(Debug)]
pub struct Parcel {
    /// The job, by whose name repeated deliveries are recognised.
    pub job: JobId,
    /// The token of the workflow that waits for it.
    pub(super) token: Option<Redacted<String>>,
    /// All but the payloads.
    pub(super) record: InvocationRecord,
    /// The event.
    pub(super) request: Value,
    /// The response.
    pub(super) response: Value,
}

/// One of the two payloads of a record.
#[derive(Debug)]
pub(super) enum Value {
    /// There is none: a function that never ran has no response.
    None,
    /// The payload, and where the ledger has it.
    Small(Redacted<Box<RawValue>>, Option<Reference>),
    /// A large one, in an object or a file of its own.
    Large {
        /// Where the ledger has it, if there is a ledger.
        at: Option<Reference>,
        /// Where its bytes come from.
        source: Arc<dyn Large>,
    },
}

/// What stands in a record for a payload that is too large for its carrier (docs/destinations.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Reference {
    /// The object in the ledger.
    ledger: String,
    /// Which value of that object, where it is a part of one (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'static str>,
    /// Length of the payload.
    bytes: u64,
    /// SHA-256 of the payload, hexadecimal.
    sha256: String,
}

/// Where payloads come from that are not in the record.
#[derive(Debug, Default)]
pub struct Sources {
    /// The event.
    pub request: Option<Arc<dyn Large>>,
    /// The response.
    pub response: Option<Arc<dyn Large>>,
}

/// An outcome that cannot be sent.
#[derive(Debug, Error)]
pub enum ParcelError {
    /// There is none to send.
    #[error("the outcome has no invocation record")]
    NoRecord,
    /// It is not one.
    #[error("the outcome's invocation record cannot be used: {0}")]
    Record(#[from] DocumentError),
    /// Its event or its response is somewhere, and nobody says where.
    #[error(
        "a payload of {0} bytes is not in the outcome's record, and there is no ledger to read it from"
    )]
    NoPayload(u64),
}

impl Parcel {
    /// An outcome, its payloads where these are not in the record, and the job and ledger that it belongs to,
    /// if any. Without a job its request id is its name.
    pub fn of(
        outcome: &Outcome,
        sources: Sources,
        kept: Option<(&Job, &Root)>,
    ) -> Result<Self, ParcelError> {
        let record = outcome.record.as_ref().ok_or(ParcelError::NoRecord)?;
        let (mut record, response) = InvocationRecord::read(record.expose())?;
        let large = |stored: &Stored, source: Option<Arc<dyn Large>>| {
            let at = kept.map(|(_, root)| Reference::object(root, stored));
            let source = source.ok_or(ParcelError::NoPayload(stored.bytes))?;
            Ok::<_, ParcelError>(Value::Large { at, source })
        };
        let request = match (&outcome.request, record.request.take()) {
            (Some(stored), _) => large(stored, sources.request)?,
            (None, Some(event)) => {
                let at = kept.map(|(job, root)| Reference::event(root, job, event.expose()));
                Value::Small(ledger::payload(event.expose()).into_owned().into(), at)
            }
            (None, None) => Value::None,
        };
        let response = match (&outcome.response, response) {
            (Some(stored), _) => large(stored, sources.response)?,
            (None, Some(text)) => {
                let at = kept.map(|(job, root)| Reference::response(root, job, &text));
                Value::Small(text, at)
            }
            (None, None) => Value::None,
        };
        let job = match kept {
            Some((job, _)) => job.id.clone(),
            None => JobId::from_request_id(&record.request_id),
        };
        let token = kept.and_then(|(job, _)| job.task_token.clone());
        Ok(Self { job, token, record, request, response })
    }

    /// The same, its payloads at hand where they are such as most carriers have room for.
    pub async fn at_hand(self) -> io::Result<Self> {
        let (request, response) = (self.request.at_hand().await?, self.response.at_hand().await?);
        Ok(Self { request, response, ..self })
    }

    /// The ARN that was invoked, with its qualifier.
    pub fn function_arn(&self) -> &str {
        &self.record.function_arn
    }

    /// Did the function answer?
    pub fn succeeded(&self) -> bool {
        self.record.condition == Condition::Success
    }
}

impl Value {
    /// Does a ledger have it?
    pub(super) const fn is_kept(&self) -> bool {
        !matches!(self, Self::Small(_, None) | Self::Large { at: None, .. })
    }

    async fn at_hand(self) -> io::Result<Self> {
        let Self::Large { at, source } = self else { return Ok(self) };
        let mut object = source.open().await?;
        if object.bytes > room::LARGE as u64 {
            return Ok(Self::Large { at, source });
        }
        let mut bytes = Vec::with_capacity(room::LARGE);
        while let Some(piece) = object.pieces.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(Self::Small(ledger::payload(&bytes).into_owned().into(), at))
    }
}

impl Reference {
    /// An object of its own.
    fn object(root: &Root, stored: &Stored) -> Self {
        let (ledger, sha256) = (root.object(&stored.key), stored.sha256.clone());
        Self { ledger, pointer: None, bytes: stored.bytes, sha256 }
    }

    /// The event of a job.
    fn event(root: &Root, job: &Job, event: &[u8]) -> Self {
        match job.event_object() {
            Some(stored) => Self::object(root, stored),
            None => Self::part(root.object(&Layout::job(&job.id)), "/event", event),
        }
    }

    /// A response that is in its record.
    fn response(root: &Root, job: &Job, response: &Redacted<Box<RawValue>>) -> Self {
        let outcome = root.object(&Layout::outcome(&job.id));
        Self::part(outcome, "/record/responsePayload", response.expose().get().as_bytes())
    }

    /// A value in a record of the ledger.
    fn part(ledger: String, pointer: &'static str, value: &[u8]) -> Self {
        let sha256 = Sha256::digest(value).iter().fold(String::new(), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        });
        Self { ledger, pointer: Some(pointer), bytes: value.len() as u64, sha256 }
    }

    /// As it stands in a record: `{"immortal":{"ledger":"s3://…","bytes":N,"sha256":"…"}}`.
    pub(super) fn payload(&self) -> Box<RawValue> {
        #[derive(Serialize)]
        struct Payload<'a> {
            immortal: &'a Reference,
        }
        serde_json::value::to_raw_value(&Payload { immortal: self }).expect("strings and a number")
    }
}
