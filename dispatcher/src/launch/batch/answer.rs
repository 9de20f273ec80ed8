//! What AWS Batch answers, in the launchers' words (Batch API reference, `SubmitJob` and `JobDetail`; user guide,
//! "Automated job retries", "Jobs stuck in RUNNABLE"). Pure.

use std::time::Duration;

use crate::launch::answer::{self as ecs, Told};
use crate::launch::{Refused, Seen};

/// An exception of this operation, by its name and text. What was submitted in spite of it is found by its name.
pub(super) fn exception(operation: &str, code: &str, message: &str) -> Refused {
    let why = format!("{operation} was refused: {code}: {message}");
    let throttled = ["Throttl", "TooManyRequests"].iter().any(|name| code.contains(name))
        || message.contains("Rate exceeded");
    let later = |seconds, anew| {
        let after = Duration::from_secs(seconds);
        Refused::Later { why: why.clone(), after, anew, slower: throttled }
    };
    match code {
        _ if throttled => later(2, false),
        "ServerException" | "InternalFailure" | "ServiceUnavailable" => later(5, false),
        "ClientException" if !is_mendable(message) => Refused::Never { why },
        // What the configuration says cannot be done, for now: somebody has to mend it, and no job is lost meanwhile.
        "ClientException" | "AccessDeniedException" => later(60, true),
        _ => later(30, false),
    }
}

/// Whether it is the queue or the job definition that is wrong, and not the request.
fn is_mendable(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let wrong = [
        "does not exist",
        "not found",
        "disabled",
        "not in enabled",
        "not valid state",
        "deregistered",
    ];
    wrong.iter().any(|part| message.contains(part)) || message.contains("not authorized")
}

/// What Batch tells of a job.
#[derive(Debug, Default)]
pub(super) struct Job<'a> {
    pub(super) status: &'a str,
    pub(super) status_reason: Option<&'a str>,
    pub(super) container_reason: Option<&'a str>,
    pub(super) exit: Option<i32>,
    /// Somebody asked for its end.
    pub(super) stopped: bool,
}

/// What that means.
pub(super) fn seen(job: &Job<'_>) -> Seen {
    match job.status {
        "SUCCEEDED" | "FAILED" => ecs::over(&Told {
            last_status: "STOPPED",
            pulling: false,
            stop_code: Some(stop_code(job)),
            stopped_reason: job.status_reason,
            container_reason: job.container_reason,
            // Success is an exit code of 0, told or not.
            exit: job.exit.or((job.status == "SUCCEEDED").then_some(0)),
        }),
        // One that waits for machines may wait for ever: why is said, and its queue decides how long.
        status => {
            let why = job.status_reason.map(|why| format!(" ({why})")).unwrap_or_default();
            Seen::Alive { step: format!("{status}{why}") }
        }
    }
}

/// Why it ended, as ECS would call it.
fn stop_code(job: &Job<'_>) -> &'static str {
    let reason = job.status_reason.unwrap_or_default();
    match () {
        () if job.stopped || reason.contains("duration exceeded timeout") => "UserInitiated",
        // The instance is gone: reclaimed, or broken.
        () if reason.starts_with("Host EC2") => "SpotInterruption",
        () if job.exit.is_some() => "EssentialContainerExited",
        () => "TaskFailedToStart",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::Cause;

    #[test]
    fn exceptions_have_their_answer() {
        for (code, message, expected) in [
            ("TooManyRequestsException", "Too Many Requests", Some((2, false))),
            ("ClientException", "Rate exceeded", Some((2, false))),
            ("ServerException", "", Some((5, false))),
            (
                "ClientException",
                "Job definition immortal-python-x86-64 does not exist",
                Some((60, true)),
            ),
            ("ClientException", "JobQueue long not found", Some((60, true))),
            ("ClientException", "The job queue is not in ENABLED state", Some((60, true))),
            (
                "AccessDeniedException",
                "is not authorized to perform: batch:SubmitJob",
                Some((60, true)),
            ),
            ("ClientException", "shareIdentifier must be specified", None),
            (
                "ClientException",
                "Fargate resource requirements (2.00 vCPU, 1024 MiB) not valid.",
                None,
            ),
            ("SomethingNewException", "", Some((30, false))),
        ] {
            let found = match exception("SubmitJob", code, message) {
                Refused::Later { after, anew, slower, .. } => {
                    assert_eq!(slower, message.contains("Rate") || code.contains("TooMany"));
                    Some((after.as_secs(), anew))
                }
                Refused::Never { why } => {
                    assert!(why.contains(message), "{why}");
                    None
                }
            };
            assert_eq!(found, expected, "{code}: {message}");
        }
    }

    #[test]
    fn each_end_has_a_cause_of_the_closed_list() {
        let ended = "Essential container in task exited";
        for (status, reason, container, exit, stopped, expected) in [
            ("SUCCEEDED", ended, "", None, false, Cause::Exited),
            ("FAILED", ended, "", Some(1), false, Cause::Exited),
            ("FAILED", ended, "", Some(137), false, Cause::Killed),
            (
                "FAILED",
                ended,
                "OutOfMemoryError: Container killed due to memory usage",
                Some(137),
                false,
                Cause::OutOfMemory,
            ),
            ("FAILED", "Host EC2 (instance i-0a) terminated.", "", None, false, Cause::Spot),
            ("FAILED", "Your Spot Task was interrupted.", "", Some(143), false, Cause::Spot),
            (
                "FAILED",
                "Task failed to start",
                "CannotPullContainerError: inspect image has been retried",
                None,
                false,
                Cause::ImagePull,
            ),
            (
                "FAILED",
                "ResourceInitializationError: unable to reach logs",
                "",
                None,
                false,
                Cause::Resources,
            ),
            (
                "FAILED",
                "Job attempt duration exceeded timeout",
                "",
                Some(137),
                false,
                Cause::Stopped,
            ),
            ("FAILED", "enough", "", Some(143), true, Cause::Stopped),
            ("FAILED", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "", None, true, Cause::Capacity),
            (
                "FAILED",
                "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
                "",
                None,
                true,
                Cause::Resources,
            ),
            (
                "FAILED",
                "Container Overrides length must be at most 8192",
                "",
                None,
                false,
                Cause::Start,
            ),
        ] {
            let text = |text| Some(text).filter(|text: &&str| !text.is_empty());
            let (status_reason, container_reason) = (text(reason), text(container));
            let job = Job { status, status_reason, container_reason, exit, stopped };
            let Seen::Over { cause, reason: words, .. } = seen(&job) else { panic!("{job:?}") };
            assert_eq!(cause, expected, "{job:?}");
            assert!(words.contains(reason), "{words}");
        }
    }

    #[test]
    fn what_waits_says_why() {
        for (status, reason, expected) in [
            ("SUBMITTED", None, "SUBMITTED"),
            ("RUNNING", None, "RUNNING"),
            (
                "RUNNABLE",
                Some("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"),
                "RUNNABLE (MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE)",
            ),
        ] {
            let job = Job { status, status_reason: reason, ..Job::default() };
            assert_eq!(seen(&job), Seen::Alive { step: expected.to_owned() });
        }
    }
}
