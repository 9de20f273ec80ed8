//! Lambda's invocation record, which destinations get (Lambda developer guide, "Retaining records of
//! asynchronous invocations", schema version 1.0). Owns its fields and their order; who gets it, and what
//! becomes of one that is too large for its carrier, is decided by others. Pure.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::document::{DocumentError, malformed};
use crate::redacted::Redacted;
use crate::time::Time;

/// What an invocation record says, but for its payloads where these are large.
#[derive(Debug, Clone)]
pub struct InvocationRecord {
    /// When it ended.
    pub timestamp: Time,
    /// Lambda's request id.
    pub request_id: String,
    /// The ARN that was invoked, with its qualifier.
    pub function_arn: String,
    /// How it ended.
    pub condition: Condition,
    /// How often it was tried, by Lambda and here.
    pub approximate_invoke_count: u32,
    /// The event, byte for byte; nothing where it is in an object of its own, which is named beside the record.
    pub request: Option<Redacted<Bytes>>,
    /// What the function answered with, if it ran.
    pub response: Option<ResponseContext>,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The function answered.
    Success,
    /// It failed, and nobody tries again.
    RetriesExhausted,
}

/// What is known of the answer beside its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponseContext {
    /// HTTP status of the invocation: 200, of function errors too.
    pub status_code: u16,
    /// Version that ran, `$LATEST` or a number.
    pub executed_version: String,
    /// `Unhandled`, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_error: Option<String>,
}

impl ResponseContext {
    /// Of a function that ran.
    pub fn new(executed_version: &str, failed: bool) -> Self {
        let function_error = failed.then(|| "Unhandled".to_owned());
        Self { status_code: 200, executed_version: executed_version.to_owned(), function_error }
    }
}

/// A response as a JSON value.
pub type Response = Redacted<Box<RawValue>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    version: &'static str,
    timestamp: Time,
    request_context: RequestContext<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: Condition,
    approximate_invoke_count: u32,
}

/// A record as it is read again.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    timestamp: Time,
    request_context: WrittenRequest,
    #[serde(borrow, default, deserialize_with = "present")]
    request_payload: Option<&'a RawValue>,
    response_context: Option<ResponseContext>,
    #[serde(borrow, default, deserialize_with = "present")]
    response_payload: Option<&'a RawValue>,
}

/// A `null` that is there is a value: a function may be given it, and answer it.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRequest {
    request_id: String,
    function_arn: String,
    condition: Condition,
    approximate_invoke_count: u32,
}

impl InvocationRecord {
    /// A record that was written before, and its response where that is in it. Payloads keep their bytes.
    pub fn read(record: &RawValue) -> Result<(Self, Option<Response>), DocumentError> {
        let written: Written<'_> =
            serde_json::from_str(record.get()).map_err(|error| malformed(&error))?;
        let context = written.request_context;
        let request = |payload: &RawValue| Bytes::copy_from_slice(payload.get().as_bytes()).into();
        let record = Self {
            timestamp: written.timestamp,
            request_id: context.request_id,
            function_arn: context.function_arn,
            condition: context.condition,
            approximate_invoke_count: context.approximate_invoke_count,
            request: written.request_payload.map(request),
            response: written.response_context,
        };
        let response = written.response_payload.map(|response| Redacted::new(response.to_owned()));
        Ok((record, response))
    }

    /// The whole record.
    pub fn whole(&self, response: &[u8]) -> Redacted<Box<RawValue>> {
        self.with(self.own().as_deref(), Some(&payload(response)))
    }

    /// The record without its response.
    pub fn bare(&self) -> Redacted<Box<RawValue>> {
        self.with(self.own().as_deref(), None)
    }

    fn own(&self) -> Option<Cow<'_, RawValue>> {
        self.request.as_ref().map(|request| payload(request.expose()))
    }

    /// The record with these payloads in the place of its own.
    pub fn with(
        &self,
        request: Option<&RawValue>,
        response: Option<&RawValue>,
    ) -> Redacted<Box<RawValue>> {
        let mut text = self.before_request();
        if let Some(request) = request {
            text.push_str(REQUEST);
            text.push_str(request.get());
        }
        text.push_str(&self.before_response());
        if let Some(response) = response {
            text.push_str(RESPONSE);
            text.push_str(response.get());
        }
        text.push('}');
        Redacted::new(RawValue::from_string(text).expect("an object of JSON texts"))
    }

    /// All that comes before the event. A whole record is this, [`REQUEST`] and the event,
    /// [`InvocationRecord::before_response`], [`RESPONSE`] and the response, and `}`.
    pub fn before_request(&self) -> String {
        let head = Head {
            version: "1.0",
            timestamp: self.timestamp,
            request_context: RequestContext {
                request_id: &self.request_id,
                function_arn: &self.function_arn,
                condition: self.condition,
                approximate_invoke_count: self.approximate_invoke_count,
            },
        };
        let mut text = serde_json::to_string(&head).expect("strings and numbers");
        text.pop();
        text
    }

    /// All that comes between the event and the response.
    pub fn before_response(&self) -> String {
        let Some(context) = &self.response else { return String::new() };
        let text = serde_json::to_string(context).expect("strings and numbers");
        format!(",\"responseContext\":{text}")
    }
}

