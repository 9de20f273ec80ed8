//! What the runner and the dispatcher share: the types of a job and its durable record.
//!
//! | file | owns |
//! |---|---|
//! | `id`, `address` | how jobs and ledgers are named; pure |
//! | `job`, `launch`, `attempt`, `outcome`, `quarantine` | what is recorded of a job, and of what could not be one; pure |
//! | `pointer` | the message by which a worker hears of an attempt; pure |
//! | `record`, `destination` | Lambda's invocation record, and where outcomes go; pure |
//! | `document`, `time`, `writer` | what all records have in common: versions, unknown fields, moments, nonces; pure |
//! | `layout` | which object is where below a ledger's root; pure |
//! | `store` | [`Ledger`]: the records in a directory or an S3 prefix |
//! | `redacted` | what must not be logged |
//!
//! The crate knows no AWS API but object storage. Who may run a job, and why it ended, is decided by
//! others; here is only decided who was first.
#![forbid(unsafe_code)]

mod address;
mod attempt;
mod destination;
mod document;
mod error;
pub mod failpoint;
mod id;
mod job;
mod launch;
mod layout;
mod mutant;
mod outcome;
mod pointer;
mod quarantine;
mod record;
mod redacted;
mod store;
mod time;
mod writer;

pub use address::{Address, AddressError, Root};
pub use attempt::{Attempt, State};
pub use destination::{Destination, DestinationError};
pub use document::{DocumentError, Unknown, Version};
pub use error::LedgerError;
pub use id::{IdError, JobId};
pub use job::{Context, INLINE, Job, Limits, Origin};
pub use launch::Launch;
pub use layout::Layout;
pub use mutant::mutant;
/// The HTTP client that S3 is spoken to with: `HttpClient::new(reqwest_client)`.
pub use object_store::client::HttpClient;
pub use outcome::{Blame, Facts, Outcome, Record, Stored};
pub use pointer::{Pointer, PointerError};
pub use quarantine::Quarantined;
pub use record::{
    Condition, InvocationRecord, REQUEST, RESPONSE, Response, ResponseContext, payload, qualified,
};
pub use redacted::Redacted;
pub use store::{
    Access, Active, Bucket, Claim, Created, Decision, Ledger, Object, PART, Patience, Pieces,
};
pub use time::Time;
pub use writer::Writer;
