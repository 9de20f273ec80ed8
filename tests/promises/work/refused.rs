//! What cannot be run, or is no job, stops nobody.

use e2e::{Deployed, Package, Sandbox};
use serde_json::json;

use super::scene::{python, scene};

#[test]
fn what_leads_to_no_job_stops_nobody() {
    let elsewhere = Deployed::new(&Package::default(), "java21", "x").named("elsewhere");
    let scene = scene(vec![python("resize"), python("other"), elsewhere]);
    scene.job("done", "resize", &json!({}));
    scene.send(&[scene.pointer("done")]);
    scene.worker(&["--idle", "2s"]).run().ends_with(0);
    let outcome = scene.outcome("done");
    for (id, function) in [("lost", "elsewhere"), ("not-mine", "other"), ("mine", "resize")] {
        scene.job(id, function, &json!({}));
    }
    let foreign = r#"{"job":"file:///somewhere/jobs/x"}"#.to_owned();
    scene.send(&[
        "canary garbage".to_owned(),
        scene.pointer("unknown"),
        foreign,
        scene.pointer("done"),
        scene.pointer("done"),
        scene.pointer("lost"),
        scene.pointer("not-mine"),
        scene.pointer("mine"),
    ]);
    let ledger = format!("file://{}", scene.path("ledger").display());
    let arguments = ["--idle", "3s", "--function", "resize", "--ledger", &ledger];
    let run = scene.worker(&arguments).run();
    run.ends_with(0)
        .says("expected a pointer like")
        .says("there is no job file://")
        .says("expected a job of file://")
        .says("expected a job of `resize`, found one of `other`")
        .says("has its outcome since attempt 1: nothing was to be done")
        .never_says("canary");
    assert_eq!(scene.answer("mine")["name"], "resize");
    assert_eq!(scene.outcome("done"), outcome);
    assert!(scene.attempt("lost", 1).is_none() && scene.attempt("not-mine", 1).is_none());
    // What is understood and done is deleted; what is not, waits for somebody else.
    assert_eq!(scene.queue(), (0, 5));
    scene.send(&[scene.pointer("lost")]);
    scene.worker(&["--idle", "2s"]).run().ends_with(0).says("no client for runtime `java21`");
    assert!(scene.attempt("lost", 1).is_none());
}

#[test]
fn what_cannot_be_run_is_an_outcome_and_what_cannot_be_had_is_tried_again() {
    let cobol = Deployed::new(&Package::default(), "cobol85", "x").named("cobol");
    let scene = scene(vec![python("resize"), cobol, python("hidden").code_status(403)]);
    for (id, function) in
        [("old", "cobol"), ("gone", "absent"), ("denied", "hidden"), ("good", "resize")]
    {
        scene.ask(id, function, &json!({}));
    }
    let run = scene.worker(&["--idle", "3s"]).run();
    run.ends_with(0);
    assert_eq!(scene.outcome("old")["facts"]["errorType"], "Immortal.Refused");
    assert_eq!(scene.answer("good")["name"], "resize");
    for id in ["gone", "denied"] {
        let attempt = scene.attempt(id, 1).unwrap();
        assert_eq!(attempt["state"], "ended", "{attempt}");
        assert!(scene.read(&format!("{id}/outcome")).is_none());
    }
    assert_eq!((scene.unfinished(), scene.queue()), (2, (0, 2)), "{}", run.stderr);
}

#[test]
fn a_queue_that_is_not_there_is_said() {
    let scene = scene(vec![python("resize")]);
    let url = format!("{}/123456789012/absent", scene.moto.url());
    let run = scene.with_world(Sandbox::new(&["work", "--queue", &url])).run();
    run.ends_with(69).says("ReceiveMessage").says("NonExistentQueue");
    scene.with_world(Sandbox::new(&["work"])).run().ends_with(64).says("--queue");
}
