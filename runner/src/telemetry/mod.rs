//! What happens in an environment and what its processes print, told to the log and to whoever subscribed. The
//! one thing that the loop has to call for each fact. What the facts are is decided by the session.

pub mod buffer;
mod deliver;
mod hub;
pub mod json;
pub mod level;
mod mailbox;
pub mod record;
mod replay;
pub mod subscribe;
pub mod text;
pub mod write;

pub use hub::Hub;
pub use level::Level;
pub use record::{Fact, Record};

use tokio::time::Instant;

use crate::clock::Clock;
use crate::output::frames::Frame;
use crate::output::{Journal, Origin, Sink, Tail};
use crate::session::Feed;

use json::Schema;
use record::{Line, Source, Subscriber, Type};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// Text or JSON.
    pub format: Format,
    /// The least important lines of the function that are logged; of JSON only.
    pub application: Level,
    /// The least important platform events that are logged; of JSON only.
    pub system: Level,
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: Format::Text, application: Level::Info, system: Level::Info }
    }
}

/// The log's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `START RequestId: …`
    Text,
    /// `{"time":…,"type":"platform.start",…}`
    Json,
}

/// What happens in one environment, told.
#[derive(Debug)]
pub struct Telemetry {
    journal: Journal,
    hub: Hub,
    logging: Logging,
    clock: Clock,
    /// The end of the log, while somebody wants it.
    tail: Option<Tail>,
}

impl Telemetry {
    /// For a new environment, which one can subscribe to.
    pub fn new(journal: Journal, logging: Logging, clock: Clock) -> Self {
        let hub = Hub::new(clock, logging.format == Format::Json);
        Self { journal, hub, logging, clock, tail: None }
    }

    /// The log, for those who have to wait for room in it.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Tells a fact of now.
    pub fn tell(&mut self, fact: Fact) {
        self.publish(&Record { time: self.clock.now(), fact });
    }

    /// Tells a fact.
    pub fn publish(&mut self, record: &Record) {
        if let Some(line) = self.rendered(record) {
            self.log(&line);
        }
        self.hub.event(record);
    }

    fn rendered(&self, record: &Record) -> Option<Vec<u8>> {
        if self.logging.format == Format::Text {
            return text::render(&record.fact).map(String::into_bytes);
        }
        let mut out = Vec::new();
        let logged = Level::of(&record.fact) >= self.logging.system;
        (logged && json::render(record, schema(&record.fact), &mut out)).then_some(out)
    }

    /// Logs a line of the supervisor's own; nobody else is told.
    pub fn note(&mut self, text: &str) {
        self.log(text.as_bytes());
    }

    fn log(&mut self, line: &[u8]) {
        self.journal.line(line);
        if let Some(tail) = &mut self.tail {
            tail.add(line);
            tail.add(b"\n");
        }
    }

    /// Subscribes an extension, or says what is wrong with its request.
    pub fn subscribe(&mut self, name: &str, feed: Feed, body: &[u8]) -> Result<(), String> {
        let types = self.hub.subscribe(name, feed, body)?;
        self.tell(Fact::Subscribed(Subscriber { name: name.into(), feed, types }));
        Ok(())
    }

    /// Making ready is over: nobody subscribes from now on.
    pub fn close(&mut self) {
        self.hub.close();
    }

    /// The environment begins anew: its subscribers are gone.
    pub fn reset(&mut self) {
        self.hub.reset();
    }

    /// Sends everything that waits for subscribers; done when it has arrived, or at the deadline. Nobody need
    /// wait for it.
    pub fn flush(&self, deadline: Instant) -> impl Future<Output = ()> + use<> {
        self.hub.flush(deadline)
    }

    /// From now on the end of the log is kept.
    pub fn tail_start(&mut self) {
        self.tail = Some(Tail::default());
    }

    /// The last 4 KiB of the log since [`tail_start`](Self::tail_start).
    pub fn tail_take(&mut self) -> Vec<u8> {
        self.tail.take().map(Tail::into_bytes).unwrap_or_default()
    }

    /// Is a line of this importance logged?
    fn logs(&self, kind: Type, text: &[u8], level: Option<Level>) -> bool {
        let filtered = self.logging.format == Format::Json && kind == Type::Function;
        !filtered || Level::of_line(text, level) >= self.logging.application
    }

    fn log_lines(&mut self, origin: Origin, bytes: &[u8]) {
        self.journal.write(origin, bytes);
        if let Some(tail) = &mut self.tail {
            tail.add(bytes);
        }
    }
}

impl Sink for Telemetry {
    fn lines(&mut self, source: &Source, origin: Origin, bytes: &[u8]) {
        let kind = source.kind();
        if self.logging.format == Format::Text {
            self.log_lines(origin, bytes);
        } else {
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                if self.logs(kind, line, None) {
                    self.log_lines(origin, line);
                }
            }
        }
        if self.hub.wants(kind) {
            self.hub.lines(kind, self.clock.now(), bytes);
        }
    }

    fn frame(&mut self, source: &Source, frame: Frame<'_>) {
        let (kind, level) = (source.kind(), frame.head.level);
        if self.logs(kind, frame.text, level) {
            self.log(frame.text);
        }
        if self.hub.wants(kind) {
            let time = frame.head.micros.map_or_else(|| self.clock.now(), |micros| micros / 1000);
            self.hub.line(&Line { time, kind, text: frame.text, level });
        }
    }

    fn garbage(&mut self, source: &Source, bytes: u64) {
        let whose = match source {
            Source::Function => "the function's",
            Source::Extension(name) => &format!("extension {name}'s"),
        };
        self.note(&format!("{bytes} bytes in {whose} log channel were no log frame"));
    }
}

/// Each API has events of its own; a log has all.
const fn schema(fact: &Fact) -> Schema {
    match fact {
        Fact::Subscribed(Subscriber { feed: Feed::Logs, .. }) => Schema::Logs20210318,
        _ => Schema::LOG,
    }
}

#[cfg(test)]
mod tests;
