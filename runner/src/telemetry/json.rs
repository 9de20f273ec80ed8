//! Facts as the JSON that subscribers get and that a JSON log has: `{"time","type","record"}`, by API
//! and schema version. Pure. Who subscribed is known to `hub`.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::session::{Feed, Subscribed};

use super::record::{
    Extension, Fact, InitReport, InitRuntimeDone, InitStart, Line, Outcome, Record, Report,
    RuntimeDone, Span, Start, Subscriber, Tracing, Type,
};
use super::write::{self, Object};

/// What a subscriber understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Telemetry API, `2022-07-01`
    Telemetry20220701,
    /// Telemetry API, `2022-12-13`: log lines can be objects.
    Telemetry20221213,
    /// Telemetry API, `2025-01-29`
    Telemetry20250129,
    /// Logs API, `2020-08-15`
    Logs20200815,
    /// Logs API, `2021-03-18`: with `platform.runtimeDone`.
    Logs20210318,
}

impl Schema {
    /// What a JSON log is written in.
    pub const LOG: Self = Self::Telemetry20221213;

    /// The API that it is of.
    pub const fn feed(self) -> Feed {
        match self {
            Self::Telemetry20220701 | Self::Telemetry20221213 | Self::Telemetry20250129 => {
                Feed::Telemetry
            }
            Self::Logs20200815 | Self::Logs20210318 => Feed::Logs,
        }
    }

    /// Can a log line be an object?
    const fn has_objects(self) -> bool {
        matches!(self, Self::Telemetry20221213 | Self::Telemetry20250129)
    }
}

/// Appends a platform event. False: this schema has no such event, and nothing was appended.
pub fn render(record: &Record, schema: Schema, out: &mut Vec<u8>) -> bool {
    let Some(kind) = kind(&record.fact, schema) else { return false };
    let mut event = Object::begin(out);
    event.moment("time", record.time);
    event.text("type", kind);
    match &record.fact {
        Fact::Fault(text) => event.text("record", text),
        fact => event.object("record", |object| body(object, fact, schema)),
    }
    event.end();
    true
}

/// Appends a log line. With `objects`, one that is a JSON object stays one where the schema allows.
pub fn line(line: &Line<'_>, schema: Schema, objects: bool, out: &mut Vec<u8>) {
    let mut event = Object::begin(out);
    event.moment("time", line.time);
    event.text("type", if line.kind == Type::Extension { "extension" } else { "function" });
    let text = String::from_utf8_lossy(line.text);
    if objects && schema.has_objects() && is_object(&text) {
        event.key("record").extend_from_slice(single(&text).as_bytes());
    } else {
        event.text("record", &text);
    }
    event.end();
}

fn is_object(text: &str) -> bool {
    // JSON's own white space, and no other: the line is passed on as it is.
    let first = text.trim_start_matches([' ', '\t', '\n', '\r']);
    first.starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// JSON without line breaks: those that it has are not in strings, and what ends a record is a newline.
fn single(json: &str) -> Cow<'_, str> {
    let breaks = ['\n', '\r'];
    if json.contains(breaks) { json.replace(breaks, " ").into() } else { json.into() }
}

/// The event's name, where the schema has such an event. Subscribers of one API are not told of
/// subscriptions to the other: they refuse all of a batch for the sake of one unknown event.
fn kind(fact: &Fact, schema: Schema) -> Option<&'static str> {
    let (telemetry, done) = (schema.feed() == Feed::Telemetry, schema != Schema::Logs20200815);
    let (name, known) = match fact {
        Fact::InitStart(_) => ("platform.initStart", telemetry),
        Fact::InitRuntimeDone(_) => ("platform.initRuntimeDone", telemetry),
        Fact::InitReport(_) => ("platform.initReport", telemetry),
        Fact::Start(_) => ("platform.start", true),
        Fact::RuntimeDone(_) => ("platform.runtimeDone", done),
        Fact::End(_) => ("platform.end", !telemetry),
        Fact::Report(_) => ("platform.report", true),
        Fact::Fault(_) => ("platform.fault", !telemetry),
        Fact::Extension(_) => ("platform.extension", true),
        Fact::Subscribed(it) => match it.feed {
            Feed::Telemetry => ("platform.telemetrySubscription", telemetry),
            Feed::Logs => ("platform.logsSubscription", !telemetry),
        },
        Fact::LogsDropped(_) => ("platform.logsDropped", true),
    };
    known.then_some(name)
}

fn body(object: &mut Object<'_>, fact: &Fact, schema: Schema) {
    match fact {
        Fact::InitStart(it) => init_start(object, it),
        Fact::InitRuntimeDone(it) => init_runtime_done(object, it),
        Fact::InitReport(it) => init_report(object, it),
        Fact::Start(it) => start(object, it, schema),
        Fact::RuntimeDone(it) => runtime_done(object, it, schema),
        Fact::End(request_id) => object.text("requestId", request_id),
        Fact::Report(it) => report(object, it, schema),
        // A string, which `render` has written.
        Fact::Fault(_) => {}
        Fact::Extension(it) => extension(object, it),
        Fact::Subscribed(it) => subscribed(object, it),
        Fact::LogsDropped(it) => {
            object.number("droppedBytes", it.bytes);
            object.number("droppedRecords", it.records);
            object.text("reason", FELL_BEHIND);
        }
    }
}

