use bytes::Bytes;
use ledger::{Facts as Told, Origin, Redacted};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const MINUTE: u64 = 60_000;

fn at(minutes: u64) -> Time {
    Time::from_millis(minutes * MINUTE)
}

fn job() -> Job {
    Job::new("j".parse().unwrap(), "f", Bytes::from_static(b"{}"), Origin::default(), at(0))
}

fn launch(number: u32, minute: u64) -> Launch {
    Launch::new(number, "ecs", json!({}), at(minute))
}

fn started(number: u32, minute: u64) -> Launch {
    launch(number, minute).as_started("task", at(minute))
}

fn attempt(number: u32, minute: u64) -> Attempt {
    Attempt::new(number, "0.1.0", at(minute))
}

fn outcome() -> Outcome {
    let record = serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
    Outcome::new(1, Redacted::new(record), Told::new(1, 0.0))
}

fn over(cause: Cause) -> Seen {
    Seen::Over { reason: "Essential container exited".into(), exit: Some(137), cause }
}

fn alive() -> Seen {
    Seen::Alive { step: "RUNNING".into() }
}

struct Case {
    launches: Vec<Launch>,
    attempts: Vec<Attempt>,
    outcome: Option<Outcome>,
    seen: Option<Seen>,
}

fn case(launches: Vec<Launch>, attempts: Vec<Attempt>, seen: Option<Seen>) -> Case {
    Case { launches, attempts, outcome: None, seen }
}

fn step(case: &Case, minute: u64) -> Step {
    let job = job();
    let facts = Facts {
        since: at(0),
        job: Some(&job),
        outcome: case.outcome.as_ref(),
        launches: &case.launches,
        attempts: &case.attempts,
        seen: case.seen.as_ref(),
    };
    next(&facts, at(minute), &Rules::default())
}

fn launches(step: &Step) -> (u32, u32) {
    let &Step::Launch { number, larger, .. } = step else { panic!("{step:?}") };
    (number, larger)
}

#[test]
fn an_attempt_that_says_it_is_alive_is_let_be_whatever_is_seen() {
    let mut tried = attempt(1, 0);
    tried.alive_until = Some(at(10));
    let case = case(vec![started(1, 0)], vec![tried], Some(over(Cause::Exited)));
    assert!(matches!(step(&case, 9), Step::Wait(_)));
    assert_eq!(launches(&step(&case, 11)), (2, 0));
}

#[test]
fn a_marker_without_a_job_waits_for_its_message() {
    let facts =
        Facts { since: at(0), job: None, outcome: None, launches: &[], attempts: &[], seen: None };
    let day = 24 * 60;
    assert!(matches!(next(&facts, at(14 * day), &Rules::default()), Step::Wait(_)));
    assert_eq!(next(&facts, at(16 * day), &Rules::default()), Step::Forget);
}

#[test]
fn a_job_that_was_never_started_is() {
    let never = case(vec![], vec![], None);
    assert!(matches!(step(&never, 0), Step::Wait(_)));
    assert_eq!(launches(&step(&never, 2)), (1, 0));
}

#[test]
fn a_start_that_was_cut_off_is_repeated() {
    let cut = case(vec![launch(1, 0)], vec![], Some(Seen::Absent));
    assert!(matches!(step(&cut, 0), Step::Wait(_)));
    assert_eq!(launches(&step(&cut, 2)), (1, 0));
    let refused = launch(1, 0).as_refused("no capacity", at(5), true);
    let refused = case(vec![refused], vec![], None);
    assert!(matches!(step(&refused, 4), Step::Wait(why) if why.contains("no capacity")));
    assert_eq!(launches(&step(&refused, 5)), (1, 0));
}

#[test]
fn a_start_that_was_not_recorded_is_asked_for_again_though_its_attempt_is_claimed() {
    let claimed = case(vec![started(1, 0), launch(2, 1)], vec![attempt(1, 0), attempt(2, 1)], None);
    assert_eq!(launches(&step(&claimed, 5)), (2, 0));
}

#[test]
fn what_is_alive_is_left_alone() {
    for attempts in [vec![], vec![attempt(1, 0)]] {
        let running = case(vec![started(1, 0)], attempts, Some(alive()));
        assert!(matches!(step(&running, 100_000), Step::Wait(_)));
    }
    let unknown = case(vec![], vec![attempt(1, 0)], None);
    assert!(matches!(step(&unknown, 100_000), Step::Wait(_)));
}

