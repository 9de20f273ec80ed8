//! A job has one worker at a time, and the next one when that is gone.

use serde_json::json;

use super::scene::{hear, listen, python, scene, until};
use crate::process::wait_for;

#[test]
fn a_worker_that_was_killed_is_followed_by_the_next_attempt() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    scene.ask("j-1", "resize", &json!({ "until": gate }));
    let hidden = ["--idle", "6s", "--visibility", "3s"];
    let first = scene.worker(&hidden);
    let mut child = first.start();
    wait_for(&mut child, "waiting");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(scene.attempt("j-1", 1).unwrap()["state"], "claimed");
    assert!(scene.read("j-1/outcome").is_none());
    scene.write("gate", "");
    scene.worker(&hidden).run().ends_with(0);
    let outcome = scene.outcome("j-1");
    assert_eq!((&outcome["attempt"], &outcome["facts"]["attempts"]), (&json!(2), &json!(2)));
    assert_eq!(scene.attempt("j-1", 2).unwrap()["state"], "ended");
    assert!(scene.attempt("j-1", 3).is_none());
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

#[test]
fn an_outcome_that_a_killed_worker_did_not_deliver_is_delivered() {
    let scene = scene(vec![python("resize")]);
    scene.ask("j-1", "resize", &json!({}));
    scene.worker(&["--idle", "2s"]).run().ends_with(0);
    // As if it had died between deciding and delivering.
    scene.write("ledger/active/j-1", "");
    scene.send(&[scene.pointer("j-1")]);
    let requests = scene.plane.requests().len();
    let run = scene.worker(&["--idle", "8s", "--visibility", "3s"]).run();
    run.ends_with(0);
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)), "{}", run.stderr);
    let asked = scene.plane.requests();
    assert!(
        !asked[requests..].iter().any(|path| path.starts_with("/code")),
        "it did not run again"
    );
}

#[test]
fn a_job_is_kept_from_others_for_as_long_as_it_runs() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    scene.ask("j-1", "resize", &json!({ "until": gate }));
    let first = scene.worker(&["--idle", "1s", "--visibility", "3s"]);
    let mut child = first.start();
    until("a claim", || scene.attempt("j-1", 1).is_some());
    let claimed = scene.attempt("j-1", 1).unwrap()["aliveUntil"].clone();
    let run = scene.worker(&["--idle", "5s", "--visibility", "3s"]).run();
    run.ends_with(0).never_says("START RequestId");
    assert_ne!(scene.attempt("j-1", 1).unwrap()["aliveUntil"], claimed, "it says that it is alive");
    scene.write("gate", "");
    listen(&mut child);
    assert!(child.wait().unwrap().success());
    assert_eq!(scene.outcome("j-1")["attempt"], 1);
    assert!(scene.attempt("j-1", 2).is_none());
    assert_eq!(scene.queue(), (0, 0));
}

/// Twelve hours of SQS, in two seconds.
#[test]
fn a_job_may_take_longer_than_a_queue_keeps_its_message() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    scene.ask("j-1", "resize", &json!({ "until": gate }));
    let sandbox = scene.worker(&["--idle", "1s", "--visibility", "3s", "--hold", "2s"]);
    let mut child = sandbox.start();
    let lines = listen(&mut child);
    hear(&lines, "a message is let go of");
    until("no message", || scene.queue() == (0, 0));
    assert!(scene.read("j-1/outcome").is_none());
    // Its record says that it goes on: another message for it, as whoever looks after jobs may send, changes nothing.
    let early = scene.attempt("j-1", 1).unwrap()["aliveUntil"].clone();
    scene.send(&[json!({ "job": scene.address("j-1"), "attempt": 2 }).to_string()]);
    until("heard of", || scene.attempt("j-1", 1).unwrap()["aliveUntil"] != early);
    let other = scene.worker(&["--idle", "1s", "--visibility", "3s"]).run();
    other.ends_with(0).says("its job is at work elsewhere");
    scene.write("gate", "");
    assert!(child.wait().unwrap().success());
    assert_eq!(scene.outcome("j-1")["attempt"], 1);
    assert!(scene.attempt("j-1", 2).is_none());
    scene.worker(&["--idle", "5s", "--visibility", "3s"]).run().ends_with(0);
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}
