//! What runtimes are answered, over sockets.

use super::*;
use crate::api::answer::tests::{event, invocation};
use crate::config::Context;
use crate::session::{Kind, Refusal, State};

#[tokio::test]
async fn what_is_no_call_is_told_as_lambda_tells_it() {
    let unknown = (404, Some("text/plain; charset=utf-8"), None, "404 page not found\n");
    let wrong = |allow| (405, None, Some(allow), "");
    let table = [
        ("GET", "/", unknown),
        ("GET", "/runtime/invocation/next", unknown),
        ("GET", "/2018-06-01/runtime/restore/next", unknown),
        ("POST", "/2018-06-01/runtime/restore/error", unknown),
        ("GET", "/2021-04-23/credentials", unknown),
        ("GET", "/2015-03-31/functions/function/invocations", unknown),
        ("GET", "/2018-06-01/runtime/invocation/next/", unknown),
        ("POST", NEXT, wrong("GET")),
        ("DELETE", "/2018-06-01/ping", wrong("GET")),
        ("GET", RESPONSE, wrong("POST")),
        ("PUT", ERROR, wrong("POST")),
        ("GET", INIT_ERROR, wrong("POST")),
        ("GET", "/2020-01-01/extension/register", wrong("POST")),
        ("POST", "/2020-01-01/extension/event/next", wrong("GET")),
        ("GET", "/2022-07-01/telemetry", wrong("PUT")),
        ("POST", "/2020-08-15/logs", wrong("PUT")),
        ("POST", "/2026-01-15/metadata/execution-environment", wrong("GET")),
    ];
    let server = Server::start().await;
    let mut client = server.connect().await;
    for (method, path, (status, content_type, allow, body)) in table {
        let sent = format!("{method} {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}");
        client.send(sent).await;
        let response = client.response().await;
        assert_eq!((response.status, response.body.as_str()), (status, body), "{method} {path}");
        assert_eq!(response.header("content-type"), content_type, "{method} {path}");
        assert_eq!(response.header("allow"), allow, "{method} {path}");
        let nosniff = response.header("x-content-type-options");
        assert_eq!(nosniff, (status == 404).then_some("nosniff"), "{method} {path}");
    }
}

#[tokio::test]
async fn ping_is_answered_without_anybody_else() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    client.get("/2018-06-01/ping?x=y", "Accept: application/xml\r\n").await;
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (200, "pong"));
    assert!(server.is_quiet());
}

#[tokio::test]
async fn next_carries_the_event_and_all_that_is_known_of_it() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let context = Context {
        request_id: Some("8476a536-e9f4-11e8-9739-2dfe598c3fcd".into()),
        client_context: Some(r#"{"client":{},"custom":{"a":"b"},"env":{}}"#.to_owned().into()),
        identity: Some(
            r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#.to_owned().into(),
        ),
        ..Context::default()
    };
    let mut event = event(context);
    event.tenant = Some("blue".into());
    client.get(NEXT, "Accept: application/xml\r\n").await;
    let asked = server.answer(Answer::Event(event.clone().into(), invocation())).await;
    assert!(matches!(asked.input, Input::Next(_)));
    let response = client.response().await;
    let expected = [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "42"),
        ("lambda-runtime-invoked-function-arn", "arn"),
        ("lambda-runtime-trace-id", &event.trace_id),
        ("lambda-runtime-invocation-id", "n"),
        ("lambda-runtime-client-context", r#"{"client":{},"custom":{"a":"b"},"env":{}}"#),
        (
            "lambda-runtime-cognito-identity",
            r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#,
        ),
        ("lambda-runtime-aws-tenant-id", "blue"),
    ];
    for (name, value) in expected {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    assert_eq!((response.status, response.body.as_str()), (200, "[]"));
}

/// The status decides what a client does, and the text what people read.
#[tokio::test]
async fn refusals_are_errors_with_a_type_and_a_message() {
    let moved = Refusal::Transition { from: State::Sent, to: State::Receiving(Kind::Response) };
    let text = "State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed";
    let table = [
        (Refusal::UnknownRequest, 400, "InvalidRequestID", "Invalid request ID"),
        (moved, 403, "InvalidStateTransition", text),
        (Refusal::InvokeTimeout, 410, "InvokeTimeout", "Invoke timeout"),
    ];
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    for (refusal, status, kind, message) in table {
        client.post(RESPONSE, "Accept: application/xml\r\n", "{}").await;
        server.answer(Answer::Refused(refusal)).await;
        let error = client.response().await.error();
        assert_eq!(error, (status, kind.to_owned(), message.to_owned()));
    }
    let late = [
        (Refusal::ResponseMode, 400, "InvalidFunctionResponseMode"),
        (Refusal::TooLarge(6_291_556), 413, "RequestEntityTooLarge"),
        (Refusal::Unkept, 500, "InternalServerError"),
    ];
    for (refusal, status, kind) in late {
        client.post(RESPONSE, "", "{}").await;
        server.answer(Answer::Proceed(None)).await;
        server.answer(Answer::Refused(refusal)).await;
        let error = client.response().await.error();
        assert_eq!((error.0, error.1.as_str()), (status, kind));
    }
}

#[tokio::test]
async fn metadata_are_for_those_who_have_the_token() {
    let path = "/2026-01-15/metadata/execution-environment";
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    client.get(path, "Authorization: Bearer token\r\n").await;
    let response = client.response().await;
    assert_eq!(response.body, r#"{"AvailabilityZoneID":"use1-az1"}"#);
    assert_eq!(response.header("cache-control"), Some("private, max-age=43200, immutable"));
    assert_eq!(response.header("content-type"), Some("application/json"));
    let refused =
        ["", "Authorization:\r\n", "Authorization: token\r\n", "Authorization: Bearer\r\n"];
    let refused = refused
        .into_iter()
        .chain(["Authorization: Bearer x\r\n", "Authorization: Basic token\r\n"]);
    for headers in refused {
        client.get(path, headers).await;
        let response = client.response().await;
        assert_eq!((response.status, response.body.as_str()), (401, "Unauthorized"), "{headers}");
    }
    assert!(server.is_quiet());
    let server = Server::with(Facts { zone: None, ..facts() }).await;
    let mut client = server.connect().await;
    client.get(path, "Authorization: Bearer token\r\n").await;
    assert_eq!(client.response().await.status, 503);
}
