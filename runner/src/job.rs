//! What is to be run: the event with all that belongs to its invocation. How it is run is not
//! known here.

use std::io::Read;

use bytes::Bytes;
use ledger::Redacted;
use thiserror::Error;

use crate::config::{Context, EventSource};

/// One event and its invocation's context.
#[derive(Debug, Clone)]
pub struct Event {
    /// The event, byte for byte as it was given.
    pub payload: Redacted<Bytes>,
    /// Request id.
    pub request_id: String,
    /// The ARN that was invoked.
    pub function_arn: String,
    /// X-Ray trace header.
    pub trace_id: String,
    /// Client context, JSON text on one line.
    pub client_context: Option<Redacted<String>>,
    /// Cognito identity, JSON text on one line.
    pub identity: Option<Redacted<String>>,
    /// Tenant, of functions that are isolated by tenant.
    pub tenant: Option<String>,
}

/// An event that cannot be used. Exit code 65.
#[derive(Debug, Error)]
pub enum EventError {
    /// It could not be read.
    #[error("the event could not be read from {place}")]
    Unreadable {
        /// File or standard input.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not JSON.
    #[error("the event {place} is not JSON: {problem}")]
    NotJson {
        /// Where it came from.
        place: String,
        /// What the parser found, without the text itself.
        problem: String,
    },
}

impl Event {
    /// Puts an invocation together. What the context does not say is made up as Lambda would.
    pub fn new(payload: Bytes, context: Context, function_arn: &str, now: u64) -> Self {
        Self {
            payload: Redacted::new(payload),
            request_id: context.request_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            function_arn: context.invoked_function_arn.unwrap_or_else(|| function_arn.to_owned()),
            trace_id: context.trace_id.unwrap_or_else(|| trace_id(now)),
            client_context: context.client_context,
            identity: context.identity,
            tenant: context.tenant,
        }
    }
}

/// Reads an event that is on this machine.
pub fn read(source: &EventSource) -> Result<Bytes, EventError> {
    let (place, bytes) = match source {
        EventSource::Text(text) => ("given".to_owned(), Ok(text.expose().clone().into_bytes())),
        EventSource::File(path) => (path.display().to_string(), std::fs::read(path)),
        EventSource::Stdin => ("standard input".to_owned(), read_stdin()),
        EventSource::Recorded(bytes) => return checked("recorded", bytes.expose().clone()),
        EventSource::S3(object) => {
            let place = format!("s3://{}/{}", object.bucket, object.key);
            (place, Err(std::io::ErrorKind::Unsupported.into()))
        }
    };
    let bytes = bytes.map_err(|source| EventError::Unreadable { place: place.clone(), source })?;
    checked(&place, bytes.into())
}

/// Checks that it is JSON, as Lambda does. An empty one becomes `{}`.
pub fn checked(place: &str, bytes: Bytes) -> Result<Bytes, EventError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<&serde_json::value::RawValue>(&bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            Err(EventError::NotJson { place: place.to_owned(), problem: problem(&error) })
        }
    }
}

fn read_stdin() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
}

/// The parser's finding without any of the event's own text.
fn problem(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Data => "syntax error",
    };
    format!("{kind} at line {} column {}", error.line(), error.column())
}

/// An unsampled trace header, as every invocation on Lambda has one (X-Ray developer guide).
fn trace_id(now: u64) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let parent = uuid::Uuid::new_v4().simple().to_string();
    format!("Root=1-{:08x}-{};Parent={};Sampled=0", now / 1000, &id[..24], &parent[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Bytes, EventError> {
        read(&EventSource::Text(Redacted::new(text.to_owned())))
    }

    #[test]
    fn an_event_keeps_its_bytes() {
        let event = "{ \"b\": 1.10, \"a\": 12345678901234567890123 }";
        assert_eq!(text(event).unwrap(), event.as_bytes());
    }

    #[test]
    fn an_empty_event_is_an_empty_object() {
        assert_eq!(text(" \n").unwrap(), "{}");
    }

    #[test]
    fn what_is_not_json_is_refused_without_being_quoted() {
        let error = text("{\"password\": hunter2}").unwrap_err().to_string();
        assert!(error.contains("is not JSON: syntax error at line 1 column 14"), "{error}");
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn a_trace_id_has_the_shape_of_x_ray() {
        let id = trace_id(0x6000_0000 * 1000);
        assert!(id.starts_with("Root=1-60000000-") && id.ends_with(";Sampled=0"), "{id}");
        assert_eq!(
            id.len(),
            "Root=1-60000000-123456789012345678901234;Parent=1234567890123456;Sampled=0".len()
        );
    }
}
