//! Outcomes where they are wanted: each destination, what is too large for it, and what goes wrong on the way.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Child;

use e2e::{Answer, ControlPlane, Deployed, Moto, Package, Run, Sandbox, Scripted, fixture, python};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::process::{finish, peak_memory, terminate, wait_for};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";
const ACCOUNT: &str = "123456789012";

/// A job in a ledger of its own, and whom the runner speaks to.
struct Scene {
    root: TempDir,
    plane: ControlPlane,
    job: Value,
    variables: Vec<(&'static str, String)>,
}

fn scene(handler: &str, event: &Value) -> Scene {
    of(Deployed::new(&python(), "python3.11", handler), event)
}

fn of(function: Deployed, event: &Value) -> Scene {
    let job = json!({
        "version": 1, "id": "j-1", "writer": "w", "function": ARN, "event": event,
        "context": { "requestId": "r-1" }, "origin": { "kind": "direct" },
        "created": "2026-10-09T16:43:26.568Z",
    });
    let (root, plane) = (TempDir::new().unwrap(), ControlPlane::with(function));
    Scene { root, plane, job, variables: Vec::new() }
}

impl Scene {
    fn to(mut self, destinations: &[&str]) -> Self {
        self.job["destinations"] = json!(destinations);
        self
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.job[key] = value;
        self
    }

    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn on(self, moto: &Moto) -> Self {
        self.variable("AWS_ENDPOINT_URL", moto.url())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn read(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    fn is_unfinished(&self) -> bool {
        self.path("active/j-1").exists()
    }

    fn sandbox(&self, attempt: u32) -> Sandbox {
        if !self.path("jobs/j-1/job.json").exists() {
            std::fs::create_dir_all(self.path("jobs/j-1")).unwrap();
            std::fs::create_dir_all(self.path("active")).unwrap();
            std::fs::write(self.path("active/j-1"), "").unwrap();
            std::fs::write(self.path("jobs/j-1/job.json"), self.job.to_string()).unwrap();
        }
        let runtimes = e2e::root().join(".runtimes").display().to_string();
        let address = format!("file://{}/jobs/j-1", self.root.path().display());
        let sandbox = Sandbox::new(&[])
            .variable("IMMORTAL_RUNTIME_DIR", &runtimes)
            .variable("IMMORTAL_JOB", &address)
            .variable("IMMORTAL_ATTEMPT", &attempt.to_string());
        let own = self.variables.iter().map(|(name, value)| (*name, value.as_str()));
        let all = self.plane.variables().into_iter().chain(own);
        all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
    }

    fn run(&self, attempt: u32) -> Run {
        self.sandbox(attempt).run()
    }

    /// Started, with the directory that is to live as long.
    fn start(&self, attempt: u32) -> (Sandbox, Child) {
        let sandbox = self.sandbox(attempt);
        let child = sandbox.start();
        (sandbox, child)
    }

    fn record(&self) -> Value {
        self.read("jobs/j-1/outcome.json")["record"].clone()
    }
}

fn queue_url(moto: &Moto, name: &str) -> String {
    format!("{}/{ACCOUNT}/{name}", moto.url())
}

fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}")
}

/// The messages of a queue: body, job attribute, and what FIFO queues know.
fn messages(moto: &Moto, name: &str) -> Vec<Value> {
    let found = moto.script(&format!(
        "found = client('sqs').receive_message(QueueUrl='{}', MaxNumberOfMessages=10, \
         MessageAttributeNames=['All'], MessageSystemAttributeNames=['All'])\n\
         result = found.get('Messages', [])",
        queue_url(moto, name)
    ));
    found.as_array().unwrap().clone()
}

fn body(message: &Value) -> Value {
    serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()
}

#[test]
fn every_carrier_brings_the_record() {
    let moto = Moto::start();
    moto.bucket("records");
    moto.script(
        "sqs = client('sqs')\n\
         for name in ['by-url', 'by-arn', 'topic', 'bus']: sqs.create_queue(QueueName=name)\n\
         sqs.create_queue(QueueName='ordered.fifo', Attributes={'FifoQueue': 'true'})\n\
         topic = client('sns').create_topic(Name='done')['TopicArn']\n\
         client('sns').subscribe(TopicArn=topic, Protocol='sqs', Endpoint='arn:aws:sqs:eu-west-1:123456789012:topic')\n\
         events = client('events')\n\
         events.put_rule(Name='r', EventPattern=json.dumps({'source': ['lambda']}))\n\
         events.put_targets(Rule='r', Targets=[{'Id': 't', 'Arn': 'arn:aws:sqs:eu-west-1:123456789012:bus'}])",
    );
    let scene = scene("app.echo", &json!({ "a": 1.5 })).on(&moto).to(&[
        &format!("sqs:{}", queue_url(&moto, "by-url")),
        &queue_arn("by-arn"),
        &queue_arn("ordered.fifo"),
        "sns:arn:aws:sns:eu-west-1:123456789012:done",
        "eventbridge:default",
        "s3://records/own/prefix",
        "lambda:arn:aws:lambda:eu-west-1:123456789012:function:after:live",
        "stdout",
    ]);
    let run = scene.run(1);
    assert_eq!(run.ends_with(0).json(), scene.record());
    assert!(!scene.is_unfinished());
    for name in ["by-url", "by-arn", "ordered.fifo"] {
        let [message] = &messages(&moto, name)[..] else { panic!("not one message in {name}") };
        assert_eq!(body(message), scene.record(), "{name}");
        assert_eq!(message["MessageAttributes"]["ImmortalJob"]["StringValue"], "j-1");
        let own = &message["Attributes"];
        let id = if name == "ordered.fifo" { json!("j-1") } else { Value::Null };
        assert_eq!((&own["MessageDeduplicationId"], &own["MessageGroupId"]), (&id, &id));
    }
    let [notification] = &messages(&moto, "topic")[..] else { panic!("not one notification") };
    let notification = body(notification);
    let message: Value = serde_json::from_str(notification["Message"].as_str().unwrap()).unwrap();
    assert_eq!(message, scene.record());
    assert_eq!(notification["MessageAttributes"]["ImmortalJob"]["Value"], "j-1");
    let [event] = &messages(&moto, "bus")[..] else { panic!("not one event") };
    let event = body(event);
    assert_eq!(event["source"], "lambda");
    assert_eq!(event["detail-type"], "Lambda Function Invocation Result - Success");
    let function = format!("{ARN}:$LATEST");
    let bus = "arn:aws:events:eu-west-1:123456789012:event-bus/default";
    assert_eq!(event["resources"], json!([bus, function]));
    assert_eq!(event["detail"], scene.record());
    assert_eq!(scene.plane.invocations(), [scene.record()]);
    assert!(
        scene.plane.requests().iter().any(|path| path.contains("after/invocations?Qualifier=live"))
    );
    let objects = objects(&moto, "records");
    let [(key, object)] = &objects[..] else { panic!("{objects:?}") };
    assert!(key.starts_with("own/prefix/aws/lambda/async/resize/20"), "{key}");
    assert_eq!(*object, scene.record());
}

fn objects(moto: &Moto, bucket: &str) -> Vec<(String, Value)> {
    let found = moto.script(&format!(
        "s3 = client('s3')\n\
         keys = [o['Key'] for o in s3.list_objects_v2(Bucket='{bucket}').get('Contents', [])]\n\
         result = [[k, json.load(s3.get_object(Bucket='{bucket}', Key=k)['Body'])] for k in keys]"
    ));
    serde_json::from_value(found).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn what_is_too_large_for_a_queue_is_found_by_its_address() {
    let moto = Moto::start();
    moto.script(
        "client('sqs').create_queue(QueueName='small', Attributes={'MaximumMessageSize': '2048'})",
    );
    for (length, pointer) in [(3_000, "/record/responsePayload"), (3 << 20, "")] {
        let event = json!("x".repeat(length));
        let scene = scene("app.echo", &event).on(&moto).to(&[&queue_arn("small")]);
        scene.run(1).ends_with(0);
        let [message] = &messages(&moto, "small")[..] else { panic!("not one message") };
        let record = body(message);
        assert_eq!(record["requestContext"], scene.record()["requestContext"]);
        let place = &record["responsePayload"]["immortal"];
        let address = place["ledger"].as_str().unwrap().strip_prefix("file://").unwrap();
        let mut payload = std::fs::read(address).unwrap();
        assert_eq!(place["pointer"].as_str().unwrap_or_default(), pointer);
        if !pointer.is_empty() {
            let object: Value = serde_json::from_slice(&payload).unwrap();
            payload = object.pointer(pointer).unwrap().to_string().into_bytes();
        }
        assert_eq!(place["bytes"], payload.len());
        assert_eq!(place["sha256"], sha256(&payload));
        assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap(), event);
        let request = &record["requestPayload"]["immortal"];
        assert!(request["ledger"].as_str().unwrap().ends_with("/jobs/j-1/job.json"), "{request}");
    }
}

#[test]
fn an_object_takes_a_response_of_any_size() {
    let moto = Moto::start();
    moto.bucket("records");
    let event = json!({ "text": "é".repeat(12 << 20) });
    let scene = scene("app.echo", &event).on(&moto).to(&["s3://records"]);
    scene.run(1).ends_with(0);
    let objects = objects(&moto, "records");
    let [(_, object)] = &objects[..] else { panic!("not one object") };
    assert!(
        object["responsePayload"] == event && object["requestPayload"] == event,
        "another payload"
    );
    assert!(scene.record().get("responsePayload").is_none(), "it was not large");
}

#[test]
fn a_record_that_is_delivered_twice_is_one_object() {
    let moto = Moto::start();
    moto.bucket("records");
    let scene = scene("app.echo", &json!(1)).on(&moto).to(&["s3://records"]);
    scene.run(1).ends_with(0);
    // As if the first had died between delivering and saying so.
    std::fs::write(scene.path("active/j-1"), "").unwrap();
    scene.run(2).ends_with(0);
    assert_eq!(objects(&moto, "records").len(), 1);
}

#[test]
fn a_job_without_a_ledger_is_delivered_too() {
    let moto = Moto::start();
    moto.bucket("records");
    moto.script("for name in ['done', 'more']: client('sqs').create_queue(QueueName=name)");
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let run = |to: &str, event: &str| {
        let plane = ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo"));
        let mut sandbox = Sandbox::new(&[]);
        let event = format!("file://{}", sandbox.write("event.json", event));
        let sandbox = sandbox
            .variable("IMMORTAL_RUNTIME_DIR", &runtimes)
            .variable("IMMORTAL_FUNCTION", "resize")
            .variable("IMMORTAL_EVENT", &event)
            .variable("IMMORTAL_DESTINATIONS", to)
            .variable("AWS_ENDPOINT_URL", moto.url());
        let all = plane.variables().into_iter();
        all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value)).run()
    };
    run(&format!("{}, s3://records", queue_arn("done")), "{\"n\": 1.0}").ends_with(0).prints("");
    let [message] = &messages(&moto, "done")[..] else { panic!("not one message") };
    assert_eq!(body(message)["responsePayload"], json!({ "n": 1.0 }));
    let medium = json!("x".repeat(400 << 10)).to_string();
    run(&queue_arn("more"), &medium).ends_with(0);
    let [message] = &messages(&moto, "more")[..] else { panic!("not one message") };
    assert!(body(message)["responsePayload"] == "x".repeat(400 << 10), "another payload");
    let large = json!("x".repeat(3 << 20)).to_string();
    run("s3://records", &large).ends_with(0);
    let lengths: BTreeSet<_> = objects(&moto, "records")
        .into_iter()
        .map(|(_, object)| object["responsePayload"].to_string().len())
        .collect();
    assert_eq!(lengths, [9, large.len()].into());
    run(&queue_arn("done"), &large)
        .ends_with(75)
        .says("there is no ledger to keep the payloads in");
}

