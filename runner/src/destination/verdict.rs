//! What a refusal means for a delivery. Pure.
//!
//! Sources: the API references' common errors, and of each operation; botocore's and the SDKs' lists of
//! throttling and transient codes.

use std::fmt;

/// Why a try had no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it means.
    pub meaning: Meaning,
    /// What was said, on one line, without payload.
    pub said: String,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It may succeed later.
    Passing,
    /// It would be refused again, until somebody changes something.
    Final,
    /// It is too large for this carrier.
    TooLarge,
    /// Nobody waits for it any more.
    Gone,
}

impl Fault {
    /// No answer, or none that can be understood.
    pub fn passing(said: impl Into<String>) -> Self {
        Self { meaning: Meaning::Passing, said: said.into() }
    }

    /// Nothing that another try would change.
    pub fn lasting(said: impl Into<String>) -> Self {
        Self { meaning: Meaning::Final, said: said.into() }
    }

    /// A refusal: the operation, its HTTP status, and the service's error code and message.
    pub fn refused(operation: &str, status: u16, code: &str, message: &str) -> Self {
        let said = format!("{operation} was refused: {code}: {message}");
        Self { meaning: meaning(status, code, message), said }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.said)
    }
}

/// Codes with a status of 4xx that pass.
const PASSING: &[&str] = &[
    "EC2ThrottledException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InternalException",
    "InternalFailure",
    "KMSThrottlingException",
    "KmsThrottled",
    "KmsThrottlingException",
    "OverLimit",
    "PriorRequestNotComplete",
    "RequestExpired",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "RequestTimeoutException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "SlowDown",
];
/// Codes that say that a message is too large, whatever the text.
const TOO_LARGE: [&str; 3] =
    ["RequestTooLargeException", "RequestEntityTooLargeException", "PayloadTooLarge"];
/// The workflow has ended, gone on without us, or was told before (Step Functions API reference).
const GONE: [&str; 2] = ["TaskTimedOut", "TaskDoesNotExist"];

fn meaning(status: u16, code: &str, message: &str) -> Meaning {
    // `com.amazonaws.sqs#QueueDoesNotExist`, `AWS.SimpleQueueService.NonExistentQueue`
    let code = code.rsplit(['#', '.']).next().unwrap_or(code);
    if GONE.contains(&code) {
        return Meaning::Gone;
    }
    if TOO_LARGE.contains(&code) || status == 413 || is_size(message) {
        return Meaning::TooLarge;
    }
    let passes = code.starts_with("Throttl") || code.starts_with("TooManyRequests");
    if passes || PASSING.contains(&code) || matches!(status, 408 | 425 | 429 | 500..) {
        return Meaning::Passing;
    }
    Meaning::Final
}

/// SQS: "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes."
/// SNS: "Invalid parameter: Message too long". EventBridge: "Total size of the entries in the request is
/// over the limit."
fn is_size(message: &str) -> bool {
    let texts = ["must be shorter than", "Message too long", "size of the entries"];
    texts.iter().any(|text| message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_meaning() {
        use Meaning::{Final, Gone, Passing, TooLarge};
        let table = [
            (400, "ThrottlingException", "Rate exceeded", Passing),
            (403, "Throttling", "Rate exceeded", Passing),
            (403, "RequestThrottled", "", Passing),
            (429, "TooManyRequestsException", "", Passing),
            (400, "com.amazonaws.kms#KMSThrottlingException", "", Passing),
            (403, "ExpiredTokenException", "", Passing),
            (500, "InternalError", "", Passing),
            (503, "no error code", "", Passing),
            (502, "ENILimitReachedException", "", Passing),
            (403, "AccessDenied", "no sqs:SendMessage", Final),
            (400, "AccessDeniedException", "", Final),
            (400, "AWS.SimpleQueueService.NonExistentQueue", "", Final),
            (404, "NotFound", "Topic does not exist", Final),
            (404, "ResourceNotFoundException", "", Final),
            (400, "InvalidMessageContents", "", Final),
            (400, "InvalidToken", "", Final),
            (400, "InvalidParameterValue", "Message must be shorter than 1048576 bytes.", TooLarge),
            (400, "InvalidParameter", "Invalid parameter: Message too long", TooLarge),
            (413, "RequestTooLargeException", "", TooLarge),
            (400, "TaskTimedOut", "", Gone),
            (400, "com.amazonaws.stepfunctions#TaskDoesNotExist", "", Gone),
        ];
        for (status, code, message, expected) in table {
            assert_eq!(Fault::refused("Send", status, code, message).meaning, expected, "{code}");
        }
    }
}
