//! When batches are sent, and what becomes of records that nobody takes.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const LIMITS: Buffering = Buffering { max_items: 3, max_bytes: 300, timeout: 1000 };

/// The largest record of these tests, and about what a note of what was dropped takes.
const LARGEST: usize = 450;
const NOTE: usize = 250;

fn buffer(framing: Framing) -> Buffer {
    Buffer::new(LIMITS, framing, Schema::Telemetry20221213)
}

fn text(batch: Option<Batch>) -> String {
    String::from_utf8(batch.unwrap().body).unwrap()
}

/// A line as it would be rendered, or the note that there was no room for it.
fn line(buffer: &mut Buffer, now: Millis, record: &str) {
    if buffer.has_room(record.len()) {
        buffer.push_line(now, record.as_bytes());
    } else {
        buffer.drop_record(record.len());
    }
}

#[test]
fn a_batch_is_sent_when_its_first_record_is_old_enough() {
    let mut buffer = buffer(Framing::Array);
    assert_eq!(buffer.due(), None);
    line(&mut buffer, 5, "1");
    line(&mut buffer, 900, "2");
    assert_eq!(buffer.due(), Some(1005));
    assert_eq!(buffer.take(1004, false), None);
    assert_eq!(text(buffer.take(1005, false)), "[1,2]");
    assert!(buffer.is_empty());
    line(&mut buffer, 2000, "3");
    assert_eq!(buffer.due(), Some(3000), "its time begins anew");
    assert_eq!(text(buffer.take(2000, true)), "[3]");
}

#[test]
fn a_batch_is_sent_at_once_when_it_is_full() {
    let mut buffer = buffer(Framing::Lines);
    for record in ["1", "2", "3", "4"] {
        line(&mut buffer, 0, record);
    }
    assert_eq!(buffer.due(), Some(0));
    assert_eq!(text(buffer.take(0, false)), "1\n2\n3\n");
    assert_eq!(buffer.due(), Some(1000));
    let long = "x".repeat(300);
    line(&mut buffer, 0, &long);
    assert_eq!(text(buffer.take(0, false)), format!("4\n{long}\n"));
}

#[test]
fn a_large_record_does_not_make_a_batch_too_large() {
    let mut buffer = buffer(Framing::Lines);
    line(&mut buffer, 0, &"x".repeat(299));
    line(&mut buffer, 0, &"y".repeat(599));
    assert_eq!(buffer.take(0, false).unwrap().body.len(), 300);
    assert_eq!(buffer.take(0, false).unwrap().body.len(), 600);
}

#[test]
fn what_was_dropped_is_told_once_and_in_its_place() {
    let mut buffer = buffer(Framing::Array);
    for record in 0..10 {
        line(&mut buffer, 0, &record.to_string());
    }
    assert_eq!(text(buffer.take(0, false)), "[0,1,2]");
    line(&mut buffer, 0, "10");
    assert_eq!(text(buffer.take(0, false)), "[3,4,5]");
    let rest: Value = serde_json::from_slice(&buffer.take(1, true).unwrap().body).unwrap();
    assert_eq!(rest[0]["type"], "platform.logsDropped");
    assert_eq!(
        (&rest[0]["record"]["droppedRecords"], &rest[0]["record"]["droppedBytes"]),
        (&4.into(), &4.into())
    );
    assert_eq!((rest.as_array().unwrap().len(), &rest[1]), (2, &10.into()));
    assert!(buffer.is_empty());
}

#[test]
fn platform_events_have_a_reserve() {
    let mut buffer = buffer(Framing::Lines);
    for _ in 0..7 {
        line(&mut buffer, 0, "x");
    }
    buffer.push_event(0, b"report");
    assert_eq!(text(buffer.take(0, false)), "x\nx\nx\n");
    assert!(text(buffer.take(0, false)).ends_with("x\nreport\n"));
    for _ in 0..1000 {
        buffer.push_event(0, &[b'x'; 50]);
    }
    assert!(buffer.waiting() < 800, "{}", buffer.waiting());
}

#[derive(Debug, Clone)]
enum Step {
    Line(usize),
    Event(usize),
    Take(bool),
    Wait(Millis),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..LARGEST - 2).prop_map(Step::Line),
        2 => (0..100_usize).prop_map(Step::Event),
        2 => any::<bool>().prop_map(Step::Take),
        1 => (0..800_u64).prop_map(Step::Wait),
    ]
}

/// Records of a batch by length, and what it says was dropped.
fn sent(batch: &Batch, dropped: &mut Dropped) -> Vec<usize> {
    let records: Vec<Value> = serde_json::from_slice(&batch.body).unwrap();
    assert_eq!(records.len() as u64, batch.records);
    let mut found = Vec::new();
    for record in records {
        if let Some(text) = record.as_str() {
            found.push(text.len() + 2);
        } else {
            dropped.records += record["record"]["droppedRecords"].as_u64().unwrap();
            dropped.bytes += record["record"]["droppedBytes"].as_u64().unwrap();
        }
    }
    found
}

proptest! {
    /// Whatever happens: bounded, in order, and every record is either sent or counted.
    #[test]
    fn nothing_is_lost_without_being_counted(steps in prop::collection::vec(step(), 0..200)) {
        let mut buffer = buffer(Framing::Array);
        let (mut now, mut given, mut taken, mut told) = (0, Dropped::default(), Vec::new(), Dropped::default());
        for step in steps {
            match step {
                Step::Wait(time) => now += time,
                Step::Take(flush) => if let Some(batch) = buffer.take(now, flush) {
                    taken.extend(sent(&batch, &mut told));
                }
                Step::Line(size) | Step::Event(size) => {
                    let record = format!("\"{}\"", "x".repeat(size));
                    given.records += 1;
                    given.bytes += record.len() as u64;
                    match step {
                        Step::Line(_) => line(&mut buffer, now, &record),
                        _ => buffer.push_event(now, record.as_bytes()),
                    }
                }
            }
            prop_assert!(buffer.waiting() <= 2 * LIMITS.max_bytes + LARGEST + NOTE);
        }
        while let Some(batch) = buffer.take(now, true) {
            taken.extend(sent(&batch, &mut told));
        }
        prop_assert_eq!(taken.len() as u64 + told.records, given.records);
        prop_assert_eq!(taken.iter().sum::<usize>() as u64 + told.bytes, given.bytes);
    }
}
