//! A stop is before the end or after it, and in time.

use std::net::TcpListener;
use std::time::Duration;

use e2e::{ControlPlane, Deployed, Hush, Moto, Package, python};
use serde_json::json;
use tempfile::TempDir;

use super::desk::{Desk, desk, in_a_bucket, with};
use crate::process::{finish, terminate, wait_for};

#[test]
fn what_is_interrupted_is_handed_back_and_the_next_attempt_ends_it() {
    let desk = desk("app.sleep", r#"{"seconds":60}"#).variable("IMMORTAL_STOP_TIMEOUT", "4s");
    let (_alive, mut child) = desk.start(1);
    wait_for(&mut child, "sleeping");
    terminate(&child);
    finish(child).0.ends_with(143).prints("");
    let attempt = desk.read("jobs/j-1/attempts/1.json");
    assert_eq!(
        (&attempt["state"], &attempt["reason"]),
        (&json!("interrupted"), &json!("told to stop"))
    );
    assert!(!desk.has("jobs/j-1/outcome.json") && desk.has("active/j-1"));
    let again = Desk {
        plane: ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo")),
        ..desk
    };
    again.run(2).ends_with(0);
    assert_eq!(again.read("jobs/j-1/outcome.json")["attempt"], 2);
}

#[test]
fn an_answer_within_the_grace_is_recorded() {
    let desk = desk("app.in_time", "{}");
    let (_alive, mut child) = desk.start(1);
    wait_for(&mut child, "ready");
    terminate(&child);
    finish(child).0.ends_with(0);
    assert_eq!(desk.read("jobs/j-1/outcome.json")["record"]["responsePayload"], "in time");
    assert!(!desk.has("active/j-1"));
}

/// A stop at the very moment of the end: either there is an outcome, or the job is handed back; never both, never neither.
#[test]
fn a_stop_at_the_very_end_is_either_before_it_or_after_it() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_chaotic")).unwrap();
    let package = Package::default().executable("bootstrap", program);
    let mut seen = [0; 2];
    for number in 0..40 {
        let notes = TempDir::new().unwrap();
        let event =
            json!({ "job": "j", "notes": notes.path().join("n"), "millis": 100, "bytes": 1 });
        let desk = with(Deployed::new(&package, "provided.al2023", "h"), &event.to_string());
        let (_alive, mut child) = desk.start(1);
        wait_for(&mut child, "START");
        std::thread::sleep(Duration::from_micros(95_000 + number * 500));
        terminate(&child);
        let (run, _) = finish(child);
        let (outcome, marker) = (desk.has("jobs/j-1/outcome.json"), desk.has("active/j-1"));
        let state = desk.read("jobs/j-1/attempts/1.json")["state"].clone();
        let expected =
            if run.code == 0 { (true, false, "ended") } else { (false, true, "interrupted") };
        assert_eq!((outcome, marker, state.as_str().unwrap()), expected, "{run:#?}");
        assert!([0, 143].contains(&run.code), "{run:#?}");
        seen[usize::from(outcome)] += 1;
    }
    assert!(seen[1] > 0, "none came to its end: {seen:?}");
}

/// A stop ends in time, though the ledger has fallen silent: whatever was to be said to it.
#[test]
fn a_silent_ledger_does_not_hold_up_a_stop() {
    let (moto, event) = (Moto::start(), r#"{"seconds":60}"#);
    for (before, said) in [("", "sleeping"), ("the job", "")] {
        let plane = ControlPlane::with(Deployed::new(&python(), "python3.11", "app.sleep"));
        let network = Hush::before(moto.url());
        let sandbox = in_a_bucket(&moto, &plane, event)
            .variable("AWS_ENDPOINT_URL_S3", network.url())
            .variable("IMMORTAL_STOP_TIMEOUT", "4s");
        if !before.is_empty() {
            network.falls();
        }
        let mut child = sandbox.start();
        if said.is_empty() {
            std::thread::sleep(Duration::from_millis(500));
        } else {
            wait_for(&mut child, said);
        }
        network.falls();
        terminate(&child);
        let (run, took) = finish(child);
        run.ends_with(143);
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

/// Whoever is told to stop before the attempt is claimed leaves it to others.
#[test]
fn a_stop_before_the_claim_leaves_no_attempt() {
    let (moto, plane) =
        (Moto::start(), ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo")));
    let agent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", agent.local_addr().unwrap());
    let sandbox =
        in_a_bucket(&moto, &plane, "1").variable("ECS_CONTAINER_METADATA_URI_V4", &address);
    // Which does not answer.
    let child = sandbox.start();
    let _asked = agent.accept().unwrap();
    terminate(&child);
    let (run, took) = finish(child);
    run.ends_with(143);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(moto.get("jobs-of-mine/p/jobs/j-1/attempts/1.json").is_none());
}
