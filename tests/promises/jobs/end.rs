//! A job ends with one record, whatever came of it and however large that is.

use e2e::{ControlPlane, Deployed, Moto, Package, confined, fixture, python};
use serde_json::{Value, json};

use super::desk::{ARN, desk, in_a_bucket, with};
use crate::process::{finish, peak_memory};

#[test]
fn a_job_ends_with_one_record_where_it_is_kept_and_where_it_is_wanted() {
    let desk = desk("app.echo", r#"{ "price": 1.10, "n": 12345678901234567890123 }"#);
    let run = desk.run(1);
    let record = run.ends_with(0).json();
    assert!(
        run.stdout.contains(r#""requestPayload":{ "price": 1.10, "n": 12345678901234567890123 }"#)
    );
    assert_eq!(
        record["requestContext"],
        json!({
            "requestId": "r-1", "functionArn": ARN, "condition": "Success", "approximateInvokeCount": 4,
        })
    );
    assert_eq!(
        record["responseContext"],
        json!({ "statusCode": 200, "executedVersion": "$LATEST" })
    );
    let outcome = desk.read("jobs/j-1/outcome.json");
    assert_eq!(outcome["record"], record);
    assert_eq!((&outcome["attempt"], &outcome["facts"]["attempts"]), (&json!(1), &json!(1)));
    assert!(outcome["facts"]["durationMs"].as_f64().unwrap() > 0.0, "{outcome}");
    assert!(outcome["facts"]["maxMemoryMb"].as_u64().unwrap() > 0, "{outcome}");
    assert!(outcome["delivered"].is_string(), "{outcome}");
    let attempt = desk.read("jobs/j-1/attempts/1.json");
    assert_eq!((&attempt["state"], &attempt["reason"]), (&json!("ended"), &json!("succeeded")));
    assert!(!desk.has("active/j-1"), "an unfinished job");
}

#[test]
fn a_failure_is_an_outcome_too() {
    let desk = desk("app.fail", "{}");
    let record = desk.run(1).ends_with(1).json();
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["responsePayload"]["errorMessage"], "boom");
    let facts = &desk.read("jobs/j-1/outcome.json")["facts"];
    assert_eq!((&facts["blame"], &facts["errorType"]), (&json!("Function"), &json!("ValueError")));
    assert!(!desk.has("active/j-1"));
}

#[test]
fn a_crash_says_how_it_ended() {
    let desk = desk("app.leave", r#"{"code":3}"#);
    desk.run(1).ends_with(1);
    let facts = &desk.read("jobs/j-1/outcome.json")["facts"];
    assert_eq!(
        (&facts["exit"], &facts["errorType"]),
        (&json!("exit status 3"), &json!("Runtime.ExitError"))
    );
}

#[test]
fn a_large_answer_is_an_object_of_its_own() {
    let desk = desk("app.echo", &format!("\"{}\"", "x".repeat(3 << 20)));
    let run = desk.run(1);
    let record = run.ends_with(0).json();
    assert!(record["responsePayload"] == record["requestPayload"], "another answer");
    let outcome = desk.read("jobs/j-1/outcome.json");
    assert!(outcome["record"].get("responsePayload").is_none());
    assert_eq!(outcome["response"]["key"], "jobs/j-1/response");
    assert_eq!(outcome["response"]["bytes"], (3 << 20) + 2);
    assert_eq!(std::fs::metadata(desk.path("jobs/j-1/response")).unwrap().len(), (3 << 20) + 2);
    assert!(!desk.has("jobs/j-1/attempts/1.response"));
}

/// A quarter of a gigabyte passes through, and none of it stays.
#[test]
fn a_very_large_answer_is_never_held_in_memory() {
    const MEGABYTES: u64 = 256;
    let package = Package::default().executable("bootstrap", fixture("provided/probe.py"));
    let function = Deployed::new(&package, "provided.al2023", "h");
    let mut desk = with(function, &format!(r#"{{"megabytes":{MEGABYTES}}}"#));
    desk.destinations = String::new();
    let (_alive, mut child) = desk.start(1);
    let peak = peak_memory(&mut child);
    finish(child).0.ends_with(0);
    assert_eq!(std::fs::metadata(desk.path("jobs/j-1/response")).unwrap().len(), MEGABYTES << 20);
    assert!((1..24 << 10).contains(&peak), "the supervisor's memory peaked at {peak} KiB");
}

/// The same in a container, whose ledger is a volume.
#[test]
fn a_job_runs_in_its_image() {
    let desk = desk("app.fail", "{}");
    let volume = format!("{}:/ledger", desk.root.path().display());
    let mut variables = desk.plane.variables();
    variables.extend([
        ("IMMORTAL_JOB", "file:///ledger/jobs/j-1"),
        ("IMMORTAL_ATTEMPT", "1"),
        ("IMMORTAL_DESTINATIONS", "stdout"),
    ]);
    let run = confined(&["--volume", &volume], "immortal/python", &variables);
    assert_eq!(run.ends_with(1).json()["responsePayload"]["errorMessage"], "boom");
    assert_eq!(desk.read("jobs/j-1/attempts/1.json")["state"], "ended");
    let again = confined(&["--volume", &volume], "immortal/python", &variables);
    again.ends_with(0).prints("").says("nothing was to be done");
    assert!(!desk.has("active/j-1"));
}

/// The same in S3.
#[test]
fn a_job_may_be_in_a_bucket() {
    let (moto, plane) =
        (Moto::start(), ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo")));
    let event = format!("\"{}\"", "x".repeat(300 << 10));
    in_a_bucket(&moto, &plane, &event).run().ends_with(0).prints("");
    let read = |name: &str| moto.get(&format!("jobs-of-mine/p/{name}"));
    let outcome: Value = serde_json::from_slice(&read("jobs/j-1/outcome.json").unwrap()).unwrap();
    assert_eq!(outcome["response"]["bytes"], event.len());
    assert!(read("jobs/j-1/response").unwrap() == event.as_bytes(), "another response");
    assert!(read("active/j-1").is_none());
    let listed = String::from_utf8(moto.get("jobs-of-mine?prefix=done").unwrap()).unwrap();
    let key = listed.split_once("<Key>").unwrap().1.split_once("</Key>").unwrap().0;
    assert!(key.starts_with("done/aws/lambda/async/resize/"), "{key}");
    let record: Value =
        serde_json::from_slice(&moto.get(&format!("jobs-of-mine/{key}")).unwrap()).unwrap();
    assert!(record["responsePayload"] == record["requestPayload"], "another response");
}

/// Nothing that a job holds reaches a log.
#[test]
fn no_event_and_no_answer_is_logged() {
    let desk = desk("app.echo", "\"canary-4711\"");
    let run = desk.run(1);
    assert!(run.ends_with(0).stdout.contains("canary-4711"));
    assert!(!run.stderr.contains("canary-4711"), "{}", run.stderr);
}
