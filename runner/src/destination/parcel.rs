//! An outcome on its way to its destinations. Owns what is known of its two payloads: their bytes where
//! they are small, and where the ledger keeps them, so that a record which is too large for its carrier
//! can name the place instead. Pure but for the source that a large response is read from.

use ledger::{
    Condition, DocumentError, InvocationRecord, Job, JobId, Layout, Ledger, Outcome, Record,
    Redacted, Stored,
};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::source::Source;

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
        source: Source,
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
    #[error("the outcome of job {0} has no invocation record")]
    NoRecord(JobId),
    /// It is not one.
    #[error("the invocation record of job {job} cannot be used: {source}")]
    Record {
        /// The job.
        job: JobId,
        /// What is wrong.
        source: DocumentError,
    },
}

impl Parcel {
    /// The outcome of a job in a ledger, settled before.
    pub fn recorded(ledger: &Ledger, job: &Job, outcome: &Outcome) -> Result<Self, ParcelError> {
        let record =
            outcome.record.as_ref().ok_or_else(|| ParcelError::NoRecord(job.id.clone()))?;
        let address = |key: &str| ledger.root().object(key);
        let mut parcel = Self::whole(job.id.clone(), record)?;
        parcel.token.clone_from(&job.task_token);
        parcel.request = Some(match job.event_object() {
            Some(stored) => Reference::object(address(&stored.key), stored),
            None => Reference::part(
                address(&Layout::job(&job.id)),
                "/event",
                parcel.record.request.expose(),
            ),
        });
        let outcome_at = address(&Layout::outcome(&job.id));
        parcel.response = match (&outcome.response, parcel.response) {
            (Some(stored), _) => Response::Large {
                at: Some(Reference::object(address(&stored.key), stored)),
                source: Source::ledger(ledger.clone(), job.id.clone()),
            },
            (None, Response::Small(text, _)) => {
                let at = Reference::part(
                    outcome_at,
                    "/record/responsePayload",
                    text.expose().get().as_bytes(),
                );
                Response::Small(text, Some(at))
            }
            (None, response) => response,
        };
        Ok(parcel)
    }

    /// A record of a job without a ledger.
    pub fn whole(job: JobId, record: &Record) -> Result<Self, ParcelError> {
        let read = InvocationRecord::read(record.expose());
        let (record, response) =
            read.map_err(|source| ParcelError::Record { job: job.clone(), source })?;
        let response = response.map_or(Response::None, |text| Response::Small(text, None));
        Ok(Self { job, token: None, record, request: None, response })
    }

    /// The same with a response that is large and comes from somewhere else.
    #[must_use]
    pub fn with_response(self, source: Source) -> Self {
        Self { response: Response::Large { at: None, source }, ..self }
    }

    /// Did the function answer?
    pub fn succeeded(&self) -> bool {
        self.record.condition == Condition::Success
    }
}

impl Reference {
    /// An object of its own.
    fn object(ledger: String, stored: &Stored) -> Self {
        Self { ledger, pointer: None, bytes: stored.bytes, sha256: stored.sha256.clone() }
    }

    /// A value in a record of the ledger.
    fn part(ledger: String, pointer: &'static str, value: &[u8]) -> Self {
        let sha256 = Sha256::digest(value).iter().map(|byte| format!("{byte:02x}")).collect();
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
