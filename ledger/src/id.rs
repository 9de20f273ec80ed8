//! The name of a job, made from where the job came from, so that a message which arrives twice meets
//! its own job. Owns the rule for names; pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The longest name, in characters.
const LONGEST: usize = 128;
/// Hexadecimal characters of a digest in a name: 128 bits.
const DIGEST: usize = 32;

/// 1 to 128 of `A–Z a–z 0–9 . _ -`, and no dot in front: safe in keys, paths, headers and logs, and
/// as an SQS deduplication id (SQS API reference: 128 characters).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// What is wrong with a job's name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "expected a job id of 1 to 128 letters, digits, `.`, `_` and `-`, not beginning with a dot, found `{found}`"
)]
pub struct IdError {
    /// What was given, cut after 160 characters.
    pub found: String,
}

impl JobId {
    /// The job of a failed asynchronous invocation: Lambda's request id, which all its retries share.
    /// One that cannot be a name is replaced by its digest.
    pub fn from_request_id(request: &str) -> Self {
        request.parse().unwrap_or_else(|_| Self::from_digest(request.as_bytes()))
    }

    /// The job of a message that its queue gave up on: ids are unique within a queue only, so the
    /// queue (its ARN) is part of the name.
    pub fn from_message(queue_arn: &str, message_id: &str) -> Self {
        let queue = Self::from_digest(queue_arn.as_bytes());
        let name = format!("{message_id}-{}", &queue.0[..8]);
        name.parse()
            .unwrap_or_else(|_| Self::from_digest(format!("{queue_arn}\n{message_id}").as_bytes()))
    }

    /// The job of anything else: the first 32 hexadecimal characters of the SHA-256 of what it is.
    pub fn from_digest(of: &[u8]) -> Self {
        Self(hex(&Sha256::digest(of))[..DIGEST].to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

impl FromStr for JobId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=LONGEST).contains(&text.len()) && !text.starts_with('.');
        if fits && text.chars().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdError { found: text.chars().take(160).collect() })
    }
}

impl TryFrom<String> for JobId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        let long = "x".repeat(LONGEST + 1);
        for bad in ["", ".", "..", ".hidden", "a/b", "a b", "ä", "a\n", "a%2fb", &long] {
            assert!(bad.parse::<JobId>().is_err(), "{bad}");
        }
        let longest = "x".repeat(LONGEST);
        for good in ["a", "8f0d0d9a-6e0b-4c1d-8a3c-5b4b2f5a9b11", "A_b.c-1", &longest] {
            assert_eq!(good.parse::<JobId>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn the_same_origin_gives_the_same_name_and_another_gives_another() {
        let (one, two) = ("arn:aws:sqs:eu-west-1:1:one", "arn:aws:sqs:eu-west-1:1:two");
        let id = JobId::from_message(one, "b7c8f9e2");
        assert_eq!(id, JobId::from_message(one, "b7c8f9e2"));
        assert_ne!(id, JobId::from_message(two, "b7c8f9e2"));
        assert!(id.as_str().starts_with("b7c8f9e2-"), "{id}");
        assert_ne!(JobId::from_message(one, "a/b"), JobId::from_message(two, "a/b"));
        assert_eq!(JobId::from_request_id("a-b").as_str(), "a-b");
        assert_eq!(JobId::from_request_id("../x").as_str().len(), DIGEST);
    }

    #[test]
    fn a_digest_is_the_beginning_of_sha_256() {
        // printf '' | sha256sum
        assert_eq!(JobId::from_digest(b"").as_str(), "e3b0c44298fc1c149afbf4c8996fb924");
    }

    #[test]
    fn a_record_with_a_bad_name_is_refused() {
        assert!(serde_json::from_str::<JobId>("\"../etc\"").is_err());
    }
}
