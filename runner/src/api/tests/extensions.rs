//! What extensions are answered, over sockets: registration, events, errors, subscriptions.

use super::*;
use crate::api::answer::tests::{event, invocation};
use crate::config::Context;
use crate::session::{ExtensionId, ExtensionState, Feed, Reason, Refusal, Subscribed};

const REGISTER: &str = "/2020-01-01/extension/register";
const EVENT: &str = "/2020-01-01/extension/event/next";
const NAME: &str = "Lambda-Extension-Name: a\r\n";
const IDENTIFIER: &str = "Lambda-Extension-Identifier: 00000000-0000-0000-0000-00000000000a\r\n";

#[tokio::test]
async fn a_registration_is_put_to_the_session_and_answered_with_facts() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let feature = "Lambda-Extension-Accept-Feature: future, accountId\r\n";
    for (headers, account) in
        [(NAME.to_owned(), None), (format!("{NAME}{feature}"), Some("123456789012"))]
    {
        client.post(REGISTER, &headers, r#"{"events":["INVOKE","SHUTDOWN"]}"#).await;
        let asked = server.answer(Answer::Registered(ExtensionId(10))).await;
        let Input::Register { name, events, .. } = asked.input else { panic!() };
        assert_eq!((name.as_str(), events), ("a", vec![Subscribed::Invoke, Subscribed::Shutdown]));
        let response = client.response().await;
        let id = response.header("lambda-extension-identifier");
        assert_eq!((response.status, id), (200, Some("00000000-0000-0000-0000-00000000000a")));
        let body: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(body["functionName"], "f");
        assert_eq!(body.get("accountId").and_then(|it| it.as_str()), account);
    }
}

