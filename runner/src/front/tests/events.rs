//! Events that nobody waits for.

use super::*;
use crate::order::{Wants, When};

const EVENT: &str = "x-amz-invocation-type: Event\r\n";

fn settings(later: LaterLimits) -> Settings {
    Settings { later, ..Settings::default() }
}

/// Tries again at once.
fn eager() -> Policy {
    Policy { delays: vec![Duration::ZERO], fault_delay: Duration::ZERO, ..Policy::default() }
}

#[tokio::test]
async fn an_event_is_accepted_before_it_is_run() {
    let mut house = House::open(Settings::default()).await;
    for (path, headers) in [(INVOKE, EVENT), ("/2014-11-13/functions/f/invoke-async/", "")] {
        let heard = house.call(path, headers, "[1]").await.unwrap();
        assert_eq!((heard.status, heard.text()), (202, ""));
        let order = house.order().await;
        assert_eq!(order.event.payload.expose().at_hand().unwrap(), "[1]");
        assert_eq!((order.wants, order.when), (Wants::Whole, When::Answered));
        assert_eq!(heard.header("x-amzn-requestid"), order.event.request_id);
        order.reply.send(text("null")).unwrap();
        let id = heard.header("x-amzn-requestid");
        let line = format!("event RequestId: {id} Condition: Success Attempts: 1");
        assert_eq!(house.lines.recv().await.unwrap(), line);
    }
    assert_eq!(house.call(INVOKE, EVENT, "no JSON").await.unwrap().status, 400);
}

#[tokio::test]
async fn a_failing_event_is_tried_three_times_under_one_request_id() {
    let limits = LaterLimits { policy: eager(), ..LaterLimits::default() };
    let mut house = House::open(settings(limits)).await;
    let heard = house.call(INVOKE, EVENT, "{}").await.unwrap();
    let id = heard.header("x-amzn-requestid").to_owned();
    for _ in 0..3 {
        let order = house.order().await;
        assert_eq!(order.event.request_id, id);
        order.reply.send(failure()).unwrap();
    }
    let line = format!(
        "event RequestId: {id} Condition: RetriesExhausted Attempts: 3 Error Type: Runtime.ExitError"
    );
    assert_eq!(house.lines.recv().await.unwrap(), line);
    assert!(house.has_no_order());
}

#[tokio::test]
async fn attempts_that_came_to_nothing_do_not_count() {
    let limits = LaterLimits { policy: eager(), ..LaterLimits::default() };
    let mut house = House::open(settings(limits)).await;
    house.call(INVOKE, EVENT, "{}").await.unwrap();
    for _ in 0..10 {
        drop(house.order().await);
    }
    house.order().await.reply.send(text("null")).unwrap();
    assert!(house.lines.recv().await.unwrap().ends_with("Condition: Success Attempts: 1"));
}

#[tokio::test]
async fn an_event_that_waits_too_long_is_given_up() {
    let policy = Policy { max_age: Duration::ZERO, ..eager() };
    let limits = LaterLimits { policy, ..LaterLimits::default() };
    let mut house = House::open(settings(limits)).await;
    house.call(INVOKE, EVENT, "{}").await.unwrap();
    let line = house.lines.recv().await.unwrap();
    assert!(line.ends_with("Condition: EventAgeExceeded Attempts: 0"), "{line}");
    assert!(house.has_no_order());
}

#[tokio::test]
async fn so_many_events_run_as_may_and_callers_pass_them() {
    let mut house = House::open(Settings::default()).await;
    for event in ["1", "2"] {
        assert_eq!(house.call(INVOKE, EVENT, event).await.unwrap().status, 202);
    }
    let first = house.order().await;
    let call = house.call(INVOKE, "", "3");
    let waiting = house.order().await;
    assert_eq!(waiting.event.payload.expose().at_hand().unwrap(), "3");
    waiting.reply.send(text("3")).unwrap();
    assert_eq!(call.await.unwrap().status, 200);
    assert!(house.has_no_order(), "one event at a time");
    first.reply.send(text("1")).unwrap();
    assert_eq!(house.order().await.event.payload.expose().at_hand().unwrap(), "2");
}

#[tokio::test]
async fn more_events_than_may_wait_are_refused() {
    let limits = LaterLimits { events: 1, ..LaterLimits::default() };
    let mut house = House::open(settings(limits)).await;
    assert_eq!(house.call(INVOKE, EVENT, "1").await.unwrap().status, 202);
    assert_eq!(house.call(INVOKE, EVENT, "2").await.unwrap().status, 429);
    house.order().await.reply.send(text("1")).unwrap();
    house.lines.recv().await.unwrap();
    assert_eq!(house.call(INVOKE, EVENT, "3").await.unwrap().status, 202);
    let limits = LaterLimits { bytes: 3, ..LaterLimits::default() };
    let house = House::open(settings(limits)).await;
    assert_eq!(house.call(INVOKE, EVENT, "1234").await.unwrap().status, 429);
    assert_eq!(house.call(INVOKE, EVENT, "123").await.unwrap().status, 202);
}

#[tokio::test]
async fn a_stop_counts_what_has_not_ended() {
    let mut house = House::open(Settings::default()).await;
    for event in ["1", "2", "3", "4"] {
        house.call(INVOKE, EVENT, event).await.unwrap();
    }
    house.order().await.reply.send(failure()).unwrap(); // It waits for its second attempt.
    let running = house.order().await;
    let mut idle = Wire::open(house.address).await;
    house.stop();
    assert!(idle.hear().await.is_none());
    running.reply.send(text("2")).unwrap(); // This one still ends.
    house.serving.await.unwrap();
    assert!(house.lines.recv().await.unwrap().ends_with("Condition: Success Attempts: 1"));
    let line = house.lines.recv().await.unwrap();
    assert!(line.starts_with("stopped with 3 accepted events that have not ended"), "{line}");
    assert!(house.lines.recv().await.is_none(), "nothing was said of others");
}
