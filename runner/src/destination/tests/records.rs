//! What has room, and what becomes of the rest.

use serde_json::{Value, json};

use super::*;
use crate::destination::room::{ALWAYS, Characters, fit};

fn fitted(parcel: &Parcel, room: usize) -> Value {
    let text = fit(parcel, room, Characters::Any).unwrap();
    assert!(text.expose().len() <= room);
    serde_json::from_str(text.expose()).unwrap()
}

fn text(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

#[test]
fn a_record_that_fits_is_sent_byte_for_byte() {
    let (event, response) = (r#"{ "price": 1.10 }"#, r#"{"n":12345678901234567890123}"#);
    let sent = fit(&answered(event, response), ALWAYS, Characters::Any).unwrap();
    let expected = record(event, Condition::Success).whole(response.as_bytes());
    assert_eq!(sent.expose(), expected.expose().get());
}

#[test]
fn the_response_goes_first_and_the_event_only_if_it_must() {
    let parcel = answered(&text(2_000), &text(3_000));
    let length = fit(&parcel, ALWAYS, Characters::Any).unwrap().expose().len();
    assert_eq!(fitted(&parcel, length)["responsePayload"].as_str().unwrap().len(), 2_998);
    let smaller = fitted(&parcel, length - 1);
    assert_eq!(smaller["requestPayload"].as_str().unwrap().len(), 1_998);
    let place = &smaller["responsePayload"]["immortal"];
    assert_eq!(place["ledger"], "s3://ledger/p/jobs/j-1/outcome.json");
    assert_eq!(
        (&place["pointer"], &place["bytes"]),
        (&json!("/record/responsePayload"), &json!(3_000))
    );
    assert_eq!(place["sha256"].as_str().unwrap().len(), 64);
    let smallest = fitted(&parcel, 1_500);
    assert_eq!(smallest["requestContext"]["requestId"], "r-1");
    assert_eq!(smallest["responsePayload"]["immortal"], *place);
    let event = &smallest["requestPayload"]["immortal"];
    assert_eq!(
        (&event["ledger"], &event["pointer"]),
        (&json!("s3://ledger/p/jobs/j-1/job.json"), &json!("/event"))
    );
}

#[test]
fn an_object_of_its_own_is_named_without_pointer() {
    let parcel = large(&text(300 << 10), &[b"\"", b"response\""]);
    let record = fitted(&parcel, ALWAYS);
    assert_eq!(
        record["responsePayload"],
        json!({ "immortal": { "ledger": "s3://ledger/p/jobs/j-1/response", "bytes": 10, "sha256": "0f" } })
    );
    let event = &record["requestPayload"]["immortal"];
    assert_eq!(event["ledger"], "s3://ledger/p/jobs/j-1/event");
    assert_eq!(event["bytes"], 300 << 10);
    assert_eq!(event.get("pointer"), None);
}

#[test]
fn a_response_stays_where_it_is_the_event_that_is_too_large() {
    let parcel = answered(&text(300 << 10), &text(1_000));
    let record = fitted(&parcel, ALWAYS);
    assert!(record["requestPayload"]["immortal"].is_object());
    assert_eq!(record["responsePayload"].as_str().unwrap().len(), 998);
}

#[test]
fn what_is_shorter_than_its_place_stays() {
    let parcel = answered(&text(3_000), "true");
    let record = fitted(&parcel, 1_000);
    assert_eq!(record["responsePayload"], true);
    assert!(record["requestPayload"]["immortal"].is_object());
}

#[test]
fn a_job_that_never_ran_can_lose_its_event_only() {
    let job = job(&text(3_000));
    let mut record = record(&text(3_000), Condition::RetriesExhausted);
    record.response = None;
    let outcome = Outcome::new(1, record.bare(), Facts::new(1, 0.0));
    let parcel = Parcel::of(&outcome, Sources::default(), Some((&job, &root()))).unwrap();
    let record = fitted(&parcel, 1_000);
    assert_eq!(record.get("responsePayload"), None);
    assert!(record["requestPayload"]["immortal"].is_object());
}

#[test]
fn without_a_ledger_what_does_not_fit_is_not_sent() {
    for parcel in [unkept("1", &[b"2"]), {
        let record = record("1", Condition::Success).whole(text(3_000).as_bytes());
        Parcel::of(&Outcome::new(1, record, Facts::new(1, 0.0)), Sources::default(), None).unwrap()
    }] {
        let error = fit(&parcel, 1_000, Characters::Any).unwrap_err();
        assert!(error.contains("no ledger") && error.contains("IMMORTAL_JOB"), "{error}");
    }
    let error = fit(&answered("1", "2"), 100, Characters::Any).unwrap_err();
    assert!(error.contains("raise the limit"), "{error}");
}

#[test]
fn characters_that_a_queue_refuses_are_escaped() {
    let parcel = answered("\"\u{fffe}\u{1f600}\"", "\"\u{ffff}\"");
    let sent = fit(&parcel, ALWAYS, Characters::Xml).unwrap().into_inner();
    assert!(!sent.contains(['\u{fffe}', '\u{ffff}']) && sent.contains(r"\ufffe"), "{sent}");
    let record: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!(record["requestPayload"], "\u{fffe}\u{1f600}");
    assert_eq!(record["responsePayload"], "\u{ffff}");
}

#[test]
fn nothing_of_a_parcel_is_printed() {
    let parcel = answered("\"canary\"", "\"canary\"");
    assert!(!format!("{parcel:?}").contains("canary"));
    assert!(!format!("{:?}", large("\"canary\"", &[b"canary"])).contains("canary"));
}
