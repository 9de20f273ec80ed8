//! Jobs through the ledger while everything dies and fails at random: none is lost, none has two outcomes.
//!
//! `make chaos JOBS=1000` runs this at length, `make test` in short. The seed decides what happens to which job
//! and when; it is printed, and `SEED=` asks for the same again. `make chaos MUTANTS=1` shows that the invariants can
//! fail: each of several deliberate defects of the protocol has to be caught.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]
#![expect(clippy::print_stderr, reason = "the figures are for people")]
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the runner's: tests read their settings"
)]

mod driver;
mod invariants;
mod proxy;
mod queue;
mod schedule;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use driver::Life;
use schedule::Seed;
use world::World;

/// Jobs at once.
const WORKERS: usize = 6;
/// In `make test`.
const IN_SHORT: usize = 200;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap())
}

fn seed() -> u64 {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    setting("SEED").unwrap_or_else(now)
}

fn jobs(usual: usize) -> usize {
    setting("JOBS").map_or(usual, |jobs| usize::try_from(jobs).unwrap())
}

/// What came of a run.
#[derive(Debug, Default)]
struct Sum {
    lives: Vec<Life>,
    violations: Vec<String>,
}

/// Runs jobs until all are at their end, or one has violated an invariant and `at_once` says that this is enough.
fn run(seed: u64, jobs: usize, bucket: bool, mutant: Option<&str>) -> Sum {
    let world = World::new(Seed(seed), bucket, mutant);
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Sum::default()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let enough = mutant.is_some() && !sum.lock().unwrap().violations.is_empty();
                    if number >= jobs || enough {
                        return;
                    }
                    let life = driver::live(&world, number);
                    let found = invariants::violations(&world, &life);
                    let mut sum = sum.lock().unwrap();
                    sum.violations.extend(found);
                    sum.lives.push(life);
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

fn told(what: &str, seed: u64, sum: &Sum) {
    let count = |of: fn(&Life) -> usize| sum.lives.iter().map(of).sum::<usize>();
    eprintln!(
        "chaos, {what}: seed {seed}, {} jobs, {} launches ({} duplicates), {} killed, {} told to stop, {} functions killed, \
         {} records delivered ({} more than once); violations: {}",
        sum.lives.len(),
        count(|life| life.launches),
        count(|life| life.duplicates),
        count(|life| life.killed),
        count(|life| life.stopped),
        count(|life| life.functions_killed),
        count(|life| life.delivered),
        count(|life| life.delivered.saturating_sub(1)),
        sum.violations.len(),
    );
}

#[track_caller]
fn holds(what: &str, bucket: bool, jobs: usize) {
    let seed = seed();
    let sum = run(seed, jobs, bucket, None);
    told(what, seed, &sum);
    assert!(sum.violations.is_empty(), "SEED={seed}:\n{}", sum.violations.join("\n"));
    assert_eq!(sum.lives.len(), jobs);
}

#[test]
fn nothing_is_lost_with_a_ledger_in_a_directory() {
    holds("directory", false, jobs(IN_SHORT) / 2);
}

#[test]
fn nothing_is_lost_with_a_ledger_in_s3() {
    holds("S3", true, jobs(IN_SHORT) - jobs(IN_SHORT) / 2);
}

/// Defects that somebody could make, by the names under which the runner knows them (feature `mutants`).
const MUTANTS: [&str; 8] = [
    "undelivered-is-done",
    "claim-without-owner",
    "decide-without-first",
    "deliver-before-deciding",
    "strike-before-delivering",
    "deliver-own-outcome",
    "interrupted-is-done",
    "settle-without-moving",
];

#[test]
#[ignore = "needs a runner with the feature `mutants`; run by `make chaos MUTANTS=1`"]
fn every_mutant_is_caught() {
    let mut survivors = Vec::new();
    for mutant in MUTANTS {
        let seed = seed();
        let sum = run(seed, jobs(1000), false, Some(mutant));
        match sum.violations.first() {
            Some(violation) => {
                eprintln!("chaos: {mutant} is caught after {} jobs: {violation}", sum.lives.len());
            }
            None => survivors.push(mutant),
        }
    }
    assert!(survivors.is_empty(), "not caught: {survivors:?}");
}
