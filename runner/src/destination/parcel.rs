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
    /// All but the response.
    pub(super) record: InvocationRecord,
    /// Where the ledger has the event.
    pub(super) request: Option<Reference>,
    /// The response.
    pub(super) response: Response,
}

/// The response of a function.
#[derive(Debug)]
pub(super) enum Response {
    /// It never ran.
    None,
    /// The response, and where the ledger has it.
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

/// An outcome that cannot be sent.
#[derive(Debug, Error)]
pub enum ParcelError {
    /// There is none to send.
    #[error("the outcome has no invocation record")]
    NoRecord,
    /// It is not one.
    #[error("the outcome's invocation record cannot be used: {0}")]
    Record(#[from] DocumentError),
    /// Its response is somewhere, and nobody says where.
    #[error(
        "the outcome's response of {0} bytes is not in its record, and there is no ledger to read it from"
    )]
    NoResponse(u64),
}

impl Parcel {
    /// An outcome, its response where that is not in the record, and the job and ledger that it belongs to,
    /// if any. Without a job its request id is its name.
    pub fn of(
        outcome: &Outcome,
        large: Option<Arc<dyn Large>>,
        kept: Option<(&Job, &Root)>,
    ) -> Result<Self, ParcelError> {
        let record = outcome.record.as_ref().ok_or(ParcelError::NoRecord)?;
        let (record, small) = InvocationRecord::read(record.expose())?;
        let response = match (&outcome.response, large, small) {
            (Some(stored), Some(source), _) => {
                let at = kept.map(|(_, root)| Reference::object(root, stored));
                Response::Large { at, source }
            }
            (Some(stored), None, _) => return Err(ParcelError::NoResponse(stored.bytes)),
            (None, _, Some(text)) => {
                let at = kept.map(|(job, root)| Reference::response(root, job, &text));
                Response::Small(text, at)
            }
            (None, _, None) => Response::None,
        };
        let job = match kept {
            Some((job, _)) => job.id.clone(),
            None => JobId::from_request_id(&record.request_id),
        };
        let request = kept.map(|(job, root)| Reference::event(root, job, record.request.expose()));
        let token = kept.and_then(|(job, _)| job.task_token.clone());
        Ok(Self { job, token, record, request, response })
    }

    /// The same, its response at hand where it is one that most carriers have room for.
    pub async fn at_hand(self) -> io::Result<Self> {
        let Response::Large { at, source } = &self.response else { return Ok(self) };
        let mut object = source.open().await?;
        if object.bytes > room::LARGE as u64 {
            return Ok(self);
        }
        let mut bytes = Vec::with_capacity(room::LARGE);
        while let Some(piece) = object.pieces.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        let text = Redacted::new(ledger::payload(&bytes).into_owned());
        let response = Response::Small(text, at.clone());
        Ok(Self { response, ..self })
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
