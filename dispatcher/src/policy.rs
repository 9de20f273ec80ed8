//! Whether a re-run is worth it: what is known of a failure → a verdict in words. A longer, larger box helps against
//! limits (time, memory, size, disk), not against errors. Pure.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::envelope::Failed;

/// What is run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Which failures: `timeouts`, `resources` (those, and memory, disk and response size) or `any`.
    pub rerun: Rerun,
    /// Nothing that failed longer ago.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub max_age: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rerun: Rerun::default(), max_age: Duration::from_hours(14 * 24) }
    }
}

/// Which failures are run again.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Rerun {
    /// Time-outs only.
    Timeouts,
    /// Whatever a larger box may cure.
    #[default]
    Resources,
    /// Everything, exceptions too.
    Any,
}

/// What a failure was, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The function's time was up.
    Timeout,
    /// Memory, or killed as the kernel does for want of it.
    Memory,
    /// The response was too large.
    ResponseSize,
    /// `/tmp` was full.
    Disk,
    /// It never ran: throttled, too old, no concurrency.
    NotRun,
    /// The function, or its runtime, said that it failed.
    Error,
    /// Nothing is said.
    Unknown,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is run, so many sizes larger.
    Run {
        /// Sizes above the function's own.
        larger: u32,
        /// Why, in words.
        why: String,
    },
    /// It is not.
    Refuse(String),
}

/// Whether this failure, seen so long after it happened, is worth a re-run.
pub fn judge(failed: &Failed, age: Option<Duration>, settings: &Settings) -> Verdict {
    if let Some(age) = age.filter(|age| *age > settings.max_age) {
        return Verdict::Refuse(format!(
            "it failed {} ago, expected at most {} (`max_age`)",
            days(age),
            days(settings.max_age)
        ));
    }
    let trouble = trouble(failed);
    let needed = match trouble {
        Trouble::Timeout | Trouble::NotRun | Trouble::Unknown => Rerun::Timeouts,
        Trouble::Memory | Trouble::ResponseSize | Trouble::Disk => Rerun::Resources,
        Trouble::Error => Rerun::Any,
    };
    if settings.rerun < needed {
        let wanted = if needed == Rerun::Any { "any" } else { "resources" };
        let words = words(trouble);
        return Verdict::Refuse(format!(
            "{words}, which a re-run does not cure (`rerun = \"{wanted}\"` runs it)"
        ));
    }
    let larger = u32::from(trouble == Trouble::Memory);
    Verdict::Run { larger, why: words(trouble).to_owned() }
}

fn words(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Timeout => "the function timed out",
        Trouble::Memory => "the function ran out of memory",
        Trouble::ResponseSize => "the response was too large for Lambda",
        Trouble::Disk => "the disk was full",
        Trouble::NotRun => "the function was not run",
        Trouble::Error => "the function failed by itself",
        Trouble::Unknown => "nothing is said of an error",
    }
}

/// What a failure was (the types and texts of the Lambda developer guide, and those recorded on AWS).
pub fn trouble(failed: &Failed) -> Trouble {
    let kind = failed.error.kind.as_deref();
    let message = failed.error.message.as_ref().map(|message| message.expose().as_str());
    match (kind, message) {
        (None, None) => match failed.condition.as_deref() {
            Some("EventAgeExceeded" | "ZeroReservedConcurrency") => Trouble::NotRun,
            _ => Trouble::Unknown,
        },
        (kind, message) => named(kind)
            .or_else(|| told(kind, message.unwrap_or_default()))
            .unwrap_or(Trouble::Error),
    }
}

fn named(kind: Option<&str>) -> Option<Trouble> {
    Some(match kind? {
        "Sandbox.Timedout" | "Sandbox.Timeout" | "Runtime.InvokeTimeout" => Trouble::Timeout,
        "Runtime.OutOfMemory" | "MemoryError" | "java.lang.OutOfMemoryError" => Trouble::Memory,
        "Function.ResponseSizeTooLarge" => Trouble::ResponseSize,
        _ => return None,
    })
}

/// What the text says, where the type does not: older records and dead-letter queues have no type.
fn told(kind: Option<&str>, message: &str) -> Option<Trouble> {
    let message = message.trim_end();
    // A function's own exception may quote any of these texts; the platform's have its types, or none.
    let platform =
        kind.is_none_or(|kind| kind.starts_with("Runtime.") || kind.starts_with("Sandbox."));
    if platform && is_timeout(message) {
        return Some(Trouble::Timeout);
    }
    if platform && message.ends_with("Runtime exited with error: signal: killed") {
        return Some(Trouble::Memory);
    }
    if platform
        && message.starts_with("Response payload size exceeded maximum allowed payload size")
    {
        return Some(Trouble::ResponseSize);
    }
    let heap = message.contains("JavaScript heap out of memory");
    let disk =
        message.contains("No space left on device") || message.contains("ENOSPC: no space left");
    match (heap, disk) {
        (true, _) => Some(Trouble::Memory),
        (_, true) => Some(Trouble::Disk),
        _ => None,
    }
}

