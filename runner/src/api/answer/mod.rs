//! [`Answer`] → HTTP response: statuses, headers and bodies as pure tables. Statuses and texts are
//! those of AWS's emulator (`rapi/rendering`) and the developer guide.

mod extension;
mod refusal;

use std::io;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::mpsc;

use super::Facts;
use super::call::{Fault, NoCall};
use crate::job::Event;
use crate::order::Chunk;
use crate::payload::Pieces;
use crate::session::{ExtensionId, Feed, Invocation, Millis, Reason, Refusal};

/// What was decided about a call.
#[derive(Debug)]
pub enum Answer {
    /// Here is an event.
    Event(Box<Event>, Invocation),
    /// The upload may begin; where a stream goes as it comes. Never leaves the program.
    Proceed(Option<mpsc::Sender<Chunk>>),
    /// The upload was taken.
    Accepted,
    /// The extension is known by this identifier from now on.
    Registered(ExtensionId),
    /// An extension is told of an invocation.
    Invoke(Box<Event>, Invocation),
    /// An extension is told of the end: why, and when it will be over.
    Shutdown(Reason, Millis),
    /// The extension has subscribed.
    Subscribed,
    /// Its subscription is none, and why.
    Invalid(Feed, String),
    /// The call was not allowed.
    Refused(Refusal),
    /// The supervisor is on its way out and nobody decides any more.
    Closed,
}

/// An answer's body: small, shared, or a large event that is read as fast as it is taken.
pub(super) type Body =
    Either<Full<Bytes>, StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>>;

/// The response to a call.
pub(super) fn render(answer: Answer, facts: &Facts, account: bool) -> Response<Body> {
    match answer {
        Answer::Event(event, invocation) => deliver(&event, &invocation),
        Answer::Proceed(_) | Answer::Accepted => {
            json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
        }
        Answer::Registered(id) => extension::registered(id, facts, account),
        Answer::Invoke(event, invocation) => extension::invoke(&event, &invocation),
        Answer::Shutdown(reason, deadline) => extension::shutdown(reason, deadline),
        Answer::Subscribed => json(StatusCode::OK, r#""OK""#.into()),
        Answer::Invalid(feed, message) => {
            let kind = match feed {
                Feed::Telemetry => "ValidationError",
                Feed::Logs => "Logs.ValidationError",
            };
            error(StatusCode::BAD_REQUEST, kind, &message)
        }
        Answer::Refused(refusal) => refusal::render(&refusal),
        Answer::Closed => internal(),
    }
}

/// The response to a call of an extension's that needs no session to be refused.
pub(super) fn fault(fault: &Fault) -> Response<Body> {
    error(StatusCode::FORBIDDEN, fault.kind, &fault.message)
}

/// The response to what is no call.
pub(super) fn reject(reason: NoCall) -> Response<Body> {
    match reason {
        NoCall::UnknownPath => {
            let mut response = text(StatusCode::NOT_FOUND, "404 page not found\n");
            let nosniff = HeaderValue::from_static("nosniff");
            response.headers_mut().insert("x-content-type-options", nosniff);
            response
        }
        NoCall::Disabled => status(StatusCode::NOT_FOUND),
        NoCall::WrongMethod(allowed) => {
            let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            response
        }
    }
}

/// `GET …/ping`
pub(super) fn pong() -> Response<Body> {
    text(StatusCode::OK, "pong")
}

/// `GET …/metadata/execution-environment` (developer guide, "Lambda metadata endpoint").
pub(super) fn metadata(token: Option<&str>, facts: &Facts) -> Response<Body> {
    if token != Some(facts.metadata_token.expose().as_str()) {
        return text(StatusCode::UNAUTHORIZED, "Unauthorized");
    }
    let Some(zone) = &facts.zone else { return status(StatusCode::SERVICE_UNAVAILABLE) };
    let body = serde_json::json!({ "AvailabilityZoneID": zone }).to_string();
    let mut response = response(StatusCode::OK, "application/json", body.into());
    let age = HeaderValue::from_static("private, max-age=43200, immutable");
    response.headers_mut().insert(CACHE_CONTROL, age);
    response
}

fn deliver(event: &Event, invocation: &Invocation) -> Response<Body> {
    // Exactly this type: Python's client decodes the event only if it is equal to it.
    let mut response = response(StatusCode::OK, "application/json", Bytes::new());
    let pieces = event.payload.expose().clone();
    // A stream says by itself neither that it has a length nor which.
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(pieces.length()));
    *response.body_mut() = match pieces {
        Pieces::Memory(bytes) => Body::Left(Full::new(bytes)),
        pieces @ Pieces::Spooled(_) => {
            Body::Right(StreamBody::new(pieces.stream().map_ok(Frame::data).boxed()))
        }
    };
    let headers = response.headers_mut();
    headers.insert("lambda-runtime-deadline-ms", HeaderValue::from(invocation.deadline));
    for (name, value) in context(event, invocation) {
        if let Some(value) = value.filter(|value| !value.is_empty()).and_then(header) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// What the context says, header by header. What is not known is left out: clients take a header
/// that is there but empty for a value.
fn context<'a>(
    event: &'a Event,
    invocation: &'a Invocation,
) -> [(&'static str, Option<&'a str>); 7] {
    let json =
        |it: &'a Option<ledger::Redacted<String>>| it.as_ref().map(|it| it.expose().as_str());
    [
        ("lambda-runtime-aws-request-id", Some(&event.request_id)),
        ("lambda-runtime-invocation-id", Some(&invocation.nonce)),
        ("lambda-runtime-invoked-function-arn", Some(&event.function_arn)),
        ("lambda-runtime-trace-id", Some(&event.trace_id)),
        ("lambda-runtime-client-context", json(&event.client_context)),
        ("lambda-runtime-cognito-identity", json(&event.identity)),
        ("lambda-runtime-aws-tenant-id", event.tenant.as_deref()),
    ]
}

/// JSON may be spread over lines, a header may not: its white space is not part of any value.
fn header(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok().or_else(|| {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        HeaderValue::from_bytes(json.to_string().as_bytes()).ok()
    })
}

/// 500
pub(super) fn internal() -> Response<Body> {
    error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error")
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response<Body> {
    json(status, serde_json::json!({ "errorMessage": message, "errorType": kind }).to_string())
}

fn json(status: StatusCode, mut body: String) -> Response<Body> {
    body.push('\n');
    response(status, "application/json", body.into())
}

fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    response(status, "text/plain; charset=utf-8", Bytes::from_static(body.as_bytes()))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Left(Full::default()));
    *response.status_mut() = status;
    response
}

