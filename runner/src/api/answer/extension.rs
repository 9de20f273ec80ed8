//! What an extension is answered: its registration, and the events.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda Extensions API".

use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Body, Facts, json as json_response, response};
use crate::job::Event;
use crate::session::{ExtensionId, Invocation, Millis, Reason};

/// Who it is from now on, and what it is an extension of. The account only if it asked.
pub(super) fn registered(id: ExtensionId, facts: &Facts, account: bool) -> Response<Body> {
    let account = facts.account.as_ref().filter(|_| account);
    let fields = [
        ("functionName", Some(&facts.name)),
        ("functionVersion", Some(&facts.version)),
        ("handler", Some(&facts.handler)),
        ("accountId", account),
    ];
    let body: Map<String, Value> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.as_str().into())))
        .collect();
    let response = json_response(StatusCode::OK, Value::Object(body).to_string());
    with(response, "lambda-extension-identifier", Uuid::from_u128(id.0))
}

pub(super) fn invoke(event: &Event, invocation: &Invocation) -> Response<Body> {
    let mut body = json!({
        "eventType": "INVOKE",
        "deadlineMs": invocation.deadline,
        "requestId": event.request_id,
        "invokedFunctionArn": event.function_arn,
    });
    if !event.trace_id.is_empty() {
        body["tracing"] = json!({ "type": "X-Amzn-Trace-Id", "value": event.trace_id });
    }
    let response = response(StatusCode::OK, "application/json", body.to_string().into());
    with(response, "lambda-extension-event-identifier", Uuid::new_v4())
}

pub(super) fn shutdown(reason: Reason, deadline: Millis) -> Response<Body> {
    let body = json!({
        "eventType": "SHUTDOWN",
        "shutdownReason": reason.name(),
        "deadlineMs": deadline,
    });
    response(StatusCode::OK, "application/json", body.to_string().into())
}

fn with(mut response: Response<Body>, name: &'static str, id: Uuid) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::super::tests::{event, facts, invocation, seen};
    use super::*;
    use crate::config::Context;

    #[test]
    fn the_account_is_told_to_those_who_ask() {
        let asked = registered(ExtensionId(10), &facts(), true);
        let id = asked.headers()["lambda-extension-identifier"].clone();
        assert_eq!(id, "00000000-0000-0000-0000-00000000000a");
        let body: Value = serde_json::from_str(&seen(asked).2).unwrap();
        let expected = json!({
            "functionName": "f", "functionVersion": "$LATEST", "handler": "app.handler",
            "accountId": "123456789012",
        });
        assert_eq!(body, expected);
        assert!(!seen(registered(ExtensionId(10), &facts(), false)).2.contains("accountId"));
    }

    #[test]
    fn events_have_their_documented_fields() {
        let event = event(Context::default());
        let told = invoke(&event, &invocation());
        assert!(told.headers().contains_key("lambda-extension-event-identifier"));
        let body: Value = serde_json::from_str(&seen(told).2).unwrap();
        assert_eq!((&body["eventType"], &body["deadlineMs"]), (&json!("INVOKE"), &json!(42)));
        assert_eq!(body["tracing"]["value"], json!(event.trace_id));
        let untraced = Event { trace_id: String::new(), ..event };
        assert!(!seen(invoke(&untraced, &invocation())).2.contains("tracing"));
        let body: Value = serde_json::from_str(&seen(shutdown(Reason::Timeout, 7)).2).unwrap();
        let expected = json!({
            "eventType": "SHUTDOWN", "shutdownReason": "timeout", "deadlineMs": 7,
        });
        assert_eq!(body, expected);
    }
}
