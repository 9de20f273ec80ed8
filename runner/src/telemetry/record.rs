//! What happened in an environment, as facts: platform events and log lines. No behaviour but names;
//! how a fact is written is known to `json` and `text`, who hears of it to `hub`.

use std::sync::Arc;
use std::time::Duration;

use crate::session::{ExtensionState, Feed, Millis, Phase, Subscribed};

use super::level::Level;

/// A platform event and when it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When, since the Unix epoch.
    pub time: Millis,
    /// What.
    pub fact: Fact,
}

/// A platform event.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// `platform.initStart`
    InitStart(InitStart),
    /// `platform.initRuntimeDone`
    InitRuntimeDone(InitRuntimeDone),
    /// `platform.initReport`
    InitReport(InitReport),
    /// `platform.start`
    Start(Start),
    /// `platform.runtimeDone`
    RuntimeDone(RuntimeDone),
    /// `platform.end`, for this request id.
    End(Arc<str>),
    /// `platform.report`
    Report(Report),
    /// `platform.fault`, in these words: request id and problem.
    Fault(String),
    /// `platform.extension`
    Extension(Extension),
    /// `platform.telemetrySubscription`, `platform.logsSubscription`
    Subscribed(Subscriber),
    /// `platform.logsDropped`
    LogsDropped(Dropped),
}

/// Making the environment ready begins.
#[derive(Debug, Clone, PartialEq)]
pub struct InitStart {
    /// How the environment came to be.
    pub kind: InitKind,
    /// Ahead of an invocation, or within one.
    pub phase: Phase,
    /// The function's name.
    pub function: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// Which runtime; none for images.
    pub runtime: Option<Arc<str>>,
    /// The ARN of that runtime's version, where there is one.
    pub runtime_arn: Option<Arc<str>>,
    /// The log stream's name.
    pub instance: Option<Arc<str>>,
    /// Memory of the environment, in bytes.
    pub memory: Option<u64>,
}

/// The runtime is ready, or will never be.
#[derive(Debug, Clone, PartialEq)]
pub struct InitRuntimeDone {
    /// How the environment came to be.
    pub kind: InitKind,
    /// Ahead of an invocation, or within one.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Outcome,
}

/// All of the environment is ready, or will never be.
#[derive(Debug, Clone, PartialEq)]
pub struct InitReport {
    /// How the environment came to be.
    pub kind: InitKind,
    /// Ahead of an invocation, or within one.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
}

/// An invocation begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Request id.
    pub request_id: Arc<str>,
    /// The function's version.
    pub version: Arc<str>,
    /// Trace, where there is one.
    pub tracing: Option<Tracing>,
    /// Tenant, where functions are isolated by tenant.
    pub tenant: Option<Arc<str>>,
    /// The function's ARN; managed instances tell it.
    pub function_arn: Option<Arc<str>>,
}

/// The runtime is done with an invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeDone {
    /// Request id.
    pub request_id: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// From handing out the event to the runtime's next call.
    pub duration: Duration,
    /// Size of the response.
    pub produced: u64,
    /// Its parts.
    pub spans: Vec<Span>,
    /// Trace, where there is one.
    pub tracing: Option<Tracing>,
    /// Tenant, where functions are isolated by tenant.
    pub tenant: Option<Arc<str>>,
}

/// An invocation is over, extensions and all.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Request id.
    pub request_id: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// The outcome is an error that the function reported: REPORT says nothing of it.
    pub reported: bool,
    /// From handing out the event to the runtime's next call.
    pub duration: Duration,
    /// How long the environment took to be ready, where this is its first invocation.
    pub init: Option<Duration>,
    /// Memory of the function, in MB.
    pub memory: u32,
    /// The largest use of memory so far, in bytes.
    pub peak_memory: u64,
    /// Its parts.
    pub spans: Vec<Span>,
    /// Trace, where there is one.
    pub tracing: Option<Tracing>,
}

/// Whole milliseconds: those of making ready count too, each begun one in full.
pub fn billed(duration: Duration, init: Option<Duration>) -> u128 {
    let whole = |duration: Duration| duration.as_micros().div_ceil(1000);
    whole(duration) + init.map_or(0, whole)
}

