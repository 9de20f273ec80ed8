//! What holds of every ledger, wherever it is: run on a directory by `tests/directory.rs`, and on S3 by
//! the end-to-end tests.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use ledger::{
    Attempt, Claim, Created, Decision, Facts, Job, JobId, Launch, Ledger, LedgerError, Object,
    Origin, Outcome, PART, Quarantined, Redacted, State, Time,
};

fn id(name: &str) -> JobId {
    name.parse().unwrap()
}

fn job(name: &str, event: &str) -> Job {
    let event = Bytes::copy_from_slice(event.as_bytes());
    Job::new(id(name), "resize:live", event, Origin::default(), Time::from_millis(1))
}

fn outcome(attempt: u32) -> Outcome {
    let record = serde_json::value::RawValue::from_string("{\"n\": 1.0}".to_owned()).unwrap();
    Outcome::new(attempt, Redacted::new(record), Facts::new(1, 2.5))
}

fn pieces(bytes: &Bytes) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + use<> {
    let bytes = bytes.clone();
    let step = 1_000_003;
    let starts = (0..bytes.len()).step_by(step);
    futures_util::stream::iter(starts)
        .map(move |start| Ok(bytes.slice(start..(start + step).min(bytes.len()))))
}

async fn whole(object: Object) -> Vec<u8> {
    let pieces: Vec<Bytes> = object.pieces.try_collect().await.unwrap();
    pieces.concat()
}

/// A job from its message to its delivery.
pub(crate) async fn a_job_is_recorded_run_and_delivered(ledger: &Ledger) {
    let job = job("life", "{\"n\": 1.0}");
    assert!(ledger.job(&job.id).await.unwrap().is_none());
    assert!(matches!(ledger.create(&job).await.unwrap(), Created::New));
    assert!(matches!(ledger.create(&job).await.unwrap(), Created::New));
    let again = self::job("life", "{\"n\": 1.0}");
    assert!(matches!(ledger.create(&again).await.unwrap(), Created::Existing(_)));
    assert_eq!(active(ledger).await, [id("life")]);
    assert_eq!(ledger.jobs().await.unwrap(), [id("life")]);
    let found = ledger.job(&job.id).await.unwrap().unwrap();
    assert_eq!(ledger.event(&found).await.unwrap().expose(), "{\"n\": 1.0}");

    let attempt = Attempt::new(1, "0.1.0", Time::from_millis(2));
    assert!(matches!(ledger.claim(&job.id, &attempt).await.unwrap(), Claim::Mine));
    let late = Attempt::new(1, "0.1.0", Time::from_millis(3));
    let Claim::Taken(owner) = ledger.claim(&job.id, &late).await.unwrap() else {
        panic!("an attempt with two owners");
    };
    assert_eq!(*owner, attempt);
    let stopped = attempt.clone().over(State::Interrupted, Time::from_millis(4), "SIGTERM");
    ledger.note(&job.id, &stopped).await.unwrap();
    let foreign = ledger.note(&job.id, &late).await.unwrap_err();
    assert!(matches!(foreign, LedgerError::Foreign { .. }), "{foreign}");
    let second = Attempt::new(2, "0.1.0", Time::from_millis(5));
    assert!(matches!(ledger.claim(&job.id, &second).await.unwrap(), Claim::Mine));
    assert_eq!(ledger.attempts(&job.id).await.unwrap(), [stopped, second]);

    let mut first = outcome(2);
    assert!(matches!(ledger.decide(&job.id, &first).await.unwrap(), Decision::First));
    let Decision::Already(decided) = ledger.decide(&job.id, &outcome(1)).await.unwrap() else {
        panic!("a job with two outcomes");
    };
    assert_eq!(decided.writer, first.writer);
    assert_eq!(decided.record.unwrap().expose().get(), "{\"n\": 1.0}");
    let third = Attempt::new(3, "0.1.0", Time::from_millis(6));
    assert!(matches!(ledger.claim(&job.id, &third).await.unwrap(), Claim::Decided(_)));
    first.delivered = Some(Time::from_millis(7));
    ledger.amend(&job.id, &first).await.unwrap();
    assert!(ledger.amend(&job.id, &outcome(1)).await.is_err());
    ledger.settle(&job.id, &first).await.unwrap();
    ledger.delivered(&job.id).await.unwrap();
    ledger.delivered(&job.id).await.unwrap();
    assert!(active(ledger).await.is_empty());
    let known = ledger.outcome(&job.id).await.unwrap().unwrap();
    assert_eq!(known.delivered, Some(Time::from_millis(7)));
}

async fn active(ledger: &Ledger) -> Vec<JobId> {
    ledger.active().await.unwrap().into_iter().map(|active| active.id).collect()
}

