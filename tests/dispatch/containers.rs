//! The same in real containers: Docker here, images on Debian roots.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::arrive::record;
use crate::world::{ORDERS, World, attributes, slow};

const DOCKER: &str = "[launch]\nlauncher = \"docker\"\n[docker]\nnetwork = \"host\"\n\
    pass = [\"AWS_REGION\", \"AWS_ACCESS_KEY_ID\", \"AWS_SECRET_ACCESS_KEY\", \"AWS_ENDPOINT_URL\", \"AWS_ENDPOINT_URL_LAMBDA\"]\n";

/// A dead letter, a record of a destination and a message that its queue gave up on: each in a container of its own.
fn runs(runtime: &str) {
    let world = World::with(slow(runtime).reporting(ORDERS));
    world.launched_by(DOCKER, &world.queue("auto"));
    let _serving = world.serve();
    // Containers are everybody's.
    let own = world.directory.path().file_name().unwrap().to_string_lossy().into_owned();
    let own = own.trim_start_matches(".tmp");
    let (letter, other) = (format!("letter-{own}"), format!("record-{own}"));
    world.send("{\"n\":1}", &attributes(&letter, "Task timed out after 1.00 seconds"));
    world.send(&record(&other).to_string(), &json!({}));
    world.given_up("order 42");
    let records = world.records(3);
    let found: BTreeMap<&str, &Value> = records
        .iter()
        .map(|record| {
            (
                record["requestContext"]["requestId"].as_str().unwrap(),
                &record["responsePayload"]["done"],
            )
        })
        .collect();
    assert_eq!(
        (found[letter.as_str()], found[other.as_str()]),
        (&json!({ "n": 1 }), &json!({ "orderId": 42 })),
        "{}",
        world.log()
    );
    let redriven = found.iter().find(|(id, _)| ![letter.as_str(), other.as_str()].contains(id));
    assert_eq!(redriven.unwrap().1["Records"][0]["body"], "order 42", "{}", world.log());
    world.until("the messages are deleted", || world.left() == 0);
    for job in world.json(&["jobs", "--all", "--json"]).as_array().unwrap() {
        let id = job["id"].as_str().unwrap();
        let shown = world.json(&["show", id, "--json"]);
        let container = format!("immortal-{id}-1");
        assert_eq!(shown["launches"][0]["id"], container.as_str(), "{shown}");
        // What containers get of the dispatcher's environment is recorded nowhere.
        assert!(!shown.to_string().contains("canary-secret-key"), "{shown}");
        let _ = std::process::Command::new("docker").args(["rm", "-f", &container]).status();
    }
}

#[test]
fn a_python_function_runs_to_its_end_in_its_container() {
    runs("python3.11");
}

#[test]
fn a_node_function_runs_to_its_end_in_its_container() {
    runs("nodejs20.x");
}
