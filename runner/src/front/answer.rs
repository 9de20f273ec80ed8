//! What became of an invocation → HTTP response, as Lambda's Invoke API words it. Pure but for opening a spooled answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::{self, Body};
use super::refusal::Refusal;
use super::stream::EVENT_STREAM;
use crate::order::Answer;

/// What every response to an invocation tells.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Request id.
    pub(super) request_id: String,
    /// X-Ray trace header.
    pub(super) trace_id: String,
    /// The version that was run, if one was.
    pub(super) version: Option<String>,
}

/// The whole answer. Lambda calls every answer JSON; AWS's emulator leaves the word to the runtime.
pub(super) fn whole(answer: Answer, emulated: bool) -> Result<Response<Body>, Refusal> {
    let (body, length) = body::payload(answer.payload).map_err(|_| Refusal::Lost)?;
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let sent = answer.content_type.filter(|_| emulated);
    let kind = sent.and_then(|kind| HeaderValue::from_str(&kind).ok());
    headers.insert(CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/json")));
    headers.insert(CONTENT_LENGTH, length.into());
    if answer.failed {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    if let Some(tail) = answer.tail {
        set(&mut response, "x-amz-log-result", &BASE64.encode(tail));
    }
    Ok(response)
}

/// An answer that comes as events.
pub(super) fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    response
}

/// An event was accepted for later: 202. Nothing was to be run: 204.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::full(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// Somebody is there.
pub(super) fn healthy() -> Response<Body> {
    let mut response = Response::new(body::full(Bytes::from_static(b"OK\n")));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// What may be asked for.
pub(super) fn options() -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    response
}

/// Adds what every response to an invocation tells.
pub(super) fn stamp(response: &mut Response<Body>, told: &Told) {
    set(response, "x-amzn-requestid", &told.request_id);
    set(response, "x-amzn-trace-id", &told.trace_id);
    if let Some(version) = &told.version {
        set(response, "x-amz-executed-version", version);
    }
    set(response, "x-amzn-remapped-content-length", "0");
}

/// Sets a header; a value that cannot be one is left out.
pub(super) fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(failed: bool) -> Answer {
        Answer {
            error_type: Some("E".into()),
            content_type: Some("text/html".into()),
            tail: Some(b"END".to_vec()),
            ..Answer::new(b"<p/>".to_vec().into(), failed)
        }
    }

    #[test]
    fn an_answer_has_lambdas_headers() {
        let mut response = whole(answer(true), false).unwrap();
        let version = Some("$LATEST".into());
        let told = Told { request_id: "r".into(), trace_id: "Root=1".into(), version };
        stamp(&mut response, &told);
        let table = [
            ("content-type", "application/json"),
            ("content-length", "4"),
            ("x-amz-function-error", "Unhandled"),
            ("x-amz-log-result", "RU5E"),
            ("x-amz-executed-version", "$LATEST"),
            ("x-amzn-requestid", "r"),
            ("x-amzn-remapped-content-length", "0"),
            ("x-amzn-trace-id", "Root=1"),
        ];
        for (name, value) in table {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        let sound = whole(answer(false), false).unwrap();
        assert!(!sound.headers().contains_key("x-amz-function-error"));
    }

    #[test]
    fn the_emulators_callers_get_the_type_that_the_runtime_sent() {
        assert_eq!(whole(answer(false), true).unwrap().headers()[CONTENT_TYPE], "text/html");
        let silent = Answer { content_type: None, ..answer(false) };
        assert_eq!(whole(silent, true).unwrap().headers()[CONTENT_TYPE], "application/json");
    }
}
