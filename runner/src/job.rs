//! What is to be run: the event with all that belongs to its invocation. How it is run is not
//! known here.

use std::fs::File;
use std::io;

use bytes::Bytes;
use ledger::Redacted;
use thiserror::Error;

use crate::config::{Context, EventSource};
use crate::json::Checker;
use crate::payload::{Payload, Pieces, Spool};

/// One event and its invocation's context.
#[derive(Debug, Clone)]
pub struct Event {
    /// The event, byte for byte as it was given.
    pub payload: Redacted<Pieces>,
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
    pub fn new(payload: impl Into<Pieces>, context: Context, function_arn: &str, now: u64) -> Self {
        Self {
            payload: Redacted::new(payload.into()),
            request_id: context.request_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            function_arn: context.invoked_function_arn.unwrap_or_else(|| function_arn.to_owned()),
            trace_id: context.trace_id.unwrap_or_else(|| trace_id(now)),
            client_context: context.client_context,
            identity: context.identity,
            tenant: context.tenant,
        }
    }
}

/// Reads an event that is on this machine. It may block.
pub fn read(source: &EventSource) -> Result<Pieces, EventError> {
    let (place, payload) = match source {
        EventSource::Text(text) => {
            ("given".to_owned(), Ok(Payload::from(text.expose().clone().into_bytes())))
        }
        EventSource::File(path) => {
            (path.display().to_string(), File::open(path).and_then(Payload::of))
        }
        EventSource::Stdin => ("standard input".to_owned(), Payload::of(io::stdin().lock())),
        EventSource::Recorded(pieces) => return checked("recorded", pieces.expose().clone()),
        EventSource::S3(object) => {
            let place = format!("s3://{}/{}", object.bucket, object.key);
            (place, Err(io::ErrorKind::Unsupported.into()))
        }
    };
    let pieces = payload.and_then(Payload::into_pieces);
    let pieces =
        pieces.map_err(|source| EventError::Unreadable { place: place.clone(), source })?;
    checked(&place, pieces)
}

/// Checks that it is JSON, as Lambda does. An empty one becomes `{}`. It may block.
pub fn checked(place: &str, pieces: Pieces) -> Result<Pieces, EventError> {
    let wrong = |problem| EventError::NotJson { place: place.to_owned(), problem };
    let bytes = match &pieces {
        Pieces::Memory(bytes) => bytes,
        Pieces::Spooled(spool) => {
            let unread = |source| EventError::Unreadable { place: place.to_owned(), source };
            let fault = fault(spool.clone()).map_err(unread)?;
            return fault.map_or(Ok(pieces), |problem| Err(wrong(problem)));
        }
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Bytes::from_static(b"{}").into());
    }
    match serde_json::from_slice::<&serde_json::value::RawValue>(bytes) {
        Ok(_) => Ok(pieces),
        Err(error) => Err(wrong(problem(&error))),
    }
}

/// Why a large event is not JSON, if it is not.
pub(crate) fn fault(mut spool: Spool) -> io::Result<Option<String>> {
    let mut checker = Checker::default();
    while spool.left > 0 {
        if !checker.push(&spool.read()?) {
            return Ok(Some(format!("syntax error after byte {}", checker.good())));
        }
    }
    Ok((!checker.is_json()).then(|| "it ends too early".to_owned()))
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
        let pieces = read(&EventSource::Text(Redacted::new(text.to_owned())))?;
        Ok(pieces.at_hand().unwrap().clone())
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
    fn a_large_event_is_judged_as_a_small_one_would_be() {
        let large = "x".repeat(2 << 20);
        let judged = |text: String| {
            let pieces = Payload::of(text.as_bytes()).unwrap().into_pieces().unwrap();
            assert!(pieces.at_hand().is_none());
            checked("given", pieces).map(|pieces| pieces.length())
        };
        assert_eq!(judged(format!(" [\"{large}\"]")).unwrap(), (2 << 20) + 5);
        let error = judged(format!("\"{large}\", 1")).unwrap_err().to_string();
        assert!(error.ends_with(&format!("syntax error after byte {}", (2 << 20) + 2)), "{error}");
        let error = judged(format!("\"{large}")).unwrap_err().to_string();
        assert!(error.ends_with("it ends too early"), "{error}");
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
