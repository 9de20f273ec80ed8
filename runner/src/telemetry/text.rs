//! The lines that Lambda prints around an invocation, byte for byte as recorded there: fields are separated by
//! tabs. Pure. Which events have no line in a text log is decided here too.

use std::fmt::Write as _;
use std::time::Duration;

use crate::session::Feed;

use super::json::event_name;
use super::record::{
    Extension, Fact, InitReport, InitStart, Outcome, Report, Subscriber, Tracing, Type,
};

/// The line of an event, where it has one; without the newline at its end.
pub fn render(fact: &Fact) -> Option<String> {
    match fact {
        Fact::InitStart(it) => init_start(it),
        Fact::InitReport(it) => init_report(it),
        Fact::Start(it) => {
            Some(format!("START RequestId: {} Version: {}", it.request_id, it.version))
        }
        Fact::End(request_id) => Some(format!("END RequestId: {request_id}")),
        Fact::Report(it) => Some(report(it)),
        Fact::Extension(it) => Some(extension(it)),
        Fact::Subscribed(it) => Some(subscribed(it)),
        Fact::InitRuntimeDone(_) | Fact::RuntimeDone(_) | Fact::Fault(_) | Fact::LogsDropped(_) => {
            None
        }
    }
}

/// What Lambda prints of a container image whose command cannot be started.
pub fn image(error: &str, entrypoint: &[String], command: &[String], directory: &str) -> String {
    let list = |words: &[String]| format!("[{}]", words.join(","));
    format!(
        "IMAGE\tLaunch error: {error}\tEntrypoint: {}\tCmd: {}\tWorkingDir: [{directory}]",
        list(entrypoint),
        list(command),
    )
}

/// An image has no runtime version, and no line.
fn init_start(it: &InitStart) -> Option<String> {
    let line = format!("INIT_START Runtime Version: {}", it.runtime.as_ref()?);
    let arn = it.runtime_arn.as_ref().map(|arn| format!("\tRuntime Version ARN: {arn}"));
    Some(line + &arn.unwrap_or_default())
}

/// Printed only of an init that failed: REPORT tells of the others.
fn init_report(it: &InitReport) -> Option<String> {
    let status = status(&it.outcome)?;
    let (duration, phase) = (millis(it.duration), it.phase.name());
    Some(format!("INIT_REPORT Init Duration: {duration} ms\tPhase: {phase}\t{status}"))
}

fn report(it: &Report) -> String {
    let mut line = format!(
        "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
        it.request_id,
        millis(it.duration),
        it.billed(),
        it.memory,
        it.peak_megabytes(),
    );
    if let Some(init) = it.init {
        let _ = write!(line, "Init Duration: {} ms\t", millis(init));
    }
    if let Some(status) = status(&it.outcome).filter(|_| !it.reported) {
        line += &status;
    }
    if let Some(xray) = it.tracing.as_ref().and_then(xray) {
        line += "\n";
        line += &xray;
    }
    line
}

/// Printed of a sampled trace in which the function has a segment.
fn xray(tracing: &Tracing) -> Option<String> {
    let segment = tracing.span_id.as_ref()?;
    let field = |name| tracing.value.split(';').find_map(|field| field.trim().strip_prefix(name));
    let root = field("Root=").filter(|_| field("Sampled=") == Some("1"))?;
    Some(format!("XRAY TraceId: {root}\tSegmentId: {segment}\tSampled: true\t"))
}

fn extension(it: &Extension) -> String {
    let events: Vec<_> = it.events.iter().map(|event| event_name(*event)).collect();
    let error = it.error_type.as_ref().map(|kind| format!("\tError Type: {kind}"));
    format!(
        "EXTENSION\tName: {}\tState: {}\tEvents: [{}]{}",
        it.name,
        it.state.name(),
        events.join(", "),
        error.unwrap_or_default(),
    )
}

fn subscribed(it: &Subscriber) -> String {
    let feed = match it.feed {
        Feed::Telemetry => "TELEMETRY",
        Feed::Logs => "LOGS",
    };
    let names = it.types.iter().map(|kind| match kind {
        Type::Platform => "Platform",
        Type::Function => "Function",
        Type::Extension => "Extension",
    });
    let types: Vec<_> = names.collect();
    format!("{feed}\tName: {}\tState: Subscribed\tTypes: [{}]", it.name, types.join(", "))
}

/// A timeout has no error type here.
fn status(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Success => None,
        Outcome::Timeout => Some("Status: timeout".to_owned()),
        // Lambda's text log has one word for both.
        Outcome::Error(kind) | Outcome::Failure(kind) => {
            Some(format!("Status: error\tError Type: {kind}"))
        }
    }
}

/// `11.64`
fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests;
