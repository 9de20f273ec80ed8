//! What happened since making ready began, for extensions that subscribe later. Bounded: platform events
//! are few; lines beyond the bound are counted. Pure.

use crate::session::Millis;

use super::buffer::Buffer;
use super::json::{self, Schema};
use super::level::Level;
use super::record::{Dropped, Line, Record, Type};

/// Bytes of lines that are kept.
const BYTES: usize = 256 << 10;
/// Records that are kept.
const RECORDS: usize = 2_000;

/// What a new subscriber is told first.
#[derive(Debug, Default)]
pub(super) struct Replay {
    kept: Vec<Kept>,
    bytes: usize,
    lost: [Dropped; 2],
}

#[derive(Debug)]
enum Kept {
    Event(Record),
    Line { time: Millis, kind: Type, text: Box<[u8]>, level: Option<Level> },
}

impl Replay {
    /// Keeps an event.
    pub(super) fn event(&mut self, record: &Record) {
        if self.kept.len() < RECORDS {
            self.kept.push(Kept::Event(record.clone()));
        }
    }

    /// Keeps a line.
    pub(super) fn line(&mut self, line: &Line<'_>) {
        if self.kept.len() >= RECORDS / 2 || self.bytes + line.text.len() > BYTES {
            let lost = &mut self.lost[usize::from(line.kind == Type::Extension)];
            lost.records += 1;
            lost.bytes += line.text.len() as u64;
            return;
        }
        self.bytes += line.text.len();
        let Line { time, kind, level, text } = *line;
        self.kept.push(Kept::Line { time, kind, text: text.into(), level });
    }

    /// Tells all of it that is of these types.
    pub(super) fn tell(
        &self,
        buffer: &mut Buffer,
        now: Millis,
        types: &[Type],
        write: (Schema, bool),
    ) {
        let (schema, objects) = write;
        let mut out = Vec::new();
        for kept in &self.kept {
            out.clear();
            match kept {
                Kept::Event(record) if types.contains(&Type::Platform) => {
                    if json::render(record, schema, &mut out) {
                        buffer.push_event(now, &out);
                    }
                }
                Kept::Line { time, kind, text, level } if types.contains(kind) => {
                    let line = Line { time: *time, kind: *kind, text, level: *level };
                    tell_line(buffer, now, &line, (schema, objects), &mut out);
                }
                Kept::Event(_) | Kept::Line { .. } => {}
            }
        }
        for (kind, lost) in [Type::Function, Type::Extension].iter().zip(self.lost) {
            if types.contains(kind) {
                buffer.drop_records(lost);
            }
        }
    }
}

/// Puts a line into a buffer, or counts it. `out` is where it is rendered.
pub(super) fn tell_line(
    buffer: &mut Buffer,
    now: Millis,
    line: &Line<'_>,
    (schema, objects): (Schema, bool),
    out: &mut Vec<u8>,
) {
    if !buffer.has_room(line.text.len()) {
        return buffer.drop_record(line.text.len());
    }
    out.clear();
    json::line(line, schema, objects, out);
    buffer.push_line(now, out);
}
