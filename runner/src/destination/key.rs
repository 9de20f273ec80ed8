//! The key of an object with a record, as Lambda's S3 destination has it (developer guide):
//! `aws/lambda/async/NAME/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-UUID`, UTC, without extension. Pure.

use ledger::{InvocationRecord, JobId};
use sha2::{Digest as _, Sha256};

use crate::function::name::FunctionName;

/// The key of a job's record. Lambda's UUID is random; here it is made from the job's name, so that a
/// record that is delivered twice is one object.
pub(super) fn key(record: &InvocationRecord, job: &JobId) -> String {
    let name = record.function_arn.parse::<FunctionName>();
    let name = name.map_or_else(|_| "unknown".to_owned(), |name| name.name().to_owned());
    // 2026-10-09T16:43:26.568Z
    let time = record.timestamp.to_string();
    let (day, clock) = (time.get(..10).unwrap_or_default(), time.get(11..19).unwrap_or_default());
    let (folders, clock) = (day.replace('-', "/"), clock.replace(':', "."));
    format!("aws/lambda/async/{name}/{folders}/{day}T{clock}-{}", id(job))
}

fn id(job: &JobId) -> uuid::Uuid {
    let digest: [u8; 32] = Sha256::digest(job.as_str()).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
