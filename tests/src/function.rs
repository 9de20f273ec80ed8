//! The dispatcher as a Lambda function: given messages as an event source mapping of a queue gives them.

use std::fs;

use serde_json::{Value, json};

use crate::{Run, Sandbox};

/// The queue that the messages come from.
const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";

/// Invokes it with a batch of messages of these bodies, `m-0`, `m-1`, and so on; this is its configuration, and these are
/// its variables.
pub fn dispatched(configuration: &str, variables: &[(&str, &str)], bodies: &[String]) -> Run {
    // A function that is not deployed is where its runner is.
    let sandbox = Sandbox::new(&["invoke", "--handler", "bootstrap"]);
    let mut sandbox = sandbox.variable("AWS_REGION", "eu-west-1");
    let code = sandbox.directory().join("code").display().to_string();
    fs::create_dir(&code).unwrap();
    fs::copy(crate::dispatcher(), format!("{code}/bootstrap")).unwrap();
    let record = |(number, body): (usize, &String)| {
        json!({
            "messageId": format!("m-{number}"), "body": body, "eventSourceARN": QUEUE,
            "attributes": {}, "messageAttributes": {},
        })
    };
    let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
    let event = sandbox.write("event.json", json!({ "Records": records }).to_string());
    let own = ("IMMORTAL_CONFIG", configuration);
    let all = variables.iter().chain([&own]);
    let told: Vec<String> = all.map(|(name, value)| format!("{name}={value}")).collect();
    let told: Vec<&str> = told.iter().flat_map(|pair| ["--env", pair]).collect();
    let options = ["--code", &code, "--runtime", "provided.al2023"];
    sandbox.arguments(&options).arguments(&told).event(&format!("@{event}")).run()
}
