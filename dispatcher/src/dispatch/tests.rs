use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config as Cases, TestRunner};

use super::*;
use crate::envelope::tests::{bare, hostile, messages, mutated};
use crate::launch::process;
use crate::resolve::input::Input;

/// An account without functions.
#[derive(Debug)]
struct Empty;

fn absent<T>() -> Result<T, LookupError> {
    Err(LookupError::Absent("expected a function, found none".to_owned()))
}

impl Directory for Empty {
    async fn describe(&self, _: &str) -> Result<Function, LookupError> {
        absent()
    }
    async fn mapped_to(&self, _: &str) -> Result<Vec<String>, LookupError> {
        Ok(Vec::new())
    }
    async fn failing_to(&self, _: &str) -> Result<Vec<String>, LookupError> {
        Ok(Vec::new())
    }
    async fn failure_destination(&self, _: &str) -> Result<Option<String>, LookupError> {
        Ok(None)
    }
    async fn input(&self, _: &str, _: &str) -> Result<Input, LookupError> {
        absent()
    }
}

fn desk(directory: &tempfile::TempDir) -> Desk<Empty> {
    let ledger = directory.path().display();
    let config = format!("ledger = \"file://{ledger}\"\n[launch]\nlauncher = \"process\"\n");
    let config = Config::read(&config).unwrap();
    Desk {
        ledger: Ledger::open(&config.root().unwrap(), None).unwrap(),
        directory: Empty,
        launcher: Launcher::process(&config.launch, process::Settings::default()),
        watched: Watched::default(),
        config,
        sdk: SdkConfig::builder().build(),
    }
}

/// Where no function is to be found, whatever asks for one is kept, with a cause; `PROPTEST_CASES` says how many of real
/// messages are changed.
#[tokio::test]
async fn what_cannot_be_run_is_kept_with_its_cause_whatever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let desk = desk(&directory);
    let settings = desk.config.queue_named(Some("failed"));
    let mut runner = TestRunner::new(Cases::default());
    let strategy = mutated(messages());
    let changed = (0..runner.config().cases)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect::<Vec<_>>();
    let poison = hostile().iter().map(|body| bare(body)).collect::<Vec<_>>();
    let mut kept = 0;
    for (number, mut message) in poison.into_iter().chain(changed).enumerate() {
        message.id = format!("m-{number}");
        // What points to an object asks S3.
        let understood = envelope::understand(&message, settings.kind, &known(&settings));
        if matches!(understood, Understood::Fetch(_)) {
            continue;
        }
        let fate = Box::pin(desk.take(&message, &settings)).await;
        match fate.unwrap_or_else(|later| panic!("{number}: {}", later.why)) {
            Fate::Quarantined(why) => {
                assert!(why.contains("expected ") && why.contains("found "), "{number}: {why}");
                kept += 1;
            }
            Fate::Ignored(_) => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    assert!(kept > 61, "{kept}");
    assert_eq!(desk.ledger.quarantine_size().await.unwrap(), kept);
}
