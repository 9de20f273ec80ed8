//! Why a call is not carried out, and how Lambda says so: statuses, types and bodies as one pure table.
//!
//! Sources: Lambda API reference, and bodies recorded on AWS. Which errors a client repeats follows from the status:
//! every SDK repeats 429 and 5xx with back-off, and nothing else.

use std::fmt;

use bytes::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::{self, Body};
use super::call::NoCall;

/// Why a call is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is none.
    NoCall(NoCall),
    /// Path and query name two different qualifiers.
    Qualifiers,
    /// A page in a browser asks that may not.
    Origin,
    /// The body never came to its end.
    Truncated,
    /// The event is not JSON: what the parser says.
    NotJson(String),
    /// The event is larger than this.
    TooLarge(u64),
    /// As many invocations as there may be are under way or waiting.
    Busy,
    /// As many events as there may be are waiting.
    Full,
    /// The request id that the caller chose is that of an invocation under way.
    Duplicate,
    /// The event is large, and there was no room for it on the disk.
    Unkept,
    /// The environment went away with the invocation.
    Lost,
    /// The supervisor was told to stop.
    Stopping,
}

/// The error as people read it.
impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCall(no_call) => formatter.write_str(&message(no_call)),
            Self::Qualifiers => formatter.write_str(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ),
            Self::Origin => formatter
                .write_str("Requests from web pages are refused unless their origin is allowed with --cors"),
            Self::Truncated => formatter.write_str("The request body ended too early"),
            Self::NotJson(problem) => write!(
                formatter,
                "Could not parse request body into json: Could not parse payload into json: {problem}"
            ),
            Self::TooLarge(limit) => write!(
                formatter,
                "Request must be smaller than {limit} bytes for the InvokeFunction operation"
            ),
            Self::Busy | Self::Full => formatter.write_str("Rate Exceeded."),
            Self::Duplicate => formatter.write_str("An invocation with this request id is under way"),
            Self::Unkept => formatter.write_str("The event could not be kept: there is no room on the disk, or it fails"),
            Self::Lost => formatter.write_str("The execution environment ended before there was an answer"),
            Self::Stopping => formatter.write_str("The server is stopping"),
        }
    }
}

fn message(no_call: &NoCall) -> String {
    match no_call {
        NoCall::UnknownPath => {
            "Only invocations are served here: POST /2015-03-31/functions/NAME/invocations"
                .to_owned()
        }
        NoCall::WrongMethod(allowed) => format!("Expected the method {allowed}"),
        NoCall::Value { parameter, found, allowed } => format!(
            "1 validation error detected: Value '{found}' at '{parameter}' failed to satisfy constraint: Member must satisfy enum value set: {allowed}"
        ),
        NoCall::ClientContext => {
            "Client context must be a valid Base64-encoded JSON object.".to_owned()
        }
        NoCall::Identity => "Cognito identity must be a JSON object.".to_owned(),
    }
}

impl Refusal {
    /// Status and error type.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoCall(NoCall::UnknownPath) => {
                (StatusCode::NOT_FOUND, "ResourceNotFoundException")
            }
            Self::NoCall(NoCall::WrongMethod(_)) => {
                (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException")
            }
            Self::NoCall(NoCall::Value { .. }) => (StatusCode::BAD_REQUEST, "ValidationException"),
            Self::Qualifiers => (StatusCode::BAD_REQUEST, "InvalidParameterValueException"),
            Self::NoCall(NoCall::ClientContext | NoCall::Identity)
            | Self::Truncated
            | Self::NotJson(_) => (StatusCode::BAD_REQUEST, "InvalidRequestContentException"),
            Self::Duplicate => (StatusCode::BAD_REQUEST, "Client.DuplicatedInvokeId"),
            Self::Origin => (StatusCode::FORBIDDEN, "AccessDeniedException"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException"),
            Self::Busy | Self::Full => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
            // Lambda's own fault, in its own words: worth another try, as there.
            Self::Lost | Self::Unkept => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException"),
            // Another server, or this one a moment later, will do it.
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException"),
        }
    }

    /// Lambda spells `message` in both ways; SDKs read the one of the error's model.
    fn body(&self) -> Value {
        let text = self.to_string();
        match self {
            Self::Busy | Self::Full => {
                json!({ "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": text })
            }
            Self::TooLarge(_) => json!({ "Message": text }),
            Self::NoCall(NoCall::ClientContext) => json!({ "Type": null, "message": text }),
            Self::NoCall(NoCall::Value { .. }) => json!({ "message": text }),
            Self::Lost | Self::Unkept | Self::Stopping => {
                json!({ "Type": "Service", "Message": text })
            }
            Self::NoCall(_) => json!({ "Type": "User", "Message": text }),
            Self::Duplicate => {
                json!({ "errorType": self.kind().1, "errorMessage": text, "message": text })
            }
            Self::Qualifiers | Self::Origin | Self::Truncated | Self::NotJson(_) => {
                json!({ "Type": "User", "message": text })
            }
        }
    }

    /// The response.
    pub(super) fn render(&self) -> Response<Body> {
        let (status, kind) = self.kind();
        let mut response = Response::new(body::full(Bytes::from(self.body().to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(kind));
        match self {
            Self::Busy | Self::Full | Self::Stopping => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Duplicate => {
                headers.insert("error-type", HeaderValue::from_static(kind));
            }
            Self::NoCall(NoCall::WrongMethod(allowed)) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_those_of_lambda() {
        let table = [
            (Refusal::NoCall(NoCall::UnknownPath), 404, "ResourceNotFoundException"),
            (Refusal::NoCall(NoCall::WrongMethod("POST")), 405, "MethodNotAllowedException"),
            (Refusal::NoCall(NoCall::ClientContext), 400, "InvalidRequestContentException"),
            (Refusal::Qualifiers, 400, "InvalidParameterValueException"),
            (Refusal::NotJson("x".into()), 400, "InvalidRequestContentException"),
            (Refusal::TooLarge(6), 413, "RequestEntityTooLargeException"),
            (Refusal::Busy, 429, "TooManyRequestsException"),
            (Refusal::Full, 429, "TooManyRequestsException"),
            (Refusal::Lost, 500, "ServiceException"),
            (Refusal::Unkept, 500, "ServiceException"),
            (Refusal::Stopping, 503, "ServiceUnavailableException"),
            (Refusal::Origin, 403, "AccessDeniedException"),
        ];
        for (refusal, status, kind) in table {
            let response = refusal.render();
            let found = response.headers()["x-amzn-errortype"].to_str().unwrap();
            assert_eq!((response.status().as_u16(), found), (status, kind), "{refusal:?}");
        }
    }

    #[test]
    fn a_client_is_told_when_to_come_back() {
        let body = r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#;
        assert_eq!(Refusal::Busy.body().to_string(), body);
        assert_eq!(Refusal::Busy.render().headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn a_wrong_value_is_quoted_with_what_is_allowed() {
        let refusal = Refusal::NoCall(NoCall::Value {
            parameter: "logType",
            found: "x".into(),
            allowed: "[Tail, None]",
        });
        assert_eq!(
            refusal.to_string(),
            "1 validation error detected: Value 'x' at 'logType' failed to satisfy constraint: Member must satisfy enum value set: [Tail, None]"
        );
    }
}
