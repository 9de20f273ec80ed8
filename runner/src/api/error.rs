//! What runtimes say when a function fails: error bodies, and the trailers of streams. Pure.
//!
//! Source: AWS's emulator (`rapi/handler/invocationerror.go`, `initerror.go`); developer guide,
//! "Building a custom runtime".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::HeaderMap;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::call::error_type;

/// Type and body of the error that a streamed answer ended in.
pub(super) type StreamError = (String, Vec<u8>);

/// Does an error body of this type carry a cause for X-Ray beside what the caller is to see?
pub(super) fn has_cause(content_type: Option<&str>) -> bool {
    content_type == Some("application/vnd.aws.lambda.error.cause+json")
}

/// What the caller sees of an error with a cause, and its content type.
pub(super) fn without_cause(body: &[u8]) -> (Vec<u8>, &'static str) {
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut object)) => {
            object.remove("errorCause");
            (Value::Object(object).to_string().into_bytes(), "application/json")
        }
        Ok(_) | Err(_) => (br#""Invalid error body""#.to_vec(), "application/octet-stream"),
    }
}

/// The content type of an init error, whatever the runtime says.
pub(super) fn init_type(body: &[u8]) -> &'static str {
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => "application/json",
        Err(_) => "application/octet-stream",
    }
}

/// The error that a streamed answer ended in: `Lambda-Runtime-Function-Error-Body`, a JSON object
/// in base64, or else the type alone.
pub(super) fn of_stream(trailers: &HeaderMap) -> Option<StreamError> {
    let kind = trailers.get("lambda-runtime-function-error-type")?;
    let kind = String::from_utf8_lossy(kind.as_bytes());
    let body = trailers.get("lambda-runtime-function-error-body");
    let decoded = body.and_then(|body| BASE64.decode(body.as_bytes()).ok());
    let alone = || serde_json::json!({ "errorType": kind }).to_string().into_bytes();
    Some((error_type(trailers), decoded.unwrap_or_else(alone)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_carry_the_error_of_a_broken_stream() {
        let mut trailers = HeaderMap::new();
        assert_eq!(of_stream(&trailers), None);
        trailers.insert("lambda-runtime-function-error-type", "TypeError".parse().unwrap());
        let expected = ("Runtime.Unknown".to_owned(), br#"{"errorType":"TypeError"}"#.to_vec());
        assert_eq!(of_stream(&trailers), Some(expected));
        trailers.insert("lambda-runtime-function-error-type", "Runtime.Xy".parse().unwrap());
        let body = BASE64.encode(r#"{"errorMessage":"m"}"#);
        trailers.insert("lambda-runtime-function-error-body", body.parse().unwrap());
        let (kind, body) = of_stream(&trailers).unwrap();
        assert_eq!((kind.as_str(), &body[..]), ("Runtime.Xy", &br#"{"errorMessage":"m"}"#[..]));
    }

    #[test]
    fn a_cause_is_not_for_the_caller() {
        let (seen, kind) = without_cause(br#"{"errorType":"E","errorCause":{"paths":[]}}"#);
        assert_eq!((&seen[..], kind), (&br#"{"errorType":"E"}"#[..], "application/json"));
        for body in [&b"{"[..], b"[]"] {
            let expected = (br#""Invalid error body""#.to_vec(), "application/octet-stream");
            assert_eq!(without_cause(body), expected);
        }
    }

    #[test]
    fn an_init_error_is_json_where_it_is() {
        for (body, kind) in [
            (&b"{}"[..], "application/json"),
            (b"\"x\"", "application/json"),
            (b"", "application/octet-stream"),
            (b"{} x", "application/octet-stream"),
        ] {
            assert_eq!(init_type(body), kind);
        }
    }
}
