//! The message by which a worker hears of an attempt that is to be made. It says where the job is recorded and nothing
//! else of it, so that it may be lost, late or doubled: what counts is in the ledger. Pure.

use std::fmt;

use serde::Deserialize;
use serde_json::json;
use thiserror::Error;

use crate::address::{Address, AddressError, Root};
use crate::id::JobId;

/// `{"job":"s3://bucket/prefix/jobs/ID","attempt":1}`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The ledger.
    pub root: Root,
    /// The job.
    pub job: JobId,
    /// The attempt, counted from 1; 1 where the message does not say.
    pub attempt: u32,
}

/// A message that points to no job. Its text is not quoted.
#[derive(Debug, Error)]
pub enum PointerError {
    /// It is no such JSON.
    #[error(
        "expected a pointer like `{{\"job\":\"s3://bucket/prefix/jobs/ID\",\"attempt\":1}}`, found {bytes} bytes that are none"
    )]
    Malformed {
        /// Its length.
        bytes: usize,
    },
    /// Its address is none.
    #[error("its `job` is no address")]
    Address(#[from] AddressError),
    /// It names a ledger, but no job.
    #[error("expected the address of a job in it, `…/jobs/ID`, found that of a ledger")]
    NoJob,
    /// Attempts are counted from 1.
    #[error("expected the number of an attempt, counted from 1, found 0")]
    Zero,
}

#[derive(Deserialize)]
struct Written {
    job: String,
    #[serde(default = "first")]
    attempt: u32,
}

const fn first() -> u32 {
    1
}

impl Pointer {
    /// Reads the body of a message. Fields that are not known are passed over.
    pub fn read(body: &[u8]) -> Result<Self, PointerError> {
        let written: Result<Written, _> = serde_json::from_slice(body);
        let Written { job, attempt } =
            written.map_err(|_| PointerError::Malformed { bytes: body.len() })?;
        let Address { root, job } = job.parse()?;
        if attempt == 0 {
            return Err(PointerError::Zero);
        }
        Ok(Self { root, job: job.ok_or(PointerError::NoJob)?, attempt })
    }
}

impl fmt::Display for Pointer {
    /// The body of the message.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = self.root.job(&self.job).to_string();
        json!({ "job": job, "attempt": self.attempt }).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_again() {
        for job in ["s3://bucket/p/jobs/x", "file:///var/ledger/jobs/x"] {
            let Address { root, job } = job.parse().unwrap();
            let pointer = Pointer { root, job: job.unwrap(), attempt: 3 };
            assert_eq!(Pointer::read(pointer.to_string().as_bytes()).unwrap(), pointer);
        }
        let least = Pointer::read(br#"{"job":"s3://bucket/jobs/x","more":[]}"#).unwrap();
        assert_eq!(least.attempt, 1);
    }

    #[test]
    fn what_points_nowhere_says_why_without_being_quoted() {
        for (body, part) in [
            ("canary", "found 6 bytes"),
            ("{}", "expected a pointer like `{\"job\":"),
            (r#"{"job":"s3://bucket/p"}"#, "found that of a ledger"),
            (r#"{"job":"http://x/jobs/x"}"#, "no address"),
            (r#"{"job":"s3://bucket/jobs/x","attempt":0}"#, "counted from 1"),
        ] {
            let error = Pointer::read(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("canary"), "{error}");
        }
    }
}