fn response(code: StatusCode, kind: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Left(Full::new(body)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
pub(super) mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::config::Context;

    pub(in crate::api) fn facts() -> Facts {
        Facts {
            name: "f".into(),
            version: "$LATEST".into(),
            handler: "app.handler".into(),
            account: Some("123456789012".into()),
            zone: Some("use1-az1".into()),
            metadata_token: "token".to_owned().into(),
            extensions: true,
            concurrency: None,
            response_limit: None,
            stream_limit: None,
        }
    }

    pub(in crate::api) fn invocation() -> Invocation {
        Invocation { id: "r".into(), nonce: "n".into(), limit: 1, deadline: 42 }
    }

    pub(in crate::api) fn event(context: Context) -> Event {
        Event::new(Bytes::from_static(b"[]"), context, "arn", 0)
    }

    /// Status, content type and body.
    pub(super) fn seen(response: Response<Body>) -> (u16, String, String) {
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.map_or_else(String::new, |it| it.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = futures_util::FutureExt::now_or_never(response.into_body().collect());
        let body = body.unwrap().unwrap().to_bytes();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn an_answer_that_was_taken_is_202() {
        let (status, kind, body) = seen(render(Answer::Accepted, &facts(), false));
        assert_eq!((status, kind.as_str()), (202, "application/json"));
        assert_eq!(body, "{\"status\":\"OK\"}\n");
    }

    #[test]
    fn an_event_carries_its_context_and_nothing_that_is_not_known() {
        let context = Context {
            client_context: Some("{\n \"a\": \"\u{e9}\" }".to_owned().into()),
            ..Context::default()
        };
        let event = Event { trace_id: String::new(), ..event(context) };
        let response = render(Answer::Event(event.clone().into(), invocation()), &facts(), false);
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap())
        };
        assert_eq!(header("content-type").unwrap(), "application/json");
        assert_eq!(header("Lambda-Runtime-Deadline-Ms").unwrap(), "42");
        assert_eq!(header("Lambda-Runtime-Invocation-Id").unwrap(), "n");
        assert_eq!(header("Lambda-Runtime-Aws-Request-Id").unwrap(), event.request_id);
        assert_eq!(header("Lambda-Runtime-Client-Context").unwrap(), "{\"a\":\"\u{e9}\"}");
        assert_eq!(header("Lambda-Runtime-Trace-Id"), None);
        assert_eq!(header("Lambda-Runtime-Cognito-Identity"), None);
        assert_eq!(header("Lambda-Runtime-Aws-Tenant-Id"), None);
    }

    #[test]
    fn what_is_no_call_is_404_text_or_404_or_405_empty() {
        let (status, kind, body) = seen(reject(NoCall::UnknownPath));
        assert_eq!((status, kind.as_str()), (404, "text/plain; charset=utf-8"));
        assert_eq!(body, "404 page not found\n");
        assert_eq!(seen(reject(NoCall::Disabled)), (404, String::new(), String::new()));
        let wrong = reject(NoCall::WrongMethod("POST"));
        assert_eq!(wrong.headers()[ALLOW], "POST");
        assert_eq!(seen(wrong), (405, String::new(), String::new()));
    }

    #[test]
    fn metadata_are_for_those_who_have_the_token() {
        let known = metadata(Some("token"), &facts());
        assert_eq!(known.headers()[CACHE_CONTROL], "private, max-age=43200, immutable");
        assert_eq!(seen(known).2, r#"{"AvailabilityZoneID":"use1-az1"}"#);
        for token in [None, Some("x")] {
            let (status, _, body) = seen(metadata(token, &facts()));
            assert_eq!((status, body.as_str()), (401, "Unauthorized"));
        }
        let unknown = Facts { zone: None, ..facts() };
        assert_eq!(metadata(Some("token"), &unknown).status(), 503);
    }

    #[test]
    fn a_subscription_is_ok_or_invalid() {
        let seen = |answer| seen(render(answer, &facts(), false));
        assert_eq!(seen(Answer::Subscribed), (200, "application/json".into(), "\"OK\"\n".into()));
        let invalid = seen(Answer::Invalid(Feed::Logs, "m".into()));
        assert_eq!(invalid.0, 400);
        assert!(invalid.2.contains(r#""errorType":"Logs.ValidationError""#), "{}", invalid.2);
    }
}
