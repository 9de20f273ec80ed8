//! What is sent for each destination, in Lambda's own shapes.

use serde_json::{Value, json};

use super::*;
use crate::destination::request::request;

fn known() -> Known {
    Known {
        url: Some("https://sqs.eu-west-1.amazonaws.com/123456789012/done".into()),
        largest: None,
    }
}

fn made(parcel: &Parcel, destination: &str) -> Request {
    request(parcel, &destination.parse().unwrap(), &known()).unwrap()
}

fn failed(payload: &str) -> Parcel {
    parcel("1", payload, Condition::RetriesExhausted)
}

#[test]
fn a_queue_gets_the_record_and_the_job() {
    let made_of =
        made(&answered("1", "2"), "sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/done");
    let Request::Queue(message) = made_of else { panic!("{made_of:?}") };
    let expected = record("1", Condition::Success).whole(b"2");
    assert_eq!(message.body.expose(), expected.expose().get());
    assert_eq!((Some(message.to.clone()), message.id()), (known().url, None));
    assert_eq!((message.region.as_deref(), message.job.as_str()), (Some("eu-west-1"), "j-1"));
    let fifo = Known { url: Some("http://localhost/1/done.fifo".into()), largest: None };
    let made = request(&answered("1", "2"), &"sqs:http://localhost/1/x".parse().unwrap(), &fifo);
    let Request::Queue(message) = made.unwrap() else { panic!("no message") };
    assert_eq!((message.id().as_deref(), message.region), (Some("j-1"), None));
}

