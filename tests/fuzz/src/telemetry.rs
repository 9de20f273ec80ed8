//! Log channels, subscriptions and what is kept for subscribers, and what has to be true of them
//! whatever is written, asked for or printed.

#[path = "../../../runner/src/telemetry/buffer.rs"]
pub mod buffer;
#[path = "../../../runner/src/telemetry/json.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runner uses all of it")]
pub mod json;
#[path = "../../../runner/src/telemetry/level.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runner uses all of it")]
pub mod level;
#[path = "../../../runner/src/telemetry/record.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runner uses all of it")]
pub mod record;
#[path = "../../../runner/src/telemetry/subscribe.rs"]
pub mod subscribe;
#[path = "../../../runner/src/telemetry/write.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runner uses all of it")]
pub mod write;

use buffer::{Buffer, Framing};
use record::{Line, Type};
use serde_json::Value;
use subscribe::Buffering;

use crate::frames::Frames;
use crate::session::Feed;

/// A log channel: however its bytes are cut, the same frames come out, and every byte is accounted for.
pub fn channel(bytes: &[u8]) {
    let (cuts, bytes) = bytes.split_at(bytes.len().min(8));
    let whole = read(std::iter::once(bytes));
    let mut rest = bytes;
    let pieces = cuts.iter().map(|cut| {
        let (piece, after) = rest.split_at(rest.len().min(usize::from(*cut)));
        rest = after;
        piece.to_vec()
    });
    let mut pieces: Vec<Vec<u8>> = pieces.collect();
    pieces.push(rest.to_vec());
    let cut = read(pieces.iter().map(Vec::as_slice));
    assert_eq!(whole, cut, "cut otherwise, read otherwise");
    let text: usize = whole.0.iter().map(Vec::len).sum();
    assert!(text + usize::try_from(whole.1).unwrap() <= bytes.len(), "more came out than went in");
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, u64) {
    let (mut frames, mut found) = (Frames::default(), Vec::new());
    for piece in pieces {
        frames.take(piece, &mut |frame| found.push(frame.text.to_vec()));
    }
    frames.end(&mut |frame| found.push(frame.text.to_vec()));
    (found, frames.garbage())
}

/// A subscription: one that is taken is within Lambda's limits, one that is not says why.
pub fn subscription(bytes: &[u8]) {
    for feed in [Feed::Telemetry, Feed::Logs] {
        match subscribe::parse(feed, bytes) {
            Ok(found) => {
                assert!(!found.types.is_empty() && found.schema.feed() == feed);
                let Buffering { max_items, max_bytes, timeout } = found.buffering;
                assert!((1000..=10_000).contains(&max_items));
                assert!((262_144..=1_048_576).contains(&max_bytes));
                assert!((25..=30_000).contains(&timeout));
            }
            Err(problem) => assert!(!problem.is_empty()),
        }
    }
}

/// A record whose members are as they came: a number may be larger than any number of Rust's.
type Told<'a> = std::collections::HashMap<&'a str, &'a serde_json::value::RawValue>;

/// Lines for a subscriber that reads now and then: what waits is bounded, every batch is JSON, and
/// what is sent and what was dropped are all that was printed.
pub fn subscriber(bytes: &[u8]) {
    let schema = json::Schema::Telemetry20221213;
    let limits = Buffering { max_items: 8, max_bytes: 256, timeout: 10 };
    let mut buffer = Buffer::new(limits, Framing::Array, schema);
    let (mut now, mut printed, mut told, mut largest) = (0, 0, 0, 0);
    for text in bytes.split(|byte| *byte == b'\n') {
        now += 1;
        let line = Line { time: now, kind: Type::Function, text, level: None };
        let mut out = Vec::new();
        json::line(&line, schema, text.len() % 2 == 0, &mut out);
        let record: Told<'_> = serde_json::from_slice(&out).expect("a line is an object");
        assert_eq!(record["type"].get(), r#""function""#);
        printed += 1;
        if buffer.has_room(out.len()) {
            buffer.push_line(now, &out);
        } else {
            buffer.drop_record(text.len());
        }
        largest = out.len().max(largest);
        // Two batches, and each may end with a record that is larger than a batch.
        let most = 2 * (2 * limits.max_bytes + largest) + 256;
        assert!(buffer.waiting() <= most, "it piles up: {}", buffer.waiting());
        if text.first() == Some(&b'!') {
            told += taken(&mut buffer, now, false);
        }
    }
    while !buffer.is_empty() {
        told += taken(&mut buffer, now, true);
    }
    assert_eq!(printed, told, "records that are neither sent nor counted");
}

/// How many lines a batch tells of, be it that they were dropped.
fn taken(buffer: &mut Buffer, now: u64, flush: bool) -> u64 {
    let Some(batch) = buffer.take(now, flush) else { return 0 };
    let records: Vec<Told<'_>> = serde_json::from_slice(&batch.body).expect("a batch is an array");
    assert_eq!(records.len() as u64, batch.records);
    records.iter().map(counts).sum()
}

fn counts(record: &Told<'_>) -> u64 {
    if record["type"].get() != r#""platform.logsDropped""# {
        return 1;
    }
    let dropped: Value = serde_json::from_str(record["record"].get()).expect("an object");
    dropped["droppedRecords"].as_u64().expect("a count")
}
