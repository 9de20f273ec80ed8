//! Answers of SQS, Lambda and ECS that are cut, changed, and of other types: none harms the dispatcher, each is understood or an
//! error. `PROPTEST_CASES` says how many of each operation.
#![expect(
    clippy::disallowed_methods,
    reason = "the SDK finds the scripted server by the environment, so that the test runs itself with another one"
)]
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use dispatcher::aws::Account;
use dispatcher::launch::{Launcher, Settings};
use dispatcher::queue::Queue;
use dispatcher::resolve::directory::Directory as _;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";
const TASK: &str = "arn:aws:ecs:eu-west-1:123456789012:task/immortal/1";

/// What is answered where nothing is wrong.
fn right(operation: &str) -> Value {
    let function = json!({
        "FunctionName": "resize", "FunctionArn": ARN, "Runtime": "python3.13", "MemorySize": 1769, "Version": "$LATEST",
        "Role": "r", "Timeout": 900, "Architectures": ["arm64"], "LastModified": "2026-09-30T12:00:00.000+0000",
        "VpcConfig": { "SubnetIds": ["s"], "SecurityGroupIds": ["g"] }, "EphemeralStorage": { "Size": 512 },
        "DeadLetterConfig": { "TargetArn": "q" }, "FileSystemConfigs": [{ "Arn": "a", "LocalMountPath": "/mnt/d" }],
    });
    match operation {
        "GetQueueAttributes" => {
            json!({ "Attributes": { "QueueArn": "arn:aws:sqs:eu-west-1:123456789012:failed" } })
        }
        "ReceiveMessage" => json!({ "Messages": [{
            "MessageId": "m", "ReceiptHandle": "h", "Body": "{}", "Attributes": { "SentTimestamp": "1" },
            "MessageAttributes": { "RequestID": { "DataType": "String", "StringValue": "r" }, "b": { "DataType": "Binary", "BinaryValue": "AAE=" } },
        }]}),
        "RunTask" => {
            json!({ "tasks": [{ "taskArn": TASK, "lastStatus": "PROVISIONING" }], "failures": [] })
        }
        "DescribeTasks" => json!({ "failures": [{ "arn": "x", "reason": "MISSING" }], "tasks": [{
            "taskArn": TASK, "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "stoppedReason": "r",
            "createdAt": 1.5, "containers": [{ "name": "runner", "exitCode": 1, "reason": "OutOfMemoryError" }],
        }]}),
        "ListTasks" => json!({ "taskArns": [TASK] }),
        "event-source-mappings" => {
            json!({ "EventSourceMappings": [{ "FunctionArn": ARN, "State": "Enabled", "UUID": "u" }] })
        }
        "event-invoke-config" => {
            json!({ "DestinationConfig": { "OnFailure": { "Destination": "d" } } })
        }
        "functions" => json!({ "Functions": [function] }),
        _ => {
            json!({ "Configuration": function, "Code": { "ImageUri": "i", "ResolvedImageUri": "i@sha256:0" }, "Tags": { "a": "b" } })
        }
    }
}

/// Replaces the value that this number chooses.
fn replace(value: &mut Value, chosen: &mut usize, with: &Value) {
    if *chosen == 0 {
        value.clone_from(with);
    }
    *chosen = chosen.wrapping_sub(1);
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| replace(one, chosen, with)),
        Value::Object(all) => all.values_mut().for_each(|one| replace(one, chosen, with)),
        _ => {}
    }
}

/// Wrong in one of the ways that there are.
fn wrong(operation: &str, (way, at, byte): (u8, usize, u8)) -> Vec<u8> {
    let mut value = right(operation);
    let text = value.to_string().into_bytes();
    let at_byte = at % text.len();
    let others = [
        Value::Null,
        json!(-1),
        json!(1e300),
        json!("\u{0}"),
        json!([]),
        json!({}),
        json!(true),
        json!([[{}]]),
    ];
    match way {
        0 => text[..at_byte].to_vec(),
        1 => {
            let mut text = text;
            text[at_byte] = byte;
            text
        }
        2 => [&text[..], &text[at_byte..]].concat(),
        _ => {
            replace(&mut value, &mut (at % 40), &others[usize::from(byte) % others.len()]);
            value.to_string().into_bytes()
        }
    }
}