#[tokio::test]
async fn a_registration_that_is_none_is_refused_without_asking() {
    let long = format!(r#"{{"events":["{}"]}}"#, "X".repeat(2 << 20));
    let table = [
        ("", "{}", "Extension.InvalidExtensionName", "Empty extension name"),
        (
            "Lambda-Extension-Name:\r\n",
            "",
            "Extension.InvalidExtensionName",
            "Empty extension name",
        ),
        (NAME, "", "InvalidRequestFormat", "unexpected end of JSON input"),
        (NAME, &long, "InvalidRequestFormat", "unexpected end of JSON input"),
        (
            NAME,
            r#"{"events":[],"configurationKeys":["x"]}"#,
            "InvalidRequestFormat",
            "configurationKeys are deprecated; use environment variables instead",
        ),
        (
            NAME,
            r#"{"events":["INVOKE","FOO"]}"#,
            "Extension.InvalidEventType",
            "FOO: ErrorInvalidEventType",
        ),
    ];
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    for (headers, body, kind, message) in table {
        client.post(REGISTER, headers, body).await;
        let error = client.response().await.error();
        assert_eq!(error, (403, kind.to_owned(), message.to_owned()));
    }
    assert!(server.is_quiet());
}

#[tokio::test]
async fn refusals_of_the_session_are_403_in_lambdas_words() {
    let (from, to) = (ExtensionState::Ready, ExtensionState::Ready);
    let parked = "State transition from Ready to Ready failed for extension. Error: State transition is not allowed";
    let table = [
        (
            Refusal::ShutdownForInternal,
            "Extension.InvalidEventType",
            "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
        ),
        (
            Refusal::InvokeForConcurrent,
            "Extension.InvalidEventType",
            "INVOKE: ErrorInvalidEventType",
        ),
        (
            Refusal::RegistrationClosed,
            "Extension.RegistrationClosed",
            "Extension registration closed already",
        ),
        (
            Refusal::AlreadyRegistered,
            "Extension.InvalidExtensionState",
            "Extension with this name already registered",
        ),
        (Refusal::TooManyExtensions, "Extension.TooManyExtensions", "Extension limit (10) reached"),
        (Refusal::ExtensionTransition { from, to }, "Extension.InvalidExtensionState", parked),
    ];
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    for (refusal, kind, message) in table {
        client.post(REGISTER, NAME, r#"{"events":null}"#).await;
        server.answer(Answer::Refused(refusal)).await;
        let error = client.response().await.error();
        assert_eq!(error, (403, kind.to_owned(), message.to_owned()));
    }
}

/// All calls that bear an identifier check it alike.
#[tokio::test]
async fn identifiers_are_checked_first() {
    const ERROR_TYPE: &str = "Lambda-Extension-Function-Error-Type: X.Y\r\n";
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let calls = [
        ("GET", EVENT),
        ("POST", "/2020-01-01/extension/init/error"),
        ("POST", "/2020-01-01/extension/exit/error"),
        ("PUT", "/2022-07-01/telemetry"),
        ("PUT", "/2020-08-15/logs"),
    ];
    let missing = "Missing Lambda-Extension-Identifier header";
    let invalid = "Invalid Lambda-Extension-Identifier";
    let table = [
        ("", "Extension.MissingExtensionIdentifier", missing),
        ("Lambda-Extension-Identifier: x\r\n", "Extension.InvalidExtensionIdentifier", invalid),
    ];
    for (method, path) in calls {
        for (headers, kind, message) in table {
            client
                .send(format!("{method} {path} HTTP/1.1\r\n{headers}Content-Length: 2\r\n\r\n{{}}"))
                .await;
            let error = client.response().await.error();
            assert_eq!(error, (403, kind.to_owned(), message.to_owned()), "{path}");
        }
        assert!(server.is_quiet());
        let head = format!("{method} {path} HTTP/1.1\r\n{IDENTIFIER}{ERROR_TYPE}");
        client.send(format!("{head}Content-Length: 2\r\n\r\n{{}}")).await;
        let id = ExtensionId(10);
        server.answer(Answer::Refused(Refusal::UnknownExtension(id))).await;
        let error = client.response().await.error();
        let unknown = "Unknown extension 00000000-0000-0000-0000-00000000000a";
        assert_eq!(
            (error.1.as_str(), error.2.as_str()),
            ("Extension.UnknownExtensionIdentifier", unknown)
        );
    }
}

#[tokio::test]
async fn events_are_told_with_an_identifier_of_their_own() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        client.get(EVENT, IDENTIFIER).await;
        let told = Answer::Invoke(event(Context::default()).into(), invocation());
        let asked = server.answer(told).await.input;
        assert!(matches!(asked, Input::ExtensionNext { id: ExtensionId(10), .. }));
        let response = client.response().await;
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert!(response.body.contains(r#""eventType":"INVOKE""#));
        seen.push(response.header("lambda-extension-event-identifier").unwrap().to_owned());
    }
    assert_ne!(seen[0], seen[1]);
    client.get(EVENT, IDENTIFIER).await;
    server.answer(Answer::Shutdown(Reason::Spindown, 7)).await;
    let response = client.response().await;
    assert_eq!(response.header("lambda-extension-event-identifier"), None);
    assert!(response.body.contains(r#""shutdownReason":"spindown""#), "{}", response.body);
}

#[tokio::test]
async fn an_extension_says_that_it_fails() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    for (path, is_init) in
        [("/2020-01-01/extension/init/error", true), ("/2020-01-01/extension/exit/error", false)]
    {
        client.post(path, IDENTIFIER, "").await;
        let error = client.response().await.error();
        let message = "Lambda-Extension-Function-Error-Type not found";
        assert_eq!(error, (403, "Extension.MissingHeader".into(), message.into()));
        assert!(server.is_quiet());
        let headers = format!("{IDENTIFIER}Lambda-Extension-Function-Error-Type: X.Y\r\n");
        client.post(path, &headers, r#"{"errorMessage":"m"}"#).await;
        let asked = server.answer(Answer::Accepted).await.input;
        assert!(matches!(asked, Input::ExtensionFault { init, .. } if init == is_init));
        let response = client.response().await;
        assert_eq!((response.status, response.body.as_str()), (202, "{\"status\":\"OK\"}\n"));
    }
}

/// It is about to exit, and may not wait for the answer.
#[tokio::test]
async fn what_an_extension_said_counts_though_it_is_gone() {
    let headers = format!("{IDENTIFIER}Lambda-Extension-Function-Error-Type: X.Y\r\n");
    for body in ["", "{}"] {
        let mut server = Server::start().await;
        let mut client = server.connect().await;
        client.post("/2020-01-01/extension/exit/error", &headers, body).await;
        drop(client);
        assert!(matches!(server.asked().await.input, Input::ExtensionFault { init: false, .. }));
    }
}

#[tokio::test]
async fn a_subscription_is_put_to_the_session_as_it_came() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let send = |path: &str, body: &str| {
        let length = body.len();
        format!("PUT {path} HTTP/1.1\r\n{IDENTIFIER}Content-Length: {length}\r\n\r\n{body}")
    };
    let table = [
        ("/2022-07-01/telemetry", Feed::Telemetry, "ValidationError", "Telemetry"),
        ("/2020-08-15/logs", Feed::Logs, "Logs.ValidationError", "Logs"),
    ];
    for (path, which, kind, api) in table {
        client.send(send(path, "[1]")).await;
        let asked = server.answer(Answer::Subscribed).await;
        assert!(matches!(asked.input, Input::Subscribe { feed, .. } if feed == which));
        assert_eq!(asked.subscription.as_deref(), Some(&b"[1]"[..]));
        let response = client.response().await;
        assert_eq!((response.status, response.body.trim_end()), (200, "\"OK\""));
        client.send(send(path, "{}")).await;
        server.answer(Answer::Invalid(which, "m".into())).await;
        assert_eq!(client.response().await.error(), (400, kind.into(), "m".into()));
        client.send(send(path, "{}")).await;
        server.answer(Answer::Refused(Refusal::SubscriptionClosed(which))).await;
        let closed = (
            403,
            format!("{api}.SubscriptionClosed"),
            format!("{api} API subscription is closed already"),
        );
        assert_eq!(client.response().await.error(), closed);
    }
    client.send(send("/2020-08-15/logs", &"x".repeat((1 << 20) + 1))).await;
    assert_eq!(server.asked().await.subscription.as_deref(), Some(&b""[..]));
}

#[tokio::test]
async fn without_extensions_there_are_no_such_calls() {
    let mut server = Server::with(Facts { extensions: false, ..facts() }).await;
    let mut client = server.connect().await;
    let paths = [
        "extension/register",
        "extension/event/next",
        "extension/init/error",
        "extension/exit/error",
    ];
    let paths = paths.map(|path| format!("/2020-01-01/{path}")).into_iter();
    for path in paths.chain(["/2022-07-01/telemetry".into(), "/2020-08-15/logs".into()]) {
        client.post(&path, NAME, "{}").await;
        let response = client.response().await;
        assert_eq!((response.status, response.body.as_str()), (404, ""), "{path}");
        assert_eq!(response.header("content-type"), None);
    }
    assert!(server.is_quiet());
}

#[tokio::test]
async fn managed_instances_have_no_logs_api() {
    let server = Server::with(Facts { concurrency: Some(2), ..facts() }).await;
    let mut client = server.connect().await;
    client
        .send(format!("PUT /2020-08-15/logs HTTP/1.1\r\n{IDENTIFIER}Content-Length: 0\r\n\r\n"))
        .await;
    assert_eq!(client.response().await.status, 404);
}
