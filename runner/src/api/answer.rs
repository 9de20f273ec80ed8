//! [`Answer`] → HTTP response: the Runtime API's statuses, headers and bodies as pure tables.
//! Statuses and texts are those of AWS's emulator (`rapi/rendering`) and the developer guide.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::call::NoCall;
use crate::job::Event;
use crate::session::Refusal;

/// What the session decided about a call.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Here is an event, to be handled before this moment (milliseconds since the epoch).
    Event(Event, u64),
    /// The upload may begin. Never leaves the program.
    Proceed,
    /// The upload was taken.
    Accepted,
    /// The call was not allowed.
    Refused(Refusal),
    /// The supervisor is on its way out and nobody decides any more.
    Closed,
}

/// An answer's body: always small or shared.
pub(super) type Body = Full<Bytes>;

/// The response to a call.
pub(super) fn render(answer: Answer) -> Response<Body> {
    match answer {
        Answer::Event(event, deadline) => deliver(&event, deadline),
        Answer::Proceed | Answer::Accepted => {
            json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
        }
        Answer::Refused(refusal) => refuse(refusal),
        Answer::Closed => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error")
        }
    }
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
        NoCall::WrongMethod(allowed) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            response
        }
    }
}

/// `GET …/ping`
pub(super) fn pong() -> Response<Body> {
    text(StatusCode::OK, "pong")
}

fn deliver(event: &Event, deadline: u64) -> Response<Body> {
    let mut response = Response::new(Full::new(event.payload.expose().clone()));
    let headers = response.headers_mut();
    // Exactly this: Python's client decodes the event only if the type is equal to it.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("lambda-runtime-deadline-ms", HeaderValue::from(deadline));
    for (name, value) in context(event) {
        if let Some(value) = value.and_then(header) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// What the context says, header by header. What is not known is left out: clients take a header
/// that is there but empty for a value.
fn context(event: &Event) -> [(&'static str, Option<&str>); 5] {
    [
        ("lambda-runtime-aws-request-id", Some(&event.request_id)),
        ("lambda-runtime-invoked-function-arn", Some(&event.function_arn)),
        ("lambda-runtime-trace-id", Some(&event.trace_id)),
        (
            "lambda-runtime-client-context",
            event.client_context.as_ref().map(|json| json.expose().as_str()),
        ),
        (
            "lambda-runtime-cognito-identity",
            event.identity.as_ref().map(|json| json.expose().as_str()),
        ),
    ]
}

/// JSON may be spread over lines, a header may not: its white space is not part of any value.
fn header(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok().or_else(|| {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        HeaderValue::from_str(&json.to_string()).ok()
    })
}

fn refuse(refusal: Refusal) -> Response<Body> {
    let bad = StatusCode::BAD_REQUEST;
    match refusal {
        Refusal::UnknownRequest => error(bad, "InvalidRequestID", "Invalid request ID"),
        Refusal::Truncated => {
            error(bad, "TruncatedHTTPRequest", "HTTP request detected as truncated")
        }
        Refusal::ResponseMode => {
            error(bad, "InvalidFunctionResponseMode", "Invalid function response mode")
        }
        Refusal::Unkept => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error")
        }
        Refusal::Transition { from, to } => {
            let message = format!(
                "State transition from {} to {} failed for runtime. Error: State transition is not allowed",
                from.name(),
                to.name()
            );
            error(StatusCode::FORBIDDEN, "InvalidStateTransition", &message)
        }
        _ => error(bad, "Unwritten", "the other refusals come with the Extensions API"),
    }
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

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Context;
    use crate::session::{Kind, State};

    #[test]
    fn refusals_have_their_documented_status() {
        let transition =
            Refusal::Transition { from: State::Sent, to: State::Receiving(Kind::Response) };
        let table = [
            (Refusal::UnknownRequest, 400),
            (transition, 403),
            (Refusal::Truncated, 400),
            (Refusal::ResponseMode, 400),
            (Refusal::Unkept, 500),
        ];
        for (refusal, status) in table {
            assert_eq!(render(Answer::Refused(refusal.clone())).status(), status, "{refusal:?}");
        }
    }

    #[test]
    fn an_answer_that_was_taken_is_202() {
        let response = render(Answer::Accepted);
        assert_eq!(response.status(), 202);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn an_event_carries_its_context_and_nothing_that_is_not_known() {
        let context = Context {
            client_context: Some("{\n \"a\": 1 }".to_owned().into()),
            ..Context::default()
        };
        let event = Event::new(Bytes::from_static(b"[]"), context, "arn", 0);
        let response = render(Answer::Event(event.clone(), 42));
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("content-type").unwrap(), "application/json");
        assert_eq!(header("Lambda-Runtime-Deadline-Ms").unwrap(), "42");
        assert_eq!(header("Lambda-Runtime-Aws-Request-Id").unwrap(), event.request_id);
        assert_eq!(header("Lambda-Runtime-Client-Context").unwrap(), r#"{"a":1}"#);
        assert_eq!(header("Lambda-Runtime-Cognito-Identity"), None);
    }

    #[test]
    fn what_is_no_call_is_404_text_or_405_empty() {
        let missing = reject(NoCall::UnknownPath);
        assert_eq!(
            (missing.status(), &missing.headers()["x-content-type-options"]),
            (StatusCode::NOT_FOUND, &HeaderValue::from_static("nosniff"))
        );
        let wrong = reject(NoCall::WrongMethod("POST"));
        assert_eq!(
            (wrong.status(), &wrong.headers()[ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &HeaderValue::from_static("POST"))
        );
    }
}