/// What stands in a record before its event.
pub const REQUEST: &str = ",\"requestPayload\":";
/// What stands in a record before its response.
pub const RESPONSE: &str = ",\"responsePayload\":";

/// A payload as a JSON value: byte for byte where it is one, without white space around it. What is
/// none, as custom runtimes may answer, becomes a string; nothing at all becomes `null`.
pub fn payload(bytes: &[u8]) -> Cow<'_, RawValue> {
    let trimmed = bytes.trim_ascii();
    if trimmed.is_empty() {
        return Cow::Owned(RawValue::NULL.to_owned());
    }
    if let Ok(value) = serde_json::from_slice::<&RawValue>(trimmed) {
        return Cow::Borrowed(value);
    }
    let text = serde_json::to_string(&String::from_utf8_lossy(bytes)).expect("a string");
    Cow::Owned(RawValue::from_string(text).expect("a JSON string"))
}

/// The ARN with a qualifier: records of unqualified invocations say `$LATEST`.
pub fn qualified(arn: &str) -> String {
    // arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]
    if arn.split(':').count() == 7 { format!("{arn}:$LATEST") } else { arn.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";

    fn record(condition: Condition) -> InvocationRecord {
        InvocationRecord {
            timestamp: Time::from_millis(1_791_564_206_568),
            request_id: "8f0d0d9a-6e0b-4c1d-8a3c-5b4b2f5a9b11".into(),
            function_arn: qualified(ARN),
            condition,
            approximate_invoke_count: 3,
            request: Some(Bytes::from_static(b"{\"orderId\": 4.20, \"bucket\":\"in\"}").into()),
            response: Some(ResponseContext::new("$LATEST", condition != Condition::Success)),
        }
    }

    #[test]
    fn a_record_is_lambdas_byte_for_byte() {
        let failed =
            record(Condition::RetriesExhausted).whole(br#"{"errorType":"Sandbox.Timedout"}"#);
        let expected = r#"{"version":"1.0","timestamp":"2026-10-09T16:43:26.568Z","requestContext":{"requestId":"8f0d0d9a-6e0b-4c1d-8a3c-5b4b2f5a9b11","functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:resize:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},"requestPayload":{"orderId": 4.20, "bucket":"in"},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorType":"Sandbox.Timedout"}}"#;
        assert_eq!(failed.expose().get(), expected);
        let succeeded = record(Condition::Success).whole(b" [1.0]\n");
        let end = r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":[1.0]}"#;
        assert!(succeeded.expose().get().ends_with(end), "{}", succeeded.expose());
    }

    #[test]
    fn what_is_no_json_becomes_a_string() {
        let table: [(&[u8], &str); 5] = [
            (b"", "null"),
            (b"plain \"text\"", r#""plain \"text\"""#),
            (b"{\"cut", r#""{\"cut""#),
            (b"\xff", "\"\u{fffd}\""),
            (b" 1e400 ", "1e400"),
        ];
        for (bytes, expected) in table {
            assert_eq!(payload(bytes).get(), expected);
        }
    }

    #[test]
    fn a_job_that_never_ran_has_no_response() {
        let record = InvocationRecord { response: None, ..record(Condition::RetriesExhausted) };
        assert!(record.bare().expose().get().ends_with(r#""bucket":"in"}}"#));
        assert!(!format!("{record:?}").contains("bucket"));
    }

    #[test]
    fn a_record_is_read_again_with_each_of_its_bytes() {
        for condition in [Condition::Success, Condition::RetriesExhausted] {
            for response in [&b"{ \"a\": 1.0 }"[..], b"null", b"\"x\""] {
                let whole = record(condition).whole(response);
                let (read, response) = InvocationRecord::read(whole.expose()).unwrap();
                let response = response.unwrap();
                assert_eq!(
                    read.whole(response.expose().get().as_bytes()).expose().get(),
                    whole.expose().get()
                );
            }
        }
        let bare = record(Condition::Success).bare();
        let (read, response) = InvocationRecord::read(bare.expose()).unwrap();
        assert!(response.is_none() && read.bare().expose().get() == bare.expose().get());
    }

    #[test]
    fn an_event_of_its_own_is_not_in_the_record() {
        let record = InvocationRecord { request: None, ..record(Condition::Success) };
        let whole = record.whole(b"1");
        assert!(!whole.expose().get().contains("requestPayload"), "{}", whole.expose());
        let (read, response) = InvocationRecord::read(whole.expose()).unwrap();
        assert!(read.request.is_none());
        assert_eq!(
            read.whole(response.unwrap().expose().get().as_bytes()).expose().get(),
            whole.expose().get()
        );
        let null = InvocationRecord { request: Some(Bytes::from_static(b"null").into()), ..read };
        let (read, _) = InvocationRecord::read(null.bare().expose()).unwrap();
        assert_eq!(read.request.unwrap().expose(), "null");
    }

    #[test]
    fn what_is_no_record_is_refused_without_being_quoted() {
        let text = r#"{"requestPayload":"canary","timestamp":"canary"}"#;
        let error = InvocationRecord::read(&RawValue::from_string(text.into()).unwrap());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("not a record") && !error.contains("canary"), "{error}");
    }

    #[test]
    fn an_arn_keeps_its_qualifier() {
        assert_eq!(qualified(&format!("{ARN}:live")), format!("{ARN}:live"));
        assert_eq!(qualified("resize"), "resize");
    }
}