impl Report {
    /// Whole milliseconds that Lambda would bill.
    pub fn billed(&self) -> u128 {
        billed(self.duration, self.init)
    }

    /// Megabytes, a begun one in full.
    pub fn peak_megabytes(&self) -> u64 {
        self.peak_memory.div_ceil(1 << 20)
    }
}

/// How an extension stands when making ready is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Extension {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub state: ExtensionState,
    /// What it asked to be told.
    pub events: Vec<Subscribed>,
    /// What is wrong with it.
    pub error_type: Option<Arc<str>>,
}

/// An extension subscribed.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscriber {
    /// Its name.
    pub name: Arc<str>,
    /// To which API.
    pub feed: Feed,
    /// To what.
    pub types: Vec<Type>,
}

/// A subscriber did not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// How many records it has not been sent.
    pub records: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

/// What can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// What Lambda itself has to say.
    Platform,
    /// What the function prints.
    Function,
    /// What extensions print.
    Extension,
}

/// Who printed a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The runtime, and internal extensions with it.
    Function,
    /// The external extension of this name.
    Extension(Arc<str>),
}

impl Source {
    /// What one subscribes to in order to get its lines.
    pub const fn kind(&self) -> Type {
        match self {
            Self::Function => Type::Function,
            Self::Extension(_) => Type::Extension,
        }
    }
}

/// One record of a log, without the newline at its end. It can have others in it.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// When, since the Unix epoch.
    pub time: Millis,
    /// Who.
    pub kind: Type,
    /// What. UTF-8, one would hope.
    pub text: &'a [u8],
    /// How important its writer said it is.
    pub level: Option<Level>,
}

/// How an environment came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitKind {
    /// There was something to do.
    OnDemand,
    /// Ahead of time.
    Provisioned,
    /// For several invocations at a time.
    ManagedInstances,
}

impl InitKind {
    /// `initializationType`, and the value of `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Provisioned => "provisioned-concurrency",
            Self::ManagedInstances => "lambda-managed-instances",
        }
    }
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Success,
    /// It took too long.
    Timeout,
    /// The function or an extension failed, with this error type.
    Error(Arc<str>),
    /// The platform failed, with this error type.
    Failure(Arc<str>),
}

impl Outcome {
    /// What an error type means, or its absence.
    pub fn of(error_type: Option<&str>) -> Self {
        match error_type {
            None => Self::Success,
            Some("Sandbox.Timedout" | "Sandbox.Timeout") => Self::Timeout,
            Some(kind) if kind.starts_with("Sandbox.") => Self::Failure(kind.into()),
            Some(kind) => Self::Error(kind.into()),
        }
    }

    /// `status`
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Error(_) => "error",
            Self::Failure(_) => "failure",
        }
    }

    /// `errorType`; a timeout has none.
    pub fn error_type(&self) -> Option<&str> {
        match self {
            Self::Success | Self::Timeout => None,
            Self::Error(kind) | Self::Failure(kind) => Some(kind),
        }
    }
}

/// A part of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `responseLatency`, `responseDuration`, `runtimeOverhead`, `extensionOverhead`.
    pub name: &'static str,
    /// When it began.
    pub start: Millis,
    /// How long it took.
    pub duration: Duration,
}

/// Where an invocation belongs in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracing {
    /// The function's own segment, where it is traced.
    pub span_id: Option<Arc<str>>,
    /// `X-Amzn-Trace-Id`
    pub value: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_type_says_whose_fault_it_is() {
        let table = [
            (None, "success", None),
            (Some("Sandbox.Timedout"), "timeout", None),
            (Some("Sandbox.Failure"), "failure", Some("Sandbox.Failure")),
            (Some("Runtime.ExitError"), "error", Some("Runtime.ExitError")),
            (Some("Extension.Crash"), "error", Some("Extension.Crash")),
        ];
        for (kind, status, error_type) in table {
            let outcome = Outcome::of(kind);
            assert_eq!((outcome.name(), outcome.error_type()), (status, error_type));
        }
    }
}