/// Lambda's own words.
const FELL_BEHIND: &str =
    "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.";

fn init_start(object: &mut Object<'_>, it: &InitStart) {
    object.text("initializationType", it.kind.name());
    object.text("phase", it.phase.name());
    object.maybe("runtimeVersion", it.runtime.as_deref());
    object.maybe("runtimeVersionArn", it.runtime_arn.as_deref());
    object.text("functionName", &it.function);
    object.text("functionVersion", &it.version);
    object.maybe("instanceId", it.instance.as_deref());
    if let Some(memory) = it.memory {
        object.number("instanceMaxMemory", memory);
    }
}

fn init_runtime_done(object: &mut Object<'_>, it: &InitRuntimeDone) {
    object.text("initializationType", it.kind.name());
    object.text("phase", it.phase.name());
    outcome(object, &it.outcome);
}

fn init_report(object: &mut Object<'_>, it: &InitReport) {
    object.text("initializationType", it.kind.name());
    object.text("phase", it.phase.name());
    outcome(object, &it.outcome);
    object.object("metrics", |metrics| metrics.millis("durationMs", it.duration));
}

fn start(object: &mut Object<'_>, it: &Start, schema: Schema) {
    object.text("requestId", &it.request_id);
    object.text("version", &it.version);
    if schema.feed() == Feed::Telemetry {
        object.maybe("functionArn", it.function_arn.as_deref());
        tracing(object, it.tracing.as_ref());
        object.maybe("tenantId", it.tenant.as_deref());
    }
}

fn runtime_done(object: &mut Object<'_>, it: &RuntimeDone, schema: Schema) {
    object.text("requestId", &it.request_id);
    if schema.feed() == Feed::Logs {
        // The Logs API knows success, failure and timeout.
        let failed = matches!(it.outcome, Outcome::Error(_));
        return object.text("status", if failed { "failure" } else { it.outcome.name() });
    }
    outcome(object, &it.outcome);
    object.object("metrics", |metrics| {
        metrics.millis("durationMs", it.duration);
        metrics.number("producedBytes", it.produced);
    });
    spans(object, &it.spans);
    tracing(object, it.tracing.as_ref());
    object.maybe("tenantId", it.tenant.as_deref());
}

fn report(object: &mut Object<'_>, it: &Report, schema: Schema) {
    let telemetry = schema.feed() == Feed::Telemetry;
    object.text("requestId", &it.request_id);
    if telemetry {
        outcome(object, &it.outcome);
    }
    object.object("metrics", |metrics| {
        metrics.millis("durationMs", it.duration);
        metrics.number("billedDurationMs", it.billed());
        metrics.number("memorySizeMB", it.memory);
        metrics.number("maxMemoryUsedMB", it.peak_megabytes());
        if let Some(init) = it.init {
            metrics.millis("initDurationMs", init);
        }
    });
    if telemetry {
        spans(object, &it.spans);
    }
    tracing(object, it.tracing.as_ref());
}

fn extension(object: &mut Object<'_>, it: &Extension) {
    object.text("name", &it.name);
    object.text("state", it.state.name());
    object.list("events", &it.events, |out, event| write::text(out, event_name(*event)));
    object.maybe("errorType", it.error_type.as_deref());
}

fn subscribed(object: &mut Object<'_>, it: &Subscriber) {
    object.text("name", &it.name);
    object.text("state", "Subscribed");
    object.list("types", &it.types, |out, kind| write::text(out, type_name(*kind)));
}

fn outcome(object: &mut Object<'_>, outcome: &Outcome) {
    object.text("status", outcome.name());
    object.maybe("errorType", outcome.error_type());
}

fn spans(object: &mut Object<'_>, spans: &[Span]) {
    if spans.is_empty() {
        return;
    }
    object.list("spans", spans, |out, span| {
        let mut object = Object::begin(out);
        object.text("name", span.name);
        object.moment("start", span.start);
        object.millis("durationMs", span.duration);
        object.end();
    });
}

fn tracing(object: &mut Object<'_>, tracing: Option<&Tracing>) {
    let Some(tracing) = tracing else { return };
    object.object("tracing", |object| {
        object.maybe("spanId", tracing.span_id.as_deref());
        object.text("type", "X-Amzn-Trace-Id");
        object.text("value", &tracing.value);
    });
}

/// The event's name where extensions register for it.
pub const fn event_name(event: Subscribed) -> &'static str {
    match event {
        Subscribed::Invoke => "INVOKE",
        Subscribed::Shutdown => "SHUTDOWN",
    }
}

/// The type's name where extensions subscribe to it.
pub const fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::Platform => "platform",
        Type::Function => "function",
        Type::Extension => "extension",
    }
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
