//! A stop, and whatever else keeps a worker: the others get what it cannot do.

use std::time::{Duration, Instant};

use e2e::Deployed;
use serde_json::{Value, json};

use super::scene::{hear, listen, python, scene, until};
use crate::process::{finish, terminate, wait_for};

#[test]
fn at_a_stop_everything_is_handed_back_at_once() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    for number in 1..=3 {
        scene.ask(&format!("short-{number}"), "resize", &json!({}));
    }
    let sandbox = scene.worker(&[]).variable("IMMORTAL_STOP_TIMEOUT", "4s");
    let mut child = sandbox.start();
    let lines = listen(&mut child);
    until("three outcomes", || {
        (1..=3).all(|n| scene.read(&format!("short-{n}/outcome")).is_some())
    });
    for number in 1..=5 {
        scene.job(&format!("j-{number}"), "resize", &json!({ "until": gate }));
    }
    let pointers: Vec<String> = (1..=5).map(|n| scene.pointer(&format!("j-{n}"))).collect();
    scene.send(&pointers);
    hear(&lines, "waiting");
    terminate(&child);
    let since = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    assert_eq!(scene.queue(), (5, 0), "all may be received now");
    let attempts: Vec<Value> =
        (1..=5).filter_map(|n| scene.attempt(&format!("j-{n}"), 1)).collect();
    assert!(!attempts.is_empty());
    assert!(attempts.iter().all(|attempt| attempt["state"] == "interrupted"), "{attempts:?}");
    scene.write("gate", "");
    scene.worker(&["--idle", "3s"]).run().ends_with(0);
    assert!((1..=5).all(|n| scene.read(&format!("j-{n}/outcome")).is_some()));
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

#[test]
fn an_answer_within_the_grace_is_recorded() {
    let scene = scene(vec![Deployed::new(&e2e::python(), "python3.11", "app.in_time")]);
    scene.ask("j-1", "resize", &json!({}));
    let sandbox = scene.worker(&[]);
    let mut child = sandbox.start();
    wait_for(&mut child, "ready");
    terminate(&child);
    finish(child).0.ends_with(0);
    assert_eq!(scene.answer("j-1"), "in time");
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

/// What waits behind a job that takes long is for others.
#[test]
fn a_long_job_keeps_nobody_waiting() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    for number in 1..=5 {
        scene.ask(&format!("short-{number}"), "resize", &json!({}));
    }
    let sandbox = scene.worker(&["--idle", "20s"]);
    let mut child = sandbox.start();
    let lines = listen(&mut child);
    until("outcomes", || (1..=5).all(|n| scene.read(&format!("short-{n}/outcome")).is_some()));
    scene.job("long", "resize", &json!({ "until": gate }));
    for number in 1..=4 {
        scene.job(&format!("j-{number}"), "resize", &json!({}));
    }
    let mut pointers = vec![scene.pointer("long")];
    pointers.extend((1..=4).map(|n| scene.pointer(&format!("j-{n}"))));
    scene.send(&pointers);
    hear(&lines, "waiting");
    scene.worker(&["--idle", "3s"]).run().ends_with(0);
    assert!((1..=4).all(|n| scene.read(&format!("j-{n}/outcome")).is_some()));
    assert!(scene.read("long/outcome").is_none());
    scene.write("gate", "");
    assert!(child.wait().unwrap().success());
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}
