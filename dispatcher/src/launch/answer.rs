//! What ECS answers, in the launchers' words (ECS API reference, `RunTask` and "API failures messages"; developer
//! guide, "Stopped tasks error codes"). Pure.

use std::time::Duration;

use super::{Cause, Refused, Seen};

/// A failure beside, or instead of, a task: HTTP 200 with `failures`.
pub(super) fn failure(reason: &str, detail: Option<&str>) -> Refused {
    let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    let after = if reason.contains("limit on the number of") {
        // The quota is free again when a task has ended.
        Duration::from_mins(1)
    } else {
        Duration::from_secs(15)
    };
    // The same token would only bring the same answer.
    Refused::Later { why: format!("ECS: {reason}{detail}"), after, anew: true, slower: true }
}

/// An exception, by its name and text.
pub(super) fn exception(code: &str, message: &str) -> Refused {
    let why = format!("RunTask was refused: {code}: {message}");
    let throttled = code.contains("Throttl") || message.contains("Rate exceeded");
    let slower = throttled || is_capacity(message);
    let later = |seconds, anew| {
        let after = Duration::from_secs(seconds);
        Refused::Later { why: why.clone(), after, anew, slower }
    };
    match code {
        _ if throttled => later(2, false),
        "ServerException" | "InternalFailure" | "ServiceUnavailable" => later(5, false),
        // Another request had this token: one that asked for something else.
        "ConflictException" => later(1, true),
        // What the configuration says cannot be done, for now: somebody has to mend it, and no job is lost meanwhile.
        "AccessDeniedException" | "ClusterNotFoundException" | "BlockedException" => {
            later(60, true)
        }
        "ClientException" if message.contains("TaskDefinition") => later(60, true),
        "ClientException" | "InvalidParameterException" if is_capacity(message) => later(15, true),
        "ClientException"
        | "InvalidParameterException"
        | "UnsupportedFeatureException"
        | "PlatformUnknownException"
        | "PlatformTaskDefinitionIncompatibilityException" => Refused::Never { why },
        _ => later(30, false),
    }
}

fn is_capacity(message: &str) -> bool {
    message.contains("Capacity is unavailable") || message.contains("limit on the number of")
}

/// What ECS tells of a task.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    pub(super) last_status: &'a str,
    /// Its images are on their way.
    pub(super) pulling: bool,
    pub(super) stop_code: Option<&'a str>,
    pub(super) stopped_reason: Option<&'a str>,
    pub(super) container_reason: Option<&'a str>,
    pub(super) exit: Option<i32>,
}

/// What that means.
pub(super) fn seen(told: &Told<'_>) -> Seen {
    if matches!(told.last_status, "STOPPED" | "DELETED" | "DEPROVISIONING") {
        return over(told);
    }
    let step = if told.pulling { "PULLING" } else { told.last_status };
    Seen::Alive { step: step.to_owned() }
}

/// How something ended.
pub(super) fn over(told: &Told<'_>) -> Seen {
    let cause = cause(told);
    let texts = [told.stopped_reason, told.container_reason];
    let said: Vec<&str> = texts.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    let exit = told.exit.map(|code| format!("exit code {code}"));
    let mut words: Vec<String> = said.into_iter().map(str::to_owned).collect();
    words.extend(exit);
    let words = if words.is_empty() { "no reason is given".to_owned() } else { words.join("; ") };
    Seen::Over { reason: format!("{cause}: {words}"), exit: told.exit, cause }
}