#[test]
fn the_functions_own_destinations_are_used_if_no_others_are_said() {
    let moto = Moto::start();
    moto.script("for name in ['good', 'bad']: client('sqs').create_queue(QueueName=name)");
    for (handler, code, name) in [("app.echo", 0, "good"), ("app.fail", 1, "bad")] {
        let function = Deployed::new(&python(), "python3.11", handler);
        // As Lambda names it where it is asked for an alias.
        let live = json!(format!("{ARN}:live"));
        let function = function.with("FunctionArn", live.clone());
        let function = function.destinations(&queue_arn("good"), &queue_arn("bad"));
        let scene = of(function, &json!({})).on(&moto).with("function", live);
        scene.run(1).ends_with(code);
        let [message] = &messages(&moto, name)[..] else { panic!("not one message") };
        assert_eq!(body(message), scene.record());
        let asked = scene.plane.requests();
        let asked: Vec<_> =
            asked.iter().filter(|path| path.contains("event-invoke-config")).collect();
        assert!(asked.len() == 1 && asked[0].ends_with("?Qualifier=live"), "{asked:?}");
    }
    let nowhere = scene("app.echo", &json!({})).on(&moto);
    nowhere.run(1).ends_with(0).prints("");
    assert!(!nowhere.is_unfinished());
}