fn serve(stream: &TcpStream) -> Option<()> {
    let (mut reader, mut stream) = (BufReader::new(stream), stream);
    let mut runner = TestRunner::default();
    loop {
        let (mut line, mut operation, mut length) = (String::new(), String::new(), 0);
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let path = line.split(' ').nth(1)?.split('?').next()?.trim_end_matches('/').to_owned();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let lower = line.to_ascii_lowercase();
            if lower.starts_with("x-amz-target: ") {
                line.trim().rsplit('.').next()?.clone_into(&mut operation);
            }
            let said =
                lower.strip_prefix("content-length: ").map(|said| said.trim().parse().unwrap());
            length = said.unwrap_or(length);
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        if operation.is_empty() {
            path.rsplit('/').next()?.clone_into(&mut operation);
        }
        let how = (0..6_u8, any::<usize>(), any::<u8>()).new_tree(&mut runner).unwrap().current();
        // Opening a queue, and one answer in six, is as it should be; one in seven is an error in a word that nobody knows.
        let body = match how.0 {
            _ if operation == "GetQueueAttributes" => right(&operation).to_string().into_bytes(),
            5 => right(&operation).to_string().into_bytes(),
            _ => wrong(&operation, how),
        };
        let status = if operation != "GetQueueAttributes" && how.1 % 7 == 0 { 400 } else { 200 };
        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    }
}

#[test]
fn mutated_answers_do_no_harm() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(&stream));
        }
    });
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["asked", "--exact", "--ignored", "--nocapture"])
        .envs([
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ])
        .envs([("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "example")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
}

/// How many answers were understood, and how many were errors.
#[derive(Debug, Default)]
struct Count(usize, usize);

impl Count {
    fn add<T, E>(&mut self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.0 += 1,
            Err(_) => self.1 += 1,
        }
    }
}

#[tokio::test]
#[ignore = "run by `mutated_answers_do_no_harm`"]
async fn asked() {
    let cases: usize =
        std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(256);
    let sdk = runner::aws::config(None).await;
    let ecs = toml::from_str("subnets = [\"s\"]").unwrap();
    let launcher = Launcher::ecs(&sdk, &Settings { rate: 1e6, ..Settings::default() }, ecs);
    let placement = json!({
        "cluster": "c", "taskDefinition": "t", "container": "runner", "size": { "cpu": 256, "memory": 512 }, "subnets": ["s"],
        "securityGroups": [], "publicIp": false, "environment": {}, "tags": {}, "startedBy": "j",
    });
    let account = Account::new(&sdk);
    let client = aws_sdk_sqs::Client::new(&sdk);
    let queue = Queue::open(client, "http://q", Duration::from_secs(30)).await.unwrap();
    let ids = [TASK.to_owned()];
    let mut counts: [Count; 5] = Default::default();
    for _ in 0..cases {
        counts[0].add(&queue.receive(10).await);
        counts[1].add(&account.describe("resize").await);
        counts[2].add(&launcher.launch("ecs", &placement, "t", false).await);
        counts[3].add(&launcher.look(&ids).await);
        counts[4].add(&launcher.find("ecs", &placement).await);
    }
    // These wait for their turns: fewer of them.
    let mut few: [Count; 3] = Default::default();
    for _ in 0..cases.div_ceil(50) {
        few[0].add(&account.mapped_to("q").await);
        few[1].add(&account.failing_to("q").await);
        few[2].add(&account.failure_destination(ARN).await);
    }
    for Count(understood, errors) in &counts {
        assert!(*understood > 0 && *errors > 0, "{counts:?} {few:?}");
    }
}
