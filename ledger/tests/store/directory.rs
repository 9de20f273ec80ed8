//! A ledger in a directory: the scenes that hold of every ledger, and what is special about files.

use std::sync::Arc;
use std::time::Duration;

use super::faulty::{Fault, Faulty};
use super::scenes;
use bytes::Bytes;
use ledger::{Created, Job, Ledger, LedgerError, Origin, PART, Patience, Root, Time};
use object_store::local::LocalFileSystem;
use tempfile::TempDir;

fn open(directory: &TempDir) -> Ledger {
    // One that does not exist yet, below names that want care.
    let root = Root::Directory(directory.path().join("a b%20c/ledger"));
    Ledger::open(&root, None).unwrap()
}

fn job(event: &str) -> Job {
    let event = Bytes::copy_from_slice(event.as_bytes());
    Job::new("x".parse().unwrap(), "f", event, Origin::default(), Time::from_millis(1))
}

#[tokio::test]
async fn a_job_is_recorded_run_and_delivered() {
    scenes::a_job_is_recorded_run_and_delivered(&open(&tempfile::tempdir().unwrap())).await;
}

#[tokio::test]
async fn a_launch_is_intended_once_and_a_message_is_kept_once() {
    let ledger = open(&tempfile::tempdir().unwrap());
    scenes::a_launch_is_intended_once_and_a_message_is_kept_once(&ledger).await;
}

#[tokio::test]
async fn a_large_event_is_an_object_of_its_own() {
    scenes::a_large_event_is_an_object_of_its_own(&open(&tempfile::tempdir().unwrap())).await;
}

#[tokio::test]
async fn a_large_response_is_spooled_settled_and_read() {
    scenes::a_large_response_is_spooled_settled_and_read(&open(&tempfile::tempdir().unwrap()))
        .await;
}

#[tokio::test]
async fn responses_at_the_edges_of_a_part_are_whole() {
    scenes::responses_at_the_edges_of_a_part_are_whole(&open(&tempfile::tempdir().unwrap())).await;
}

#[tokio::test]
async fn a_response_that_breaks_off_is_not_stored() {
    let directory = tempfile::tempdir().unwrap();
    scenes::a_response_that_breaks_off_is_not_stored(&open(&directory)).await;
    assert_eq!(files(directory.path()), [""; 0]);
}

/// Names of all files below a directory.
fn files(directory: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn opening_and_reading_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory);
    assert!(ledger.active().await.unwrap().is_empty());
    assert!(ledger.job(&"x".parse().unwrap()).await.unwrap().is_none());
    assert!(ledger.attempts(&"x".parse().unwrap()).await.unwrap().is_empty());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// A writer that is killed leaves its temporary file, never a record without its content.
#[tokio::test]
async fn a_file_that_was_not_finished_is_no_record() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory);
    let folder = directory.path().join("a b%20c/ledger/jobs/x");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("job.json#1"), "{\"ver").unwrap();
    assert!(matches!(ledger.create(&job("1")).await.unwrap(), Created::New));
    assert_eq!(ledger.event(&job("1")).await.unwrap().expose(), "1");
}

#[tokio::test]
async fn two_events_under_one_id_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory);
    ledger.create(&job(" 1")).await.unwrap();
    let folder = directory.path().join("a b%20c/ledger/jobs/x");
    std::fs::remove_file(folder.join("job.json")).unwrap();
    let error = ledger.create(&job(" 2")).await.unwrap_err();
    assert!(matches!(error, LedgerError::Differs { .. }) && error.is_content(), "{error}");
    std::fs::write(folder.join("event"), " 3").unwrap();
    let error = ledger.create(&job(" 1")).await.unwrap_err();
    assert!(error.to_string().contains("jobs/x/event is not what was recorded"), "{error}");
}

