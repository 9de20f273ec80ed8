//! Events whose function nobody names but who was to deliver them, or the configuration: dead letters of rules, schedules
//! and subscriptions, and of functions that a topic, a bucket or an event source called.

use std::collections::BTreeMap;

use e2e::{Deployed, Package};
use serde_json::{Value, json};

use crate::world::{World, attributes};

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:prod-images";
const MAPS: &str = r#"
[[map]]
topic = "-images"
function = "of-a-topic"
[[map]]
topic = "news"
function = "of-a-subscription"
[[map]]
bucket = "photos"
function = "of-a-bucket"
[[map]]
source = ":repository"
function = "of-a-source"
"#;

fn text(value: &str) -> Value {
    json!({ "DataType": "String", "StringValue": value })
}

/// What EventBridge puts into the queue of a target.
fn by_rule(rule: &str, function: &str) -> Value {
    json!({
        "RULE_ARN": text(&format!("arn:aws:events:eu-west-1:123456789012:rule/{rule}")),
        "TARGET_ARN": text(&format!("{FUNCTION}:{function}")),
        "ERROR_CODE": text("THROTTLING"), "ERROR_MESSAGE": text("Rate exceeded"),
        "EXHAUSTED_RETRY_CONDITION": text("MaximumRetryAttempts"), "RETRY_ATTEMPTS": text("185"),
    })
}

/// What Scheduler puts into the queue of a schedule.
fn by_schedule() -> Value {
    json!({
        "SCHEDULE_ARN": text("arn:aws:scheduler:eu-west-1:123456789012:schedule/default/nightly"),
        "TARGET_ARN": text("arn:aws:scheduler:::aws-sdk:lambda:invoke"),
        "ERROR_CODE": text("AWS.Scheduler.InternalServerError"), "ERROR_MESSAGE": text("no"),
        "EXECUTION_ID": text("e-1"), "IS_PAYLOAD_TRUNCATED": text("false"),
        "RETRY_ATTEMPTS": text("3"), "SCHEDULED_TIME": text("2026-10-09T02:00:00Z"),
    })
}

/// What Lambda puts into the queue of a function that was called asynchronously.
fn by_lambda(request_id: &str) -> Value {
    let said = format!("2026-10-09T16:43:26.568Z {request_id} Task timed out after 1.00 seconds");
    attributes(request_id, &said)
}

struct Case {
    function: &'static str,
    body: String,
    attributes: Value,
    /// What the function gets.
    event: Value,
}

/// What names its function. EventBridge keeps the event as it was before the rule made something of it, Scheduler the
/// call.
fn undelivered() -> Vec<Case> {
    let order =
        json!({ "version": "0", "source": "shop", "detail": { "orderId": 42, "price": 1.5 } });
    let by_rule = |function, event: Value| {
        let attributes = by_rule(function, function);
        Case { function, body: order.to_string(), attributes, event }
    };
    let call = json!({
        "FunctionName": format!("{FUNCTION}:of-a-schedule"), "InvocationType": "Event",
        "Payload": r#"{"night": 1.0, "big": 12345678901234567}"#,
    });
    vec![
        by_rule("of-a-rule", order.clone()),
        by_rule("of-a-path", order["detail"].clone()),
        by_rule("of-an-input", json!({ "always": "this" })),
        Case {
            function: "of-a-schedule",
            body: call.to_string(),
            attributes: by_schedule(),
            event: json!({ "night": 1.0, "big": 12_345_678_901_234_567_u64 }),
        },
    ]
}

/// Events that Lambda got of a topic, a bucket and a source of events, as its dead letters.
fn mapped() -> Vec<Case> {
    let records = |record: Value| json!({ "Records": [record] });
    let of = |function, request_id, event: Value| Case {
        function,
        body: event.to_string(),
        attributes: by_lambda(request_id),
        event,
    };
    vec![
        of(
            "of-a-topic",
            "r-topic",
            records(json!({
                "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": format!("{TOPIC}:0b1c"),
                "Sns": { "Type": "Notification", "TopicArn": TOPIC, "Message": "{\"orderId\":42}", "Subject": null },
            })),
        ),
        of(
            "of-a-bucket",
            "r-bucket",
            records(json!({
                "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                "s3": { "bucket": { "name": "photos" }, "object": { "key": "in/a.jpg", "size": 512 } },
            })),
        ),
        of(
            "of-a-source",
            "r-source",
            records(json!({
                "eventSource": "aws:codecommit", "eventName": "TriggerEventTest",
                "eventSourceARN": "arn:aws:codecommit:eu-west-1:123456789012:repository",
            })),
        ),
    ]
}

