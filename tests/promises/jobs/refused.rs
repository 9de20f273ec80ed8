//! What cannot be run, what cannot be had, and what is no job.

use e2e::{Deployed, Hush, python};
use serde_json::json;

use super::desk::{desk, with};

#[test]
fn what_cannot_be_run_is_an_outcome_and_what_cannot_be_had_is_tried_again() {
    let desk_ = desk("app.echo", "{}");
    let refused = with(
        Deployed::new(&python(), "python3.11", "app.echo").with("Runtime", json!("cobol85")),
        "7",
    );
    refused.run(1).ends_with(65).says("cobol85");
    let outcome = refused.read("jobs/j-1/outcome.json");
    assert_eq!(
        (&outcome["facts"]["blame"], &outcome["record"]["requestPayload"]),
        (&json!("Job"), &json!(7))
    );
    assert_eq!(outcome["record"]["responsePayload"]["errorType"], "Immortal.Refused");
    assert!(!refused.has("active/j-1"));
    let unreachable = desk_
        .variable("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
        .variable("AWS_MAX_ATTEMPTS", "1");
    unreachable.run(1).ends_with(69);
    let attempt = unreachable.read("jobs/j-1/attempts/1.json");
    assert_eq!(attempt["state"], "ended");
    assert!(attempt["reason"].as_str().unwrap().contains("GetFunction"), "{attempt}");
    assert!(!unreachable.has("jobs/j-1/outcome.json") && unreachable.has("active/j-1"));
}

#[test]
fn what_is_no_job_is_refused_and_left_as_it_is() {
    let desk = desk("app.echo", "{}");
    let table = [
        ("{\"version\":2}", "it has version 2"),
        ("{", "is not a record of a ledger"),
        ("{\"version\":1}", "missing field"),
    ];
    for (text, expected) in table {
        desk.write("jobs/j-1/job.json", text);
        desk.run(1).ends_with(65).prints("").says(expected);
    }
    std::fs::remove_file(desk.path("jobs/j-1/job.json")).unwrap();
    desk.run(1).ends_with(65).says("there is no job file://");
    assert!(desk.has("active/j-1") && !desk.has("jobs/j-1/attempts"));
}

/// AWS may say nothing at all: it is asked again, and again, and then the job is left for the next attempt.
#[test]
fn a_silent_lambda_is_not_waited_for_without_end() {
    let desk = desk("app.echo", "1");
    let network = Hush::before(&format!("http://{}", desk.plane.address()));
    network.falls();
    let desk =
        desk.variable("AWS_ENDPOINT_URL_LAMBDA", network.url()).variable("AWS_MAX_ATTEMPTS", "1");
    desk.run(1).ends_with(69).says("GetFunction");
    assert!(desk.has("active/j-1"));
}
