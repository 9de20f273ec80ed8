//! Records as they are written, of every type: read and written again, each byte is the same. A change
//! that breaks one of these breaks the ledgers of users.

use ledger::{Attempt, Blame, Job, Launch, Outcome, Quarantined};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn golden(name: &str) -> String {
    std::fs::read_to_string(format!("tests/golden/{name}.json")).unwrap().trim_end().to_owned()
}

/// Reads a record, and writes it again to see that nothing changed.
fn again<T: Serialize + DeserializeOwned>(name: &str) -> T {
    let text = golden(name);
    let record: T = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&record).unwrap(), text);
    record
}

#[test]
fn jobs() {
    let job: Job = again("job");
    let event = job.inline_event().unwrap();
    assert!(golden("job").contains(std::str::from_utf8(event.expose()).unwrap()));
    assert_eq!(job.task_token.unwrap().expose(), "AAAAKgAAAAIAAAAA");
    assert_eq!(job.destinations.unwrap().len(), 2);
    let small: Job = again("job-small");
    assert_eq!(small.inline_event().unwrap().expose(), "null");
    assert_eq!(small.destinations, None);
    let large: Job = again("job-large-event");
    assert_eq!(large.event_object().unwrap().bytes, 1 << 20);
}

#[test]
fn attempts() {
    let attempt: Attempt = again("attempt");
    assert_eq!((attempt.number, attempt.ended), (1, None));
    let over: Attempt = again("attempt-over");
    assert_eq!(over.unknown["spot"], true);
}

#[test]
fn launches() {
    let launch: Launch = again("launch");
    assert_eq!((launch.number, launch.series, launch.larger), (2, 2, 1));
    assert_eq!(launch.unknown["spread"], "a");
}

#[test]
fn messages_that_are_kept_out_of_the_way() {
    let kept: Quarantined = again("quarantined");
    assert_eq!(kept.id.as_str(), "b7c8f9e2-0a1b2c3d");
    assert!(!format!("{kept:?}").contains("Body"), "{kept:?}");
}

#[test]
fn outcomes() {
    let outcome: Outcome = again("outcome");
    assert_eq!(outcome.facts.blame, Some(Blame::Function));
    let large: Outcome = again("outcome-large-response");
    assert_eq!(large.response.unwrap().bytes, 1 << 30);
    assert_eq!(large.facts.unknown["cpuSeconds"], 12.25);
    assert_eq!((outcome.facts.oom_kills, large.facts.oom_kills), (0, 3));
}

#[test]
fn fields_of_others_are_kept() {
    let job: Job = again("job-from-the-future");
    assert_eq!(job.context.unknown["locale"], "de");
    assert_eq!(job.unknown["priority"], u64::MAX);
}
