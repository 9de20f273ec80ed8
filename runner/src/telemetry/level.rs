//! How important a record is, and which are kept out of a JSON log. A text log keeps all.

use serde::Deserialize;
use serde_json::Value;

use super::record::{Fact, InitKind, Outcome};

/// How important a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Trace,
    /// For who looks for a fault.
    Debug,
    /// What is expected.
    Info,
    /// What is not.
    Warn,
    /// What went wrong.
    Error,
    /// What nothing comes after.
    Fatal,
}

impl Level {
    /// A level by its name in settings and log lines; Python's own names too.
    pub fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let names = [
            (Self::Trace, ["TRACE", "TRACE"]),
            (Self::Debug, ["DEBUG", "DEBUG"]),
            (Self::Info, ["INFO", "INFO"]),
            (Self::Warn, ["WARN", "WARNING"]),
            (Self::Error, ["ERROR", "ERROR"]),
            (Self::Fatal, ["FATAL", "CRITICAL"]),
        ];
        names.into_iter().find(|(_, names)| names.iter().any(|it| is(it))).map(|(level, _)| level)
    }

    /// Its name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    /// The level of a platform event, as Lambda gives it.
    pub fn of(fact: &Fact) -> Self {
        let unless = |failed: bool, level| if failed { Self::Warn } else { level };
        let failed = |outcome: &Outcome| *outcome != Outcome::Success;
        match fact {
            Fact::InitStart(start) if start.runtime.is_none() => Self::Debug,
            Fact::InitRuntimeDone(done) => unless(failed(&done.outcome), Self::Debug),
            Fact::RuntimeDone(done) => unless(failed(&done.outcome), Self::Debug),
            Fact::InitReport(report) if report.kind == InitKind::OnDemand => {
                unless(failed(&report.outcome), Self::Debug)
            }
            Fact::InitReport(report) => unless(failed(&report.outcome), Self::Info),
            Fact::Extension(extension) => unless(extension.error_type.is_some(), Self::Info),
            Fact::Fault(_) | Fact::LogsDropped(_) => Self::Warn,
            Fact::InitStart(_)
            | Fact::Start(_)
            | Fact::End(_)
            | Fact::Report(_)
            | Fact::Subscribed(_) => Self::Info,
        }
    }

    /// The level of an application's line: what its frame says, or its key `level`, else INFO.
    pub fn of_line(text: &[u8], framed: Option<Self>) -> Self {
        framed.or_else(|| Keys::of(text)?.level()).unwrap_or(Self::Info)
    }
}

/// The key that Lambda reads of a line that is JSON.
#[derive(Deserialize)]
struct Keys {
    level: Option<Value>,
}

impl Keys {
    fn of(text: &[u8]) -> Option<Self> {
        let object = text.trim_ascii_start().first() == Some(&b'{');
        if object { serde_json::from_slice(text).ok() } else { None }
    }

    fn level(&self) -> Option<Level> {
        self.level.as_ref()?.as_str().and_then(Level::named)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::Phase;
    use crate::telemetry::record::{InitReport, InitStart};

    #[test]
    fn lines_tell_their_level_or_are_information() {
        let table: [(&str, Level); 7] = [
            (r#"{"level":"ERROR","message":"x"}"#, Level::Error),
            (r#" {"message":{"level":"FATAL"},"level":"debug"}"#, Level::Debug),
            (r#"{"level":"WARNING"}"#, Level::Warn),
            (r#"{"level":30}"#, Level::Info),
            (r#"{"level":"loud"}"#, Level::Info),
            (r#"{"level":"ERROR""#, Level::Info),
            ("ERROR: no JSON", Level::Info),
        ];
        for (line, level) in table {
            assert_eq!(Level::of_line(line.as_bytes(), None), level, "{line}");
        }
        assert_eq!(Level::of_line(b"x", Some(Level::Trace)), Level::Trace);
    }

    #[test]
    fn system_events_have_the_levels_that_lambda_gives_them() {
        let start = |runtime: Option<&str>| {
            Fact::InitStart(InitStart {
                kind: InitKind::OnDemand,
                phase: Phase::Init,
                function: "f".into(),
                version: "1".into(),
                runtime: runtime.map(Into::into),
                runtime_arn: None,
                instance: None,
                memory: None,
            })
        };
        assert_eq!(Level::of(&start(Some("python3.13"))), Level::Info);
        assert_eq!(Level::of(&start(None)), Level::Debug);
        let report = |kind, error| {
            Fact::InitReport(InitReport {
                kind,
                phase: Phase::Init,
                outcome: Outcome::of(error),
                duration: Duration::ZERO,
            })
        };
        assert_eq!(Level::of(&report(InitKind::OnDemand, None)), Level::Debug);
        assert_eq!(Level::of(&report(InitKind::ManagedInstances, None)), Level::Info);
        assert_eq!(Level::of(&report(InitKind::OnDemand, Some("Runtime.X"))), Level::Warn);
    }
}
