//! Why a ledger could not be read or written, as facts: which object, what was found, what to do.

use std::time::Duration;

use thiserror::Error;

use crate::address::AddressError;
use crate::document::DocumentError;

/// A ledger that cannot be used, or an object in it. Addresses are `s3://…` or `file:///…`.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The ledger cannot be opened with these settings.
    #[error("the ledger {root} cannot be opened: {problem}")]
    Settings {
        /// The ledger.
        root: String,
        /// What is missing and what to do.
        problem: String,
    },
    /// The root is no place for a ledger.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An object is there, and is not what it should be.
    #[error("{address} cannot be used")]
    Record {
        /// The object.
        address: String,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// A payload is not the one that was recorded: another job has the same id, or somebody changed it.
    #[error(
        "{address} is not what was recorded: expected {expected}, found {found}; two different jobs must not have one id"
    )]
    Differs {
        /// The object.
        address: String,
        /// Length and digest that were recorded.
        expected: String,
        /// Those of the object.
        found: String,
    },
    /// An object is not there.
    #[error("{address} does not exist")]
    Missing {
        /// The object.
        address: String,
    },
    /// The store said no, and would say it again.
    #[error("{operation} {address} was refused: {problem}")]
    Refused {
        /// `create`, `read`, `write`, `delete`, `list`, `copy`.
        operation: &'static str,
        /// The object.
        address: String,
        /// What it said.
        problem: String,
    },
    /// The store did not answer, or only with throttles and errors of its own.
    #[error("{operation} {address} had no success within {within:?}: {problem}")]
    Unavailable {
        /// As above.
        operation: &'static str,
        /// The object.
        address: String,
        /// How long it was tried.
        within: Duration,
        /// What it said last.
        problem: String,
    },
    /// What was to be stored could not be read.
    #[error("the response for {address} could not be read")]
    Source {
        /// Where it was to go.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// What was to be stored is too large.
    #[error("the response for {address} is larger than {limit} bytes")]
    TooLarge {
        /// Where it was to go.
        address: String,
        /// What fits.
        limit: u64,
    },
    /// Somebody tried to rewrite what another has written.
    #[error("{address} belongs to another writer and was left as it is")]
    Foreign {
        /// The object.
        address: String,
    },
}

impl LedgerError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether the ledger's content is at fault rather than the way to it: exit code 65 instead of 69.
    pub fn is_content(&self) -> bool {
        matches!(self, Self::Record { .. } | Self::Differs { .. } | Self::Missing { .. })
    }
}