#[test]
fn a_queue_is_taken_at_its_word() {
    let parcel = answered("1", &format!("\"{}\"", "x".repeat(2_000)));
    let arn = "arn:aws:sqs:eu-west-1:123456789012:done".parse().unwrap();
    let body = |largest| {
        let known = Known { largest: Some(largest), ..known() };
        let Request::Queue(message) = request(&parcel, &arn, &known).unwrap() else { panic!() };
        message.body.into_inner()
    };
    let whole = body(1 << 20);
    // The attribute counts: its name, its type, its value.
    let around = "ImmortalJobStringj-1".len();
    assert_eq!(body(whole.len() + around), whole);
    assert!(body(whole.len() + around - 1).contains(r#""immortal":"#));
}

#[test]
fn a_topic_gets_the_same() {
    let made = made(&answered("1", "2"), "sns:arn:aws:sns:eu-west-1:123456789012:done.fifo");
    let Request::Topic(message) = made else { panic!("{made:?}") };
    let expected = record("1", Condition::Success).whole(b"2");
    assert_eq!(message.body.expose(), expected.expose().get());
    assert_eq!(message.to, "arn:aws:sns:eu-west-1:123456789012:done.fifo");
    assert_eq!(
        (message.region.as_deref(), message.id().as_deref()),
        (Some("eu-west-1"), Some("j-1"))
    );
}

#[test]
fn a_bus_gets_an_event_like_lambdas_own() {
    for bus in ["default", "arn:aws:events:eu-west-1:123456789012:event-bus/default"] {
        let Request::Event(event) = made(&failed("{}"), &format!("eventbridge:{bus}")) else {
            panic!()
        };
        assert_eq!(event.detail_type, "Lambda Function Invocation Result - Failure");
        assert_eq!(
            event.resources,
            [
                "arn:aws:events:eu-west-1:123456789012:event-bus/default",
                "arn:aws:lambda:eu-west-1:123456789012:function:resize:live"
            ]
        );
        assert_eq!((event.bus.as_str(), event.time), (bus, 1_791_564_206_568));
        let detail: Value = serde_json::from_str(event.detail.expose()).unwrap();
        assert_eq!(detail["requestContext"]["condition"], "RetriesExhausted");
    }
    let Request::Event(event) = made(&answered("1", "2"), "eventbridge:default") else { panic!() };
    assert_eq!(event.detail_type, "Lambda Function Invocation Result - Success");
}

#[test]
fn a_function_is_named_without_its_qualifier() {
    let arn = "lambda:arn:aws:lambda:eu-west-1:123456789012:function:after:live";
    let made = made(&answered("1", "2"), arn);
    let Request::Invoke { function, payload } = made else { panic!("{made:?}") };
    assert_eq!((function.name(), function.qualifier()), ("after", Some("live")));
    assert!(payload.expose().ends_with(r#""responsePayload":2}"#));
}

#[test]
fn an_object_has_a_key_like_lambdas_own_and_the_same_each_time() {
    let key = || match made(&answered("1", "2"), "s3://bucket/own") {
        Request::Object { bucket, prefix, key } => {
            assert_eq!((bucket.as_str(), prefix.as_str()), ("bucket", "own"));
            key
        }
        other => panic!("{other:?}"),
    };
    let (front, id) = key()
        .split_at_checked("aws/lambda/async/resize/2026/10/09/2026-10-09T16.43.26-".len())
        .map(|(front, id)| (front.to_owned(), id.to_owned()))
        .unwrap();
    assert_eq!(front, "aws/lambda/async/resize/2026/10/09/2026-10-09T16.43.26-");
    assert!(id.parse::<uuid::Uuid>().is_ok() && key().ends_with(&id), "{id}");
}

#[test]
fn a_workflow_gets_the_response() {
    for (response, expected) in
        [("{\"a\": 1.0}", "{\"a\": 1.0}"), ("null", "null"), ("plain", "\"plain\"")]
    {
        let made = made(&answered("1", response), "stepfunctions");
        let Request::Success { token, output } = made else { panic!("{made:?}") };
        assert_eq!((token.expose().as_str(), output.expose().as_str()), ("token", expected));
    }
    let long = format!("\"{}\"", "x".repeat(262_143));
    let Request::Success { output, .. } = made(&answered("1", &long), "stepfunctions") else {
        panic!()
    };
    let output: Value = serde_json::from_str(output.expose()).unwrap();
    assert_eq!(output["immortal"]["bytes"], 262_145);
    let Request::Success { output, .. } = made(&answered("1", &long[1..262_144]), "stepfunctions")
    else {
        panic!()
    };
    assert!(output.expose().contains("immortal"), "not JSON, quoted, too long");
}

#[test]
fn a_workflow_gets_error_and_cause() {
    let payload = r#"{"errorMessage":"boom","errorType":"ValueError","stackTrace":[]}"#;
    let made_of = |payload: &str| match made(&failed(payload), "stepfunctions") {
        Request::Failure { error, cause, .. } => (error, cause.into_inner()),
        other => panic!("{other:?}"),
    };
    assert_eq!(made_of(payload), ("ValueError".to_owned(), payload.to_owned()));
    assert_eq!(made_of("\"x\"").0, "Lambda.Unknown");
    let long = json!({
        "errorMessage": "\u{1f600}\"".repeat(30_000), "errorType": "T".repeat(300), "stackTrace": ["x"],
    });
    let (error, cause) = made_of(&long.to_string());
    assert_eq!(error, "T".repeat(256));
    assert!(cause.encode_utf16().count() <= 32_768);
    let cause: Value = serde_json::from_str(&cause).unwrap();
    assert!(
        cause["errorMessage"].as_str().unwrap().starts_with("\u{1f600}\"")
            && cause["truncated"] == true
    );
}

#[test]
fn what_cannot_be_made_says_why() {
    let own = Parcel::of(&outcome_of("1", &[b"2"]), responding(&[b"2"]), None).unwrap();
    let refused = |destination: &str, known: &Known| {
        request(&own, &destination.parse().unwrap(), known).unwrap_err()
    };
    assert!(refused("stepfunctions", &known()).contains("no task token"));
    assert!(refused("sns:arn:aws:sns:x:1:t", &known()).contains("no ledger"));
    assert!(refused("sqs:http://x/1/q", &Known::default()).contains("URL"));
}

#[test]
fn no_request_prints_what_it_carries() {
    let parcel = answered("\"canary\"", "\"canary\"");
    for to in
        ["sqs:http://x/1/q", "sns:arn:aws:sns:x:1:t", "eventbridge:b", FUNCTION, "stepfunctions"]
    {
        let shown = format!(
            "{:?} {:?}",
            made(&parcel, to),
            made(&failed("{\"errorMessage\":\"canary\"}"), to)
        );
        assert!(!shown.contains("canary") && !shown.contains("token\""), "{shown}");
    }
}
