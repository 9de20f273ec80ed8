//! Failures that something else carries to the queue: topics, buses, buckets, task states; and the dispatcher as a
//! Lambda function.

use std::fs;

use e2e::{Cluster, Faults, Package, Sandbox, Scripted};
use serde_json::{Value, json};

use crate::arrive::{ID, record};
use crate::world::{World, attributes, dispatcher, slow};

fn world() -> World {
    let world = World::with(slow("python3.11"));
    world.config(&world.queue("auto"));
    world
}

/// It has run, once, and its message is deleted.
fn has_run(world: &World) {
    assert_eq!(world.records(1)[0]["responsePayload"]["done"]["orderId"], 42, "{}", world.log());
    world.until("its message is deleted", || world.left() == 0);
    assert_eq!(world.json(&["show", ID, "--json"])["attempts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_topic_carries_dead_letters_and_records() {
    for raw in ["false", "true"] {
        let world = world();
        // Lambda names the topic as its dead-letter target, not the queue: the map says whose it is.
        world.config(&(world.queue("auto") + "[[map]]\ntopic = \"failures\"\nfunction = \"resize\"\n[[map]]\nqueue = \"failed\"\nfunction = \"resize\"\n"));
        let _serving = world.serve();
        let script = format!(
            "sns = client('sns')\ntopic = sns.create_topic(Name='failures')['TopicArn']\n\
             sns.subscribe(TopicArn=topic, Protocol='sqs', Endpoint='arn:aws:sqs:eu-west-1:123456789012:failed', Attributes={{'RawMessageDelivery': '{raw}'}})\n\
             sns.publish(TopicArn=topic, Message='{{\"orderId\":42}}', MessageAttributes=json.loads({:?}))",
            attributes(ID, "Task timed out after 1.00 seconds").to_string(),
        );
        world.moto.script(&script);
        has_run(&world);
    }
}

#[test]
fn a_bus_carries_records() {
    let world = world();
    let _serving = world.serve();
    let script = format!(
        "events = client('events')\n\
         events.put_rule(Name='failures', EventPattern=json.dumps({{'source': ['lambda']}}))\n\
         events.put_targets(Rule='failures', Targets=[{{'Id': 'q', 'Arn': 'arn:aws:sqs:eu-west-1:123456789012:failed'}}])\n\
         events.put_events(Entries=[{{'Source': 'lambda', 'DetailType': 'Lambda Function Invocation Result - Failure', 'Detail': {:?}}}])",
        record(ID).to_string(),
    );
    world.moto.script(&script);
    has_run(&world);
}

#[test]
fn a_bucket_keeps_records_and_tells_of_them() {
    let world = world();
    let _serving = world.serve();
    let key = "aws/lambda/async/resize/2026/10/09/2026-10-09T16.43.26-0b1c2d3e";
    world.moto.bucket("failed-records");
    world.moto.put(&format!("failed-records/{key}"), record(ID).to_string().as_bytes());
    let notice = |key: &str| {
        json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": "failed-records" }, "object": { "key": key } } }] })
    };
    world.send(&notice(key).to_string(), &json!({}));
    has_run(&world);
    world.send(&notice("aws/lambda/async/resize/nothing").to_string(), &json!({}));
    world.until("its message is deleted", || world.left() == 0);
    let kept = world.json(&["quarantine", "--json"]);
    assert!(kept[0]["reason"].as_str().unwrap().contains("found no such object"), "{kept}");
}

/// Only there a record of a stream has its event.
#[test]
fn a_bucket_keeps_batches_of_streams() {
    let world = world();
    let _serving = world.serve();
    let key = "aws/lambda/1f2e3d4c/shardId-000000000001/2026/10/09/2026-10-09T16.43.26-0b1c2d3e";
    let event =
        json!({ "Records": [{ "eventSource": "aws:kinesis", "kinesis": { "data": "eA==" } }] });
    let mut batch = record(ID);
    batch.as_object_mut().unwrap().retain(|name, _| !name.ends_with("Payload"));
    batch["KinesisBatchInfo"] = json!({ "shardId": "shardId-000000000001", "batchSize": 1 });
    batch["payload"] = event.to_string().into();
    world.moto.bucket("failed-batches");
    world.moto.put(&format!("failed-batches/{key}"), batch.to_string().as_bytes());
    let notice = json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": "failed-batches" }, "object": { "key": key } } }] });
    world.send(&notice.to_string(), &json!({}));
    assert_eq!(world.records(1)[0]["responsePayload"]["done"], event, "{}", world.log());
    world.until("its message is deleted", || world.left() == 0);
}

#[test]
fn a_workflow_that_waits_is_told_the_answer() {
    let (world, states) = (world(), Scripted::new("none", []));
    let _serving = world.served_by(&dispatcher(), &[("AWS_ENDPOINT_URL_SFN", states.url())]);
    let message =
        json!({ "function": "resize", "event": { "orderId": 42 }, "TaskToken": "canary-token" });
    world.send(&message.to_string(), &json!({}));
    world.until("it is told", || !states.calls("SendTaskSuccess").is_empty());
    world.until("no job is unfinished", || world.unfinished() == 0);
    let [call] = &states.calls("SendTaskSuccess")[..] else { panic!("{}", world.log()) };
    assert_eq!(call["taskToken"], "canary-token");
    let output: Value = serde_json::from_str(call["output"].as_str().unwrap()).unwrap();
    assert_eq!(output["done"], json!({ "orderId": 42 }));
    assert_eq!(world.left(), 0);
    assert!(!world.log().contains("canary-token"), "{}", world.log());
}

const SLOW_WATCH: &str =
    "[serve]\nevery = \"1h\"\n[watch]\npause = \"0s\"\ngrace = \"0s\"\nunseen = \"0s\"\n";

#[test]
fn a_stopped_task_is_followed_as_soon_as_ecs_tells() {
    let world = World::with(slow("python3.11"));
    let states = format!("[[queue]]\nurl = \"{}\"\ntask_states = true\n", world.url("states"));
    world.on(&(world.queue("auto") + &states + SLOW_WATCH));
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let mut variables = world.variables();
    variables.push(("IMMORTAL_RUNTIME_DIR", &runtimes));
    let cluster = Cluster::start(&variables, Faults::default());
    let _serving = world.served_by(&dispatcher(), &[("AWS_ENDPOINT_URL_ECS", cluster.url())]);
    let request = json!({ "immortal": 1, "id": "j-1", "function": "resize", "event": 1 });
    world.send(&request.to_string(), &json!({}));
    let claimed = world.path("ledger/jobs/j-1/attempts/1.json");
    world.until("the first attempt is at work", || claimed.exists());
    assert!(cluster.kill(0));
    let address = format!("file://{}/jobs/j-1", world.path("ledger").display());
    let event = json!({
        "source": "aws.ecs", "detail-type": "ECS Task State Change",
        "detail": { "lastStatus": "STOPPED", "version": 6, "overrides": { "containerOverrides": [
            { "name": "runner", "environment": [{ "name": "IMMORTAL_JOB", "value": address }] }]}},
    });
    // At least once, and one that came too early.
    let tell = |event: &Value| {
        let script = format!(
            "client('sqs').send_message(QueueUrl={:?}, MessageBody={:?})",
            world.url("states"),
            event.to_string()
        );
        world.moto.script(&script);
    };
    let mut early = event.clone();
    early["detail"]["lastStatus"] = "RUNNING".into();
    tell(&early);
    tell(&event);
    tell(&event);
    assert_eq!(world.records(1)[0]["responsePayload"]["done"], 1);
    assert_eq!(cluster.started(), 2, "one more, not two");
}

/// The program as `bootstrap` of a custom runtime, run by our own runner.
#[test]
fn as_a_lambda_function_it_takes_batches_and_names_what_has_to_come_again() {
    for (throttled, failures) in [(0.0, json!([])), (1.0, json!([{ "itemIdentifier": "m-1" }]))] {
        let world = World::with(slow("python3.11"));
        let config = fs::read(world.on("")).unwrap();
        let package = Package::default()
            .executable("bootstrap", fs::read(dispatcher()).unwrap())
            .file("immortal.toml", config);
        let runtimes = e2e::root().join(".runtimes").display().to_string();
        let mut variables = world.variables();
        variables.push(("IMMORTAL_RUNTIME_DIR", &runtimes));
        let cluster = Cluster::start(&variables, Faults { throttled, ..Faults::default() });
        let event = json!({ "Records": [{
            "messageId": "m-1", "receiptHandle": "h", "body": "{\"orderId\":42}", "attributes": {},
            "messageAttributes": {
                "RequestID": { "dataType": "String", "stringValue": ID },
                "ErrorCode": { "dataType": "Number", "stringValue": "200" },
                "ErrorMessage": { "dataType": "String", "stringValue": "Task timed out after 1.00 seconds" },
            },
            "eventSource": "aws:sqs", "eventSourceARN": crate::world::FAILED,
        }]});
        let mut told: Vec<String> = vec![format!("AWS_ENDPOINT_URL_ECS={}", cluster.url())];
        told.extend(world.variables().iter().map(|(name, value)| format!("{name}={value}")));
        let told: Vec<&str> = told.iter().flat_map(|pair| ["--env", pair]).collect();
        let run = Sandbox::invoke(&package, "provided.al2023", "h")
            .arguments(&told)
            .event(&event.to_string())
            .run();
        assert_eq!(
            run.ends_with(0).json(),
            json!({ "batchItemFailures": failures }),
            "{}",
            run.stderr
        );
        if throttled == 0.0 {
            assert_eq!(world.records(1)[0]["responsePayload"]["done"]["orderId"], 42);
        }
    }
}