/// A world whose functions tell what they were given, under which name.
fn world(functions: &[&str]) -> World {
    let code = "def handler(event, context):\n    return {'event': event, 'arn': context.invoked_function_arn}\n";
    let package = Package::default().file("app.py", code);
    let deployed = |name: &&str| Deployed::new(&package, "python3.11", "app.handler").named(name);
    let world = World::of(functions.iter().map(deployed).collect());
    world.config(&(world.queue("auto") + MAPS));
    world
}

/// What so many functions were given, by their names; all that was asked for is done and recorded.
fn given(world: &World, count: usize) -> BTreeMap<String, Value> {
    let records = world.records(count);
    world.until("all messages are deleted", || world.left() == 0);
    world.until("no job is unfinished", || world.unfinished() == 0);
    assert_eq!(world.json(&["quarantine", "--json"]), json!([]));
    let one = |record: &Value| {
        let id = record["requestContext"]["requestId"].as_str().unwrap();
        let outcome = std::fs::read(world.path(&format!("ledger/jobs/{id}/outcome.json"))).unwrap();
        let outcome: Value = serde_json::from_slice(&outcome).unwrap();
        assert_eq!((&outcome["record"], &outcome["attempt"]), (record, &json!(1)));
        let answer = &record["responsePayload"];
        let arn = answer["arn"].as_str().unwrap_or_else(|| panic!("{record}"));
        let name = arn.strip_prefix(FUNCTION).unwrap().trim_start_matches(':');
        (name.to_owned(), answer["event"].clone())
    };
    records.iter().map(one).collect()
}

#[test]
fn what_was_not_delivered_is_what_its_function_would_have_got() {
    let cases: Vec<Case> = undelivered().into_iter().chain(mapped()).collect();
    let world = world(&cases.iter().map(|case| case.function).collect::<Vec<_>>());
    world.moto.script(&format!(
        "events = client('events')\n\
         for name, more in [('of-a-rule', {{}}), ('of-a-path', {{'InputPath': '$.detail'}}), ('of-an-input', {{'Input': '{{\"always\": \"this\"}}'}})]:\n    \
         events.put_rule(Name=name, EventPattern='{{}}')\n    \
         events.put_targets(Rule=name, Targets=[{{'Id': 'f', 'Arn': '{FUNCTION}:' + name, **more}}])"
    ));
    let _serving = world.serve();
    for case in &cases {
        world.send(&case.body, &case.attributes);
    }
    let given = given(&world, cases.len());
    let expected: BTreeMap<String, Value> =
        cases.into_iter().map(|case| (case.function.to_owned(), case.event)).collect();
    assert_eq!(given, expected);
}

/// A topic puts the same into the queue of a subscription as into that of a subscriber.
#[test]
fn what_a_subscription_could_not_deliver_is_the_event_that_its_function_would_have_got() {
    let world = world(&["of-a-subscription"]);
    let published = world.moto.script(
        "sns = client('sns')\ntopic = sns.create_topic(Name='news')['TopicArn']\n\
         sns.subscribe(TopicArn=topic, Protocol='sqs', Endpoint='arn:aws:sqs:eu-west-1:123456789012:failed')\n\
         color = {'color': {'DataType': 'String', 'StringValue': 'red'}}\n\
         publish = lambda **more: sns.publish(TopicArn=topic, Message='no JSON', **more)['MessageId']\n\
         result = [topic, publish(), publish(Subject='hello', MessageAttributes=color)]",
    );
    let _serving = world.serve();
    let records = world.records(2);
    let (topic, given) = (&published[0], |id: &Value| {
        let events = records.iter().map(|record| &record["responsePayload"]["event"]["Records"][0]);
        let mut given = events.clone().find(|event| event["Sns"]["MessageId"] == *id);
        given.take().unwrap_or_else(|| panic!("{records:?}")).clone()
    });
    for (id, subject, attributes) in [
        (&published[1], Value::Null, json!({})),
        (&published[2], "hello".into(), json!({ "color": { "Type": "String", "Value": "red" } })),
    ] {
        let given = given(id);
        let sns = &given["Sns"];
        let subscription = given["EventSubscriptionArn"].as_str().unwrap();
        let own = |name: &str| sns[name].as_str().unwrap_or_else(|| panic!("{name}: {given}"));
        assert!(subscription.starts_with("arn:aws:sns:") && subscription.contains(":news:"));
        let expected = json!({
            "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription,
            "Sns": {
                "Type": "Notification", "MessageId": id, "TopicArn": topic, "Subject": subject, "Message": "no JSON",
                "Timestamp": own("Timestamp"), "SignatureVersion": own("SignatureVersion"), "Signature": own("Signature"),
                "SigningCertUrl": own("SigningCertUrl"), "UnsubscribeUrl": own("UnsubscribeUrl"),
                "MessageAttributes": attributes,
            },
        });
        assert_eq!(given, expected);
    }
    for record in &records {
        let arn = record["responsePayload"]["arn"].as_str().unwrap();
        assert_eq!(arn, format!("{FUNCTION}:of-a-subscription"));
    }
}