fn cause(told: &Told<'_>) -> Cause {
    let says = |part: &str| {
        [told.stopped_reason, told.container_reason]
            .into_iter()
            .flatten()
            .any(|text| text.contains(part))
    };
    if says("OutOfMemory") {
        return Cause::OutOfMemory;
    }
    if told.stop_code == Some("SpotInterruption") || says("Spot Task was interrupted") {
        return Cause::Spot;
    }
    if says("maintenance") || told.stop_code == Some("TerminationNotice") {
        return Cause::Maintenance;
    }
    for (prefix, cause) in [
        ("CannotPull", Cause::ImagePull),
        ("pull", Cause::ImagePull),
        ("ResourceInitializationError", Cause::Resources),
        ("CannotCreateVolume", Cause::Resources),
        ("CannotStartContainer", Cause::Start),
        ("ContainerRuntime", Cause::Start),
        ("Capacity is unavailable", Cause::Capacity),
        // What a queue of AWS Batch ends that waits for too long.
        ("CAPACITY:", Cause::Capacity),
        ("MISCONFIGURATION:", Cause::Resources),
    ] {
        if told.exit.is_none() && says(prefix) {
            return cause;
        }
    }
    match (told.stop_code, told.exit) {
        (Some("UserInitiated" | "ServiceSchedulerInitiated"), _) => Cause::Stopped,
        (_, Some(137)) => Cause::Killed,
        (_, Some(_)) => Cause::Exited,
        (Some("TaskFailedToStart"), None) => Cause::Start,
        _ => Cause::Platform,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_and_quota_are_waited_for_with_a_new_token() {
        for reason in [
            "Capacity is unavailable at this time. Please try again later or in a different availability zone",
            "You've reached the limit on the number of vCPUs you can run concurrently",
            "You\u{2019}ve reached the limit on the number of vCPUs you can run concurrently",
            "RESOURCE:MEMORY",
            "words that nobody knows",
        ] {
            let Refused::Later { anew, why, slower, .. } = failure(reason, None) else { panic!() };
            assert!(anew && slower && why.contains(reason), "{why}");
        }
    }

    #[test]
    fn exceptions_have_their_answer() {
        for (code, message, expected) in [
            ("ThrottlingException", "Rate exceeded", Some(false)),
            (
                "InvalidParameterException",
                "Rate exceeded (Service: ECS; ErrorCode: Throttling)",
                Some(false),
            ),
            ("ServerException", "", Some(false)),
            ("ConflictException", "", Some(true)),
            ("AccessDeniedException", "", Some(true)),
            ("ClusterNotFoundException", "Cluster not found.", Some(true)),
            ("ClientException", "Unable to describe TaskDefinition.", Some(true)),
            ("ClientException", "No Fargate configuration exists for given values.", None),
            (
                "InvalidParameterException",
                "Override for container named x is not a container",
                None,
            ),
            ("SomethingNewException", "", Some(false)),
        ] {
            let anew = match exception(code, message) {
                Refused::Later { anew, .. } => Some(anew),
                Refused::Never { .. } => None,
            };
            assert_eq!(anew, expected, "{code}: {message}");
        }
    }

    #[test]
    fn throttles_quotas_and_want_of_capacity_alone_make_starts_slower() {
        for (code, message, expected) in [
            ("ThrottlingException", "Rate exceeded", true),
            ("ClientException", "Capacity is unavailable at this time.", true),
            ("ClientException", "You've reached the limit on the number of tasks", true),
            ("ServerException", "", false),
            ("ConflictException", "", false),
            ("AccessDeniedException", "", false),
            ("ClientException", "Unable to describe TaskDefinition.", false),
            ("SomethingNewException", "", false),
        ] {
            let Refused::Later { slower, .. } = exception(code, message) else { panic!("{code}") };
            assert_eq!(slower, expected, "{code}: {message}");
        }
    }

    fn of(stop_code: &str, stopped: &str, container: &str, exit: Option<i32>) -> Cause {
        let told = Told {
            last_status: "STOPPED",
            pulling: false,
            stop_code: Some(stop_code),
            stopped_reason: Some(stopped),
            container_reason: Some(container),
            exit,
        };
        let Seen::Over { cause, .. } = seen(&told) else { panic!() };
        cause
    }

    #[test]
    fn each_end_has_a_cause_of_the_closed_list() {
        let ended = "Essential container in task exited";
        for (code, stopped, container, exit, expected) in [
            ("EssentialContainerExited", ended, "", Some(0), Cause::Exited),
            (
                "EssentialContainerExited",
                ended,
                "OutOfMemoryError: Container killed due to memory usage",
                Some(137),
                Cause::OutOfMemory,
            ),
            ("EssentialContainerExited", ended, "", Some(137), Cause::Killed),
            (
                "TaskFailedToStart",
                "CannotPullContainerError: pull image manifest has been retried 1 time(s)",
                "",
                None,
                Cause::ImagePull,
            ),
            (
                "TaskFailedToStart",
                "ResourceInitializationError: unable to pull secrets or registry auth",
                "",
                None,
                Cause::ImagePull,
            ),
            (
                "TaskFailedToStart",
                "ResourceInitializationError: failed to validate logger args",
                "",
                None,
                Cause::Resources,
            ),
            ("TaskFailedToStart", "unheard of", "", None, Cause::Start),
            ("SpotInterruption", "Your Spot Task was interrupted.", "", Some(143), Cause::Spot),
            (
                "TerminationNotice",
                "ECS is performing maintenance on the underlying infrastructure hosting the task",
                "",
                None,
                Cause::Maintenance,
            ),
            ("UserInitiated", "Task stopped by user", "", Some(143), Cause::Stopped),
            ("", "", "", None, Cause::Platform),
        ] {
            assert_eq!(
                of(code, stopped, container, exit),
                expected,
                "{code} {stopped} {container}"
            );
        }
    }

    #[test]
    fn what_has_not_stopped_is_alive() {
        for status in
            ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING"]
        {
            let told = Told { last_status: status, ..Told::default() };
            assert!(matches!(seen(&told), Seen::Alive { .. }), "{status}");
        }
        let told = Told { last_status: "PENDING", pulling: true, ..Told::default() };
        assert_eq!(seen(&told), Seen::Alive { step: "PULLING".to_owned() });
    }
}
