//! Why a run did not get as far as an outcome, and the exit code of each reason. Stages own their
//! errors; here they meet.

use std::io;

use ledger::LedgerError;
use thiserror::Error;

use crate::aws::AwsError;
use crate::boot::NoRuntime;
use crate::code::Code;
use crate::config::ConfigError;
use crate::destination::ParcelError;
use crate::fetch::FetchError;
use crate::function::runtime::{BadFile, UnknownRuntime};
use crate::image::{Fault, ImageError, ReferenceError};
use crate::job::EventError;
use crate::place::PlaceError;
use crate::unpack::UnpackError;

/// Why a run did not get as far as an outcome.
#[derive(Debug, Error)]
pub enum RunError {
    /// The event cannot be used.
    #[error(transparent)]
    Event(#[from] EventError),
    /// AWS did not describe the function.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Nobody knows its runtime.
    #[error(transparent)]
    Runtime(#[from] UnknownRuntime),
    /// This machine has no client for its runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
    /// A runtime's own data file cannot be read.
    #[error(transparent)]
    RuntimeFile(#[from] BadFile),
    /// Its code could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Its code was refused.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// Its container image could not be had.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Its container image has a name that is none.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// There is no room for its code.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Its outcome could not be written.
    #[error("the outcome could not be written to standard output")]
    Undelivered(#[source] io::Error),
    /// A function without a role of its own.
    #[error(
        "IMMORTAL_CREDENTIALS is `function`, and the function `{0}` has no role: deploy it, or use `task`"
    )]
    NoRole(String),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger has no such job.
    #[error("there is no job {address}; it is recorded before an attempt is started")]
    NoJob {
        /// Its address.
        address: String,
    },
    /// A job that cannot be run.
    #[error("the job cannot be run")]
    Job(#[from] ConfigError),
    /// The outcome could not be decided.
    #[error("the outcome could not be recorded")]
    Unrecorded(#[source] LedgerError),
    /// The outcome could not be decided or delivered before the end.
    #[error("there was no time left to {0}: the job stays unfinished in its ledger")]
    NoTime(&'static str),
    /// The outcome is none that can be sent.
    #[error(transparent)]
    Parcel(#[from] ParcelError),
    /// The response could not be read back from the ledger.
    #[error("the response could not be read back to be delivered")]
    Response(#[source] io::Error),
    /// The outcome did not reach all its destinations.
    #[error("the outcome was not delivered: {0}")]
    Undeliverable(String),
    /// That it did could not be recorded.
    #[error(
        "the outcome was delivered, which could not be recorded: the next attempt delivers it again"
    )]
    Unstruck(#[source] LedgerError),
    /// The port is taken, or not ours to take.
    #[error("could not listen on {address}; choose another with --port and --host")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The program could not set itself up.
    #[error("signals and timers could not be set up")]
    SetUp(#[source] io::Error),
    /// The machine did not let us.
    #[error("{what}: {problem}")]
    Machine {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        problem: String,
    },
}

impl From<&UnpackError> for Code {
    fn from(error: &UnpackError) -> Self {
        if error.is_refusal() { Self::Refused } else { Self::Internal }
    }
}

impl From<&FetchError> for Code {
    fn from(error: &FetchError) -> Self {
        if error.is_refusal() { Self::Refused } else { Self::Unavailable }
    }
}

impl From<&ImageError> for Code {
    fn from(error: &ImageError) -> Self {
        match &error.fault {
            Fault::NotRoot => Self::Usage,
            Fault::Unpack(error) => error.into(),
            Fault::Machine { .. } => Self::Internal,
            fault if fault.is_refusal() => Self::Refused,
            _ => Self::Unavailable,
        }
    }
}

impl From<&RunError> for Code {
    fn from(error: &RunError) -> Self {
        match error {
            RunError::NoRuntime(_)
            | RunError::RuntimeFile(_)
            | RunError::NoRole(_)
            | RunError::Reference(_)
            | RunError::Listen { .. } => Self::Usage,
            RunError::Image(error) => error.into(),
            RunError::Ledger(error) if error.is_content() => Self::Refused,
            RunError::Event(_)
            | RunError::NoJob { .. }
            | RunError::Job(_)
            | RunError::Parcel(_)
            | RunError::Runtime(_)
            | RunError::Place(PlaceError::Occupied { .. }) => Self::Refused,
            RunError::Fetch(error) => error.into(),
            RunError::Aws(_) | RunError::Ledger(_) => Self::Unavailable,
            RunError::Undelivered(_)
            | RunError::Unrecorded(_)
            | RunError::Response(_)
            | RunError::NoTime(_)
            | RunError::Unstruck(_)
            | RunError::Undeliverable(_) => Self::Undelivered,
            RunError::Unpack(error) => error.into(),
            RunError::Place(_) | RunError::SetUp(_) | RunError::Machine { .. } => Self::Internal,
        }
    }
}

/// An error of the machine, not of any stage.
pub(super) fn machine<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> RunError {
    move |error| RunError::Machine { what, problem: error.to_string() }
}