#[test]
fn a_lost_container_is_followed_by_another() {
    let lost = case(vec![started(1, 0)], vec![attempt(1, 0)], Some(Seen::Absent));
    assert!(matches!(step(&lost, 4), Step::Wait(_)));
    assert_eq!(launches(&step(&lost, 6)), (2, 0));
    let never_claimed = case(vec![started(1, 0)], vec![], Some(over(Cause::ImagePull)));
    assert_eq!(launches(&step(&never_claimed, 6)), (2, 0));
}

#[test]
fn memory_that_ran_out_asks_for_more() {
    let mut twice = started(2, 5);
    twice.larger = 1;
    let out = case(vec![started(1, 0), twice], vec![], Some(over(Cause::OutOfMemory)));
    assert_eq!(launches(&step(&out, 60)), (3, 2));
}

#[test]
fn attempts_are_counted_but_for_those_that_are_nobodys_fault() {
    let three = || vec![started(1, 0), started(2, 1), started(3, 2)];
    let lost = case(three(), vec![], Some(over(Cause::Exited)));
    let Step::GiveUp { attempts, why, cause } = step(&lost, 60) else { panic!() };
    assert_eq!((attempts, cause), (3, Some(Cause::Exited)));
    assert!(why.contains("Essential container exited"), "{why}");
    let spot = case(three(), vec![], Some(over(Cause::Spot)));
    assert_eq!(launches(&step(&spot, 60)).0, 4);
    let mut launched = three();
    launched[0].ended = Some("spot".into());
    let stopped = attempt(2, 1).over(State::Interrupted, at(2), "SIGTERM");
    let spared = case(launched, vec![stopped], Some(over(Cause::Exited)));
    assert_eq!(launches(&step(&spared, 60)).0, 4);
}

#[test]
fn an_interrupted_attempt_is_followed_at_once_after_its_pause() {
    let stopped = attempt(1, 0).over(State::Interrupted, at(1), "told to stop");
    let case = case(vec![started(1, 0)], vec![stopped], Some(Seen::Absent));
    assert!(matches!(step(&case, 1), Step::Wait(why) if why.contains("pause of 10 s")));
    assert_eq!(launches(&step(&case, 2)), (2, 0));
}

#[test]
fn an_attempt_that_says_that_it_is_over_needs_nobody_to_look() {
    let over = attempt(1, 0).over(State::Ended, at(1), "AWS refused");
    let case = case(vec![], vec![over], None);
    let Step::Launch { number: 2, why, .. } = step(&case, 2) else { panic!() };
    assert_eq!(why, "AWS refused");
}

#[test]
fn an_outcome_is_delivered_by_us_when_nobody_else_does() {
    let mut decided = case(vec![started(1, 0)], vec![attempt(1, 0)], Some(alive()));
    decided.outcome = Some(outcome());
    assert!(matches!(step(&decided, 100), Step::Wait(_)));
    decided.seen = Some(over(Cause::Exited));
    assert_eq!(step(&decided, 1), Step::Deliver);
    decided.seen = None;
    assert!(matches!(step(&decided, 4), Step::Wait(_)));
    assert_eq!(step(&decided, 6), Step::Deliver);
    decided.outcome.as_mut().unwrap().delivered = Some(at(1));
    assert_eq!(step(&decided, 1), Step::Forget);
}

fn seen() -> impl Strategy<Value = Option<Seen>> {
    prop_oneof![
        Just(None),
        Just(Some(Seen::Absent)),
        Just(Some(alive())),
        Just(Some(over(Cause::Exited))),
        Just(Some(over(Cause::Spot))),
        Just(Some(over(Cause::OutOfMemory))),
    ]
}

proptest! {
    /// However it goes on, an attempt never starts beside a living one, numbers have no holes, and after a bounded
    /// number of ends there is an end.
    #[test]
    fn a_job_goes_forward_to_an_end(ends in proptest::collection::vec(seen(), 40)) {
        let mut state = case(vec![], vec![], None);
        let mut minute = 0;
        for seen in ends {
            minute += 30;
            state.seen = seen;
            match step(&state, minute) {
                Step::Launch { number, .. } => {
                    let known = u32::try_from(state.launches.len()).unwrap();
                    prop_assert_eq!(number, known + 1);
                    let may_live = matches!(state.seen, Some(Seen::Alive { .. }) | None);
                    prop_assert!(known == 0 || !may_live);
                    state.launches.push(started(number, minute));
                }
                Step::GiveUp { attempts, .. } => {
                    prop_assert!((3..=30).contains(&attempts));
                    return Ok(());
                }
                Step::Wait(_) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
