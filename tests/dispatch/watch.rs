//! Whatever dies, nothing is lost: the dispatcher, the runner, both.

use nix::sys::signal::{Signal, kill};
use serde_json::json;

use crate::world::{World, slow};

const FAST: &str =
    "[serve]\nevery = \"1s\"\n[watch]\npause = \"1s\"\ngrace = \"2s\"\nunseen = \"2s\"\n";

/// The process that the launcher has recorded for an attempt.
fn pid(world: &World, job: &str, attempt: u32) -> Option<i32> {
    let text =
        std::fs::read(world.path(&format!("ledger/jobs/{job}/launches/{attempt}.json"))).ok()?;
    let launch: serde_json::Value = serde_json::from_slice(&text).ok()?;
    launch["id"].as_str()?.split(':').next()?.parse().ok()
}

#[test]
fn a_runner_that_is_killed_is_followed_by_another() {
    let world = World::with(slow("python3.11"));
    world.config(&(world.queue("auto") + FAST));
    let _serving = world.serve();
    let request = json!({ "immortal": 1, "id": "j-1", "function": "resize", "event": 1 });
    world.send(&request.to_string(), &json!({}));
    let claimed = world.path("ledger/jobs/j-1/attempts/1.json");
    world.until("the first attempt is at work", || {
        claimed.exists() && pid(&world, "j-1", 1).is_some()
    });
    let first = pid(&world, "j-1", 1).unwrap();
    kill(nix::unistd::Pid::from_raw(first), Signal::SIGKILL).unwrap();
    assert_eq!(world.records(1)[0]["responsePayload"]["done"], 1);
    let shown = world.json(&["show", "j-1", "--json"]);
    assert_eq!(shown["outcome"]["attempt"], 2, "{shown}");
    assert_eq!(shown["launches"][0]["ended"], "killed", "{shown}");
}

#[test]
fn a_job_that_is_always_killed_is_given_up_and_whoever_waits_hears_so() {
    let package = e2e::Package::default().file(
        "app.py",
        // The supervisor is the parent: what a host does that fails.
        "import os, signal, time\ndef handler(event, context):\n    os.kill(os.getppid(), signal.SIGKILL)\n    time.sleep(60)\n",
    );
    let function =
        e2e::Deployed::new(&package, "python3.11", "app.handler").with("MemorySize", 256.into());
    let world = World::with(function);
    world.config(&(world.queue("auto") + &FAST.replace("[watch]", "[watch]\nattempts = 2")));
    let _serving = world.serve();
    let request = json!({ "immortal": 1, "id": "j-1", "function": "resize", "event": 1 });
    world.send(&request.to_string(), &json!({}));
    let records = world.records(1);
    assert_eq!(records[0]["responsePayload"]["errorType"], "Immortal.Lost", "{}", records[0]);
    let message = records[0]["responsePayload"]["errorMessage"].as_str().unwrap();
    assert!(message.contains("lost after 2 attempts"), "{message}");
    world.until("its marker is gone", || !world.path("ledger/active/j-1").exists());
}

#[test]
fn a_dispatcher_that_is_killed_is_replaced_without_a_second_start() {
    let world = World::with(slow("python3.11"));
    world.config(&(world.queue("auto") + FAST));
    let serving = world.serve();
    let request = json!({ "immortal": 1, "id": "j-1", "function": "resize", "event": 1 });
    world.send(&request.to_string(), &json!({}));
    world.until("the first attempt is started", || pid(&world, "j-1", 1).is_some());
    drop(serving);
    let _another = world.serve();
    assert_eq!(world.records(1)[0]["requestContext"]["condition"], "Success");
    let shown = world.json(&["show", "j-1", "--json"]);
    assert_eq!(shown["launches"].as_array().unwrap().len(), 1, "{shown}");
}

#[test]
fn a_dispatcher_that_is_told_to_stop_ends_and_leaves_its_runs_alone() {
    let world = World::with(slow("python3.11"));
    world.config(&(world.queue("auto") + FAST));
    let mut serving = world.serve();
    let request = json!({ "immortal": 1, "id": "j-1", "function": "resize", "event": 1 });
    world.send(&request.to_string(), &json!({}));
    world.until("the first attempt is started", || pid(&world, "j-1", 1).is_some());
    serving.terminate();
    let ended = serving.0.wait().unwrap();
    assert!(ended.success(), "{ended}\n{}", world.log());
    assert_eq!(world.records(1)[0]["requestContext"]["condition"], "Success");
}

#[test]
fn no_more_runs_than_hands_and_none_is_forgotten() {
    let world = World::with(slow("python3.11"));
    let process = format!(
        "[launch]\nlauncher = \"process\"\nat_once = 1\n[process]\nrunner = \"{}\"\n",
        e2e::runner().display()
    );
    world.launched_by(&process, &(world.queue("auto") + FAST));
    let _serving = world.serve();
    for number in 1..=3 {
        let request = json!({ "immortal": 1, "id": format!("j-{number}"), "function": "resize", "event": number });
        world.send(&request.to_string(), &json!({}));
    }
    world.records(3);
    // One after the other: each began when the one before had answered.
    let jobs = ["j-1", "j-2", "j-3"].map(|job| world.json(&["show", job, "--json"]));
    let mut spans: Vec<(String, String)> = jobs
        .iter()
        .map(|job| {
            let attempt = &job["attempts"][0];
            (
                attempt["started"].as_str().unwrap().to_owned(),
                attempt["ended"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    spans.sort();
    assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
}

/// A process has no token by which ECS knows a repetition: what was started and not recorded is found by its note.
#[test]
fn a_process_that_was_started_and_not_recorded_is_not_started_again() {
    let world = World::with(slow("python3.11"));
    world.config(&(world.queue("auto") + FAST));
    let serving = world.serve();
    let request = json!({ "immortal": 1, "id": "j-1", "function": "resize", "event": 1 });
    world.send(&request.to_string(), &json!({}));
    world.until("the first attempt is started", || pid(&world, "j-1", 1).is_some());
    let first = pid(&world, "j-1", 1);
    drop(serving);
    // As if it had died between the start and its record.
    let path = world.path("ledger/jobs/j-1/launches/1.json");
    let mut launch: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    launch.as_object_mut().unwrap().retain(|key, _| key != "started" && key != "id");
    launch["intended"] = "2026-01-01T00:00:00.000Z".into();
    std::fs::write(&path, launch.to_string()).unwrap();
    assert!(world.run(&["reconcile"]).status.success());
    assert_eq!(pid(&world, "j-1", 1), first);
    assert_eq!(world.records(1).len(), 1);
}

/// Whatever somebody has done to a record, or a newer version has written.
#[test]
fn a_job_that_cannot_be_read_keeps_nobody_from_the_others() {
    let world = crate::points::world();
    world.config(FAST);
    crate::points::abandoned(&world, "j-1");
    crate::points::abandoned(&world, "j-0");
    std::fs::write(world.path("ledger/jobs/j-0/launches/1.json"), "{\"version\":2}").unwrap();
    let looked = world.run(&["reconcile"]);
    let told = String::from_utf8_lossy(&looked.stderr);
    assert!(looked.status.success() && told.contains("it has version 2"), "{told}");
    world.until(&format!("the other is followed: {told}"), || {
        world.run(&["reconcile"]).status.success()
            && world.path("ledger/jobs/j-1/launches/2.json").exists()
    });
    assert!(!world.path("ledger/jobs/j-0/launches/2.json").exists());
}