/// A large event keeps its bytes, and an event under the same id that is another is refused.
pub(crate) async fn a_large_event_is_an_object_of_its_own(ledger: &Ledger) {
    let event = format!("[\"{}\",1.0 ]", "ä".repeat(ledger::INLINE));
    let job = job("large", &event);
    assert!(matches!(ledger.create(&job).await.unwrap(), Created::New));
    let found = ledger.job(&job.id).await.unwrap().unwrap();
    assert!(found.inline_event().is_none());
    assert!(ledger.event(&found).await.unwrap().expose() == &event);

    // Somebody died between event and job; whoever comes with the same message completes it.
    let other = self::job("half", &event);
    let ended = ledger.create(&other).await.unwrap();
    assert!(matches!(ended, Created::New));
}

/// A response of some parts is the same afterwards, wherever it is read.
pub(crate) async fn a_large_response_is_spooled_settled_and_read(ledger: &Ledger) {
    let bytes: Vec<u8> = (0..251).cycle().take(2 * PART + 7).collect();
    let bytes = Bytes::from(bytes);
    let job = job("response", "null");
    ledger.create(&job).await.unwrap();
    assert!(ledger.response(&job.id).await.unwrap().is_none());
    let stored = ledger.spool(&job.id, 2, pieces(&bytes)).await.unwrap();
    assert_eq!(stored.bytes, bytes.len() as u64);
    assert_eq!(stored.key, "jobs/response/response");
    // The first characters of a digest name a job, too.
    assert_eq!(&stored.sha256[..32], JobId::from_digest(&bytes).as_str());

    let outcome = Outcome { response: Some(stored), ..outcome(2) };
    ledger.decide(&job.id, &outcome).await.unwrap();
    let early = ledger.response(&job.id).await.unwrap().unwrap();
    assert_eq!(early.bytes, bytes.len() as u64);
    assert!(whole(early).await == bytes);
    ledger.settle(&job.id, &outcome).await.unwrap();
    ledger.settle(&job.id, &outcome).await.unwrap();
    assert!(whole(ledger.response(&job.id).await.unwrap().unwrap()).await == bytes);
    assert_eq!(ledger.attempts(&job.id).await.unwrap(), []);
}

/// An empty response, and one of exactly one part, are no special cases.
pub(crate) async fn responses_at_the_edges_of_a_part_are_whole(ledger: &Ledger) {
    for (attempt, length) in [(1, 0), (2, 1), (3, PART), (4, PART + 1)] {
        let bytes = Bytes::from(vec![7; length]);
        let job = job(&format!("edge-{attempt}"), "null");
        let stored = ledger.spool(&job.id, attempt, pieces(&bytes)).await.unwrap();
        let outcome = Outcome { response: Some(stored), ..outcome(attempt) };
        ledger.decide(&job.id, &outcome).await.unwrap();
        ledger.settle(&job.id, &outcome).await.unwrap();
        let found = ledger.response(&job.id).await.unwrap().unwrap();
        assert_eq!(found.bytes, length as u64);
        assert!(whole(found).await == bytes);
    }
}

/// A source that breaks leaves nothing behind.
pub(crate) async fn a_response_that_breaks_off_is_not_stored(ledger: &Ledger) {
    let broken = pieces(&Bytes::from(vec![1; PART + 9]))
        .chain(futures_util::stream::iter([Err(std::io::Error::other("cut off"))]));
    let error = ledger.spool(&id("broken"), 1, broken).await.unwrap_err();
    assert!(error.to_string().ends_with("could not be read"), "{error}");
    ledger.discard(&id("broken"), 1).await.unwrap();
}

/// A launch from its intention to its start, and a message that never becomes one.
pub(crate) async fn a_launch_is_intended_once_and_a_message_is_kept_once(ledger: &Ledger) {
    let name = id("launched");
    let launch =
        |cpu: u32| Launch::new(1, "ecs", serde_json::json!({ "cpu": cpu }), Time::from_millis(1));
    let first = ledger.intend(&name, launch(256)).await.unwrap();
    let second = ledger.intend(&name, launch(512)).await.unwrap();
    assert_eq!(second, first);
    let refused = first.as_refused("no capacity", Time::from_millis(9), true);
    ledger.launched(&name, &refused).await.unwrap();
    let started = refused.as_started("task/1", Time::from_millis(10));
    ledger.launched(&name, &started).await.unwrap();
    assert_eq!(ledger.launches(&name).await.unwrap(), std::slice::from_ref(&started));
    assert_eq!((started.series, started.refused, started.not_before), (2, None, None));

    let kept = |reason: &str| {
        let message = serde_json::value::RawValue::from_string("{\"n\": 1.0}".to_owned()).unwrap();
        Quarantined::new(id("kept"), "arn:q", reason, message, Time::from_millis(1))
    };
    ledger.quarantine(&kept("first")).await.unwrap();
    ledger.quarantine(&kept("second")).await.unwrap();
    let found = ledger.quarantined().await.unwrap();
    let reasons: Vec<&str> = found.iter().map(|kept| kept.reason.as_str()).collect();
    assert_eq!(reasons, ["first"]);
    ledger.release(&id("kept")).await.unwrap();
    assert!(ledger.quarantined_message(&id("kept")).await.unwrap().is_none());
}