#[tokio::test]
async fn a_record_that_is_none_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory);
    let folder = directory.path().join("a b%20c/ledger/jobs/x");
    std::fs::create_dir_all(&folder).unwrap();
    for (text, expected) in [("", "it ends too early"), ("{\"version\":2}", "run it with a newer")]
    {
        std::fs::write(folder.join("job.json"), text).unwrap();
        let error = ledger.job(&"x".parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("ledger/jobs/x/job.json cannot be used"), "{error}");
        let source = ledger.job(&"x".parse().unwrap()).await.unwrap_err();
        let source = std::error::Error::source(&source).unwrap().to_string();
        assert!(source.contains(expected), "{source}");
    }
}

/// A ledger whose calls meet these faults, in this order.
fn faulty(directory: &TempDir, faults: &[Fault]) -> (Ledger, Faulty) {
    let store = Faulty::new(Arc::new(LocalFileSystem::new()), faults.iter().copied());
    let root = Root::Directory(directory.path().to_owned());
    let patience = Patience {
        within: Duration::from_millis(50),
        first: Duration::from_millis(1),
        ..Patience::default()
    };
    let ledger = Ledger::over(Arc::new(store.clone()), &root).unwrap();
    (ledger.with_patience(patience), store)
}

#[tokio::test]
async fn of_a_large_response_one_part_at_a_time_is_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, store) = faulty(&directory, &[]);
    scenes::a_large_response_is_spooled_settled_and_read(&ledger).await;
    assert_eq!(*store.parts.lock().unwrap(), [PART, PART, 7]);
}

#[tokio::test]
async fn a_part_that_cannot_be_stored_ends_the_upload() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = faulty(&directory, &[Fault::None, Fault::Throttled]);
    let pieces = futures_util::stream::iter([Ok(Bytes::from(vec![0; 2 * PART]))]);
    let error = ledger.spool(&"x".parse().unwrap(), 1, pieces).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("SlowDown"), "{error}");
    assert_eq!(files(directory.path()), [""; 0]);
}

#[tokio::test]
async fn a_reading_that_breaks_off_is_taken_up_where_it_broke() {
    let directory = tempfile::tempdir().unwrap();
    let event = "1.50,".repeat(100_000);
    let job = job(&format!("[{event}0]"));
    faulty(&directory, &[]).0.create(&job).await.unwrap();
    let job = faulty(&directory, &[]).0.job(&job.id).await.unwrap().unwrap();
    let (ledger, _) = faulty(&directory, &[Fault::Broken, Fault::Broken, Fault::Throttled]);
    let mut pieces = Vec::new();
    let keep = |piece: Bytes| {
        pieces.push(piece);
        Ok::<_, LedgerError>(())
    };
    ledger.read_event(&job, keep).await.unwrap();
    assert!(pieces.concat() == format!("[{event}0]").as_bytes() && pieces.len() > 2);
    let (ledger, _) = faulty(&directory, &[Fault::Broken; 1_000]);
    assert!(ledger.event(&job).await.unwrap_err().is_transient());
    std::fs::write(directory.path().join("jobs/x/event"), "[0]").unwrap();
    let error = faulty(&directory, &[]).0.event(&job).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Differs { .. }) && error.is_content(), "{error}");
}

#[tokio::test]
async fn a_completion_whose_answer_was_lost_is_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let faults = [Fault::None, Fault::None, Fault::None, Fault::Unanswered];
    let (ledger, store) = faulty(&directory, &faults);
    let pieces = futures_util::stream::iter([Ok(Bytes::from(vec![0; PART + 1]))]);
    let stored = ledger.spool(&"x".parse().unwrap(), 1, pieces).await.unwrap();
    assert_eq!(stored.bytes, PART as u64 + 1);
    assert_eq!(store.parts.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn patience_ends_with_what_was_said_last() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = faulty(&directory, &[Fault::Throttled; 1_000]);
    let error = ledger.job(&"x".parse().unwrap()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("/jobs/x/job.json had no success") && text.ends_with("SlowDown"),
        "{text}"
    );
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_is_refused_at_once() {
    // A file where a folder should be: root may write everywhere, so permissions cannot tell.
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a b%20c"), "").unwrap();
    let error = open(&directory).create(&job("1")).await.unwrap_err();
    assert!(matches!(error, LedgerError::Refused { .. }), "{error}");
}
