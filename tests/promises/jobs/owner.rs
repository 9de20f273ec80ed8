//! An attempt has one owner, who says who it is.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::desk::desk;

#[test]
fn a_duplicate_does_nothing_and_says_so() {
    let desk = desk("app.echo", "1");
    desk.run(1).ends_with(0);
    let (outcome, requests) = (desk.read("jobs/j-1/outcome.json"), desk.plane.requests().len());
    for attempt in [1, 2] {
        let run = desk.run(attempt);
        run.ends_with(0).prints("").says("nothing was to be done");
    }
    assert_eq!(desk.read("jobs/j-1/outcome.json"), outcome);
    assert_eq!(desk.plane.requests().len(), requests, "nobody asked for the function again");
    assert!(!desk.has("jobs/j-1/attempts/2.json"));
}

#[test]
fn an_attempt_has_one_owner_even_if_that_is_dead() {
    let desk = desk("app.echo", "1");
    desk.write(
        "jobs/j-1/attempts/1.json",
        r#"{"version":1,"number":1,"writer":"w","state":"claimed","taskArn":"arn:of:a:task","runnerVersion":"0","started":"2026-10-09T16:43:26.568Z"}"#,
    );
    desk.run(1)
        .ends_with(0)
        .prints("")
        .says("is owned since 2026-10-09T16:43:26.568Z by arn:of:a:task");
    assert!(!desk.has("jobs/j-1/outcome.json") && desk.has("active/j-1"));
    desk.run(2).ends_with(0);
    assert_eq!(desk.read("jobs/j-1/outcome.json")["facts"]["attempts"], 2);
}

#[test]
fn a_decided_outcome_is_delivered_by_the_next_attempt() {
    let desk = desk("app.echo", "\"once\"");
    let record = desk.run(1).ends_with(0).stdout.clone();
    // As if the first had died between deciding and delivering.
    let mut outcome = desk.read("jobs/j-1/outcome.json");
    outcome.as_object_mut().unwrap().remove("delivered").unwrap();
    desk.write("jobs/j-1/outcome.json", &outcome.to_string());
    desk.write("active/j-1", "");
    desk.run(1).ends_with(0).prints("");
    assert!(desk.has("active/j-1"));
    let requests = desk.plane.requests().len();
    desk.run(2).ends_with(0).prints(&record);
    assert!(!desk.has("active/j-1"));
    assert_eq!(desk.plane.requests().len(), requests, "the function was not run again");
}

#[test]
fn a_delivered_outcome_is_not_delivered_again() {
    let desk = desk("app.echo", "\"once\"");
    desk.run(1).ends_with(0);
    // As if the first had died between delivering and striking the job off.
    desk.write("active/j-1", "");
    desk.run(2).ends_with(0).prints("");
    assert!(!desk.has("active/j-1"));
}

/// An agent of ECS: as the task metadata endpoint, version 4, answers (ECS developer guide).
fn agent(task: &'static str, container: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v4/x", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let body = if line.contains("/v4/x/task ") { task } else { container };
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        }
    });
    address
}

#[test]
fn an_attempt_says_which_task_and_container_makes_it() {
    let task = r#"{"Cluster":"c","TaskARN":"arn:aws:ecs:eu-west-1:123456789012:task/c/1","Family":"f","Revision":"3"}"#;
    let address = agent(task, r#"{"DockerId":"1-2","Name":"runner","Limits":{"CPU":2}}"#);
    let desk = desk("app.echo", "1").variable("ECS_CONTAINER_METADATA_URI_V4", &address);
    desk.run(1).ends_with(0);
    let attempt = desk.read("jobs/j-1/attempts/1.json");
    let found = (&attempt["taskArn"], &attempt["container"]);
    assert_eq!(found, (&json!("arn:aws:ecs:eu-west-1:123456789012:task/c/1"), &json!("1-2")));
    assert!(attempt["runnerVersion"].is_string() && attempt["started"].is_string(), "{attempt}");
    // A duplicate names it; an agent that is not there, or answers nonsense, stops nobody.
    desk.write("active/j-1", "");
    std::fs::remove_file(desk.path("jobs/j-1/outcome.json")).unwrap();
    desk.run(1).ends_with(0).says("arn:aws:ecs:eu-west-1:123456789012:task/c/1");
    let other = super::desk::desk("app.echo", "1")
        .variable("ECS_CONTAINER_METADATA_URI_V4", &agent("nonsense", "[]"));
    other.run(1).ends_with(0);
    assert_eq!(other.read("jobs/j-1/attempts/1.json")["taskArn"], Value::Null);
}