#[test]
fn destinations_that_nobody_may_read_are_no_reason_to_forget_an_outcome() {
    let function = Deployed::new(&python(), "python3.11", "app.echo").secret_destinations();
    let scene = of(function, &json!({}));
    scene.run(1).ends_with(75).says("grant lambda:GetFunctionEventInvokeConfig");
    assert!(scene.is_unfinished() && scene.record().is_object());
}

#[test]
fn no_outcome_becomes_the_next_job() {
    let moto = Moto::start();
    moto.script("client('sqs').create_queue(QueueName='failed')");
    let function = Deployed::new(&python(), "python3.11", "app.fail");
    let function = function.destinations(&queue_arn("failed"), &queue_arn("failed"));
    let origin = json!({ "kind": "destination", "queueArn": queue_arn("failed") });
    let scene = of(function, &json!({})).on(&moto).with("origin", origin);
    scene.run(1).ends_with(1).says("is the queue that the job came from");
    assert_eq!(messages(&moto, "failed"), Vec::<Value>::new());
    assert!(!scene.is_unfinished());
}

#[test]
fn a_workflow_is_told() {
    for (handler, operation) in [("app.echo", "SendTaskSuccess"), ("app.fail", "SendTaskFailure")] {
        let states = Scripted::new("none", []);
        let scene = scene(handler, &json!({ "a": 1 }))
            .to(&[])
            .with("taskToken", json!("canary-token"))
            .variable("AWS_ENDPOINT_URL_SFN", states.url());
        let run = scene.run(1);
        run.never_says("canary-token");
        let [call] = &states.calls(operation)[..] else { panic!("{run:?}") };
        assert_eq!(call["taskToken"], "canary-token");
        if handler == "app.echo" {
            assert_eq!((run.code, call["output"].as_str()), (0, Some(r#"{"a": 1}"#)));
            continue;
        }
        assert_eq!((run.code, &call["error"]), (1, &json!("ValueError")));
        let cause: Value = serde_json::from_str(call["cause"].as_str().unwrap()).unwrap();
        assert_eq!(cause, scene.record()["responsePayload"]);
    }
}

#[test]
fn a_workflow_that_does_not_wait_any_more_keeps_no_job_unfinished() {
    let states = Scripted::new("SendTaskSuccess", [Answer::Error(400, "TaskTimedOut")]);
    let scene = scene("app.echo", &json!(1))
        .to(&[])
        .with("taskToken", json!("token"))
        .variable("AWS_ENDPOINT_URL_SFN", states.url());
    scene.run(1).ends_with(0).says("does not wait for the outcome any more").says("TaskTimedOut");
    assert!(!scene.is_unfinished());
}

fn queue_of(scripted: &Scripted) -> String {
    format!("sqs:{}/{ACCOUNT}/q", scripted.url())
}

#[test]
fn throttles_and_failures_are_tried_again() {
    use Answer::{Error, Lost};
    let answers = [
        Error(403, "RequestThrottled"),
        Error(503, "ServiceUnavailable"),
        Lost,
        Error(500, "InternalFailure"),
    ];
    let queue = Scripted::new("SendMessage", answers);
    let scene = scene("app.echo", &json!(1))
        .to(&[&queue_of(&queue)])
        .variable("AWS_ENDPOINT_URL_SQS", queue.url());
    scene.run(1).ends_with(0);
    let calls = queue.calls("SendMessage");
    assert_eq!(calls.len(), 5);
    assert!(calls.iter().all(|call| *call == calls[0]), "one message, one name");
    assert_eq!(queue.calls("GetQueueAttributes").len(), 1);
}

#[test]
fn what_cannot_be_delivered_is_delivered_by_a_later_attempt() {
    let queue = Scripted::new("SendMessage", [Answer::Error(403, "AccessDenied")]);
    let scene = scene("app.echo", &json!(1))
        .to(&[&queue_of(&queue), "stdout"])
        .variable("AWS_ENDPOINT_URL_SQS", queue.url());
    let run = scene.run(1);
    run.ends_with(75)
        .says(&queue_of(&queue))
        .says("SendMessage was refused: AccessDenied: as told");
    assert_eq!(run.json(), scene.record());
    assert!(scene.is_unfinished());
    let asked = scene.plane.requests().len();
    scene.run(2).ends_with(0);
    assert!(!scene.is_unfinished() && queue.calls("SendMessage").len() == 2);
    assert_eq!(scene.plane.requests().len(), asked, "the function was not run again");
}

#[test]
fn a_queue_whose_size_nobody_may_ask_is_taken_for_a_small_one() {
    let queue = Scripted::new("GetQueueAttributes", [Answer::Error(403, "AccessDenied")]);
    let scene = scene("app.echo", &json!("x".repeat(200 << 10)))
        .to(&[&queue_of(&queue)])
        .variable("AWS_ENDPOINT_URL_SQS", queue.url());
    scene.run(1).ends_with(0);
    let call = &queue.calls("SendMessage")[0];
    let length = call["MessageBody"].as_str().unwrap().len();
    assert!((200 << 10..256 << 10).contains(&length), "{length}");
}

#[test]
fn a_stop_leaves_what_is_not_delivered_to_the_next() {
    for answer in [Answer::Silence, Answer::Error(503, "ServiceUnavailable")] {
        let queue = Scripted::new("SendMessage", std::iter::repeat_n(answer, 1_000));
        let scene = scene("app.echo", &json!(1))
            .to(&[&queue_of(&queue)])
            .variable("IMMORTAL_STOP_TIMEOUT", "4s")
            .variable("AWS_ENDPOINT_URL_SQS", queue.url());
        let (_alive, mut child) = scene.start(1);
        wait_for(&mut child, "REPORT");
        while queue.calls("SendMessage").is_empty() {
            std::thread::yield_now();
        }
        terminate(&child);
        let (run, took) = finish(child);
        run.ends_with(75).says("given up after").says("the time was up");
        assert!(took.as_secs() < 4, "{took:?}");
        assert!(scene.is_unfinished() && scene.record().is_object());
    }
}

fn batch() -> Value {
    let record = |id: &str| {
        json!({
            "messageId": id, "body": "x", "eventSource": "aws:sqs", "eventSourceARN": queue_arn("orders"),
        })
    };
    json!({ "Records": [record("a"), record("b")] })
}

fn reporting(handler: &str) -> Deployed {
    Deployed::new(&python(), "python3.11", handler).reporting(&queue_arn("orders"))
}

#[test]
fn a_batch_fails_in_part_where_the_function_says_so() {
    let mut event = batch();
    event["batchItemFailures"] = json!([{ "itemIdentifier": "b" }]);
    let scene_ = of(reporting("app.echo"), &event).to(&["stdout"]);
    let record = scene_.run(1).ends_with(1).says("1 of 2 items of the batch from").json();
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["responseContext"].get("functionError"), None);
    let facts = &scene_.read("jobs/j-1/outcome.json")["facts"];
    assert_eq!((&facts["failedItems"], &facts["blame"]), (&json!(["b"]), &json!("Function")));
    let other = of(Deployed::new(&python(), "python3.11", "app.echo"), &event).to(&[]);
    other.run(1).ends_with(0);
    assert_eq!(other.read("jobs/j-1/outcome.json")["facts"].get("failedItems"), None);
}

#[test]
fn a_batch_fails_as_a_whole_where_its_answer_names_none_of_it() {
    let mut event = batch();
    event["batchItemFailures"] = json!([{ "itemIdentifier": "" }]);
    let scene = of(reporting("app.echo"), &event).to(&[]);
    scene.run(1).ends_with(1).says("2 of 2 items of the batch").says("an empty `itemIdentifier`");
    assert_eq!(scene.read("jobs/j-1/outcome.json")["facts"]["failedItems"], json!(["a", "b"]));
    let good = of(reporting("app.echo"), &batch()).to(&[]);
    good.run(1).ends_with(0);
    let asked = good.plane.requests();
    assert!(!asked.iter().any(|path| path.contains("event-source-mappings")), "{asked:?}");
}

#[test]
fn a_workflow_hears_heartbeats_while_its_job_runs() {
    for answer in [Answer::Done, Answer::Error(400, "TaskTimedOut")] {
        let is_gone = !matches!(answer, Answer::Done);
        let states = Scripted::new("SendTaskHeartbeat", [answer]);
        let scene = scene("app.sleep", &json!({ "seconds": 1 }))
            .to(&[])
            .with("taskToken", json!("canary-token"))
            .variable("AWS_ENDPOINT_URL_SFN", states.url());
        let run = scene.run(1);
        run.ends_with(0).never_says("canary-token");
        assert_eq!(run.stderr.contains("hears no heartbeats any more"), is_gone, "{}", run.stderr);
        assert_eq!(states.calls("SendTaskHeartbeat"), [json!({ "taskToken": "canary-token" })]);
        assert_eq!(states.calls("SendTaskSuccess").len(), 1);
    }
}

/// A quarter of a gigabyte passes through to a bucket, and none of it stays.
#[test]
fn a_very_large_response_is_never_held_in_memory() {
    const MEGABYTES: u64 = 256;
    let moto = Moto::start();
    moto.bucket("records");
    let package = Package::default().executable("bootstrap", fixture("provided/probe.py"));
    let function = Deployed::new(&package, "provided.al2023", "h");
    let scene = of(function, &json!({ "megabytes": MEGABYTES })).on(&moto).to(&["s3://records"]);
    let (_alive, mut child) = scene.start(1);
    let peak = peak_memory(&mut child);
    finish(child).0.ends_with(0);
    let length = moto.script(
        "s3 = client('s3')\n\
         result = sum(o['Size'] for o in s3.list_objects_v2(Bucket='records')['Contents'])",
    );
    assert!(length.as_u64().unwrap() > MEGABYTES << 20, "{length}");
    assert!((1..24 << 10).contains(&peak), "the supervisor's memory peaked at {peak} KiB");
}