/// `[…: ]Task timed out after 900.00 seconds`, with request id and time or error prefix in front, nothing behind.
fn is_timeout(message: &str) -> bool {
    let Some((before, after)) = message.rsplit_once("Task timed out after ") else { return false };
    let number = after.strip_suffix(" seconds").unwrap_or_default();
    let spoken_by_lambda = before.is_empty()
        || (before.starts_with("RequestId: ") && before.ends_with(" Error: "))
        || (before.ends_with(' ') && before.split_whitespace().count() == 2);
    spoken_by_lambda && !number.is_empty() && number.parse::<f64>().is_ok()
}

fn days(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ledger::{JobId, Redacted};

    use super::*;
    use crate::envelope::{Hint, Kind};

    fn failed(kind: Option<&str>, message: Option<&str>) -> Failed {
        let event = Bytes::from_static(b"{}");
        let mut failed =
            Failed::new(JobId::from_digest(b""), Kind::Destination, Hint::Unknown, event);
        failed.error.kind = kind.map(str::to_owned);
        failed.error.message = message.map(|message| Redacted::new(message.to_owned()));
        failed
    }

    const ID: &str = "8f0d0d9a-6e0b-4c1d-8a3c-5b4b2f5a9b11";

    #[test]
    fn limits_are_told_from_errors() {
        let old = format!("2024-12-01T22:42:19.181Z {ID} Task timed out after 900.01 seconds");
        let new = format!("RequestId: {ID} Error: Task timed out after 900.00 seconds");
        let killed = format!("RequestId: {ID} Error: Runtime exited with error: signal: killed");
        let exited = format!("RequestId: {ID} Error: Runtime exited with error: exit status 1");
        let size = "Response payload size exceeded maximum allowed payload size (6291556 bytes).";
        for (kind, message, expected) in [
            (Some("Sandbox.Timedout"), Some(new.as_str()), Trouble::Timeout),
            (None, Some(old.as_str()), Trouble::Timeout),
            (None, Some(new.as_str()), Trouble::Timeout),
            (None, Some("Task timed out after 3.00 seconds"), Trouble::Timeout),
            (Some("ValueError"), Some("Task timed out after 3.00 seconds"), Trouble::Error),
            (None, Some("the child said: Task timed out after 3.00 seconds"), Trouble::Error),
            (None, Some("Task timed out after lunch seconds"), Trouble::Error),
            (None, Some("Task timed out after 3.00 seconds, said the API"), Trouble::Error),
            (Some("Runtime.ExitError"), Some(killed.as_str()), Trouble::Memory),
            (Some("Runtime.ExitError"), Some(exited.as_str()), Trouble::Error),
            (Some("Runtime.OutOfMemory"), None, Trouble::Memory),
            (Some("MemoryError"), Some(""), Trouble::Memory),
            (Some("Function.ResponseSizeTooLarge"), Some(size), Trouble::ResponseSize),
            (None, Some(size), Trouble::ResponseSize),
            (Some("OSError"), Some("[Errno 28] No space left on device"), Trouble::Disk),
            (Some("Error"), Some("ENOSPC: no space left on device, write"), Trouble::Disk),
            (Some("Runtime.ImportModuleError"), Some("No module named 'x'"), Trouble::Error),
            (None, Some("boom"), Trouble::Error),
            (None, None, Trouble::Unknown),
        ] {
            assert_eq!(trouble(&failed(kind, message)), expected, "{kind:?} {message:?}");
        }
        let mut never = failed(None, None);
        never.condition = Some("EventAgeExceeded".into());
        assert_eq!(trouble(&never), Trouble::NotRun);
    }

    fn verdict(failed: &Failed, rerun: Rerun) -> Verdict {
        judge(failed, None, &Settings { rerun, ..Settings::default() })
    }

    #[test]
    fn the_setting_decides_what_is_worth_it() {
        let timeout = failed(Some("Sandbox.Timedout"), None);
        let memory = failed(Some("Runtime.OutOfMemory"), None);
        let error = failed(Some("ValueError"), Some("boom"));
        let unknown = failed(None, None);
        for (failed, least) in [
            (&timeout, Rerun::Timeouts),
            (&memory, Rerun::Resources),
            (&error, Rerun::Any),
            (&unknown, Rerun::Timeouts),
        ] {
            for rerun in [Rerun::Timeouts, Rerun::Resources, Rerun::Any] {
                let run = matches!(verdict(failed, rerun), Verdict::Run { .. });
                assert_eq!(run, rerun >= least, "{failed:?} {rerun:?}");
            }
        }
        let Verdict::Run { larger, .. } = verdict(&memory, Rerun::Resources) else { panic!() };
        assert_eq!(larger, 1);
    }

    #[test]
    fn a_refusal_says_what_would_run_it_and_quotes_nothing() {
        let error = failed(Some("ValueError"), Some("canary"));
        let Verdict::Refuse(why) = verdict(&error, Rerun::Resources) else { panic!() };
        assert!(why.contains("`rerun = \"any\"`") && !why.contains("canary"), "{why}");
    }

    #[test]
    fn what_is_too_old_is_refused() {
        let settings: Settings = toml::from_str("max_age = \"6h\"").unwrap();
        let hours = |hours| Some(Duration::from_hours(hours));
        assert!(matches!(judge(&failed(None, None), hours(5), &settings), Verdict::Run { .. }));
        let Verdict::Refuse(why) = judge(&failed(None, None), hours(7), &settings) else {
            panic!()
        };
        assert!(why.contains("7h ago") && why.contains("6h"), "{why}");
    }
}
